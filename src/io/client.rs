//! The REST API, route by route: tasks, assets, messages, attempts, endpoints, resend.

pub mod content;
mod editing;
pub mod endpoints;
pub mod failure;
pub mod how_far;
pub mod http;
pub mod masking;
mod patience;
mod pause;
mod reading;
mod redirects;
pub mod svix;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use serde_json::json;

use self::how_far::HowFar;
use self::http::{Http, Sent};
use self::patience::Patience;
use self::reading::{filled, gathered, query};
use self::svix::Svix;
use super::config::Source;
use crate::domain::{
    Ability, AssetId, Attempt, Endpoint, EndpointId, Failure, FailureKind, MessageId, Observation,
    Route, TaskId, Unreadable,
};
use crate::wire::openapi::{self, Published};
use crate::wire::rest::{self, Logged, Page, Row};

/// Rows of a page: the most that Svix gives.
pub const FULL_PAGE: usize = 250;
/// Why there are no tasks but those in messages.
pub const NO_ASPECT: &str = "no Aspect API is configured";
/// How long `/openapi.json` may take; it is only a hint.
const HINT: Duration = Duration::from_secs(5);

/// The logs, by their routes in the Aspect API.
pub const ENDPOINTS: &str = "GET /webhooks/endpoints";
pub const MESSAGES: &str = "GET /webhooks/messages";
pub const ATTEMPTS: &str = "GET /webhooks/delivery-attempts";

/// The routes of one source: an Aspect API, a Svix server that delivers beside it, or that alone.
#[derive(Clone)]
pub struct Client {
    /// To the Aspect API; to the Svix server where there is nothing else.
    pub http: Arc<Http>,
    /// Where the logs are read and messages are resent, if that is not the Aspect API.
    pub svix: Option<Svix>,
    pub is_svix_alone: bool,
}

impl Client {
    /// Fails only for a URL that is none.
    pub fn new(source: &Source) -> Result<Self, Failure> {
        let svix = source.svix.as_ref();
        let svix = svix.map(|svix| Svix::new(source, svix)).transpose()?;
        let http = match &svix {
            Some(svix) if source.is_svix_alone => svix.http.clone(),
            _ => Arc::new(Http::new(source)?),
        };
        Ok(Self {
            http,
            svix,
            is_svix_alone: source.is_svix_alone,
        })
    }

    /// Lets reads wait for a service that asks to be left alone (429), for so long at most from its
    /// first refusal on until it answers again. `say` is told of each wait.
    pub fn be_patient(&self, most: Duration, say: fn(&str)) {
        let of_svix = self.svix.as_ref().map(|svix| &svix.http);
        for http in of_svix.into_iter().chain([&self.http]) {
            let _ = http.patience.set(Patience::new(most, say));
        }
    }

    /// How far the clock of the service that delivers is ahead of ours, in microseconds, if an answer
    /// of it said what time it was.
    pub fn deliveries_ahead(&self) -> Option<i64> {
        match &self.svix {
            Some(svix) => svix.http.ahead(),
            None => self.http.ahead(),
        }
    }

    /// The same of the service that tells of tasks.
    pub fn tasks_ahead(&self) -> Option<i64> {
        self.http.ahead()
    }

    /// How long the service still asks to be left alone, by the last 429 of it.
    pub fn pause(&self) -> Duration {
        let of_svix = self.svix.as_ref().map(|svix| svix.http.pause.left());
        self.http.pause.left().max(of_svix.unwrap_or_default())
    }

    /// How far the last change came of what delivers.
    pub fn how_far(&self) -> HowFar {
        let http = self.svix.as_ref().map_or(&self.http, |svix| &svix.http);
        http.changed.get()
    }

    /// A log's route as it is really read.
    pub fn log_words(&self, route: &str) -> String {
        match (&self.svix, route) {
            (None, route) => route.to_owned(),
            (Some(_), ENDPOINTS) => "Svix: GET /app/{app}/endpoint".to_owned(),
            (Some(_), MESSAGES) => "Svix: GET /app/{app}/msg".to_owned(),
            (Some(_), _) => "Svix: GET /app/{app}/attempt".to_owned(),
        }
    }

