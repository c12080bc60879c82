//! What every handler may use, and how it reads a request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
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

/// The id in a path; one that is no text is refused in `FastAPI`'s form.
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejected> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(rejection) => Err(detail(rejection.status(), &rejection.body_text()).into()),
        }
    }
}
