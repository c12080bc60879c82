//! What the simulated service works on: believable assets, and how each of their tasks will go.
//!
//! Everything here is drawn from a seeded generator and from nothing else: the same seed gives
//! the same assets, features and fates, whatever the clock does.

use fastrand::Rng;
use uuid::Builder;

use super::tasks::{CORE_FEATURES, FeatureState};

const VIDEOS: [(&str, &str, &str); 4] = [
    ("mp4", "video/mp4", "video"),
    ("mov", "video/quicktime", "video"),
    ("mxf", "application/mxf", "video"),
    ("mkv", "video/x-matroska", "video"),
];
const AUDIOS: [(&str, &str, &str); 3] = [
    ("wav", "audio/wav", "audio"),
    ("mp3", "audio/mpeg", "audio"),
    ("flac", "audio/flac", "audio"),
];
const IMAGES: [(&str, &str, &str); 2] = [
    ("jpg", "image/jpeg", "image"),
    ("png", "image/png", "image"),
];

const VIDEO_NAMES: [&str; 16] = [
    "keynote-2026-final",
    "interview_raw",
    "drone-coast-4k",
    "b-roll-market",
    "product-teaser-v",
    "townhall-q",
    "crash-test-cam",
    "wedding-ceremony-cut",
    "onboarding-module",
    "match-highlights",
    "lecture-optics",
    "trailer-de-v",
    "timelapse-harbour",
    "unboxing-take",
    "dailies-day",
    "café-scene-take",
];
const AUDIO_NAMES: [&str; 6] = [
    "podcast-ep",
    "voice-memo",
    "score-mixdown",
    "call-recording",
    "audiobook-ch",
    "radio-spot",
];
const IMAGE_NAMES: [&str; 5] = [
    "storyboard",
    "poster-draft",
    "set-photo",
    "thumbnail-options",
    "location-scout",
];

/// An asset as it comes in.
#[derive(Debug, Clone, PartialEq)]
pub struct Asset {
    pub id: String,
    pub name: String,
    pub kind: &'static str,
    pub mime_type: &'static str,
    pub size_bytes: u64,
    /// Seconds of running time; none for images.
    pub duration_s: Option<f64>,
    /// Whether there is sound to transcribe.
    pub has_speech: bool,
}

/// How one feature of a task will go.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub feature: &'static str,
    /// Processing time in simulated seconds.
    pub takes_s: f64,
    pub end: FeatureState,
}

/// How a whole task will go.
#[derive(Debug, Clone, PartialEq)]
pub struct Fate {
    pub steps: Vec<Step>,
    /// Somebody cancels the task this many simulated seconds after it was created.
    pub cancelled_after_s: Option<f64>,
}

