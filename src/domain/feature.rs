//! Features of a task and their states, both open sets, packed where they are known.

use std::fmt;
use std::sync::Arc;

/// Most unknown features (or features with unknown states) kept for one task.
pub const MAX_EXTRA_FEATURES: usize = 64;
/// Longest unknown word kept, in bytes.
pub const MAX_WORD_BYTES: usize = 64;

/// A kind of work on an asset (Aspect `CoreFeature` and the internal ones; open).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    Proxy,
    Preview,
    Visual,
    Transcription,
    /// The older name of visual, shown in its column.
    Embedding,
    SceneDetect,
    AudioProxy,
    ModelProxy,
    Other(Arc<str>),
}

/// The known features, in the order of the screen's columns, then the internal ones.
pub const KNOWN_FEATURES: [Feature; 8] = [
    Feature::Proxy,
    Feature::Preview,
    Feature::Visual,
    Feature::Transcription,
    Feature::Embedding,
    Feature::SceneDetect,
    Feature::AudioProxy,
    Feature::ModelProxy,
];

/// Bits of the packed word that belong to user-facing features: the first five nibbles.
const USER_FACING: u32 = 0x000f_ffff;

impl Feature {
    /// Reads a feature's name; an unknown one is kept.
    pub fn new(name: &str) -> Self {
        Self::known(name.as_bytes()).unwrap_or_else(|| Self::Other(word(name)))
    }

    /// Reads a known feature's name.
    pub fn known(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"proxy" => Self::Proxy,
            b"preview" => Self::Preview,
            b"visual" => Self::Visual,
            b"transcription" => Self::Transcription,
            b"embedding" => Self::Embedding,
            b"scene_detect" => Self::SceneDetect,
            b"audio_proxy" => Self::AudioProxy,
            b"model_proxy" => Self::ModelProxy,
            _ => return None,
        })
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Proxy => "proxy",
            Self::Preview => "preview",
            Self::Visual => "visual",
            Self::Transcription => "transcription",
            Self::Embedding => "embedding",
            Self::SceneDetect => "scene_detect",
            Self::AudioProxy => "audio_proxy",
            Self::ModelProxy => "model_proxy",
            Self::Other(name) => name,
        }
    }

    /// Whether people asked for it, as against an internal step (contracts.md, "Task state").
    pub fn is_user_facing(&self) -> bool {
        !matches!(
            self,
            Self::SceneDetect | Self::AudioProxy | Self::ModelProxy
        )
    }

    /// Place of a known feature's nibble in the packed word, in the order of [`KNOWN_FEATURES`].
    fn nibble(&self) -> Option<u32> {
        Some(match self {
            Self::Proxy => 0,
            Self::Preview => 4,
            Self::Visual => 8,
            Self::Transcription => 12,
            Self::Embedding => 16,
            Self::SceneDetect => 20,
            Self::AudioProxy => 24,
            Self::ModelProxy => 28,
            Self::Other(_) => return None,
        })
    }
}

/// The state of one feature (Aspect `FeatureState`; open).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeatureState {
    Queued,
    Processing,
    Completed,
    Failed,
    Cancelled,
    /// Not applicable to this asset; decides nothing.
    Na,
    /// A word we do not know; counts as unfinished.
    Unknown(Arc<str>),
}

impl FeatureState {
    /// Reads a state; an unknown word is kept.
    pub fn new(text: &str) -> Self {
        Self::known(text.as_bytes()).unwrap_or_else(|| Self::Unknown(word(text)))
    }

    /// Reads a known state.
    pub fn known(text: &[u8]) -> Option<Self> {
        Some(match text {
            b"queued" => Self::Queued,
            b"processing" => Self::Processing,
            b"completed" => Self::Completed,
            b"failed" => Self::Failed,
            b"cancelled" => Self::Cancelled,
            b"na" => Self::Na,
            _ => return None,
        })
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Na => "na",
            Self::Unknown(text) => text,
        }
    }

    /// Whether the feature will not change any more.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Cancelled | Self::Na
        )
    }

    fn code(&self) -> u32 {
        match self {
            Self::Queued => 1,
            Self::Processing => 2,
            Self::Completed => 3,
            Self::Failed => 4,
            Self::Cancelled => 5,
            Self::Na => 6,
            Self::Unknown(_) => UNKNOWN,
        }
    }

    fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            1 => Self::Queued,
            2 => Self::Processing,
            3 => Self::Completed,
            4 => Self::Failed,
            5 => Self::Cancelled,
            6 => Self::Na,
            _ => return None,
        })
    }
}

