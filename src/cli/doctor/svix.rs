//! The Svix server: its logs, and what it offers.

use std::io;

use super::report::{Line, Report};
use crate::domain::{Ability, EndpointId, Failure, Unreadable, plural};
use crate::io::client::svix::Svix;
use crate::io::config::{SvixSource, shown};
use crate::wire::rest::Page;

/// Rows that are asked for: enough to see the form.
const LIMIT: usize = 2;

/// Looks at the logs of the application and asks what the server offers.
pub async fn examine(source: &SvixSource, svix: &Svix, report: &mut Report) -> io::Result<()> {
    let place = format!("{}, application {}", shown(&source.url), source.app);
    let messages = svix.messages(LIMIT, None).await;
    match &messages {
        Ok(_) => {
            let detail = format!("{place}; the token from {} is taken", source.token_origin);
            report.say(&Line::ok("svix", detail))?;
        }
        // Nothing else will be well.
        Err(failure) => return report.say(&Line::failure("svix", failure)),
    }
    report.say(&told("messages", "read", messages))?;
    let endpoints = svix.endpoints().await;
    let first = endpoints.as_ref().ok().and_then(|page| page.rows.first());
    let first = first.map(|row| row.value.id.clone());
    report.say(&attempts(svix, first).await)?;
    report.say(&told("endpoints", "in all", endpoints))?;
    report.say(&offers(svix).await)
}

async fn attempts(svix: &Svix, endpoint: Option<EndpointId>) -> Line {
    const CHECK: &str = "attempts";
    match endpoint {
        Some(endpoint) => told(
            CHECK,
            "read",
            svix.attempts_at(&endpoint, LIMIT, None).await,
        ),
        None => Line::ok(CHECK, "there is no endpoint to ask for"),
    }
}

fn told<T>(check: &'static str, what: &str, page: Result<Page<T>, Failure>) -> Line {
    match page {
        Ok(page) => match page.unreadable.first() {
            Some(first) => {
                let n = plural(Unreadable::sum(&page.unreadable), "row", "rows");
                let detail = format!("{n} cannot be read: {}", first.why);
                Line::warning(check, detail, "reeltop counts these and shows them raw")
            }
            None => Line::ok(check, format!("{} {what}, from Svix", page.rows.len())),
        },
        Err(failure) => Line::lack(check, &failure),
    }
}

async fn offers(svix: &Svix) -> Line {
    const CHECK: &str = "offers";
    let offers = match svix.offers().await {
        Ok(offers) => offers,
        Err(failure) => return Line::lack(CHECK, &failure),
    };
    let named = |wanted: fn(&Ability) -> bool| {
        let named = offers.iter().filter(|(_, ability)| wanted(ability));
        named.map(|(offer, _)| offer.name()).collect::<Vec<_>>()
    };
    let offered = [vec!["resend"], named(Ability::is_offered)].concat();
    let mut detail = offered.join(", ");
    let absent = named(|ability| matches!(ability, Ability::Absent(_)));
    if !absent.is_empty() {
        detail.push_str("; not ");
        detail.push_str(&absent.join(", "));
    }
    Line::ok(CHECK, detail)
}
