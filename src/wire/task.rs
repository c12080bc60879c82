//! A task's JSON, read straight into packed values: no text is kept that a packed form can hold.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::lenient;
use crate::domain::{
    AssetId, Feature, FeatureState, Features, Id, Observation, TaskId, Time, UserId,
};

/// An id as text.
pub(super) struct IdText(pub(super) Id);

/// A time as text; `None` if it is none that can be read.
pub(super) struct TimeText(pub(super) Option<Time>);

/// The map of features.
pub(super) struct FeatureMap(pub(super) Features);

/// A task in the documented form (Aspect `TaskGetResponse`).
#[derive(Deserialize)]
pub(super) struct TaskBody {
    id: IdText,
    asset_id: IdText,
    features: FeatureMap,
    user_id: Option<IdText>,
    created: TimeText,
    updated: TimeText,
}

impl TaskBody {
    /// `None` if a time cannot be read.
    pub(super) fn into_observation(self) -> Option<Observation> {
        Some(Observation {
            task: TaskId(self.id.0),
            asset: AssetId(self.asset_id.0),
            user: UserId(self.user_id.map_or_else(|| Id::new(""), |user| user.0)),
            features: self.features.0,
            created: self.created.0?,
            updated: self.updated.0?,
            published: None,
            event: None,
        })
    }
}

macro_rules! read_text {
    ($name:ident, $what:literal, $read:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($what)
                    }
                    fn visit_str<E>(self, text: &str) -> Result<$name, E> {
                        Ok($name($read(text)))
                    }
                }
                from.deserialize_str(Text)
            }
        }
    };
}

read_text!(IdText, "an id", Id::new);
read_text!(TimeText, "a time", Time::parse);

struct FeatureName(Feature);
struct StateName(FeatureState);
read_text!(FeatureName, "a feature", Feature::new);
read_text!(StateName, "a state", FeatureState::new);

#[derive(Deserialize)]
struct FeatureInfo {
    state: StateName,
}

impl<'de> Deserialize<'de> for FeatureMap {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = FeatureMap;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of features")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FeatureMap, A::Error> {
                let mut features = Features::default();
                while let Some(FeatureName(feature)) = map.next_key()? {
                    let info: FeatureInfo = map.next_value()?;
                    features.set(feature, info.state.0);
                }
                Ok(FeatureMap(features))
            }
        }
        from.deserialize_map(Map)
    }
}

/// Reads a task in the documented form.
pub fn decode_task(json: &[u8]) -> Option<Observation> {
    serde_json::from_slice::<TaskBody>(json)
        .ok()?
        .into_observation()
}

/// Reads a task in any form that is one: camelCase, a feature's state as a bare word, a missing
/// time (reference: aspect-api.md part 6).
pub fn lenient_task(value: &Value) -> Option<Observation> {
    let object = value.as_object()?;
    let text = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| object.get(*name))
            .and_then(id_text)
    };
    let time = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| object.get(*name))
            .and_then(lenient::time)
    };
    let features = object.get("features")?.as_object()?;
    let task = text(&["id", "task_id", "taskId"])?;
    let updated = time(&["updated", "updated_at", "updatedAt"]);
    let created = time(&["created", "created_at", "createdAt"]);
    let mut packed = Features::default();
    for (name, info) in features {
        let state = info.as_str().or_else(|| {
            info.get("state")
                .or_else(|| info.get("status"))
                .and_then(Value::as_str)
        });
        if let Some(state) = state {
            packed.set(Feature::new(name), FeatureState::new(state));
        }
    }
    Some(Observation {
        task: TaskId::new(&task),
        asset: AssetId::new(&text(&["asset_id", "assetId"]).unwrap_or_default()),
        user: UserId::new(&text(&["user_id", "userId"]).unwrap_or_default()),
        features: packed,
        created: created.or(updated)?,
        updated: updated.or(created)?,
        published: None,
        event: None,
    })
}

/// An id as text, whether it came as text or as a number.
pub(super) fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
