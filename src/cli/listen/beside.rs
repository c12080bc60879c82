//! A receiver beside the dashboard: what it gets stands on a screen instead of in lines.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::book::Book;
use super::delivery::{Delivery, Desk};
use super::print::event;
use super::{AT_ONCE, MAX_BODY, refusal};
use crate::cli::output::Stop;
use crate::cli::serve::unbound;
use crate::cli::verify::diagnosis;
use crate::domain::{
    ChangeKind, Failure, FailureKind, Finding, MessageId, Moment, Origin, Received,
};
use crate::io::Clock;
use crate::io::intake::Teller;
use crate::runtime::{Listening, Recheck};
use crate::server::inbox::{Answer, Arrival, Inbox};
use crate::wire::saved::Saved;
use crate::wire::signature::doctor::{Diagnosis, Held};

/// Rows whose signatures may wait to be looked at again.
const RECHECKS: usize = 16;

/// A receiver that is open, and not yet at work.
pub struct Beside {
    inbox: Inbox,
    rechecks: mpsc::Receiver<Recheck>,
    listening: Listening,
}

impl Beside {
    /// Listens; nothing is answered before [`Beside::run`].
    pub async fn open(addr: SocketAddr) -> Result<Self, Stop> {
        let inbox = Inbox::open(addr, MAX_BODY).await.map_err(|error| {
            Stop::Failed(Failure::new(FailureKind::Local, unbound(addr, &error), ""))
        })?;
        let (to_rechecks, rechecks) = mpsc::channel(RECHECKS);
        let listening = Listening {
            url: format!("http://{}/", inbox.at()),
            rechecks: to_rechecks,
        };
        Ok(Self {
            inbox,
            rechecks,
            listening,
        })
    }

    /// What the dashboard must know of it.
    pub fn listening(&self) -> &Listening {
        &self.listening
    }

    /// Receives, and tells what came, until it is dropped.
    pub async fn run(mut self, secrets: Vec<Held>, to: Teller) {
        let desk = Arc::new(Desk {
            secrets,
            onward: None,
            status: None,
            delay: None,
        });
        let clock = Clock::new();
        let mut book = Book::default();
        let (done, mut results) = mpsc::channel::<(Moment, Delivery)>(AT_ONCE);
        loop {
            tokio::select! {
                Some(arrival) = self.inbox.next() => {
                    take(arrival, &desk, &mut book, clock, &done);
                }
                Some((_, delivery)) = results.recv() => {
                    to.tell(Origin::User, ChangeKind::Received(Box::new(received(delivery)))).await;
                }
                Some(recheck) = self.rechecks.recv() => {
                    let finding = again(&recheck.request, &desk.secrets);
                    let Recheck { row, nth, .. } = recheck;
                    to.tell(Origin::User, ChangeKind::Judged { row, nth, finding }).await;
                }
                else => return,
            }
        }
    }
}

/// Begins with a request; what is no webhook is answered so.
fn take(
    arrival: Arrival,
    desk: &Arc<Desk>,
    book: &mut Book,
    clock: Clock,
    done: &mpsc::Sender<(Moment, Delivery)>,
) {
    let Arrival {
        request,
        is_too_large,
        sender,
    } = arrival;
    if let Some((code, why)) = refusal(&request, is_too_large) {
        let body = why.into_bytes();
        sender.answer(Answer { code, body });
        return;
    }
    let at = clock.now();
    let entry = book.enter(request.signature().id, &request.body);
    let (desk, done) = (Arc::clone(desk), done.clone());
    tokio::spawn(async move {
        let (delivery, answer) = desk.handle(request, at.wall, entry, None).await;
        // Whoever sent it does not wait for the screen.
        sender.answer(answer);
        let _ = done.send((at, delivery)).await;
    });
}

/// A delivery as the screen tells it.
fn received(delivery: Delivery) -> Received {
    let event = event(&delivery.request.body);
    let message = delivery.request.signature().id;
    let message = message.filter(|id| !id.is_empty()).map(MessageId::new);
    Received {
        message,
        headers: delivery.request.shown_headers(),
        kind: event.as_ref().map(|event| event.kind.clone()),
        task: event.and_then(|event| event.task).map(|seen| seen.task),
        is_other_body: delivery.entry.is_other_body,
        finding: delivery.found.as_ref().map_or(Finding::Unchecked, finding),
        code: delivery.code,
        method: delivery.request.method,
        path: delivery.request.path,
        body: delivery.request.body.into(),
    }
}

fn finding(found: &Diagnosis) -> Finding {
    if found.is_verified() {
        return Finding::Verified(found.words());
    }
    Finding::Refused {
        why: found.words(),
        advice: found.advice(),
    }
}

/// What the doctor says of a request now, whatever its age is by now.
fn again(request: &Received, secrets: &[Held]) -> Finding {
    if secrets.is_empty() {
        return Finding::Unchecked;
    }
    let saved = Saved {
        method: request.method.clone(),
        path: request.path.clone(),
        headers: request.headers.clone(),
        body: request.body.to_vec(),
    };
    match finding(&diagnosis(&saved, secrets, None)) {
        Finding::Verified(by) => Finding::Verified(format!("{by}, looked at again, its age aside")),
        other => other,
    }
}
