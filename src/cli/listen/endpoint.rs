//! The endpoint that `listen --register` makes of itself at the configured server, and takes away
//! again.

use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};

use crate::cli::args::{ListenArgs, SourceArgs};
use crate::cli::endpoints::done;
use crate::cli::output::{Stop, note, usage};
use crate::cli::{hosts, source};
use crate::domain::{EndpointDraft, EndpointId, EndpointVerb};
use crate::io::client::Client;
use crate::io::config::is_loopback;
use crate::wire::signature::doctor::{Held, Holder};

/// What an endpoint of this command is called.
const NAME: &str = "reeltop listen";

/// An endpoint that is there as long as this command runs.
pub struct Registered {
    client: Client,
    id: EndpointId,
}

impl Registered {
    /// Creates the endpoint. Its secret is known here alone, and nowhere kept; `is_given` says whether
    /// there is another one to check with.
    pub async fn create(
        args: &ListenArgs,
        from: &SourceArgs,
        at: SocketAddr,
        is_given: bool,
    ) -> Result<(Self, Option<Held>), Stop> {
        let (source, client) = source::client(from)?;
        let server = hosts::receiver("--url", &source.url)?;
        let url = match &args.public_url {
            Some(url) => hosts::receiver("--public-url", url)?.to_string(),
            None if is_loopback(&server) => format!("http://{at}/"),
            None => {
                return Err(usage(
                    "--register",
                    "the server is not on this machine and cannot reach this address: name a URL that leads here with --public-url",
                ));
            }
        };
        name_left(&client, &url).await;
        let draft = EndpointDraft {
            url,
            description: NAME.to_owned(),
            event_types: Some(vec!["task.*".to_owned()]),
            ..EndpointDraft::default()
        };
        let created = done(
            client.create_endpoint(&draft).await,
            EndpointVerb::Create,
            "",
        )?;
        let id = created.endpoint.value.id;
        note(&format!("endpoint {id} leads here, until this ends"));
        let secret = match created.secret {
            Some(secret) => Ok(SecretString::from(secret)),
            None => client.secret_of(&id).await,
        };
        let held = match secret {
            Ok(secret) => Some(Held {
                name: format!("endpoint {id}"),
                text: secret.expose_secret().to_owned(),
                holder: Holder::Receiver,
            }),
            Err(failure) => {
                let so = if is_given {
                    "signatures are checked with the secret that was given alone"
                } else {
                    "signatures are not checked"
                };
                note(&format!("its secret could not be read ({failure}): {so}"));
                None
            }
        };
        Ok((Self { client, id }, held))
    }

    /// Deletes it; what cannot be deleted is said.
    pub async fn remove(self) {
        let id = &self.id;
        match done(
            self.client.delete_endpoint(id).await,
            EndpointVerb::Delete,
            &id.to_string(),
        ) {
            Ok(()) => note(&format!("endpoint {id} is deleted")),
            Err(Stop::Failed(failure)) => note(&format!(
                "endpoint {id} is still there ({failure}): reeltop endpoints delete {id}"
            )),
            Err(_) => {}
        }
    }
}

/// Names the endpoints that lead to a URL already: with one more there, each message comes once for
/// each of them.
async fn name_left(client: &Client, url: &str) {
    let page = match client.endpoints().await {
        Ok(page) => page,
        Err(failure) => {
            return note(&format!(
                "the endpoints cannot be listed ({failure}): whether one leads here already is not known"
            ));
        }
    };
    let same = |other: &str| other.trim_end_matches('/') == url.trim_end_matches('/');
    for row in page.rows.into_iter().filter(|row| same(&row.value.url)) {
        let id = &row.value.id;
        let whose = if *row.value.description == *NAME {
            ", left by a reeltop listen that could not take it away, unless that still runs"
        } else {
            ""
        };
        note(&format!(
            "endpoint {id} is there already at this URL{whose}: what both want comes twice; \
             reeltop endpoints delete {id}"
        ));
    }
}