    /// Whose resend a replay takes.
    pub fn route(&self) -> Route {
        match &self.svix {
            Some(_) => Route::Svix,
            None => Route::Server,
        }
    }

    /// Whether a message can be resent, by which route: Svix's, else the configured one, else the
    /// one that the Aspect API publishes.
    pub fn resend_ability(
        &self,
        configured: Option<&str>,
        published: Option<&Published>,
    ) -> Ability {
        match (&self.svix, configured, published) {
            (Some(_), ..) => Ability::Offered(svix::RESEND.to_owned()),
            (None, Some(path), _) => Ability::Offered(path.to_owned()),
            (None, None, Some(published)) => match &published.resend {
                Some(path) => Ability::Offered(path.clone()),
                None => Ability::Absent(
                    "this server publishes no resend route; if it has one, set resend_path in the profile"
                        .to_owned(),
                ),
            },
            (None, None, None) => Ability::Unknown,
        }
    }

    /// `GET /tasks/active`
    pub async fn active_tasks(&self) -> Result<Page<Observation>, Failure> {
        self.aspect()?
            .page(&["tasks", "active"], &[], rest::tasks)
            .await
    }

    /// `GET /tasks/{id}`
    pub async fn task(&self, id: &TaskId) -> Result<Row<Observation>, Failure> {
        self.read(&["tasks", &id.to_string()], &[], rest::task)
            .await
    }

    /// `GET /assets/{id}`: its name.
    pub async fn asset_name(&self, id: &AssetId) -> Result<Option<Arc<str>>, Failure> {
        self.read(&["assets", &id.to_string()], &[], rest::asset_name)
            .await
    }

