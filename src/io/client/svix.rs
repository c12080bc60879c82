//! A Svix server, route by route: the logs of one application, what its endpoints are, and what
//! can be sent again (reference: svix.md part 2).

mod change;
mod endpoints;
mod probe;
mod publish;

pub use publish::Published;

use std::sync::Arc;

use reqwest::Url;
use secrecy::SecretString;

use super::FULL_PAGE;
use super::http::{Http, Sent};
use super::reading::{gathered, query};
use crate::domain::{
    Attempt, AttemptHeaders, AttemptId, Endpoint, EndpointId, Failure, FailureKind, Headers,
    MessageId, Stats, Time, Unreadable,
};
use crate::io::config::{Source, SvixSource};
use crate::wire::endpoints as around;
use crate::wire::rest::{self, Logged, Page, Row};
use crate::wire::svix::{self, Destination};

/// The resend route, as people know it.
pub const RESEND: &str = "Svix: POST …/endpoint/{endpoint}/resend";

/// One application on one Svix server.
#[derive(Clone)]
pub struct Svix {
    pub(super) http: Arc<Http>,
    app: Arc<str>,
}

impl Svix {
    /// With the waits, limits and rights of `source`. Fails only for a URL that is none.
    pub fn new(source: &Source, svix: &SvixSource) -> Result<Self, Failure> {
        let own = Source {
            url: svix.url.clone(),
            key: Some(svix.token.clone()),
            key_origin: svix.token_origin.clone(),
            ..source.clone()
        };
        Ok(Self {
            http: Arc::new(Http::new(&own)?),
            app: svix.app.as_str().into(),
        })
    }

    /// The application's id or uid, as it is configured.
    pub fn app(&self) -> &str {
        &self.app
    }

