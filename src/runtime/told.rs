//! What the service alone tells of one thing.

use crate::app::{Sight, Sighted};
use crate::domain::Failure;
use crate::io::client::Client;
use crate::io::intake::Hose;

/// Reads it; nothing for what is read by the hose alone.
pub async fn told(hose: &Hose, client: &Client, sight: &Sight) -> Option<Result<Sighted, Failure>> {
    match sight {
        Sight::Next(asked) => {
            let asking = hose.ask_next(client, asked).await;
            Some(asking.map(|()| Sighted::Next))
        }
        Sight::Stats(endpoint) => {
            let counted = client.endpoint_stats(endpoint, None).await;
            Some(counted.map(Sighted::Stats))
        }
        Sight::Headers(message, attempt) => {
            let headers = client.attempt_headers(message, attempt).await;
            Some(headers.map(Sighted::Headers))
        }
        Sight::Task(_) | Sight::Attempts(_) | Sight::Message(_) | Sight::Asset(_) => None,
    }
}
