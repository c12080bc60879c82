//! Changes of endpoints: what the mind asks for, by the hands that make the request.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

use crate::app::Msg;
use crate::app::manage::{EndpointAction, EndpointAnswer, EndpointRequest, Form};
use crate::domain::{EndpointId, Failure, Hidden};
use crate::io::client::Client;
use crate::io::client::endpoints::Edited;
use crate::io::client::http::NotDone;
use crate::io::config::secrets;

/// How long the secret before a rotation stays valid: Svix's own default.
const GRACE: Duration = Duration::from_hours(24);
/// What an example is about.
const EXAMPLE: &str = "task.completed";

/// Does it, once.
pub async fn run(client: &Client, request: &EndpointRequest) -> Result<EndpointAnswer, Failure> {
    match &request.action {
        EndpointAction::Create(draft) => {
            if let Some(fault) = client.type_fault(draft.event_types.as_deref()).await {
                return Ok(EndpointAnswer::Fault(fault));
            }
            let created = match client.create_endpoint(draft).await {
                Ok(created) => created,
                Err(not_done) => return told(not_done),
            };
            let id = created.endpoint.value.id;
            let secret = match created.secret.as_deref() {
                Some(secret) => Ok(Hidden::new(secret)),
                None => hidden(client.secret_of(&id).await).map_err(|why| why.brief()),
            };
            Ok(EndpointAnswer::Created(id, secret))
        }
        EndpointAction::Edit(id, edit) => {
            if let Some(fault) = client.edit_fault(id, edit).await? {
                return Ok(EndpointAnswer::Fault(fault));
            }
            let began = request.form.as_deref().and_then(Form::began);
            let edited = client.edit_endpoint(id, edit, began).await;
            edited.map_or_else(told, |edited| {
                Ok(match edited {
                    Edited::Done(otherwise) if otherwise.is_empty() => EndpointAnswer::Done,
                    Edited::Done(otherwise) => EndpointAnswer::Otherwise(otherwise),
                    Edited::Overtaken(now) => EndpointAnswer::Overtaken(now),
                })
            })
        }
        EndpointAction::Delete(id) => done(client.delete_endpoint(id).await),
        EndpointAction::Rotate(id) => rotate(client, id).await,
        EndpointAction::Reveal(id) => {
            let secret = hidden(client.secret_of(id).await)?;
            Ok(EndpointAnswer::Secret(secret))
        }
        EndpointAction::Headers(id) => {
            let route = client.endpoint_routes().await?.headers;
            let route = offered(route, "reading headers")?;
            let own = client.headers_to_edit(&route, id).await?;
            Ok(EndpointAnswer::Headers(own))
        }
        EndpointAction::SetHeaders(id, headers, form) => {
            let routes = client.endpoint_routes().await?;
            let began = routes.headers.is_some().then(|| form.began());
            let edited = client
                .set_endpoint_headers(&routes, id, headers, began)
                .await;
            edited.map_or_else(told, |edited| {
                Ok(match edited {
                    Edited::Done(_) => EndpointAnswer::Done,
                    Edited::Overtaken(now) => EndpointAnswer::HeadersOvertaken(*now),
                })
            })
        }
        EndpointAction::Example(id) => {
            let route = client.endpoint_routes().await?.example;
            let route = offered(route, "sending an example")?;
            done(client.send_example(&route, id, EXAMPLE).await)
        }
    }
}

async fn rotate(client: &Client, id: &EndpointId) -> Result<EndpointAnswer, Failure> {
    let routes = client.endpoint_routes().await?;
    let route = offered(routes.rotate, "rotating a secret")?;
    if let Err(not_done) = client.rotate_secret(&route, id, None, GRACE).await {
        return told(not_done);
    }
    // It is done: that the new one cannot be read is no failure of the change.
    let secret = hidden(client.secret_of(id).await).map_err(|why| why.brief());
    Ok(EndpointAnswer::Rotated(secret))
}

fn hidden(secret: Result<SecretString, Failure>) -> Result<Hidden, Failure> {
    secret.map(|secret| Hidden::new(secret.expose_secret()))
}

/// Writes a secret down for its owner alone. Gives the file's name.
pub fn save(folder: &Path, endpoint: &EndpointId, secret: &Hidden) -> Result<String, String> {
    let secret = SecretString::from(secret.reveal());
    secrets::save(folder, &endpoint.to_string(), &secret)
        .map(|path| path.display().to_string())
        .map_err(|error| error.to_string())
}

/// Keeps a new secret instead of the one before, where that was saved. What to say of it.
pub fn renewed(
    folder: &Path,
    request: &EndpointRequest,
    answer: &Result<EndpointAnswer, Failure>,
) -> Option<Msg> {
    let (EndpointAction::Rotate(id), Ok(EndpointAnswer::Rotated(secret))) =
        (&request.action, answer)
    else {
        return None;
    };
    let file = secrets::file_of(folder, &id.to_string())?;
    let saved = secret.as_ref().map_err(Clone::clone);
    Some(match saved.and_then(|secret| save(folder, id, secret)) {
        Ok(file) => Msg::SecretSaved(Ok(file)),
        Err(why) => Msg::SecretStale {
            file: file.display().to_string(),
            why,
        },
    })
}

fn offered(route: Option<String>, what: &str) -> Result<String, Failure> {
    route.ok_or_else(|| Failure::absent(what))
}

fn done<T>(outcome: Result<T, NotDone>) -> Result<EndpointAnswer, Failure> {
    match outcome {
        Ok(_) => Ok(EndpointAnswer::Done),
        Err(not_done) => told(not_done),
    }
}

fn told(not_done: NotDone) -> Result<EndpointAnswer, Failure> {
    match not_done {
        NotDone::Refused(failure) => Err(failure),
        NotDone::Unknown(why) => Ok(EndpointAnswer::Unknown(why)),
    }
}
