//! Where the event stream is: configured, else published in `/openapi.json`, else guessed, else
//! found by asking at each place where it may be (aspect-api.md part 6).

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, CACHE_CONTROL, HeaderMap, HeaderValue};

use super::client::Client;
use super::client::failure::is_event_stream;
use crate::domain::{Failure, FailureKind};
use crate::wire::openapi::Published;

/// Where a stream is asked for when nothing says where it is, the likeliest first.
const PLACES: [&str; 10] = [
    "/events",
    "/events/stream",
    "/sse",
    "/events/sse",
    "/sse/events",
    "/stream",
    "/tasks/events",
    "/tasks/stream",
    "/webhooks/events",
    "/users/me/events",
];
/// How long one place may take to answer.
const PROBE: Duration = Duration::from_secs(5);

/// How the place of the stream is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Configured,
    Published,
    Guessed,
    Probed,
}

impl How {
    /// In words, before the path: `found by probing`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Published => "published",
            Self::Guessed => "guessed",
            Self::Probed => "found by probing",
        }
    }
}

/// Where the stream is, how that is known, and what the server publishes.
#[derive(Debug, Clone)]
pub struct Found {
    pub url: Url,
    pub how: How,
    /// Where else it may be, the likeliest first; nowhere if it is configured.
    pub others: Vec<Url>,
    /// `None` while the server could not be asked.
    pub published: Option<Published>,
}

/// Finds the likeliest place of the stream. Fails only where the configured path is none.
pub async fn discover(client: &Client, configured: Option<&str>) -> Result<Found, Failure> {
    // A server that publishes nothing has been asked all the same.
    let published = client.published().await.ok().map(Option::unwrap_or_default);
    place(client, configured, published)
}

/// The same where nothing but the stream is wanted: a configured path saves the question.
pub async fn stream_only(client: &Client, configured: Option<&str>) -> Result<Found, Failure> {
    match configured {
        Some(_) => place(client, configured, None),
        None => discover(client, None).await,
    }
}

fn place(
    client: &Client,
    configured: Option<&str>,
    published: Option<Published>,
) -> Result<Found, Failure> {
    if let Some(path) = configured {
        return Ok(Found {
            url: client.http.path(path)?,
            how: How::Configured,
            others: Vec::new(),
            published,
        });
    }
    let told = published.iter().flat_map(|published| &published.streams);
    let told: Vec<Url> = told
        .filter_map(|path| client.http.path(path).ok())
        .collect();
    let how = if told.is_empty() {
        How::Guessed
    } else {
        How::Published
    };
    let mut places = told;
    for path in PLACES {
        let url = client.http.path(path)?;
        if !places.contains(&url) {
            places.push(url);
        }
    }
    Ok(Found {
        url: places.remove(0),
        how,
        others: places,
        published,
    })
}

/// Whether a stream that stopped for this reason may be found elsewhere: there is none, as against
/// a server that refuses us.
pub fn is_elsewhere(why: &Failure) -> bool {
    matches!(
        why.kind,
        FailureKind::NotOffered
            | FailureKind::NotFound
            | FailureKind::NotAspect
            | FailureKind::Invalid
    )
}

/// Asks at each place in turn whether the stream is there; the answer's head tells. Fails where
/// asking on is of no use: the key is refused, or the server cannot be reached.
pub async fn search(client: &Client, places: &[Url]) -> Result<Option<Url>, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for url in places {
        match client.http.open(url, &headers, Some(PROBE), true).await {
            Ok(answer) if answer.status().as_u16() == 200 && is_event_stream(answer.headers()) => {
                return Ok(Some(url.clone()));
            }
            Ok(answer) if answer.status().as_u16() == 401 => {
                let key = &client.http.key_origin;
                let (status, headers) = (answer.status(), answer.headers());
                let failed = super::client::failure::status(status, headers, b"", url, key);
                return Err(failed.failure);
            }
            Err(failed) if failed.failure.kind == FailureKind::Unreachable => {
                return Err(failed.failure);
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(None)
}

/// Why there is no stream, where it was asked for at these places as well, in vain.
pub fn nowhere(first: &Failure, others: &[Url]) -> Failure {
    let what = match others.len() {
        0 => first.what.clone(),
        n => format!(
            "{}; nor is there a stream at {n} other places where it may be",
            first.what
        ),
    };
    let hint = "if it is elsewhere, name its path with --events-path or events_path";
    Failure::new(first.kind, what, hint)
}
