//! The lists: whether each is there, in which form it comes, and whether it can be paged.

use std::io;

use super::report::{Line, Report, unread};
use crate::domain::{EndpointId, Failure, FailureKind, MessageId, Unreadable, plural};
use crate::io::client::Client;
use crate::wire::form::{self, Form, Known};
use crate::wire::rest::{self, Page};

/// Rows that are asked for: enough to see the form, few enough that there is a next page.
const LIMIT: &str = "2";

/// The active tasks; gives how many there are.
pub async fn tasks(client: &Client, report: &mut Report) -> io::Result<Option<usize>> {
    const CHECK: &str = "tasks";
    let read = client.read(&["tasks", "active"], &[], |body| {
        Ok((rest::tasks(body)?, form::of(body, &form::TASK)))
    });
    match read.await {
        Ok((page, form)) => {
            report.say(&told(CHECK, &page, &form, "active", None))?;
            Ok(Some(page.rows.len()))
        }
        Err(failure) => {
            report.say(&Line::failure(CHECK, &failure))?;
            Ok(None)
        }
    }
}

/// The webhook logs and the endpoints.
pub async fn logs(client: &Client, report: &mut Report) -> io::Result<()> {
    let route = ["webhooks", "messages"];
    let newest = list(client, &route, &[], &form::MESSAGE, rest::messages).await;
    let message = newest.as_ref().ok().and_then(|(page, ..)| {
        let first = page.rows.first()?;
        Some(first.value.message.id.clone())
    });
    let is_messages_read = newest.is_ok();
    report.say(&say("messages", newest))?;

    let read = client.read(&["webhooks", "endpoints"], &[], |body| {
        Ok((rest::endpoints(body)?, form::of(body, &form::ENDPOINT)))
    });
    let endpoints = read.await;
    let endpoint = endpoints.as_ref().ok().and_then(|(page, _)| {
        let first = page.rows.first()?;
        Some(first.value.id.clone())
    });
    let line =
        if message.is_none() && endpoint.is_none() && !(is_messages_read && endpoints.is_ok()) {
            let detail = "not asked for, as it is not known of which message or endpoint";
            Line::warning(
                "attempts",
                detail,
                "mend what is said of messages and endpoints first",
            )
        } else {
            attempts(client, message, endpoint).await
        };
    report.say(&line)?;
    let line = match &endpoints {
        Ok((page, form)) => told("endpoints", page, form, "in all", None),
        Err(failure) => {
            let hint = "reeltop rebuilds the list from the attempts, and says so".to_owned();
            Line {
                hint,
                ..unread("endpoints", failure)
            }
        }
    };
    report.say(&line)
}

/// The attempts at an endpoint, by either of the two routes, else those of a message.
async fn attempts(
    client: &Client,
    message: Option<MessageId>,
    endpoint: Option<EndpointId>,
) -> Line {
    const CHECK: &str = "attempts";
    let newer = ["webhooks", "delivery-attempts"];
    let (id, filter) = match (&endpoint, &message) {
        (Some(endpoint), _) => (endpoint.to_string(), "endpoint_id"),
        (None, Some(message)) => (message.to_string(), "message_id"),
        (None, None) => {
            let detail = "there is no message and no endpoint to ask for";
            return Line::ok(CHECK, detail);
        }
    };
    let read = |body: &[u8]| rest::attempts(body, message.as_ref(), endpoint.as_ref());
    let by_filter = [(filter, id.as_str())];
    let found = list(client, &newer, &by_filter, &form::ATTEMPT, read).await;
    let Err(failure) = found else {
        return say(CHECK, found);
    };
    let older = ["webhooks", "endpoints", &id, "deliveries"];
    if endpoint.is_some()
        && let Ok(found) = list(client, &older, &[], &form::ATTEMPT, read).await
    {
        let mut line = say(CHECK, Ok(found));
        line.detail = format!("by the older route: {}", line.detail);
        return line;
    }
    absent(CHECK, &failure)
}

/// A list that could not be read; where its route is not there, what that means and what to do.
fn absent(check: &'static str, failure: &Failure) -> Line {
    let line = unread(check, failure);
    let means = match (failure.kind, check) {
        (FailureKind::NotOffered, "messages") => {
            "it has no log of its webhooks: Deliveries stays empty, and tasks that begin and end \
             while the stream is away are not seen"
        }
        (FailureKind::NotOffered, _) => {
            "it does not say what became of its webhooks: no outcome is known, and no replay can be \
             followed"
        }
        _ => return line,
    };
    let hint = format!(
        "{means}; where Svix delivers them, name its application with --svix-app to read them there"
    );
    Line { hint, ..line }
}

/// A page, its form, and whether the next page brings other rows; `None` if there is none.
type Read<T> = (Page<T>, Form, Option<bool>);

/// The first page of a list, and whether there is a second that differs.
async fn list<T: PartialEq>(
    client: &Client,
    route: &[&str],
    filter: &[(&str, &str)],
    known: &[Known],
    read: impl Fn(&[u8]) -> Result<Page<T>, Unreadable> + Copy,
) -> Result<Read<T>, Failure> {
    let mut query = filter.to_vec();
    query.push(("limit", LIMIT));
    let (page, form) = client
        .read(route, &query, |body| {
            Ok((read(body)?, form::of(body, known)))
        })
        .await?;
    let next = page.next.as_deref().filter(|_| !page.is_last);
    let Some(next) = next else {
        return Ok((page, form, None));
    };
    query.push(("iterator", next));
    let second = client.read(route, &query, read).await?;
    let is_other = second.rows != page.rows;
    Ok((page, form, Some(is_other)))
}

fn say<T>(check: &'static str, found: Result<Read<T>, Failure>) -> Line {
    match found {
        Ok((page, form, pages)) => told(check, &page, &form, "read", pages),
        Err(failure) => absent(check, &failure),
    }
}

fn told<T>(
    check: &'static str,
    page: &Page<T>,
    form: &Form,
    what: &str,
    pages: Option<bool>,
) -> Line {
    let mut detail = format!("{} {what}, {}", page.rows.len(), form.words());
    if let Some(unread) = page.unreadable.first() {
        let n = plural(Unreadable::sum(&page.unreadable), "row", "rows");
        let detail = format!("{detail}; {n} cannot be read: {}", unread.why);
        return Line::warning(check, detail, "reeltop counts these and shows them raw");
    }
    match pages {
        Some(true) => detail.push_str("; its second page was read too"),
        Some(false) => {
            let detail = format!("{detail}; its second page is the first again");
            let hint = "older rows cannot be read from this server";
            return Line::warning(check, detail, hint);
        }
        None => {}
    }
    Line::ok(check, detail)
}
