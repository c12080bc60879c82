//! Svix as a source: the real client against routes in Svix's shape over the embedded engine, and
//! against answers that only a strange server gives.

mod attempt_headers;
mod clock;
mod endpoints;
mod fake;
mod handed_over;
mod held_back;
mod lists;
mod nexts;
mod publishing;
mod put_off;
mod recover;
mod restart;
mod screen;
mod sending;
mod source;
mod stats;
mod stuck;
mod sweep;
mod unlisted;

use reeltop::domain::{EndpointId, Failure, MessageId};
use reeltop::io::client::Client;
use reeltop::io::client::endpoints::Changed;
use reeltop::io::client::http::NotDone;
use reeltop::io::client::svix::Svix;
use reeltop::io::config::{Source, SvixSource};
use reeltop::server::{Options, Running};

use crate::server::support::{PATIENCE, start};

/// The application's uid.
const APP: &str = "user-1";

/// An embedded server that answers as Svix too. Its automatic retries are hours away, so that they
/// mix with nothing.
async fn svix_server() -> Running {
    start(Options {
        svix_app: Some(APP.to_owned()),
        time_scale: 0.001,
        ..Options::default()
    })
    .await
}

/// One with the routes of Svix Cloud too.
async fn cloud() -> Running {
    start(Options {
        svix_app: Some(APP.to_owned()),
        is_svix_cloud: true,
        time_scale: 0.001,
        ..Options::default()
    })
    .await
}

fn named(url: &str, token: &str) -> SvixSource {
    SvixSource::new(url, APP, token.to_owned())
}

/// A source with nothing but Svix, and short waits.
pub fn alone(url: &str, token: &str) -> Source {
    let waits = crate::client::source(url).waits;
    Source {
        waits,
        ..Source::svix_alone(named(url, token))
    }
}

fn svix_of(server: &Running) -> Svix {
    let client = Client::new(&alone(&server.url(), server.api_key())).unwrap();
    client.svix.unwrap()
}

/// Makes a task and moves it, which makes `count` messages, oldest first.
async fn publish(server: &Running, svix: &Svix, count: usize) -> Vec<MessageId> {
    for _ in 0..count {
        server.backend().create_task("asset", &["proxy"]).unwrap();
    }
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let page = svix.messages(250, None).await.unwrap();
        if page.rows.len() >= count {
            let ids = page.rows.iter().rev();
            return ids.map(|row| row.value.message.id.clone()).collect();
        }
        assert!(
            std::time::Instant::now() < until,
            "{} messages",
            page.rows.len()
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// The number of attempts of a message, once there are so many.
async fn attempts(svix: &Svix, message: &MessageId, count: usize) {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let page = svix.attempts_of(message, 250, None).await.unwrap();
        if page.rows.len() >= count {
            return;
        }
        assert!(
            std::time::Instant::now() < until,
            "{} attempts",
            page.rows.len()
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

fn endpoint_id(id: &str) -> EndpointId {
    EndpointId::new(id)
}

/// Why a change was refused for certain.
fn refused<T>(changed: Changed<T>) -> Failure {
    match changed {
        Err(NotDone::Refused(failure)) => failure,
        Err(NotDone::Unknown(why)) => panic!("unknown: {why}"),
        Ok(_) => panic!("it was done"),
    }
}
