//! The yardstick: a bare `serde_json` parse into a struct with uuid, chrono times and enums.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

#[derive(Deserialize)]
pub struct Envelope {
    pub timestamp: DateTime<Utc>,
    pub user_id: Uuid,
    pub event_id: Uuid,
    pub event_type: EventType,
    pub data: Data,
}

#[derive(Deserialize, PartialEq)]
pub enum EventType {
    #[serde(rename = "task.progress")]
    Progress,
    #[serde(rename = "task.completed")]
    Completed,
    #[serde(rename = "task.failed")]
    Failed,
}

#[derive(Deserialize)]
pub struct Data {
    pub task: Task,
}

#[derive(Deserialize)]
pub struct Task {
    pub id: Uuid,
    pub asset_id: Uuid,
    pub features: Features,
    pub user_id: Uuid,
    pub created: DateTime<Utc>,
    pub updated: DateTime<Utc>,
}

#[derive(Deserialize)]
pub struct Features {
    pub proxy: Option<Feature>,
    pub preview: Option<Feature>,
    pub visual: Option<Feature>,
    pub transcription: Option<Feature>,
}

#[derive(Deserialize)]
pub struct Feature {
    pub state: State,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Queued,
    Processing,
    Completed,
    Failed,
    Cancelled,
    Na,
}

/// Parses one envelope and uses every field, so that none is optimised away.
pub fn parse(json: &[u8]) -> u64 {
    let envelope: Envelope = serde_json::from_slice(json).unwrap();
    let task = &envelope.data.task;
    let states = [
        &task.features.proxy,
        &task.features.preview,
        &task.features.visual,
        &task.features.transcription,
    ];
    let sum: u64 = states
        .iter()
        .filter_map(|feature| feature.as_ref())
        .map(|feature| feature.state as u64)
        .sum();
    let ids = envelope.event_id.as_u128()
        ^ envelope.user_id.as_u128()
        ^ task.id.as_u128()
        ^ task.asset_id.as_u128()
        ^ task.user_id.as_u128();
    let times =
        envelope.timestamp.timestamp() ^ task.created.timestamp() ^ task.updated.timestamp();
    sum ^ ids as u64 ^ times as u64 ^ u64::from(envelope.event_type == EventType::Progress)
}