impl fmt::Display for FeatureState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

const UNKNOWN: u32 = 7;

/// What a known feature's unknown state, and an unknown feature's any state, are kept as.
pub type Extra = (Feature, FeatureState);

/// A task's features with their states: eight known ones in one word, the rest beside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Features {
    packed: u32,
    extra: Option<Arc<[Extra]>>,
}

impl Features {
    /// Puts the parts together again, as [`Features::packed`] and [`Features::extra`] gave them.
    pub fn from_parts(packed: u32, extra: Option<Arc<[Extra]>>) -> Self {
        Self { packed, extra }
    }

    /// Eight nibbles, one for each of [`KNOWN_FEATURES`]; 0 means absent, 7 an unknown state.
    pub fn packed(&self) -> u32 {
        self.packed
    }

    pub fn extra(&self) -> Option<&Arc<[Extra]>> {
        self.extra.as_ref()
    }

    /// Sets one feature's state. Of more than 64 unknown ones the first by name stay, whatever
    /// the order of setting; `false` says that this one did not.
    pub fn set(&mut self, feature: Feature, state: FeatureState) -> bool {
        let nibble = feature.nibble();
        if let Some(shift) = nibble {
            self.packed = self.packed & !(0xf << shift) | state.code() << shift;
        }
        let is_kept_beside = nibble.is_none() || matches!(state, FeatureState::Unknown(_));
        let held = self.extra.as_deref().unwrap_or_default();
        if !is_kept_beside && held.is_empty() {
            return true;
        }
        let is_full = held.len() >= MAX_EXTRA_FEATURES;
        if is_full && held.last().is_some_and(|(last, _)| *last < feature) {
            return !is_kept_beside;
        }
        let mut extra: Vec<Extra> = held
            .iter()
            .filter(|(name, _)| *name != feature)
            .cloned()
            .collect();
        if is_kept_beside {
            extra.push((feature, state));
            extra.sort();
            extra.truncate(MAX_EXTRA_FEATURES);
        }
        self.extra = (!extra.is_empty()).then(|| extra.into());
        true
    }

    pub fn get(&self, feature: &Feature) -> Option<FeatureState> {
        if let Some(shift) = feature.nibble() {
            let code = self.packed >> shift & 0xf;
            if code != UNKNOWN {
                return FeatureState::from_code(code);
            }
        }
        self.extra
            .iter()
            .flat_map(|extra| extra.iter())
            .find(|(name, _)| name == feature)
            .map(|(_, state)| state.clone())
    }

    /// All features that are present: the known in column order, then the others by name.
    pub fn iter(&self) -> impl Iterator<Item = (Feature, FeatureState)> + '_ {
        let known = KNOWN_FEATURES
            .into_iter()
            .filter_map(|feature| self.get(&feature).map(|state| (feature, state)));
        let others = self
            .extra
            .iter()
            .flat_map(|extra| extra.iter())
            .filter(|(name, _)| name.nibble().is_none())
            .cloned();
        known.chain(others)
    }

    /// Counts over all features and the user-facing ones; the rules of a task's state read these.
    pub fn tally(&self) -> Tally {
        let mut sum = 0;
        let mut rest = self.packed;
        let mut facing = USER_FACING;
        while rest != 0 {
            sum += COUNTS[(facing & 1) as usize][(rest & 0xf) as usize & 7];
            rest >>= 4;
            facing >>= 4;
        }
        for (name, state) in self.extra.iter().flat_map(|extra| extra.iter()) {
            if name.nibble().is_none() {
                sum += COUNTS[1][state.code() as usize & 7];
            }
        }
        Tally::from_sum(sum)
    }
}