    /// A page of the messages, newest first.
    pub async fn messages(
        &self,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Logged>, Failure> {
        let query = query(&[], limit, cursor);
        self.page(&["msg"], &query.pairs(), rest::messages).await
    }

    /// One message, by its id or the id of its event.
    pub async fn message(&self, id: &MessageId) -> Result<Row<Logged>, Failure> {
        self.read(&["msg", &id.to_string()], &[], svix::message)
            .await
    }

    /// A page of the attempts of a message, newest first.
    pub async fn attempts_of(
        &self,
        message: &MessageId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Attempt>, Failure> {
        let (id, query) = (message.to_string(), query(&[], limit, cursor));
        self.page(&["attempt", "msg", &id], &query.pairs(), |body| {
            rest::attempts(body, Some(message), None)
        })
        .await
    }

    /// A page of the attempts at an endpoint, newest first; a deleted endpoint is not found.
    pub async fn attempts_at(
        &self,
        endpoint: &EndpointId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Attempt>, Failure> {
        let (id, query) = (endpoint.to_string(), query(&[], limit, cursor));
        self.page(&["attempt", "endpoint", &id], &query.pairs(), |body| {
            rest::attempts(body, None, Some(endpoint))
        })
        .await
    }

    /// One attempt.
    pub async fn attempt(
        &self,
        message: &MessageId,
        attempt: &AttemptId,
    ) -> Result<Row<Attempt>, Failure> {
        let (of, id) = (message.to_string(), attempt.to_string());
        self.read(&["msg", &of, "attempt", &id], &[], |body| {
            svix::attempt(body, message)
        })
        .await
    }

    /// All endpoints. Their event types are sorted, as the server shuffles them in each answer.
    pub async fn endpoints(&self) -> Result<Page<Endpoint>, Failure> {
        let id = |row: &Row<Endpoint>| row.value.id.to_string();
        gathered(self.http.limits.list_rows, id, |cursor| async move {
            let query = query(&[], FULL_PAGE, cursor.as_deref());
            self.page(&["endpoint"], &query.pairs(), rest::endpoints)
                .await
        })
        .await
    }

    /// The names of all event types that the server has, whoever's they are; `None` where not all
    /// could be read.
    pub async fn event_types(&self) -> Result<Option<Vec<String>>, Failure> {
        let id = |row: &Row<String>| row.value.clone();
        let all = gathered(self.http.limits.list_rows, id, |cursor| async move {
            let query = query(&[], FULL_PAGE, cursor.as_deref());
            let route = ["api", "v1", "event-type"];
            let pairs = query.pairs();
            let page = self.http.page(&route, &pairs, svix::event_types).await;
            page.map_err(said)
        })
        .await?;
        let is_whole = all.is_last && all.unreadable.is_empty();
        let names = all.rows.into_iter().map(|row| row.value).collect();
        Ok(Some(names).filter(|_| is_whole))
    }

    /// How a message stands at each endpoint that was to get it, deleted ones among them.
    pub async fn destinations(&self, message: &MessageId) -> Result<Page<Destination>, Failure> {
        let of = &message.to_string();
        let id = |row: &Row<Destination>| row.value.endpoint.id.to_string();
        gathered(self.http.limits.list_rows, id, |cursor| async move {
            let query = query(&[], FULL_PAGE, cursor.as_deref());
            let route = ["msg", of, "endpoint"];
            self.page(&route, &query.pairs(), svix::destinations).await
        })
        .await
    }

    /// Attempts at an endpoint, counted; of the last 28 days at most.
    pub async fn stats(
        &self,
        endpoint: &EndpointId,
        since: Option<Time>,
    ) -> Result<Stats, Failure> {
        let id = endpoint.to_string();
        let since = since.map(Time::rfc3339);
        let query: Vec<(&str, &str)> = since.iter().map(|at| ("since", at.as_str())).collect();
        self.read(&["endpoint", &id, "stats"], &query, svix::stats)
            .await
    }

    /// An endpoint as the server has it, nothing masked.
    pub async fn endpoint_unmasked(&self, endpoint: &EndpointId) -> Result<Endpoint, Failure> {
        let id = endpoint.to_string();
        let url = self.http.route(&self.route(&["endpoint", &id]), &[])?;
        let read = self.http.read_unmasked(&url, around::one_unmasked);
        read.await.map_err(said)
    }

    /// The route of an endpoint's own headers.
    pub fn headers_url(&self, endpoint: &EndpointId) -> Result<Url, Failure> {
        let id = endpoint.to_string();
        let route = self.route(&["endpoint", &id, "headers"]);
        self.http.route(&route, &[])
    }

    /// The headers that an endpoint is sent; values of sensitive ones are never told.
    pub async fn headers(&self, endpoint: &EndpointId) -> Result<Headers, Failure> {
        let id = endpoint.to_string();
        self.read(&["endpoint", &id, "headers"], &[], around::headers)
            .await
    }

    /// Headers of the request and the answer of one attempt, where the server keeps them.
    pub async fn attempt_headers(
        &self,
        message: &MessageId,
        attempt: &AttemptId,
    ) -> Result<AttemptHeaders, Failure> {
        let (of, id) = (message.to_string(), attempt.to_string());
        let route = ["msg", &of, "attempt", &id, "headers"];
        self.read(&route, &[], svix::attempt_headers).await
    }

    /// The signing secret of an endpoint.
    pub async fn secret(&self, endpoint: &EndpointId) -> Result<SecretString, Failure> {
        let id = endpoint.to_string();
        let secret = self
            .read(&["endpoint", &id, "secret"], &[], around::secret)
            .await?;
        Ok(secret.into())
    }

    /// Sends a message to an endpoint once more: one try, with no retries after it. At most one
    /// POST is made. To a disabled endpoint the service accepts it and sends nothing.
    pub async fn resend(
        &self,
        message: &MessageId,
        endpoint: &EndpointId,
        idempotency_key: &str,
    ) -> Sent {
        let (message, endpoint) = (message.to_string(), endpoint.to_string());
        let route = self.route(&["msg", &message, "endpoint", &endpoint, "resend"]);
        let url = match self.http.route(&route, &[]) {
            Ok(url) => url,
            Err(failure) => return Sent::Refused(failure),
        };
        match self
            .http
            .post_once(&url, String::new(), idempotency_key)
            .await
        {
            Sent::Refused(failure) => Sent::Refused(said(failure)),
            sent => sent,
        }
    }

    /// The segments of a route of the application.
    fn route<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        let mut route = vec!["api", "v1", "app", &*self.app];
        route.extend(rest);
        route
    }

    async fn page<T>(
        &self,
        rest: &[&str],
        query: &[(&str, &str)],
        decode: impl FnOnce(&[u8]) -> Result<Page<T>, Unreadable>,
    ) -> Result<Page<T>, Failure> {
        let page = self.http.page(&self.route(rest), query, decode).await;
        page.map_err(said)
    }

    async fn read<T>(
        &self,
        rest: &[&str],
        query: &[(&str, &str)],
        decode: impl FnOnce(&[u8]) -> Result<T, Unreadable>,
    ) -> Result<T, Failure> {
        let read = self.http.read(&self.route(rest), query, decode).await;
        read.map_err(said)
    }
}

/// A failure with what to do about it at a Svix server.
fn said(failure: Failure) -> Failure {
    let Failure {
        kind,
        what,
        hint,
        wait,
    } = failure;
    let says = |words: &str| what.contains(words);
    let hint = match kind {
        FailureKind::NotFound => {
            "check the id, and that svix_app names the right application".to_owned()
        }
        FailureKind::NotOffered => {
            "this Svix server does not offer it; check svix_url if it should".to_owned()
        }
        FailureKind::NotAspect => "check that svix_url is the URL of a Svix server".to_owned(),
        FailureKind::Forbidden => {
            "this token may not do that; it may be one of an application alone".to_owned()
        }
        FailureKind::Invalid if says("Payload is missing") => {
            "the service no longer has the payload; only the sender can send it anew".to_owned()
        }
        FailureKind::Invalid if says("14 days") => "take a later time".to_owned(),
        _ => hint.replace("an Aspect API", "a Svix server"),
    };
    Failure {
        kind,
        what,
        hint,
        wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_is_said_for_a_svix_server() {
        for (kind, what, words) in [
            (
                FailureKind::NotFound,
                "404 from x for /y: Entity not found",
                "svix_app",
            ),
            (FailureKind::NotOffered, "404 from x for /y", "svix_url"),
            (
                FailureKind::Invalid,
                "400 from x for /y: Unable to resend message. Payload is missing (probably expired).",
                "no longer has the payload",
            ),
            (FailureKind::TooLarge, "the headers", "a Svix server"),
        ] {
            let failure = said(Failure::new(kind, what, "is this an Aspect API?"));
            assert!(failure.hint.contains(words), "{failure}");
            assert_eq!(failure.what, what);
        }
    }
}
