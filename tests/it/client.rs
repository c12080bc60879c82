//! The real client: against the embedded server, and against answers that no sound server gives.

mod bounds;
mod conformance;
mod gaps;
mod holes;
pub mod intake;
pub mod link;
mod polling;
mod reading_back;
mod refused;
mod rest;
mod stream;
mod tls;
mod unknowns;
mod withheld;

use std::time::Duration;

use reeltop::io::config::Source;

/// A source with short waits, so that tests need not wait.
pub fn source(url: &str) -> Source {
    let mut source = Source::new(url, "sk_test");
    let waits = &mut source.waits;
    waits.floor = Duration::from_millis(10);
    waits.ceiling = Duration::from_millis(100);
    waits.max_retry = Duration::from_millis(50);
    waits.max_retry_after = Duration::from_millis(400);
    waits.health = Duration::from_millis(500);
    waits.stale = Duration::from_millis(100);
    waits.idle = Duration::from_millis(300);
    waits.stopped = Duration::from_millis(200);
    waits.poll = Duration::from_millis(100);
    waits.poll_quick = Duration::from_millis(50);
    waits.answer = Duration::from_secs(5);
    source
}
