//! The REST API, route by route: tasks, assets, messages, attempts, endpoints, resend.

pub mod endpoints;
pub mod failure;
pub mod http;
mod masking;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Url;
use serde_json::json;

use self::failure::Failed;
use self::http::{Http, Sent};
use super::config::Source;
use crate::domain::{
    AssetId, Attempt, Endpoint, EndpointId, Failure, FailureKind, MessageId, Observation, TaskId,
    Unreadable, visible,
};
use crate::wire::openapi::{self, Published};
use crate::wire::rest::{self, Logged, Page, Row};
use crate::wire::shape::{self, Beyond};

/// Rows of a page: the most that Svix gives.
pub const FULL_PAGE: usize = 250;
/// Rows of one page that could not be read and are kept to be looked at.
const MAX_UNREADABLE: usize = 200;
/// Pages of the endpoint list, at most.
const MAX_ENDPOINT_PAGES: usize = 40;
/// How long `/openapi.json` may take; it is only a hint.
const HINT: Duration = Duration::from_secs(5);

/// The routes of one server.
#[derive(Clone)]
pub struct Client {
    pub http: Arc<Http>,
}

impl Client {
    /// Fails only for a URL that is none.
    pub fn new(source: &Source) -> Result<Self, Failure> {
        Ok(Self {
            http: Arc::new(Http::new(source)?),
        })
    }

    /// `GET /tasks/active`
    pub async fn active_tasks(&self) -> Result<Page<Observation>, Failure> {
        self.page(&["tasks", "active"], &[], rest::tasks).await
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
        let page = self
            .page(
                &["webhooks", "messages"],
                &query(&[], limit, cursor).pairs(),
                rest::messages,
            )
            .await;
        empty_if_none(page)
    }