/// How many of a task's features are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Features that are not in a final state.
    pub unfinished: u32,
    /// Features, na aside, that have left queued.
    pub begun: u32,
    /// User-facing features that failed.
    pub failed: u32,
    /// User-facing features that were cancelled.
    pub cancelled: u32,
    /// User-facing features in a final state, na aside.
    pub ready: u32,
    /// User-facing features, na aside.
    pub wanted: u32,
    /// Sum of 0 for queued, 1 for processing and unknown, 2 for final.
    pub rank: u32,
}

/// What a feature adds to a tally's sum, by whether it is user-facing and by its state's code.
/// The sum has a byte for each count, in the order of [`Tally`]'s fields; at most 72 features make
/// a rank of 144, so that no byte runs over.
const COUNTS: [[u64; 8]; 2] = [counts(false), counts(true)];

const fn counts(user_facing: bool) -> [u64; 8] {
    let mut table = [0; 8];
    let mut code = 1;
    while code < 8 {
        let (is_final, begun, rank) = match code {
            1 => (0, 0, 0),
            2 | UNKNOWN => (0, 1, 1),
            6 => (1, 0, 2),
            _ => (1, 1, 2),
        };
        let mut sum = (1 - is_final) | begun << 8 | rank << 48;
        if user_facing && code != 6 {
            sum |= (if code == 4 { 1 } else { 0 }) << 16;
            sum |= (if code == 5 { 1 } else { 0 }) << 24;
            sum |= is_final << 32 | 1 << 40;
        }
        table[code as usize] = sum;
        code += 1;
    }
    table
}

impl Tally {
    fn from_sum(sum: u64) -> Self {
        let [unfinished, begun, failed, cancelled, ready, wanted, rank, _] =
            sum.to_le_bytes().map(u32::from);
        Self {
            unfinished,
            begun,
            failed,
            cancelled,
            ready,
            wanted,
            rank,
        }
    }
}

/// A word from outside, at most [`MAX_WORD_BYTES`] long.
fn word(text: &str) -> Arc<str> {
    if text.len() <= MAX_WORD_BYTES {
        return text.into();
    }
    format!("{}…", &text[..text.floor_char_boundary(MAX_WORD_BYTES)]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_words_survive_and_can_become_known_again() {
        let mut features = Features::default();
        features.set(Feature::new("visual"), FeatureState::new("paused"));
        features.set(Feature::new("captions"), FeatureState::new("queued"));
        let names: Vec<String> = features
            .iter()
            .map(|(name, state)| format!("{}:{state}", name.name()))
            .collect();
        assert_eq!(names, ["visual:paused", "captions:queued"]);
        features.set(Feature::Visual, FeatureState::Completed);
        assert_eq!(
            features.get(&Feature::Visual),
            Some(FeatureState::Completed)
        );
        assert_eq!(features.extra().map(|extra| extra.len()), Some(1));
    }

    #[test]
    fn equal_whatever_the_order_of_setting() {
        let pairs = [
            ("proxy", "failed"),
            ("captions", "x"),
            ("visual", "y"),
            ("a", "na"),
        ];
        let mut forward = Features::default();
        let mut backward = Features::default();
        for (name, state) in pairs {
            forward.set(Feature::new(name), FeatureState::new(state));
        }
        for (name, state) in pairs.iter().rev() {
            backward.set(Feature::new(name), FeatureState::new(state));
        }
        assert_eq!(forward, backward);
    }

    #[test]
    fn the_number_of_unknown_features_is_bounded_in_any_order() {
        let set = |numbers: &mut dyn Iterator<Item = u32>| {
            let mut features = Features::default();
            for number in numbers {
                features.set(Feature::new(&format!("f{number}")), FeatureState::Queued);
            }
            features
        };
        let forward = set(&mut (0..200));
        assert_eq!(
            forward.extra().map(|extra| extra.len()),
            Some(MAX_EXTRA_FEATURES)
        );
        assert_eq!(set(&mut (0..200).rev()), forward);
    }
}
