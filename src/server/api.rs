//! What every handler may use, and how it reads a request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use secrecy::SecretString;

use super::backend::Backend;
use super::reject::{Rejected, detail};

/// What every handler may use.
#[derive(Clone)]
pub struct Api {
    pub backend: Backend,
    pub key: Arc<SecretString>,
    pub ping_every: Duration,
    pub started: Instant,
}

/// A query parameter; the last one counts, as in `FastAPI`.
pub fn parameter<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query
        .iter()
        .rev()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

/// A body that came whole, or the refusal of one that is too large or broke off.
pub fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Rejected> {
    body.map_err(|rejection| detail(rejection.status(), &rejection.body_text()).into())
}

/// A header as text.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
