//! Bounds on what comes from outside, and on what is kept of it in memory.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::domain::Bounds;
use crate::wire::shape::{MAX_DEPTH, Shape};

/// Bounds on one source; `assets/config.toml` says what happens beyond each (contracts.md, "Size
/// limits of the client").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    #[serde(deserialize_with = "within::<16, MAX_BYTES, _>")]
    pub event_bytes: usize,
    /// Four times `event_bytes` if it is not given.
    #[serde(deserialize_with = "some_within::<16, MAX_BYTES, _>")]
    pub line_bytes: Option<usize>,
    #[serde(deserialize_with = "within::<1024, MAX_BYTES, _>")]
    pub rest_body_bytes: usize,
    #[serde(deserialize_with = "within::<256, MAX_BYTES, _>")]
    pub header_bytes: usize,
    /// Redirects followed, within one origin.
    #[serde(deserialize_with = "within::<0, 100, _>")]
    pub redirects: usize,
    /// Rows taken of one page of a list.
    #[serde(deserialize_with = "within::<1, MAX_ROWS, _>")]
    pub list_rows: usize,
    #[serde(deserialize_with = "within::<8, MAX_DEPTH, _>")]
    pub json_depth: usize,
    #[serde(deserialize_with = "within::<1000, MAX_ROWS, _>")]
    pub json_values: usize,
    #[serde(deserialize_with = "within::<16, MAX_ROWS, _>")]
    pub tasks: usize,
    #[serde(deserialize_with = "within::<16, MAX_ROWS, _>")]
    pub events: usize,
    #[serde(deserialize_with = "within::<16, MAX_ROWS, _>")]
    pub event_ids: usize,
    #[serde(deserialize_with = "within::<16, MAX_ROWS, _>")]
    pub messages: usize,
    #[serde(deserialize_with = "within::<16, MAX_ROWS, _>")]
    pub endpoints: usize,
    #[serde(deserialize_with = "within::<16, MAX_ROWS, _>")]
    pub asset_names: usize,
}

/// The most that any limit of bytes can be raised to.
pub const MAX_BYTES: usize = 1 << 30;
/// The most that any limit of rows can be raised to.
const MAX_ROWS: usize = 100_000_000;

impl Default for Limits {
    fn default() -> Self {
        let Bounds {
            tasks,
            events,
            event_ids,
            messages,
            endpoints,
            asset_names,
        } = Bounds::default();
        let Shape { depth, values } = Shape::default();
        Self {
            event_bytes: 16 << 20,
            line_bytes: None,
            rest_body_bytes: 32 << 20,
            header_bytes: 64 << 10,
            redirects: 5,
            list_rows: 100_000,
            json_depth: depth,
            json_values: values,
            tasks,
            events,
            event_ids,
            messages,
            endpoints,
            asset_names,
        }
    }
}

impl Limits {
    /// The longest line of the stream that is waited for.
    pub fn longest_line(&self) -> usize {
        self.line_bytes
            .unwrap_or_else(|| self.event_bytes.saturating_mul(4))
    }

    /// Bounds on the shape of one JSON text.
    pub fn shape(&self) -> Shape {
        Shape {
            depth: self.json_depth,
            values: self.json_values,
        }
    }

    /// Bounds on what is kept in memory.
    pub fn bounds(&self) -> Bounds {
        Bounds {
            tasks: self.tasks,
            events: self.events,
            event_ids: self.event_ids,
            messages: self.messages,
            endpoints: self.endpoints,
            asset_names: self.asset_names,
        }
    }
}

fn within<'de, const LEAST: usize, const MOST: usize, D: Deserializer<'de>>(
    from: D,
) -> Result<usize, D::Error> {
    let number = i64::deserialize(from)?;
    usize::try_from(number)
        .ok()
        .filter(|number| (LEAST..=MOST).contains(number))
        .ok_or_else(|| D::Error::custom(format!("{number} is not from {LEAST} to {MOST}")))
}

fn some_within<'de, const LEAST: usize, const MOST: usize, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<usize>, D::Error> {
    within::<LEAST, MOST, D>(from).map(Some)
}
