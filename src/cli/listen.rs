//! `reeltop listen`: a receiver of webhooks on this machine, which says of each delivery whether it
//! verifies and why not, counts retries, and passes it on.

pub mod beside;
mod book;
mod delivery;
mod endpoint;
mod print;
mod shelf;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::args::{ListenArgs, SourceArgs};
use super::output::{Outcome, Output, Stop, note, usage, zone};
use super::serve::unbound;
use super::signals::Signals;
use super::{hosts, secrets, source};
use crate::domain::{Failure, FailureKind, Time, Unfit, plural};
use crate::io::Clock;
use crate::io::config::is_read_only;
use crate::io::post::Poster;
use crate::server::inbox::{Answer, Arrival, Inbox};
use crate::wire::saved::Saved;
use crate::wire::signature::doctor::Holder;
use book::Book;
use delivery::{Delivery, Desk, Onward};
use endpoint::Registered;
use print::Printer;
use shelf::Shelf;

/// Largest body that is taken, in bytes.
const MAX_BODY: usize = 16 << 20;
/// Deliveries under way at once; more wait.
const AT_ONCE: usize = 64;
/// How long the forward URL may take: longer than the service waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// Receives until ctrl-c, a signal or the limit. 0 at the limit, else 128 + signal.
pub async fn run(args: ListenArgs, from: SourceArgs) -> Outcome {
    let local = |what: String| Failure::new(FailureKind::Local, what, "");
    let mut signals =
        Signals::install().map_err(|error| local(format!("cannot listen for signals: {error}")))?;
    let mut desk = tokio::select! {
        biased;
        desk = desk(&args, &from) => desk?,
        code = signals.wait() => return Ok(code),
    };
    let shelf = args.save.as_deref().map(Shelf::new).transpose();
    let shelf = shelf.map_err(|error| usage("--save", error))?;
    let out = Output::new();
    let is_json = args.json || !out.is_terminal;
    let mut printer = Printer::new(out, is_json, zone(from.utc));
    let inbox = Inbox::open(args.addr, MAX_BODY).await;
    let mut inbox = inbox.map_err(|error| local(unbound(args.addr, &error)))?;
    if let Some(onward) = &desk.onward
        && onward
            .url
            .socket_addrs(|| None)
            .is_ok_and(|all| all.contains(&inbox.at()))
    {
        return Err(usage("--forward", "this is the address that listens"));
    }
    let mut registered = None;
    if args.register {
        let is_given = !desk.secrets.is_empty();
        let (made, secret) = Registered::create(&args, &from, inbox.at(), is_given).await?;
        registered = Some(made);
        desk.secrets.extend(secret);
    }
    let checks = if desk.secrets.is_empty() {
        "; no secret given, signatures are not checked"
    } else {
        ""
    };
    note(&format!("listening on http://{}/{checks}", inbox.at()));
    let mut hall = Hall::new(desk, shelf, args.limit);
    let outcome = tokio::select! {
        biased;
        code = signals.wait() => Err(code),
        ended = hall.receive(&mut inbox, &mut printer) => Ok(ended.map(|()| 0)),
    };
    let outcome = match outcome {
        Ok(ended) => ended,
        Err(code) => tokio::select! {
            biased;
            ended = hall.finish(&mut inbox, &mut printer) => ended.map(|()| code),
            again = signals.wait() => Ok(again),
        },
    };
    let n_left = inbox.close().await;
    if n_left > 0 {
        note(&format!(
            "{n_left} more had come by the end: answered with 503 and not looked at"
        ));
    }
    let n_unsaved = hall.shelf.as_ref().map_or(0, Shelf::left_out);
    if n_unsaved > 0 {
        let unsaved = plural(n_unsaved, "request", "requests");
        note(&format!("--save: {unsaved} beyond those were not saved"));
    }
    if let Some(registered) = registered {
        registered.remove().await;
    }
    outcome
}

/// All that a delivery is judged and answered by.
async fn desk(args: &ListenArgs, from: &SourceArgs) -> Result<Desk, Stop> {
    let secrets = secrets::usable(&args.secrets, from)?;
    let mut onward = None;
    if let Some(url) = &args.forward {
        let url = hosts::receiver("--forward", url)?;
        let is_read_only = is_read_only(&source::flags(from));
        if is_read_only.map_err(|error| Stop::Usage(error.to_string()))? {
            return Err(usage("--forward", "read-only mode forwards nothing"));
        }
        let key = match &args.resign {
            Some(path) => Some(secrets::signing(&secrets::from_file(
                "--resign",
                path,
                Holder::Receiver,
            )?)?),
            None => None,
        };
        hosts::confirmed(&url, args.yes).await?;
        onward = Some(Onward {
            url,
            key,
            poster: Poster::new(false, PATIENCE),
        });
    }
    Ok(Desk {
        secrets,
        onward,
        status: args.status,
        delay: args.delay,
        ending: CancellationToken::new(),
    })
}

