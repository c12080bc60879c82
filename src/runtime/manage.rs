//! Changes of endpoints: what the mind asks for, by the hands that make the request.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

use crate::app::manage::{EndpointAction, EndpointAnswer};
use crate::domain::{EndpointId, Failure, FailureKind, Hidden};
use crate::io::client::Client;
use crate::io::client::http::NotDone;
use crate::io::config::secrets;

/// How long the secret before a rotation stays valid: Svix's own default.
const GRACE: Duration = Duration::from_hours(24);
/// What an example is about.
const EXAMPLE: &str = "task.completed";

/// Does it, once.
pub async fn run(client: &Client, action: &EndpointAction) -> Result<EndpointAnswer, Failure> {
    match action {
        EndpointAction::Create(draft) => {
            if let Some(fault) = client.type_fault(draft.event_types.as_deref()).await {
                return Ok(EndpointAnswer::Fault(fault));
            }
            let created = client.create_endpoint(draft).await.map_err(told)?;
            let secret = created.secret.as_deref().map(Hidden::new);
            Ok(EndpointAnswer::Created(created.endpoint.value.id, secret))
        }
        EndpointAction::Edit(id, edit) => {
            if let Some(fault) = client.edit_fault(id, edit).await? {
                return Ok(EndpointAnswer::Fault(fault));
            }
            client.edit_endpoint(id, edit).await.map_err(told)?;
            Ok(EndpointAnswer::Done)
        }
        EndpointAction::Delete(id) => {
            client.delete_endpoint(id).await.map_err(told)?;
            Ok(EndpointAnswer::Done)
        }
        EndpointAction::Rotate(id) => rotate(client, id).await,
        EndpointAction::Reveal(id) => {
            let route = client.endpoint_routes().await?.secret;
            reveal(client, route, id).await
        }
        EndpointAction::Headers(id) => {
            let route = client.endpoint_routes().await?.headers;
            let route = offered(route, "reading headers")?;
            let own = client.headers_to_edit(&route, id).await?;
            Ok(EndpointAnswer::Headers(own))
        }
        EndpointAction::SetHeaders(id, headers, _) => {
            let route = client.endpoint_routes().await?.set_headers;
            let route = offered(route, "setting headers")?;
            let open = headers.iter();
            let open = open.map(|(name, value)| (name.clone(), value.reveal().to_owned()));
            let open = open.collect();
            let set = client.set_endpoint_headers(&route, id, &open).await;
            set.map_err(told).map(|()| EndpointAnswer::Done)
        }
        EndpointAction::Example(id) => {
            let route = client.endpoint_routes().await?.example;
            let route = offered(route, "sending an example")?;
            let sent = client.send_example(&route, id, EXAMPLE).await;
            sent.map_err(told).map(|()| EndpointAnswer::Done)
        }
    }
}

async fn rotate(client: &Client, id: &EndpointId) -> Result<EndpointAnswer, Failure> {
    let routes = client.endpoint_routes().await?;
    let route = offered(routes.rotate, "rotating a secret")?;
    let rotated = client.rotate_secret(&route, id, None, GRACE).await;
    rotated.map_err(told)?;
    // It is done: that the new one cannot be read is no failure of the change.
    let shown = reveal(client, routes.secret, id).await;
    Ok(shown.unwrap_or(EndpointAnswer::Done))
}

async fn reveal(
    client: &Client,
    route: Option<String>,
    id: &EndpointId,
) -> Result<EndpointAnswer, Failure> {
    let route = offered(route, "reading a secret")?;
    let secret = client.endpoint_secret(&route, id).await?;
    Ok(EndpointAnswer::Secret(Hidden::new(secret.expose_secret())))
}

/// Writes a secret down for its owner alone. Gives the file's name.
pub fn save(folder: &Path, endpoint: &EndpointId, secret: &Hidden) -> Result<String, String> {
    let secret = SecretString::from(secret.reveal());
    secrets::save(folder, &endpoint.to_string(), &secret)
        .map(|path| path.display().to_string())
        .map_err(|error| error.to_string())
}

fn offered(route: Option<String>, what: &str) -> Result<String, Failure> {
    route.ok_or_else(|| Failure::absent(what))
}

fn told(not_done: NotDone) -> Failure {
    match not_done {
        NotDone::Refused(failure) => failure,
        NotDone::Unknown(why) => Failure::new(
            FailureKind::Broken,
            format!("it is not known whether it was done: {why}"),
            "nothing is tried again by itself; the list of endpoints shows what is there",
        ),
    }
}
