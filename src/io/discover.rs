//! Where the event stream is: configured, else published in `/openapi.json`, else `/events`
//! (aspect-api.md part 6).

use reqwest::Url;

use super::client::Client;
use crate::domain::Failure;
use crate::wire::openapi::Published;

/// The stream's place when nothing says where it is.
const GUESS: &str = "/events";

/// Where the stream is, how that is known, and what the server publishes.
#[derive(Debug, Clone)]
pub struct Found {
    pub url: Url,
    /// `configured`, `published` or `guessed`.
    pub how: &'static str,
    /// `None` while the server could not be asked.
    pub published: Option<Published>,
}

/// Finds the stream. Fails only where the configured path is none.
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
        let url = client.http.path(path)?;
        return Ok(Found {
            url,
            how: "configured",
            published,
        });
    }
    let path = published
        .as_ref()
        .and_then(|published| published.stream.as_deref());
    let (url, how) = match path.map(|path| client.http.path(path)) {
        Some(Ok(url)) => (url, "published"),
        _ => (client.http.path(GUESS)?, "guessed"),
    };
    Ok(Found {
        url,
        how,
        published,
    })
}