    /// A page of `GET /webhooks/messages`, newest first. Where no application exists yet it is
    /// empty.
    pub async fn messages(
        &self,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Logged>, Failure> {
        filled(cursor, |cursor| async move {
            self.message_page(limit, cursor.as_deref()).await
        })
        .await
    }

    async fn message_page(
        &self,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Logged>, Failure> {
        if let Some(svix) = &self.svix {
            return svix.messages(limit, cursor).await;
        }
        let page = self
            .aspect()?
            .page(
                &["webhooks", "messages"],
                &query(&[], limit, cursor).pairs(),
                rest::messages,
            )
            .await;
        // Of a cursor it says that it is not taken any more, not that the list ends there.
        if cursor.is_some() {
            return page;
        }
        empty_if_none(page)
    }

    /// A page of the attempts of a message, newest first.
    pub async fn attempts_of(
        &self,
        message: &MessageId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Attempt>, Failure> {
        filled(cursor, |cursor| async move {
            self.page_of(message, limit, cursor.as_deref()).await
        })
        .await
    }

    async fn page_of(
        &self,
        message: &MessageId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Attempt>, Failure> {
        if let Some(svix) = &self.svix {
            return svix.attempts_of(message, limit, cursor).await;
        }
        let id = message.to_string();
        let query = query(&[("message_id", &id)], limit, cursor);
        let route = ["webhooks", "delivery-attempts"];
        self.aspect()?
            .page(&route, &query.pairs(), |body| {
                rest::attempts(body, Some(message), None)
            })
            .await
    }

    /// A page of the attempts at an endpoint, newest start first; by the older route where the
    /// newer is not offered.
    pub async fn attempts_at(
        &self,
        endpoint: &EndpointId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Attempt>, Failure> {
        filled(cursor, |cursor| async move {
            self.page_at(endpoint, limit, cursor.as_deref()).await
        })
        .await
    }

    async fn page_at(
        &self,
        endpoint: &EndpointId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Attempt>, Failure> {
        if let Some(svix) = &self.svix {
            return svix.attempts_at(endpoint, limit, cursor).await;
        }
        let id = endpoint.to_string();
        let read = |body: &[u8]| rest::attempts(body, None, Some(endpoint));
        let by_filter = query(&[("endpoint_id", &id)], limit, cursor);
        let page = self
            .aspect()?
            .page(&["webhooks", "delivery-attempts"], &by_filter.pairs(), read)
            .await;
        match page {
            Err(failure)
                if matches!(failure.kind, FailureKind::Invalid | FailureKind::NotOffered) =>
            {
                let plain = query(&[], limit, cursor);
                let older = ["webhooks", "endpoints", &id, "deliveries"];
                self.aspect()?
                    .page(&older, &plain.pairs(), read)
                    .await
                    .map_err(|_| failure)
            }
            page => page,
        }
    }

    /// `GET /webhooks/endpoints`, which is not documented: all its pages as one, whose `is_last`
    /// says whether the end of the list was reached. Fails where the first page does.
    pub async fn endpoints(&self) -> Result<Page<Endpoint>, Failure> {
        if let Some(svix) = &self.svix {
            return svix.endpoints().await;
        }
        let most = self.http.limits.list_rows;
        let id = |row: &Row<Endpoint>| row.value.id.to_string();
        gathered(most, id, |cursor| async move {
            self.endpoint_page(cursor.as_deref()).await
        })
        .await
    }

    async fn endpoint_page(&self, cursor: Option<&str>) -> Result<Page<Endpoint>, Failure> {
        let cursor: Vec<(&str, &str)> = cursor.iter().map(|at| ("iterator", *at)).collect();
        self.aspect()?
            .page(&["webhooks", "endpoints"], &cursor, rest::endpoints)
            .await
    }

    /// What the server publishes about itself; `Ok(None)` if it publishes nothing. Asked without
    /// the key.
    pub async fn published(&self) -> Result<Option<Published>, Failure> {
        if self.is_svix_alone {
            return Ok(None);
        }
        let url = self.http.route(&["openapi.json"], &[])?;
        match self.http.get(&url, HINT, false).await {
            Ok(body) if self.http.limits.shape().check(&body).is_err() => Ok(None),
            Ok(body) => Ok(openapi::read(&body)),
            Err(failed) if failed.is_final => Ok(None),
            Err(failed) => Err(failed.failure),
        }
    }

    /// Sends a message to an endpoint once more, by a route such as
    /// `/webhooks/messages/{message_id}/resend`. At most one POST is made.
    pub async fn resend(
        &self,
        template: &str,
        message: &MessageId,
        endpoint: &EndpointId,
        idempotency_key: &str,
    ) -> Sent {
        if let Some(svix) = &self.svix {
            return svix.resend(message, endpoint, idempotency_key).await;
        }
        let url = match self.resend_url(template, message, endpoint) {
            Ok(url) => url,
            Err(failure) => return Sent::Refused(failure),
        };
        let body = json!({"endpoint_id": endpoint.to_string()}).to_string();
        self.http.post_once(&url, body, idempotency_key).await
    }

    fn resend_url(
        &self,
        template: &str,
        message: &MessageId,
        endpoint: &EndpointId,
    ) -> Result<Url, Failure> {
        let path = template.strip_prefix("POST ").unwrap_or(template);
        let filled: Vec<String> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| match segment.strip_prefix('{') {
                Some(name) if name.contains("endpoint") => endpoint.to_string(),
                Some(_) => message.to_string(),
                None => segment.to_owned(),
            })
            .collect();
        let segments: Vec<&str> = filled.iter().map(String::as_str).collect();
        self.http.route(&segments, &[])
    }

    /// `GET /users/me`: whether the key opens the door.
    pub async fn user(&self) -> Result<(), Failure> {
        self.read(&["users", "me"], &[], rest::user).await
    }

    /// Reads any route of the Aspect API by a decoder.
    pub async fn read<T>(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
        decode: impl FnOnce(&[u8]) -> Result<T, Unreadable>,
    ) -> Result<T, Failure> {
        self.aspect()?.read(segments, query, decode).await
    }

    /// The transport to the Aspect API; fails where there is none.
    pub fn aspect(&self) -> Result<&Http, Failure> {
        if self.is_svix_alone {
            let hint = "tasks are as seen in messages; name one with --url and its key, or url in the profile";
            return Err(Failure::new(FailureKind::Local, NO_ASPECT, hint));
        }
        Ok(&self.http)
    }
}

/// A known route that finds nothing says that no application exists yet.
fn empty_if_none<T>(page: Result<Page<T>, Failure>) -> Result<Page<T>, Failure> {
    match page {
        Err(failure) if failure.kind == FailureKind::NotFound => Ok(Page {
            rows: Vec::new(),
            unreadable: Vec::new(),
            next: None,
            is_last: true,
            is_null: false,
        }),
        page => page,
    }
}