/// Where deliveries arrive.
struct Hall {
    desk: Arc<Desk>,
    book: Book,
    shelf: Option<Shelf>,
    limit: Option<u64>,
    clock: Clock,
    done: mpsc::Sender<Delivery>,
    results: mpsc::Receiver<Delivery>,
    n_taken: u64,
    n_done: u64,
}

impl Hall {
    fn new(desk: Desk, shelf: Option<Shelf>, limit: Option<u64>) -> Self {
        let (done, results) = mpsc::channel(AT_ONCE);
        Self {
            desk: Arc::new(desk),
            book: Book::default(),
            shelf,
            limit,
            clock: Clock::new(),
            done,
            results,
            n_taken: 0,
            n_done: 0,
        }
    }

    /// Receives until the limit is reached or the output cannot be written.
    async fn receive(&mut self, inbox: &mut Inbox, printer: &mut Printer) -> Result<(), Stop> {
        while self.limit.is_none_or(|limit| self.n_done < limit) {
            let is_room = self.n_taken - self.n_done < AT_ONCE as u64 && self.may_take();
            tokio::select! {
                Some(delivery) = self.results.recv() => {
                    self.n_done += 1;
                    printer.delivery(&delivery)?;
                }
                Some(arrival) = inbox.next(), if is_room => self.take(arrival, printer)?,
            }
        }
        Ok(())
    }

    /// Waits for nothing any more, and says of all that has come what became of it.
    async fn finish(&mut self, inbox: &mut Inbox, printer: &mut Printer) -> Result<(), Stop> {
        self.desk.ending.cancel();
        loop {
            while self.may_take()
                && let Some(arrival) = inbox.waiting()
            {
                self.take(arrival, printer)?;
            }
            if self.n_done >= self.n_taken {
                return Ok(());
            }
            if let Some(delivery) = self.results.recv().await {
                self.n_done += 1;
                printer.delivery(&delivery)?;
            }
        }
    }

    fn may_take(&self) -> bool {
        self.limit.is_none_or(|limit| self.n_taken < limit)
    }

    /// Begins with a delivery, if it is one.
    fn take(&mut self, arrival: Arrival, printer: &mut Printer) -> Result<(), Stop> {
        let Arrival {
            request,
            unfit,
            sender,
        } = arrival;
        let received = self.clock.now().wall;
        if let Some(why) = refusal(&request, unfit) {
            drop(sender.answer(turning_away(why)));
            return printer.turned_away(&request, why, received);
        }
        let entry = self.book.enter(request.signature().id, &request.body);
        let saved_as = (self.shelf.as_mut()).and_then(|shelf| kept(shelf, &request, received));
        let (desk, done) = (Arc::clone(&self.desk), self.done.clone());
        tokio::spawn(async move {
            let (mut delivery, answer) = desk.handle(request, received, entry, saved_as).await;
            desk.answer(&mut delivery, answer, sender).await;
            let _ = done.send(delivery).await;
        });
        self.n_taken += 1;
        Ok(())
    }
}

/// Why a request is no delivery, if it is none.
fn refusal(request: &Saved, unfit: Option<Unfit>) -> Option<Unfit> {
    unfit.or_else(|| (request.method != "POST").then_some(Unfit::NoPost))
}

/// What is answered to a request that is no delivery.
fn turning_away(why: Unfit) -> Answer {
    Answer::of(why.code(), reason(why))
}

/// Why a request is no delivery, in a sentence.
fn reason(why: Unfit) -> String {
    match why {
        Unfit::NoPost => "is no webhook; they are POST".to_owned(),
        Unfit::TooLarge => format!("the body is larger than {} MiB", MAX_BODY >> 20),
        Unfit::BrokenOff => "the body broke off, or is not framed as HTTP says".to_owned(),
    }
}

/// Saves a request, and gives the file's path. What was not saved is said; that there are too many
/// once, and at the end how many those were.
fn kept(shelf: &mut Shelf, request: &Saved, received: Time) -> Option<String> {
    match shelf.save(request, received) {
        Ok(Some(path)) => return Some(path.display().to_string()),
        Ok(None) if shelf.left_out() == 1 => note("--save: 10,000 requests are saved, and no more"),
        Ok(None) => {}
        Err(error) => note(&format!("--save: this request is not saved: {error}")),
    }
    None
}
