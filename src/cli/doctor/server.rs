//! The server: name, connection, key, what it offers, and its clock.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use reqwest::Url;

use super::report::{Line, Report, advice};
use super::{lists, stream, svix};
use crate::domain::time::{SECOND, duration_words};
use crate::domain::{Ability, FailureKind};
use crate::io::client::Client;
use crate::io::config::{Source, is_loopback};
use crate::io::discover::discover;
use crate::io::proxy::{self, Proxy};
use crate::io::reach;

/// A clock that is off by more makes ages wrong on the screen…
const NOTICEABLE: i64 = 5 * SECOND;
/// … and by more than this, comparisons after a gap are in doubt.
const DOUBTFUL: i64 = 60 * SECOND;

/// Looks at everything that the server has to do with. What cannot be well because of what was
/// found before is not looked at.
pub async fn examine(
    source: &Source,
    client: &Client,
    wait: Duration,
    report: &mut Report,
) -> io::Result<()> {
    let url = client.http.base().clone();
    let proxy = proxy::proxy(&url, |name| std::env::var(name).ok());
    report.say(&address(source, &url, proxy.as_ref()))?;
    match (
        reach::addresses(&url, client.http.waits.connect).await,
        proxy,
    ) {
        (Ok(found), _) => {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            report.say(&Line::ok("dns", found.join(", ")))?;
        }
        (Err(failure), Some(proxy)) => {
            let detail = format!("{}; the proxy {} may know it", failure.what, proxy.address);
            let hint = "nothing is to be done if the next line is ok; else check the URL";
            report.say(&Line::warning("dns", detail, hint))?;
        }
        (Err(failure), None) => return report.say(&Line::failure("dns", &failure)),
    }
    let check = if url.scheme() == "https" {
        "tls"
    } else {
        "connection"
    };
    match reach::connect(client).await {
        Ok(version) if check == "tls" => {
            report.say(&Line::ok(check, format!("certificate accepted, {version}")))?;
        }
        Ok(version) => report.say(&Line::ok(check, format!("{version}, not encrypted")))?,
        Err(failure) => return report.say(&Line::failure(check, &failure)),
    }
    if !client.is_svix_alone {
        let (line, is_over) = key(client).await;
        report.say(&line)?;
        if is_over {
            return Ok(());
        }
        let n_tasks = lists::tasks(client, report).await?;
        stream::examine(source, client, wait, n_tasks, report).await?;
    }
    if let (Some(source), Some(client)) = (&source.svix, &client.svix) {
        svix::examine(source, client, report).await?;
    } else {
        lists::logs(client, report).await?;
        report.say(&resend(source, client).await)?;
    }
    report.say(&clock(client.http.ahead()))
}

fn address(source: &Source, url: &Url, proxy: Option<&Proxy>) -> Line {
    let mut detail = source.url.clone();
    if let Some(proxy) = proxy {
        let _ = write!(
            detail,
            ", through the proxy {} ({})",
            proxy.address, proxy.name
        );
    }
    if url.scheme() == "http" && !is_loopback(url) {
        let detail = format!("{detail} sends the key unencrypted");
        return Line::warning("url", detail, "use https if the server offers it");
    }
    Line::ok("url", detail)
}

/// Whether the key is taken, and whether nothing more can be found out.
async fn key(client: &Client) -> (Line, bool) {
    let origin = &client.http.key_origin;
    let failure = match client.user().await {
        Ok(()) => {
            let detail = format!("accepted by /users/me; it came from {origin}");
            return (Line::ok("key", detail), false);
        }
        Err(failure) => failure,
    };
    match failure.kind {
        FailureKind::NotOffered | FailureKind::NotFound => {
            let detail = format!("{}; what follows tells whether it is taken", failure.what);
            (Line::warning("key", detail, advice(&failure)), false)
        }
        FailureKind::Forbidden => (Line::lack("key", &failure), false),
        FailureKind::RateLimited | FailureKind::Server => (Line::failure("key", &failure), false),
        FailureKind::NotAspect => {
            let detail = format!("this is no Aspect API: {}", failure.what);
            (Line::failed("key", detail, advice(&failure)), true)
        }
        _ => (Line::failure("key", &failure), true),
    }
}

async fn resend(source: &Source, client: &Client) -> Line {
    const CHECK: &str = "resend";
    const NO_RESEND: &str =
        "without one reeltop replays nothing; resend from the service's own pages";
    let found = match discover(client, source.events_path.as_deref()).await {
        Ok(found) => found,
        Err(failure) => return Line::lack(CHECK, &failure),
    };
    match client.resend_ability(source.resend_path.as_deref(), found.published.as_ref()) {
        Ability::Offered(path) if source.resend_path.is_some() => {
            Line::ok(CHECK, format!("{path}, configured"))
        }
        Ability::Offered(path) => Line::ok(CHECK, format!("{path}, published by the server")),
        Ability::Absent(why) => {
            let (what, hint) = why.split_once("; ").unwrap_or((&why, NO_RESEND));
            Line::warning(CHECK, what, hint)
        }
        Ability::Unknown => Line::warning(CHECK, "the server could not be asked", "try again"),
    }
}

fn clock(ahead: Option<i64>) -> Line {
    const CHECK: &str = "clock";
    const SET: &str = "set the clock of the machine that is wrong (by NTP)";
    let Some(ahead) = ahead else {
        let detail = "no answer said what time it is there (no Date header)";
        return Line::warning(
            CHECK,
            detail,
            "gaps cannot be compared for certain without it",
        );
    };
    let apart = duration_words(ahead.abs());
    let side = if ahead < 0 { "behind" } else { "ahead of" };
    match ahead.abs() {
        ..NOTICEABLE => Line::ok(CHECK, "the server's clock and this machine's agree"),
        NOTICEABLE..DOUBTFUL => Line::warning(
            CHECK,
            format!("the server's clock is {apart} {side} this machine's; ages are off by that"),
            SET,
        ),
        _ => Line::warning(
            CHECK,
            format!(
                "the server's clock is {apart} {side} this machine's; what was missed in a gap \
                 cannot be known for certain"
            ),
            SET,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::State;
    use super::*;

    #[test]
    fn clocks_are_judged_by_how_far_they_are_apart() {
        for (ahead, state, word) in [
            (Some(0), State::Ok, "agree"),
            (Some(-4 * SECOND), State::Ok, "agree"),
            (Some(30 * SECOND), State::Warning, "30s ahead of"),
            (Some(-300 * SECOND), State::Warning, "5m00s behind"),
            (Some(i64::MAX), State::Warning, "ahead"),
            (None, State::Warning, "Date"),
        ] {
            let line = clock(ahead);
            assert_eq!(line.state, state, "{ahead:?}");
            assert!(line.detail.contains(word), "{}", line.detail);
        }
    }
}
