//! Endpoints: where webhooks go.

mod compared;
mod draft;
mod headers;
mod stats;
mod verb;

use std::sync::Arc;

use super::event::EventType;
use super::id::EndpointId;
use super::time::Time;

pub use compared::Differs;
pub use draft::{
    EVERY_EVENT, EVERY_TASK_EVENT, EndpointDraft, EndpointEdit, FieldFault, refused_field,
    types_expanded, types_named, unknown_type,
};
pub use headers::{AttemptHeaders, Headers, OddValue, OwnHeaders, OwnValue, header_fault};
pub use stats::{COUNTED_DAYS, Stats};
pub use verb::EndpointVerb;

/// A webhook endpoint (Aspect `Endpoint`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub id: EndpointId,
    pub url: Arc<str>,
    pub description: Arc<str>,
    /// Event types it wants, sorted; `None` means all.
    pub event_types: Option<Arc<[EventType]>>,
    /// Messages a second, if limited.
    pub rate_limit: Option<u64>,
    pub disabled: bool,
    pub created: Option<Time>,
    pub updated: Option<Time>,
    /// Whether it is known only from the attempts made to it.
    pub is_inferred: bool,
}

impl Endpoint {
    /// What is known of an endpoint of which only an attempt was seen.
    pub fn inferred(id: EndpointId, url: Arc<str>) -> Self {
        Self {
            id,
            url,
            description: "".into(),
            event_types: None,
            rate_limit: None,
            disabled: false,
            created: None,
            updated: None,
            is_inferred: true,
        }
    }

    /// The name to show: its description, else the URL without its scheme.
    pub fn label(&self) -> &str {
        if self.description.trim().is_empty() {
            self.url
                .split_once("://")
                .map_or(&*self.url, |(_, rest)| rest)
        } else {
            &self.description
        }
    }
}
