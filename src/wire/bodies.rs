//! Bodies of the Aspect API as the embedded server writes them: strict, in the documented shapes
//! (the public API reference, SDK 0.0.6 and the webhooks page), `snake_case`, nothing left out.
//!
//! Serialised with `serde_json` in its compact form these are byte for byte what JavaScript's
//! `JSON.stringify` gives, so receivers that parse and re-stringify still verify signatures.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// State of one feature inside a task or an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeatureBody {
    pub state: &'static str,
}

/// Features by name, kept in the order in which they were added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeaturesBody(pub Vec<(String, FeatureBody)>);

impl Serialize for FeaturesBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, feature) in &self.0 {
            map.serialize_entry(name, feature)?;
        }
        map.end()
    }
}

/// `TaskGetResponse`; times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskBody {
    pub id: String,
    pub asset_id: String,
    pub features: FeaturesBody,
    pub user_id: String,
    pub created: String,
    pub updated: String,
}

/// What is published: on the stream, and as the body of webhooks.
#[derive(Debug, Clone, Serialize)]
pub struct EnvelopeBody<'a, D> {
    pub timestamp: &'a str,
    pub user_id: &'a str,
    pub event_id: &'a str,
    pub event_type: &'a str,
    pub data: D,
}

/// `data` of a task event.
#[derive(Debug, Clone, Serialize)]
pub struct TaskDataBody {
    pub task: TaskBody,
}

/// `data` of an asset event. Undocumented: the docs only say that all events are on the stream.
#[derive(Debug, Clone, Serialize)]
pub struct AssetDataBody {
    pub asset: AssetItemBody,
}

/// `data` of an index event. Undocumented, like [`AssetDataBody`].
#[derive(Debug, Clone, Serialize)]
pub struct IndexDataBody {
    pub index: IndexBody,
}

/// Answer to `POST /tasks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCreatedBody {
    pub task_id: String,
}

/// `User` of `GET /users/me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserBody {
    pub id: String,
    pub external_id: String,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub avatar_url: Option<String>,
    pub created: String,
    pub updated: String,
    pub tokens_remaining: i64,
    pub is_aspect_admin: Option<bool>,
}

/// `Index` of `GET /indexes`; `duration` is in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IndexBody {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub num_assets: u64,
    pub size_bytes: u64,
    pub total_tokens_used: u64,
    #[serde(serialize_with = "js_number")]
    pub duration: f64,
    pub user_id: Option<String>,
    pub default_features: Vec<&'static str>,
    pub is_sample: bool,
    pub is_sample_ready: bool,
    pub sample_prompts: Vec<String>,
    pub created: String,
    pub updated: String,
}

/// A pointer to a derived file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReferenceBody {
    pub id: String,
}

/// `AssetListItem` of `GET /assets`; `duration` is in seconds, absent for images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AssetItemBody {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub name: String,
    pub size_bytes: u64,
    pub mime_type: &'static str,
    pub save_original: bool,
    #[serde(serialize_with = "js_optional_number")]
    pub duration: Option<f64>,
    pub user_id: String,
    pub index_id: String,
    pub features: FeaturesBody,
    pub proxy: Option<ReferenceBody>,
    pub preview: Option<ReferenceBody>,
    pub created: String,
    pub updated: String,
}

/// `Asset` of `GET /assets/{id}`; index units are search data, which this server does not make.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AssetBody {
    #[serde(flatten)]
    pub item: AssetItemBody,
    pub index_units: Option<Vec<()>>,
}

/// A webhook endpoint. `rate_limit` is in messages a second, as in Svix; `null` is none. Event types
/// that are `null` are all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointBody {
    pub id: String,
    pub url: String,
    pub description: String,
    pub event_types: Option<Vec<String>>,
    pub rate_limit: Option<u16>,
    pub disabled: bool,
    pub version: u16,
    pub created_at: String,
    pub updated_at: String,
}

/// The application that the first endpoint provisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppBody {
    pub id: String,
    pub is_new: bool,
}

/// Answer to `POST /webhooks/endpoints`, the only place where the secret appears.
#[derive(Clone, Serialize, Deserialize)]
pub struct EndpointCreatedBody {
    pub endpoint: EndpointBody,
    /// Null where the endpoint is there but whoever delivers did not tell it.
    pub secret: Option<String>,
    pub app: AppBody,
}

/// Answer to our own `GET /webhooks/endpoints/{id}/secret`, in Svix's shape.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct SecretBody {
    pub key: String,
}