    /// A page of the attempts of a message, newest first.
    pub async fn attempts_of(
        &self,
        message: &MessageId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Attempt>, Failure> {
        let id = message.to_string();
        let query = query(&[("message_id", &id)], limit, cursor);
        let route = ["webhooks", "delivery-attempts"];
        self.page(&route, &query.pairs(), |body| {
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
        let id = endpoint.to_string();
        let read = |body: &[u8]| rest::attempts(body, None, Some(endpoint));
        let by_filter = query(&[("endpoint_id", &id)], limit, cursor);
        let page = self
            .page(&["webhooks", "delivery-attempts"], &by_filter.pairs(), read)
            .await;
        match page {
            Err(failure)
                if matches!(failure.kind, FailureKind::Invalid | FailureKind::NotOffered) =>
            {
                let plain = query(&[], limit, cursor);
                let older = ["webhooks", "endpoints", &id, "deliveries"];
                self.page(&older, &plain.pairs(), read)
                    .await
                    .map_err(|_| failure)
            }
            page => page,
        }
    }

    /// `GET /webhooks/endpoints`, which is not documented: all its pages as one, whose `is_last`
    /// says whether the end of the list was reached. Fails where the first page does.
    pub async fn endpoints(&self) -> Result<Page<Endpoint>, Failure> {
        let mut all = self.endpoint_page(None).await?;
        let mut known: HashSet<EndpointId> =
            all.rows.iter().map(|row| row.value.id.clone()).collect();
        let most = self.http.limits.list_rows;
        for _ in 1..MAX_ENDPOINT_PAGES {
            // What is beyond the limit of one list is not read: the end was not reached.
            if all.is_last || all.rows.len() >= most {
                break;
            }
            let more = match self.endpoint_page(all.next.as_deref()).await {
                Ok(more) if more.next != all.next || more.is_last => more,
                // A server that gives the same page again, or none: the rest is not known.
                _ => break,
            };
            let is_new = |row: &Row<Endpoint>| known.insert(row.value.id.clone());
            all.rows.extend(more.rows.into_iter().filter(is_new));
            all.unreadable.extend(more.unreadable);
            all.next = more.next;
            all.is_last = more.is_last;
        }
        Ok(all)
    }

    async fn endpoint_page(&self, cursor: Option<&str>) -> Result<Page<Endpoint>, Failure> {
        let cursor: Vec<(&str, &str)> = cursor.iter().map(|at| ("iterator", *at)).collect();
        self.page(&["webhooks", "endpoints"], &cursor, rest::endpoints)
            .await
    }

    /// What the server publishes about itself; `Ok(None)` if it publishes nothing. Asked without
    /// the key.
    pub async fn published(&self) -> Result<Option<Published>, Failure> {
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

    /// Reads a page of a list. Rows beyond the limit are counted and left out.
    async fn page<T>(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
        decode: impl FnOnce(&[u8]) -> Result<Page<T>, Unreadable>,
    ) -> Result<Page<T>, Failure> {
        let (url, mut body) = self.fetch(segments, query).await?;
        let shape = self.http.limits.shape();
        // One row that is nested too deep does not spoil its list.
        let is_cut = matches!(shape.check(&body), Err(Beyond::Depth(_)));
        if is_cut {
            body = shape.cut(&body).into();
        }
        let mut page = self.decoded(&url, &body, decode)?;
        let n_before = page.rows.len();
        if is_cut {
            page.rows.retain(|row| !shape::is_cut(&row.raw));
        }
        let n_cut = n_before - page.rows.len();
        let limit = self.http.limits.list_rows;
        let n_beyond = page.rows.len().saturating_sub(limit);
        page.rows.truncate(limit);
        // Each of these keeps a piece of its row; a list of nothing else must not pile up.
        let n_hidden = page.unreadable.len().saturating_sub(MAX_UNREADABLE);
        page.unreadable.truncate(MAX_UNREADABLE);
        for (count, why) in [
            (
                n_beyond,
                "rows beyond the limit of a list (limits.list_rows)",
            ),
            (n_hidden, "more rows that lack what every row has"),
            (n_cut, "rows nested too deep (limits.json_depth)"),
        ] {
            if count > 0 {
                page.unreadable.push(Unreadable {
                    place: "list",
                    why: format!("{count} {why}"),
                    excerpt: String::new(),
                });
            }
        }
        Ok(page)
    }

    /// Reads any route by a decoder.
    pub async fn read<T>(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
        decode: impl FnOnce(&[u8]) -> Result<T, Unreadable>,
    ) -> Result<T, Failure> {
        let (url, body) = self.fetch(segments, query).await?;
        self.decoded(&url, &body, decode)
    }

    async fn fetch(
        &self,
        segments: &[&str],
        query: &[(&str, &str)],
    ) -> Result<(Url, Bytes), Failure> {
        let url = self.http.route(segments, query)?;
        let body = self
            .http
            .get(&url, self.http.waits.answer, true)
            .await
            .map_err(|failed: Failed| failed.failure)?;
        Ok((url, body))
    }

    /// Reads an answer, if it is within the bounds on its shape.
    fn decoded<T>(
        &self,
        url: &Url,
        body: &[u8],
        decode: impl FnOnce(&[u8]) -> Result<T, Unreadable>,
    ) -> Result<T, Failure> {
        self.http.limits.shape().check(body).map_err(|beyond| {
            let what = format!(
                "{} answered {beyond} for {}",
                failure::origin(url),
                visible(url.path())
            );
            let hint = "raise limits.json_depth or limits.json_values if it is right";
            Failure::new(FailureKind::TooLarge, what, hint)
        })?;
        decode(body).map_err(|what| failure::unreadable(&what, url))
    }
}

/// Query parameters, with the numbers as text.
struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    fn pairs(&self) -> Vec<(&str, &str)> {
        self.pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }
}

fn query(filters: &[(&str, &str)], limit: usize, cursor: Option<&str>) -> Query {
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut pairs: Vec<(String, String)> = filters
        .iter()
        .map(|(name, value)| own(name, value))
        .collect();
    pairs.push(own("limit", &limit.clamp(1, FULL_PAGE).to_string()));
    pairs.extend(cursor.map(|cursor| own("iterator", cursor)));
    Query { pairs }
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
