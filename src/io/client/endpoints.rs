//! What is done with endpoints, but for changing their definition. Nothing here is ever repeated, and
//! read-only mode forbids all of it but reading.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Client;
use super::content::Content;
use super::http::{NotDone, Verb};
use crate::domain::{
    AttemptHeaders, AttemptId, DISABLED, Differs, Endpoint, EndpointDraft, EndpointId, Failure,
    FailureKind, FieldFault, Headers, Hidden, MessageId, OddValue, OwnHeaders, OwnValue, Stats,
    Time,
};
use crate::wire::endpoints::{self, Created};
use crate::wire::openapi::EndpointRoutes;
use crate::wire::rest::{Row, one_endpoint};

/// What became of a change.
pub type Changed<T> = Result<T, NotDone>;

/// What became of a change of what others may change too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edited<T> {
    /// It is done; where the service then has it otherwise than it was sent.
    Done(Vec<Differs>),
    /// Somebody else changed the same since the look that it was based on: nothing was sent. As it is
    /// now.
    Overtaken(Box<T>),
}

pub(super) const ENDPOINTS: [&str; 2] = ["webhooks", "endpoints"];

impl Client {
    /// `POST /webhooks/endpoints`. Svix tells the secret when it is asked for it.
    pub async fn create_endpoint(&self, draft: &EndpointDraft) -> Changed<Created> {
        refuse_faults(&draft.faults())?;
        if let Some(svix) = &self.svix {
            return svix.create_endpoint(draft, &key()).await;
        }
        let url = self.http.route(&ENDPOINTS, &[]).map_err(NotDone::Refused)?;
        let body = endpoints::body(draft);
        let answer = self.change(Verb::Post, &url, Some(body)).await?;
        endpoints::created(&answer).map_err(|_| {
            let why = "the service took it, but its answer tells no endpoint and no secret";
            NotDone::Unknown(why.to_owned())
        })
    }

    /// `DELETE /webhooks/endpoints/{id}`
    pub async fn delete_endpoint(&self, id: &EndpointId) -> Changed<()> {
        if let Some(svix) = &self.svix {
            return svix.delete_endpoint(id, &key()).await;
        }
        let url = self.endpoint_url(id)?;
        let body = None::<Content>;
        self.change(Verb::Delete, &url, body).await.map(|_| ())
    }

    /// The routes around one endpoint that the server publishes; Svix has all of them.
    pub async fn endpoint_routes(&self) -> Result<EndpointRoutes, Failure> {
        if self.svix.is_some() {
            let own = || Some("Svix".to_owned());
            return Ok(EndpointRoutes {
                secret: own(),
                rotate: own(),
                headers: own(),
                set_headers: own(),
                example: own(),
            });
        }
        let published = self.published().await?;
        Ok(published.unwrap_or_default().endpoint)
    }

    /// The secret that requests to an endpoint are signed with.
    pub async fn endpoint_secret(
        &self,
        template: &str,
        id: &EndpointId,
    ) -> Result<SecretString, Failure> {
        if let Some(svix) = &self.svix {
            return svix.secret(id).await;
        }
        let url = self.filled(template, id)?;
        let body = self.read_url(&url).await?;
        let secret = endpoints::secret(&body);
        secret.map(SecretString::from).map_err(|what| {
            Failure::new(
                FailureKind::NotAspect,
                format!("the secret of {id}: {}", what.why),
                "reeltop doctor looks at what this server answers",
            )
        })
    }

    /// The same by the route that the service offers, if it does.
    pub async fn secret_of(&self, id: &EndpointId) -> Result<SecretString, Failure> {
        let route = self.endpoint_routes().await?.secret;
        let route = route.ok_or_else(|| Failure::absent("reading a secret"))?;
        self.endpoint_secret(&route, id).await
    }

    /// Gives an endpoint another secret, of the service's making where none is named. A refusal may
    /// repeat it, with or without what it begins with.
    pub async fn rotate_secret(
        &self,
        template: &str,
        id: &EndpointId,
        secret: Option<&SecretString>,
        grace: Duration,
    ) -> Changed<()> {
        if let Some(svix) = &self.svix {
            return svix.rotate_secret(id, secret, grace, &key()).await;
        }
        let url = self.filled(template, id).map_err(NotDone::Refused)?;
        let mut body = json!({"grace_period_seconds": grace.as_secs()});
        if let (Some(secret), Some(body)) = (secret, body.as_object_mut()) {
            body.insert("key".to_owned(), secret.expose_secret().into());
        }
        let secret = secret.map(ExposeSecret::expose_secret);
        let body = Some(Content::with(body.to_string(), secret));
        self.change(Verb::Post, &url, body).await.map(|_| ())
    }

