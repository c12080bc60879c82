//! The keys that replays from here are signed with, each looked for once for all of a bulk.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;

use crate::domain::{EndpointId, Failure, FailureKind};
use crate::io::client::Client;
use crate::io::config::secrets;
use crate::wire::signature::key::Key;

/// The keys of endpoints, as they were told, for as long as it lives. Clones are one.
#[derive(Clone)]
pub struct SigningKeys {
    /// Where secrets are saved, if anywhere.
    folder: Option<PathBuf>,
    told: Arc<Mutex<HashMap<EndpointId, Arc<OnceCell<Key>>>>>,
}

impl SigningKeys {
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            told: Arc::default(),
        }
    }

    /// The key of an endpoint: of the secret that the service tells, else of the one that was saved for
    /// it, which may be older. Whoever wants it while it is being asked for waits for that answer; one that failed is
    /// asked for again.
    pub async fn of(&self, client: Option<&Client>, endpoint: &EndpointId) -> Result<Key, Failure> {
        let cell = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.entry(endpoint.clone()).or_default().clone()
        };
        let asking = || key_of(client, self.folder.clone(), endpoint);
        cell.get_or_try_init(asking).await.cloned()
    }
}

async fn key_of(
    client: Option<&Client>,
    folder: Option<PathBuf>,
    endpoint: &EndpointId,
) -> Result<Key, Failure> {
    let id = endpoint.to_string();
    let saved = tokio::task::spawn_blocking(move || {
        let saved = folder.map(|folder| secrets::saved(&folder));
        let mut all = saved.into_iter().flatten();
        all.find(|(name, _)| *name == id).map(|(_, secret)| secret)
    });
    let told = match client {
        Some(client) => told(client, endpoint).await,
        None => Err(none("none is saved here")),
    };
    let secret = match told {
        Ok(secret) => secret,
        // It tells it later: until then the one that was saved may be the one before.
        Err(failure) if failure.kind == FailureKind::RateLimited => return Err(failure),
        Err(failure) => saved.await.unwrap_or_default().ok_or(failure)?,
    };
    let key = Key::parse(secret.expose_secret());
    let key = key.map_err(|fault| none(&format!("the one of {endpoint} {fault}")))?;
    match key {
        Key::Public(_) => Err(none(
            "that of the endpoint is a public key, which only checks",
        )),
        key => Ok(key),
    }
}

async fn told(client: &Client, endpoint: &EndpointId) -> Result<SecretString, Failure> {
    let route = client.endpoint_routes().await?.secret;
    let route =
        route.ok_or_else(|| none("none is saved here, and the service does not tell it"))?;
    let told = client.endpoint_secret(&route, endpoint).await;
    told.map_err(untold)
}

fn none(why: &str) -> Failure {
    Failure::new(
        FailureKind::Local,
        format!("there is no secret to sign with: {why}"),
        "m on the endpoint shows its secret and saves it where the service offers that",
    )
}

/// A service that asks to be left alone tells it later.
fn untold(failure: Failure) -> Failure {
    let lacking = none(&failure.what);
    match failure.kind {
        FailureKind::RateLimited => Failure {
            what: lacking.what,
            ..failure
        },
        _ => lacking,
    }
}