/// Answer to our own `GET /webhooks/endpoints/{id}/headers`, in Svix's shape: of sensitive headers
/// only the names. Values are texts; where delivery is handed over, whatever they are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeadersBody {
    pub headers: BTreeMap<String, serde_json::Value>,
    pub sensitive: Vec<String>,
}

/// Answer to `PUT /webhooks/endpoints/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndpointUpdatedBody {
    pub endpoint: EndpointBody,
}

/// Answer to `DELETE /webhooks/endpoints/{id}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SuccessBody {
    pub success: bool,
}

/// Answer to our own `GET /webhooks/endpoints`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndpointListBody {
    pub data: Vec<EndpointBody>,
}

/// A message of `GET /webhooks/messages`; the payload is the delivered bytes.
#[derive(Debug, Clone, Serialize)]
pub struct MessageBody {
    pub id: String,
    pub event_id: String,
    pub event_type: String,
    #[serde(serialize_with = "shared")]
    pub payload: Arc<RawValue>,
    pub timestamp: String,
    pub channels: Option<Vec<String>>,
    pub tags: Option<Vec<String>>,
}

/// One finished attempt; `timestamp` is its start. Status 0 success, 2 fail; trigger 0 scheduled,
/// 1 manual; response status code 0 where there was no HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptBody {
    pub id: String,
    pub msg_id: String,
    pub endpoint_id: String,
    pub url: String,
    #[serde(serialize_with = "shared")]
    pub response: Arc<str>,
    pub response_status_code: u16,
    pub response_duration_ms: u64,
    pub status: u8,
    pub status_text: &'static str,
    pub trigger_type: u8,
    pub timestamp: String,
}

/// One page of a log, newest first: Svix's list envelope in `snake_case`.
#[derive(Debug, Clone, Serialize)]
pub struct PageBody<T> {
    pub data: Vec<T>,
    pub iterator: Option<String>,
    pub prev_iterator: Option<String>,
    pub done: bool,
}

/// Any refusal that is not about a field: `{"detail":"…"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DetailBody {
    pub detail: String,
}

/// Texts are shared between the log and the answers made from it.
fn shared<T: Serialize + ?Sized, S: Serializer>(
    value: &Arc<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.as_ref().serialize(serializer)
}

/// Whole numbers without a fraction, as JavaScript writes them (`12`, not `12.0`).
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn js_number<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    const EXACT: f64 = 9_007_199_254_740_991.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        serializer.serialize_i64(*number as i64)
    } else {
        serializer.serialize_f64(*number)
    }
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn js_optional_number<S: Serializer>(
    number: &Option<f64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => js_number(number, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn an_envelope_is_in_the_documented_order_and_in_stringify_form() {
        let task = TaskBody {
            id: "t".to_owned(),
            asset_id: "a\u{1}/é\u{2028}\"".to_owned(),
            features: FeaturesBody(vec![
                ("visual".to_owned(), FeatureBody { state: "queued" }),
                ("proxy".to_owned(), FeatureBody { state: "na" }),
            ]),
            user_id: "u".to_owned(),
            created: "c".to_owned(),
            updated: "d".to_owned(),
        };
        let envelope = EnvelopeBody {
            timestamp: "n",
            user_id: "u",
            event_id: "e",
            event_type: "task.progress",
            data: TaskDataBody { task },
        };
        assert_eq!(
            serde_json::to_string(&envelope).unwrap(),
            "{\"timestamp\":\"n\",\"user_id\":\"u\",\"event_id\":\"e\",\"event_type\":\
             \"task.progress\",\"data\":{\"task\":{\"id\":\"t\",\"asset_id\":\
             \"a\\u0001/é\u{2028}\\\"\",\"features\":{\"visual\":{\"state\":\"queued\"},\
             \"proxy\":{\"state\":\"na\"}},\"user_id\":\"u\",\"created\":\"c\",\"updated\":\"d\"}}}"
        );
    }

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        #[derive(Serialize)]
        struct Two {
            #[serde(serialize_with = "js_number")]
            a: f64,
            #[serde(serialize_with = "js_optional_number")]
            b: Option<f64>,
        }
        assert_eq!(
            serde_json::to_string(&Two {
                a: 12.0,
                b: Some(12.5)
            })
            .unwrap(),
            r#"{"a":12,"b":12.5}"#
        );
        assert_eq!(
            serde_json::to_string(&Two { a: 0.0, b: None }).unwrap(),
            r#"{"a":0,"b":null}"#
        );
    }
}
