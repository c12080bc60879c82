//! `reeltop demo`: the embedded server and receivers of webhooks, in this process, on loopback.
//!
//! The stage is set through the public API alone; what looks at it is an ordinary client that
//! gets nothing but a URL and a key.

use anyhow::{Context, bail};
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::server::chaos::Choice;
use crate::server::receivers::{self, Manner, Receivers};
use crate::server::{self, Options, Running};
use crate::wire::bodies::EndpointCreatedBody;
use crate::wire::signature::doctor::{Held, Holder};

/// The name of the endpoint that leads to the receiver beside the dashboard.
const BESIDE: &str = "here";
/// Simulated time, retry delays and retention run this much faster.
const TIME_SCALE: f64 = 60.0;

/// A running demo.
#[derive(Debug)]
pub struct Stage {
    server: Running,
    receivers: Receivers,
    /// The secret of the endpoint that leads to the receiver beside the dashboard, if there is one.
    beside: Option<SecretString>,
}

/// Starts the server with `rate` tasks a minute, the receivers, and an endpoint for each; faults
/// come on when all that is there. With `beside`, an endpoint leads to this URL too.
pub async fn stage(
    seed: u64,
    rate: f64,
    api_key: Option<SecretString>,
    chaos: Choice,
    beside: Option<String>,
) -> anyhow::Result<Stage> {
    let receivers = receivers::start(seed)
        .await
        .context("cannot start the demo's receivers")?;
    let options = Options {
        seed,
        api_key,
        tasks_per_minute: rate,
        time_scale: TIME_SCALE,
        disable_after: None,
        ..Options::default()
    };
    let server = server::start(options)
        .await
        .context("cannot start the demo's server")?;
    let mut stage = Stage {
        server,
        receivers,
        beside: None,
    };
    stage
        .create_endpoints(beside)
        .await
        .context("cannot create the demo's webhook endpoints")?;
    stage.server.chaos().switch(chaos);
    Ok(stage)
}

impl Stage {
    /// Base URL of the demo's API.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The key for it.
    pub fn api_key(&self) -> &str {
        self.server.api_key()
    }

    /// Stops everything, within a second and a half.
    pub async fn stop(self) {
        tokio::join!(self.server.stop(), self.receivers.stop());
    }

    /// The secrets of the endpoint that leads to the receiver beside the dashboard.
    pub fn received_with(&self) -> Vec<Held> {
        let secret = self.beside.iter().map(|secret| Held {
            name: format!("endpoint {BESIDE}"),
            text: secret.expose_secret().to_owned(),
            holder: Holder::Receiver,
        });
        secret.collect()
    }

    async fn create_endpoints(&mut self, beside: Option<String>) -> anyhow::Result<()> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_built_in_root_certs(false)
            .build()?;
        for receiver in self.receivers.list() {
            let created = self
                .create_endpoint(
                    &client,
                    &receiver.url,
                    receiver.description,
                    receiver.event_types,
                )
                .await?;
            let verifies = matches!(receiver.manner, Manner::Healthy | Manner::Flaky);
            let secret = created.secret.unwrap_or_default();
            if verifies && !self.receivers.tell_secret(receiver.manner, &secret) {
                bail!(
                    "the server gave {} a secret that is none",
                    receiver.description
                );
            }
        }
        if let Some(url) = beside {
            let created = self
                .create_endpoint(&client, &url, BESIDE, &["task.*"])
                .await?;
            self.beside = created.secret.map(Into::into);
        }
        Ok(())
    }

    async fn create_endpoint(
        &self,
        client: &reqwest::Client,
        url: &str,
        description: &str,
        event_types: &[&str],
    ) -> anyhow::Result<EndpointCreatedBody> {
        let body = json!({
            "url": url,
            "description": description,
            "event_types": event_types,
        });
        let request = client
            .post(format!("{}/webhooks/endpoints", self.url()))
            .bearer_auth(self.api_key())
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.bytes().await?;
        if status != StatusCode::CREATED {
            bail!(
                "{status} for {description}: {}",
                String::from_utf8_lossy(&text)
            );
        }
        Ok(serde_json::from_slice(&text)?)
    }
}