/// A version 4 UUID drawn from the generator.
pub fn uuid(rng: &mut Rng) -> String {
    let mut bytes = [0_u8; 16];
    rng.fill(&mut bytes);
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

fn pick<T: Copy>(rng: &mut Rng, among: &[T]) -> Option<T> {
    rng.choice(among.iter()).copied()
}

/// The next asset.
pub fn asset(rng: &mut Rng) -> Asset {
    let id = uuid(rng);
    let roll = rng.f64();
    let (names, forms): (&[&str], &[_]) = if roll < 0.74 {
        (&VIDEO_NAMES, &VIDEOS)
    } else if roll < 0.92 {
        (&AUDIO_NAMES, &AUDIOS)
    } else {
        (&IMAGE_NAMES, &IMAGES)
    };
    let stem = pick(rng, names).unwrap_or("asset");
    let (extension, mime_type, kind) = pick(rng, forms).unwrap_or(("bin", "", "other"));
    let number = rng.u16(1..400);
    let plain = stem.ends_with("final") || stem.ends_with("4k") || stem.ends_with("cut");
    let joint = if stem.ends_with("-v") || stem.ends_with("-q") {
        ""
    } else {
        "-"
    };
    let name = if plain && rng.bool() {
        format!("{stem}.{extension}")
    } else {
        format!("{stem}{joint}{number}.{extension}")
    };
    let duration_s =
        (kind != "image").then(|| tenths(log_normal(rng, 240.0, 1.0).min(4.0 * 3600.0)));
    let bytes_a_second = match kind {
        "video" => 2_500_000.0,
        "audio" => 170_000.0,
        _ => 4_000_000.0,
    };
    let size = duration_s.unwrap_or(1.0) * bytes_a_second * (0.5 + rng.f64());
    let has_speech = kind == "audio" || (kind == "video" && rng.f64() < 0.75);
    Asset {
        id,
        name,
        kind,
        mime_type,
        size_bytes: size as u64,
        duration_s,
        has_speech,
    }
}

/// What is made of an asset when it comes in; `na` where a feature does not apply to its kind.
pub fn features_of(asset: &Asset) -> Vec<(String, FeatureState)> {
    let applies = |feature: &str| match feature {
        "proxy" | "visual" => asset.kind != "audio",
        "transcription" => asset.has_speech,
        _ => true,
    };
    requested(&CORE_FEATURES, applies)
}

/// What a client asked to be made of an asset.
pub fn requested_of(asset: Option<&Asset>, features: &[&str]) -> Vec<(String, FeatureState)> {
    let Some(asset) = asset else {
        return features
            .iter()
            .map(|&name| (name.to_owned(), FeatureState::Queued))
            .collect();
    };
    requested(features, |feature| match feature {
        "visual" => asset.kind != "audio",
        "transcription" => asset.kind != "image",
        _ => true,
    })
}

fn requested(features: &[&str], applies: impl Fn(&str) -> bool) -> Vec<(String, FeatureState)> {
    let state = |name: &str| {
        if applies(name) {
            FeatureState::Queued
        } else {
            FeatureState::Na
        }
    };
    features
        .iter()
        .map(|&name| (name.to_owned(), state(name)))
        .collect()
}

/// How the queued features of a task will go: about 8 % of tasks lose a feature, 2 % are
/// cancelled, and now and then a feature hangs for long.
pub fn fate(rng: &mut Rng, features: &[(String, FeatureState)], duration_s: Option<f64>) -> Fate {
    let length = (duration_s.unwrap_or(30.0) / 240.0).powf(0.4);
    let mut steps = Vec::new();
    for (name, state) in features {
        let Some(&(feature, median_s)) = MEDIANS_S.iter().find(|(known, _)| known == name) else {
            continue;
        };
        let (spread, stuck, factor) = (log_normal(rng, 1.0, 0.45), rng.f64(), rng.f64());
        if *state != FeatureState::Queued {
            continue;
        }
        let hang = if stuck < 0.012 {
            8.0 + 16.0 * factor
        } else {
            1.0
        };
        let takes_s = (median_s * length * spread * hang).clamp(1.0, 6.0 * 3600.0);
        steps.push(Step {
            feature,
            takes_s,
            end: FeatureState::Completed,
        });
    }
    let (fails, which, cancels, when) = (rng.f64(), rng.f64(), rng.f64(), rng.f64());
    if fails < 0.08 {
        // A proxy seldom fails: it is the plainest of the steps.
        let from = usize::from(steps.len() > 1);
        let index = from + (which * (steps.len() - from.min(steps.len())) as f64) as usize;
        if let Some(step) = steps.get_mut(index) {
            step.end = FeatureState::Failed;
            step.takes_s *= 0.6;
        }
    }
    let total: f64 = steps.iter().map(|step| step.takes_s).sum();
    let cancelled_after_s = (cancels < 0.02).then_some(total * 0.6 * when);
    Fate {
        steps,
        cancelled_after_s,
    }
}

/// Median processing times in simulated seconds, for four minutes of video.
pub const MEDIANS_S: [(&str, f64); 4] = [
    ("proxy", 40.0),
    ("preview", 60.0),
    ("visual", 240.0),
    ("transcription", 180.0),
];

/// Mean processing time over median, hanging and long assets included; for planning workers.
pub const MEAN_OVER_MEDIAN: f64 = 1.5;

/// Skewed to the right, as waiting times are: exp of a normal, by its median.
fn log_normal(rng: &mut Rng, median: f64, sigma: f64) -> f64 {
    let (u, v) = (1.0 - rng.f64(), rng.f64());
    let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
    median * (sigma * normal).exp()
}

fn tenths(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64) -> Vec<(Asset, Fate)> {
        let mut rng = Rng::with_seed(seed);
        (0..2000)
            .map(|_| {
                let asset = asset(&mut rng);
                let fate = fate(&mut rng, &features_of(&asset), asset.duration_s);
                (asset, fate)
            })
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_day() {
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }

    #[test]
    fn fates_are_spread_as_promised() {
        let day = drawn(1);
        let share = |count: usize| count as f64 / day.len() as f64;
        let failed = day.iter().filter(|(_, fate)| {
            fate.steps
                .iter()
                .any(|step| step.end == FeatureState::Failed)
        });
        let failed = share(failed.count());
        let cancelled = share(
            day.iter()
                .filter(|(_, f)| f.cancelled_after_s.is_some())
                .count(),
        );
        assert!((0.05..0.11).contains(&failed), "{failed}");
        assert!((0.01..0.035).contains(&cancelled), "{cancelled}");
        for (asset, fate) in &day {
            assert!(!fate.steps.is_empty(), "{asset:?}");
            let visual = fate.steps.iter().any(|step| step.feature == "visual");
            assert_eq!(visual, asset.kind != "audio");
            assert!(
                fate.steps
                    .iter()
                    .all(|step| step.takes_s.is_finite() && step.takes_s >= 1.0)
            );
        }
    }

    #[test]
    fn ids_are_version_4_uuids() {
        let id = uuid(&mut Rng::with_seed(1));
        assert_eq!((id.len(), id.as_bytes().get(14)), (36, Some(&b'4')));
    }
}