    /// Attempts at an endpoint as the service counts them; of its own last 28 days where no time
    /// is named. Only Svix counts.
    pub async fn endpoint_stats(
        &self,
        id: &EndpointId,
        since: Option<Time>,
    ) -> Result<Stats, Failure> {
        let Some(svix) = &self.svix else {
            return Err(Failure::absent("stats of an endpoint"));
        };
        svix.stats(id, since)
            .await
            .map_err(|failure| match failure.kind {
                FailureKind::NotOffered => Failure::absent("stats of an endpoint"),
                _ => failure,
            })
    }

    /// What the request of an attempt and its answer carried beside their bodies, as far as the service
    /// has it: nothing of one that it keeps none of.
    pub async fn attempt_headers(
        &self,
        message: &MessageId,
        attempt: &AttemptId,
    ) -> Result<Option<AttemptHeaders>, Failure> {
        const WHAT: &str = "attempt headers";
        let Some(svix) = &self.svix else {
            return Err(Failure::absent(WHAT));
        };
        match svix.attempt_headers(message, attempt).await {
            Ok(headers) => Ok(Some(headers)),
            Err(failure) => match failure.kind {
                FailureKind::NotFound => Ok(None),
                FailureKind::NotOffered => Err(Failure::absent(WHAT)),
                _ => Err(failure),
            },
        }
    }

    pub async fn endpoint_headers(
        &self,
        template: &str,
        id: &EndpointId,
    ) -> Result<Headers, Failure> {
        if let Some(svix) = &self.svix {
            return svix.headers(id).await;
        }
        let url = self.filled(template, id)?;
        let body = self.read_url(&url).await?;
        endpoints::headers(&body).map_err(|what| super::failure::unreadable(&what, &url))
    }

    /// The same to be changed and sent back: what is masked is kept beside what is told.
    pub async fn headers_to_edit(
        &self,
        template: &str,
        id: &EndpointId,
    ) -> Result<OwnHeaders, Failure> {
        let (http, url) = match &self.svix {
            Some(svix) => (&svix.http, svix.headers_url(id)?),
            None => (&self.http, self.filled(template, id)?),
        };
        let read = http.read_unmasked(&url, endpoints::headers).await?;
        let Headers {
            headers,
            odd,
            sensitive,
        } = read;
        let is_clean = |text: &String| *http.masking.text(text) == **text;
        let mut names = headers.keys().chain(odd.keys()).chain(&sensitive);
        if !names.all(is_clean) {
            let what = format!("the name of a header of {id} holds the API key");
            let hint = "reeltop neither shows nor changes these headers";
            return Err(Failure::new(FailureKind::Local, what, hint));
        }
        let hidden = |(name, value): (String, String)| (name, Hidden::new(&value));
        let odd_value = |(name, raw): (String, String)| {
            let line = endpoints::on_one_line(&raw);
            let shown = Hidden::new(&http.masking.text(&line));
            let raw = Hidden::new(&raw);
            (name, OddValue { raw, shown })
        };
        let (told, masked): (Vec<_>, Vec<_>) =
            headers.into_iter().partition(|(_, value)| is_clean(value));
        Ok(OwnHeaders {
            told: told.into_iter().map(hidden).collect(),
            masked: masked.into_iter().map(hidden).collect(),
            odd: odd.into_iter().map(odd_value).collect(),
            sensitive,
        })
    }

    /// Replaces an endpoint's own headers, whose values may be secrets; not where somebody else changed
    /// what these would take back since the look that they are based on.
    pub async fn set_endpoint_headers(
        &self,
        routes: &EndpointRoutes,
        id: &EndpointId,
        headers: &BTreeMap<String, OwnValue>,
        since: Option<&OwnHeaders>,
    ) -> Changed<Edited<OwnHeaders>> {
        let offered = |route: &Option<String>, what| {
            let route = route.clone();
            route.ok_or_else(|| NotDone::Refused(Failure::absent(what)))
        };
        let template = offered(&routes.set_headers, "setting headers")?;
        if let Some(began) = since {
            let reading = offered(&routes.headers, "reading headers")?;
            self.make_ready()?;
            let now = self.headers_to_edit(&reading, id).await;
            let now = now.map_err(NotDone::Refused)?;
            if !began.overtaken(headers, &now).is_empty() {
                return Ok(Edited::Overtaken(Box::new(now)));
            }
        }
        if let Some(svix) = &self.svix {
            svix.set_headers(id, headers, &key()).await?;
        } else {
            let url = self.filled(&template, id).map_err(NotDone::Refused)?;
            let values = headers.values().map(OwnValue::reveal);
            let body = Content::with(endpoints::headers_body(headers), values);
            self.change(Verb::Put, &url, Some(body)).await?;
        }
        Ok(Edited::Done(Vec::new()))
    }

