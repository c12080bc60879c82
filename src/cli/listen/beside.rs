//! A receiver beside the dashboard: what it gets stands on a screen instead of in lines.

use std::net::SocketAddr;
use std::sync::Arc;

use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::book::Book;
use super::delivery::{Delivery, Desk};
use super::print::event;
use super::{AT_ONCE, MAX_BODY, refusal, turning_away};
use crate::cli::output::Stop;
use crate::cli::serve::unbound;
use crate::cli::verify::whole_diagnosis;
use crate::domain::{
    Again, ChangeKind, Endpoint, Failure, FailureKind, Finding, MessageId, Moment, Origin,
    Received, Time, Unfit,
};
use crate::io::Clock;
use crate::io::client::Client;
use crate::io::config::is_loopback;
use crate::io::intake::Teller;
use crate::runtime::{Listening, Recheck};
use crate::server::inbox::{Arrival, Inbox};
use crate::wire::saved::Saved;
use crate::wire::signature::doctor::{Diagnosis, Held, Holder};

/// Endpoints whose secrets are read for one look.
const MAX_ASKED: usize = 20;
/// Rows whose signatures may wait to be looked at again.
const RECHECKS: usize = 16;

/// What was found, for whom, and the secrets that it was looked at with.
type Looked = (Again, Recheck, Vec<Held>);

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
    ///
    /// A signature that is looked at again is looked at with the secrets that the service has by
    /// then, where it offers them: one that was rotated is not the one of the start. Of those, the
    /// ones of endpoints that lead here check what comes from then on.
    pub async fn run(mut self, secrets: Vec<Held>, client: Option<Client>, to: Teller) {
        let own = secrets.clone();
        let mut desk = Arc::new(desk(secrets));
        let clock = Clock::new();
        let mut book = Book::default();
        let (looked, mut told) = mpsc::channel::<Looked>(RECHECKS);
        let (done, mut results) = mpsc::channel::<(Moment, Delivery)>(AT_ONCE);
        loop {
            tokio::select! {
                Some(arrival) = self.inbox.next() => {
                    if let Some(why) = take(arrival, &desk, &mut book, clock, &done) {
                        to.tell(Origin::User, ChangeKind::TurnedAway(why)).await;
                    }
                }
                Some((_, delivery)) = results.recv() => {
                    to.tell(Origin::User, ChangeKind::Received(Box::new(received(delivery)))).await;
                }
                Some(recheck) = self.rechecks.recv() => {
                    // What is received meanwhile does not wait for the service.
                    let (client, at, looked) = (client.clone(), self.inbox.at(), looked.clone());
                    let own = own.clone();
                    tokio::spawn(async move {
                        let told = match &client {
                            Some(client) => current(client, at).await,
                            None => Vec::new(),
                        };
                        let all = with(&own, told);
                        let search = move || (again(&recheck.request, &all, clock.now().wall), recheck, all);
                        if let Ok(found) = tokio::task::spawn_blocking(search).await {
                            let _ = looked.send(found).await;
                        }
                    });
                }
                Some((again, Recheck { row, nth, .. }, mut ours)) = told.recv() => {
                    ours.retain(|held| matches!(held.holder, Holder::Receiver));
                    desk = Arc::new(self::desk(ours));
                    let again = Box::new(again);
                    to.tell(Origin::User, ChangeKind::Judged { row, nth, again }).await;
                }
                else => return,
            }
        }
    }
}

fn desk(secrets: Vec<Held>) -> Desk {
    Desk {
        secrets,
        onward: None,
        status: None,
        delay: None,
        ending: CancellationToken::new(),
    }
}

/// The secrets that endpoints have now, where the service tells them: those of endpoints that lead to
/// this address are the receiver's, others only explain. What cannot be read is left out: the secrets
/// of the start are there all the same.
async fn current(client: &Client, at: SocketAddr) -> Vec<Held> {
    let Ok(Some(route)) = client.endpoint_routes().await.map(|routes| routes.secret) else {
        return Vec::new();
    };
    let Ok(page) = client.endpoints().await else {
        return Vec::new();
    };
    let leads_here = |endpoint: &Endpoint| {
        let url = reqwest::Url::parse(&endpoint.url).ok();
        url.is_some_and(|url| is_loopback(&url) && url.port() == Some(at.port()))
    };
    let (here, others): (Vec<_>, Vec<_>) =
        (page.rows.into_iter()).partition(|row| leads_here(&row.value));
    let mut found = Vec::new();
    for row in here.into_iter().chain(others).take(MAX_ASKED) {
        let endpoint = &row.value;
        let Ok(secret) = client.endpoint_secret(&route, &endpoint.id).await else {
            continue;
        };
        found.push(Held {
            name: format!("endpoint {}, as the service has it now", endpoint.label()),
            text: secret.expose_secret().to_owned(),
            holder: if leads_here(endpoint) {
                Holder::Receiver
            } else {
                Holder::Other
            },
        });
    }
    found
}

/// The secrets of the start with those that were told since, each once.
fn with(own: &[Held], told: Vec<Held>) -> Vec<Held> {
    let mut all = own.to_vec();
    for held in told {
        if !all.iter().any(|known| known.text == held.text) {
            all.push(held);
        }
    }
    all
}

/// Begins with a request; what is no delivery is answered so, and why it is none.
fn take(
    arrival: Arrival,
    desk: &Arc<Desk>,
    book: &mut Book,
    clock: Clock,
    done: &mpsc::Sender<(Moment, Delivery)>,
) -> Option<Unfit> {
    let Arrival {
        request,
        unfit,
        sender,
    } = arrival;
    if let Some(why) = refusal(&request, unfit) {
        drop(sender.answer(turning_away(why)));
        return Some(why);
    }
    let at = clock.now();
    let entry = book.enter(request.signature().id, &request.body);
    let (desk, done) = (Arc::clone(desk), done.clone());
    tokio::spawn(async move {
        let (mut delivery, answer) = desk.handle(request, at.wall, entry, None).await;
        // Whoever sent it does not wait for the screen.
        desk.answer(&mut delivery, answer, sender).await;
        let _ = done.send((at, delivery)).await;
    });
    None
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
        code: delivery.is_answered.then_some(delivery.code),
        method: delivery.request.method,
        path: delivery.request.path,
        body: delivery.request.body.into(),
        again: None,
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
fn again(request: &Received, secrets: &[Held], at: Time) -> Again {
    let is_mine = |held: &Held| matches!(held.holder, Holder::Receiver);
    Again {
        at,
        finding: found_again(request, secrets),
        is_by_others: !secrets.is_empty() && !secrets.iter().any(is_mine),
    }
}

fn found_again(request: &Received, secrets: &[Held]) -> Finding {
    if secrets.is_empty() {
        return Finding::Unchecked;
    }
    let saved = Saved {
        method: request.method.clone(),
        path: request.path.clone(),
        headers: request.headers.clone(),
        body: request.body.to_vec(),
    };
    finding(&whole_diagnosis(&saved, secrets, None))
}
