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
        match name {
            "proxy" => Self::Proxy,
            "preview" => Self::Preview,
            "visual" => Self::Visual,
            "transcription" => Self::Transcription,
            "embedding" => Self::Embedding,
            "scene_detect" => Self::SceneDetect,
            "audio_proxy" => Self::AudioProxy,
            "model_proxy" => Self::ModelProxy,
            other => Self::Other(word(other)),
        }
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

    fn nibble(&self) -> Option<u32> {
        KNOWN_FEATURES
            .iter()
            .position(|known| known == self)
            .map(|at| at as u32 * 4)
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
        match text {
            "queued" => Self::Queued,
            "processing" => Self::Processing,
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            "cancelled" => Self::Cancelled,
            "na" => Self::Na,
            other => Self::Unknown(word(other)),
        }
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

    /// Sets one feature's state. Beyond 64 unknown ones it does nothing and
    /// says `false`.
    pub fn set(&mut self, feature: Feature, state: FeatureState) -> bool {
        let nibble = feature.nibble();
        if let Some(shift) = nibble {
            self.packed = self.packed & !(0xf << shift) | state.code() << shift;
        }
        let is_unknown = matches!(state, FeatureState::Unknown(_));
        if nibble.is_some() && !is_unknown && self.extra.is_none() {
            return true;
        }
        let mut extra: Vec<Extra> = self.extra.as_deref().unwrap_or_default().to_vec();
        extra.retain(|(name, _)| *name != feature);
        if nibble.is_none() || is_unknown {
            if extra.len() >= MAX_EXTRA_FEATURES {
                return false;
            }
            extra.push((feature, state));
        }
        extra.sort();
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
        let mut tally = Tally::default();
        let mut rest = self.packed;
        let mut facing = USER_FACING;
        while rest != 0 {
            tally.count(rest & 0xf, facing & 0xf != 0);
            rest >>= 4;
            facing >>= 4;
        }
        for (name, state) in self.extra.iter().flat_map(|extra| extra.iter()) {
            if name.nibble().is_none() {
                tally.count(state.code(), true);
            }
        }
        tally
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

impl Tally {
    fn count(&mut self, code: u32, user_facing: bool) {
        let (is_final, begun, rank) = match code {
            0 => return,
            1 => (false, false, 0),
            2 | UNKNOWN => (false, true, 1),
            6 => (true, false, 2),
            _ => (true, true, 2),
        };
        self.unfinished += u32::from(!is_final);
        self.begun += u32::from(begun);
        self.rank += rank;
        if user_facing && code != 6 {
            self.wanted += 1;
            self.ready += u32::from(is_final);
            self.failed += u32::from(code == 4);
            self.cancelled += u32::from(code == 5);
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
    fn the_number_of_unknown_features_is_bounded() {
        let mut features = Features::default();
        let kept = (0..200)
            .filter(|n| features.set(Feature::new(&format!("f{n}")), FeatureState::Queued))
            .count();
        assert_eq!(kept, MAX_EXTRA_FEATURES);
    }
}