    /// Has the service send an example to this endpoint alone. One that is disabled is left alone: the
    /// service would take it, and nobody would ever see it.
    pub async fn send_example(
        &self,
        template: &str,
        id: &EndpointId,
        event_type: &str,
    ) -> Changed<()> {
        if let Ok(Some(endpoint)) = self.endpoint_now(id).await
            && endpoint.disabled
        {
            let what = format!("nothing was sent: {DISABLED}");
            let failure = Failure::new(FailureKind::Local, what, "enable it first");
            return Err(NotDone::Refused(failure));
        }
        if let Some(svix) = &self.svix {
            let sent = svix.send_example(id, event_type, &key()).await;
            return sent.map(|_| ());
        }
        let url = self.filled(template, id).map_err(NotDone::Refused)?;
        let body = json!({"event_type": event_type}).to_string();
        self.change(Verb::Post, &url, Some(body)).await.map(|_| ())
    }

    /// One endpoint by its id, or by another name that the service knows it by (a uid).
    pub async fn endpoint_named(&self, name: &str) -> Result<Endpoint, Failure> {
        let read = match &self.svix {
            Some(svix) => svix.endpoint(name).await,
            None => {
                self.read(&[ENDPOINTS[0], ENDPOINTS[1], name], &[], one_endpoint)
                    .await
            }
        };
        read.map(|row| row.value)
    }

    /// An endpoint as it is now; `None` if there is none of this id. Where only the list tells, and
    /// not all of it can be read, nobody knows: that fails.
    pub async fn endpoint_now(&self, id: &EndpointId) -> Result<Option<Endpoint>, Failure> {
        let row = self.endpoint_row(id).await?;
        Ok(row.map(|row| row.value))
    }

    /// The same, with all that the service tells of it.
    pub async fn endpoint_row(&self, id: &EndpointId) -> Result<Option<Row<Endpoint>>, Failure> {
        if let Some(svix) = &self.svix {
            return match svix.endpoint(&id.to_string()).await {
                Ok(row) => Ok(Some(row)),
                Err(failure) if failure.kind == FailureKind::NotFound => Ok(None),
                Err(failure) => Err(failure),
            };
        }
        let listed = self.endpoints().await?;
        let is_whole = listed.is_last && listed.unreadable.is_empty();
        let mut rows = listed.rows.into_iter();
        match rows.find(|row| row.value.id == *id) {
            None if !is_whole => Err(Failure::new(
                FailureKind::TooLarge,
                format!("not all endpoints could be read, and {id} is not among those that were"),
                "",
            )),
            found => Ok(found),
        }
    }

    pub(super) fn endpoint_url(&self, id: &EndpointId) -> Changed<Url> {
        let id = id.to_string();
        self.http
            .route(&[ENDPOINTS[0], ENDPOINTS[1], &id], &[])
            .map_err(NotDone::Refused)
    }

    fn filled(&self, template: &str, id: &EndpointId) -> Result<Url, Failure> {
        let id = id.to_string();
        let segments: Vec<&str> = template
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| {
                if segment.starts_with('{') {
                    &id
                } else {
                    segment
                }
            })
            .collect();
        self.http.route(&segments, &[])
    }

    async fn read_url(&self, url: &Url) -> Result<bytes::Bytes, Failure> {
        self.http
            .get(url, self.http.waits.answer, true)
            .await
            .map_err(|failed| failed.failure)
    }

    pub(super) async fn change(
        &self,
        verb: Verb,
        url: &Url,
        body: Option<impl Into<Content>>,
    ) -> Changed<bytes::Bytes> {
        let body = body.map(Into::into);
        self.http.change_once(verb, url, body, &key()).await
    }
}

/// A new idempotency key.
pub(super) fn key() -> String {
    format!("reeltop-{}", uuid::Uuid::new_v4())
}

/// What the service would refuse is not sent.
pub(super) fn refuse_faults(faults: &[FieldFault]) -> Changed<()> {
    let Some(first) = faults.first() else {
        return Ok(());
    };
    let what = format!("nothing was sent: {}: {}", first.field, first.why);
    Err(NotDone::Refused(Failure::new(
        FailureKind::Invalid,
        what,
        "mend it and try again",
    )))
}
