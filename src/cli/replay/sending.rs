//! What `reeltop replay` sends, told state by state until it has ended.

use std::cell::Cell;
use std::collections::HashSet;
use std::io;
use std::pin::pin;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{sleep, timeout};

use super::ending::{Left, Tally, Withheld};
use super::left_alone::LeftAlone;
use crate::cli::INTERRUPTED;
use crate::cli::output::{Outcome, Output, note};
use crate::domain::bulk::Sweep;
use crate::domain::{
    Applied, ChangeKind, History, Job, MAX_FAILURES, Moment, Origin, Queue, ReplayState,
    ReplayStep, Stage, plural,
};
use crate::io::client::Client;
use crate::io::clock::Clock;
use crate::io::keeper;
use crate::io::ledger::{Ledger, Pair};
use crate::io::outlet::{Ends, Outlet};
use crate::io::sender::{self, Followed, Posts, ReplayOrder, Swept};
use crate::wire::normal;

/// How long ctrl-c waits for requests under way, …
const GRACE: Duration = Duration::from_secs(3);
/// … for what they told, where one of them has not ended by then, …
pub(super) const FOLDED: Duration = Duration::from_millis(100);
/// … and for the lines of what was not reached, where all have.
const TOLD: Duration = Duration::from_secs(10);

/// What is to be sent.
pub(super) enum Work {
    /// One after another, each by a request of its own.
    Many(Queue),
    /// All by one request.
    Sweep {
        asked: Sweep,
        orders: Vec<ReplayOrder>,
    },
}

/// What sends, and what.
pub(super) struct Sending {
    pub work: Work,
    pub client: Client,
    pub ledger: Ledger,
    pub clock: Clock,
    pub wait: Duration,
    pub is_json: bool,
    /// What earlier replays keep from being sent that was asked for.
    pub withheld: Withheld,
    pub history: History,
    pub out: Output,
}

pub(super) async fn send(by: Sending) -> Outcome {
    let Sending {
        work,
        client,
        ledger,
        clock,
        wait,
        is_json,
        withheld,
        mut history,
        mut out,
    } = by;
    let book = ledger.clone();
    let (outlet, Ends { mut changes, .. }) = Outlet::new(clock, None, ledger);
    let abilities = history.abilities.clone();
    let posts = Posts::default();
    let is_counted = Cell::new(matches!(work, Work::Sweep { .. }));
    let patience = match work {
        Work::Many(_) => TOLD,
        Work::Sweep { .. } => FOLDED,
    };
    let sending = async {
        outlet.learn(|held| *held = abilities).await;
        let mut left = Left::default();
        match work {
            Work::Many(queue) => {
                let many = Many {
                    client: &client,
                    outlet: &outlet,
                    posts: &posts,
                    wait,
                    is_json,
                    is_counted: &is_counted,
                };
                left = many.send(queue).await;
            }
            Work::Sweep { asked, orders } => {
                sweep(&client, &outlet, (&asked, orders), wait, &posts).await;
            }
        }
        // What was found goes into the ledger before this ends.
        if !posts.stop.is_cancelled()
            && let Err(failure) = keeper::look(&outlet, &|_| {}).await
        {
            note(&failure.to_string());
        }
        drop(outlet);
        left
    };
    let folding = async {
        let mut said = HashSet::new();
        let mut printed = Ok::<(), io::Error>(());
        // Once nobody reads the output, what was begun is still followed to its end.
        while let Some(batch) = changes.recv().await {
            let mut moved = Vec::new();
            for change in batch {
                if let Applied::Replay(number) = history.apply(change)
                    && history
                        .replays
                        .get(number)
                        .is_some_and(|replay| replay.by.is_none())
                {
                    moved.push(number);
                }
            }
            for number in moved {
                printed =
                    printed.and_then(|()| say(&history, number, is_json, &mut said, &mut out));
            }
            printed = printed.and_then(|()| out.flush());
        }
        printed
    };
    let whole = {
        let mut work = pin!(async { tokio::join!(sending, folding) });
        tokio::select! {
            biased;
            ended = &mut work => Some(ended),
            _ = tokio::signal::ctrl_c() => {
                end(&posts, patience, work).await;
                None
            }
        }
    };
    let Some((left, printed)) = whole else {
        if !is_counted.get() {
            note("ended before it was counted how many were not sent");
        }
        return Ok(interrupted(&history));
    };
    if printed.is_ok() {
        hear(&book, &history, clock.now()).await;
    }
    let tally = Tally::of(&history, &left, withheld);
    if let Some(words) = tally.words(printed.is_ok()) {
        note(&words);
    }
    // Nobody may read the output, but the words for people are said.
    printed?;
    Ok(tally.code())
}

/// Asks for all by one request, and again where the service puts that off, for as long as it is
/// waited for. Says what is not asked for after all.
async fn sweep(
    client: &Client,
    outlet: &Outlet,
    (asked, mut orders): (&Sweep, Vec<ReplayOrder>),
    wait: Duration,
    posts: &Posts,
) {
    let mut alone = LeftAlone::new(outlet.clock(), wait);
    while sender::sweep(client, outlet, asked, orders.clone(), wait, posts).await == Swept::PutOff
        && !posts.stop.is_cancelled()
    {
        alone.take_note(true);
        let left = client.pause();
        if !alone.ask(left) {
            let (n, why, hint) = (were(orders.len()), alone.why(), alone.hint());
            return note(&format!("{n} not sent: {why}; {hint}"));
        }
        tokio::select! {
            biased;
            () = posts.stop.cancelled() => return,
            () = sleep(left) => {}
        }
        // Each request is a replay of its own.
        let last = orders.iter().map(|order| order.number).max();
        for (order, number) in orders.iter_mut().zip(last.unwrap_or_default() + 1..) {
            order.number = number;
        }
    }
}

/// Gives requests that were begun some time to end, and `patience` to what is told after, unless ctrl-c comes a second time.
pub(super) async fn end<T>(
    posts: &Posts,
    patience: Duration,
    mut work: impl Future<Output = T> + Unpin,
) {
    if !posts.unbegun.is_empty() {
        note("nothing is asked for any more; what was written down for it is taken back first");
    } else if !posts.tracker.is_empty() {
        note("no request is begun any more; the one under way has 3s to end");
    }
    tokio::select! {
        () = posts.end(GRACE) => {}
        _ = &mut work => return,
        _ = tokio::signal::ctrl_c() => return,
    }
    // What they told is folded yet.
    let patience = if posts.tracker.is_empty() {
        patience
    } else {
        FOLDED
    };
    tokio::select! {
        _ = timeout(patience, work) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Sends one after another, and tells of the rest that it is not sent.
struct Many<'a> {
    client: &'a Client,
    outlet: &'a Outlet,
    posts: &'a Posts,
    wait: Duration,
    is_json: bool,
    /// Whether it was said how many are not sent.
    is_counted: &'a Cell<bool>,
}

impl Many<'_> {
    /// Sends a few at once, and stops where one after another fails, or the service asks for too
    /// long to be left alone.
    async fn send(&self, mut queue: Queue) -> Left {
        let mut left = Left::default();
        let clock = self.outlet.clock();
        let mut alone = LeftAlone::new(clock, self.wait);
        let mut too_long = None;
        let mut under_way = FuturesUnordered::new();
        let mut number = 0;
        let stop = &self.posts.stop;
        while !stop.is_cancelled() {
            // What is under way by then is followed to its end.
            if too_long.is_none() && !alone.hold(&mut queue, self.client.pause()) {
                too_long = Some((alone.why(), alone.hint()));
            }
            let may_send = too_long.is_none();
            while may_send && let Some(job) = queue.take_next(clock.now().mono) {
                number += 1;
                under_way.push(self.follow(number, job));
            }
            let due = queue.due().filter(|_| may_send);
            if under_way.is_empty() && due.is_none() {
                break;
            }
            let to_due = due.map_or(0, |due| due.saturating_sub(clock.now().mono).max(0));
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                Some((number, job, followed)) = under_way.next() => {
                    alone.take_note(followed == Followed::PutOff);
                    match followed {
                        Followed::PutOff => queue.put_back(&job),
                        Followed::CalledOff => queue.not_needed(&job),
                        Followed::NotNeeded => {
                            queue.not_needed(&job);
                            left.not_needed.insert(number);
                        }
                        how => queue.ended(&job, how == Followed::Delivered),
                    }
                }
                () = sleep(Duration::from_micros(to_due.unsigned_abs())), if due.is_some() => {}
            }
        }
        let unsent = match too_long {
            _ if queue.is_stopped() => Unsent::Stopped,
            Some((why, hint)) => Unsent::TooLong { why, hint },
            None => Unsent::Ended,
        };
        left.unsent = queue.cancel().collect();
        self.leave(&left.unsent, number, &unsent.why()).await;
        let mut n_unsent = left.unsent.len();
        // Ended, what was not begun calls itself off.
        while let Some((number, _, followed)) = under_way.next().await {
            match followed {
                Followed::NotNeeded => {
                    left.not_needed.insert(number);
                }
                Followed::Ended => n_unsent += 1,
                _ => {}
            }
        }
        if n_unsent > 0 {
            note(&unsent.words(n_unsent));
        }
        self.is_counted.set(true);
        left
    }

    async fn follow(&self, number: u64, job: Job) -> (u64, Job, Followed) {
        let order = ReplayOrder {
            number,
            message: job.message.clone(),
            endpoint: job.endpoint.clone(),
            route: self.client.route(),
            grounds: job.grounds.clone(),
        };
        let replay = sender::replay(self.client, self.outlet, &order, self.wait, self.posts);
        let followed = replay.await;
        (number, job, followed)
    }

    /// Tells of each of the rest that it is not sent. It was never written down: nobody could send
    /// it a second time.
    async fn leave(&self, unsent: &[Job], n_sent: u64, why: &str) {
        if !self.is_json {
            return;
        }
        for (job, number) in unsent.iter().zip(n_sent + 1..) {
            let step = ReplayStep {
                replay: number,
                message: job.message.clone(),
                endpoint: job.endpoint.clone(),
                route: self.client.route(),
                stage: Stage::Cancelled(why.to_owned()),
            };
            let told = ChangeKind::Replay(Box::new(step));
            self.outlet.tell(Origin::User, told).await;
        }
    }
}

fn were(n: usize) -> String {
    plural(n, "was", "were")
}

/// Why what waits is not sent: too many failures, a service that asks for too long to be left alone,
/// and what to do then, or the end.
enum Unsent {
    Stopped,
    TooLong { why: String, hint: String },
    Ended,
}

impl Unsent {
    fn why(&self) -> String {
        match self {
            Self::Stopped => "not sent: too many failures in a row stopped the rest".to_owned(),
            Self::TooLong { why, .. } => format!("not sent: {why}"),
            Self::Ended => "not sent: reeltop was ended before its turn".to_owned(),
        }
    }

    /// The same of so many.
    fn words(&self, n: usize) -> String {
        match self {
            Self::Stopped => format!(
                "stopped after {MAX_FAILURES} failures one after another; what waits is not sent; \
                 the same command begins with what was not tried yet, of a task the oldest first"
            ),
            Self::TooLong { why, hint } => format!("{} not sent: {why}; {hint}", were(n)),
            Self::Ended => format!("ended; {} not sent", were(n)),
        }
    }
}

/// Takes note of the ends that were told, be it after they had not been known for a while: the same
/// command again means another replay.
async fn hear(ledger: &Ledger, history: &History, now: Moment) {
    let ours = history
        .replays
        .all()
        .filter(|replay| replay.by.is_none() && !replay.state.is_open());
    let pairs: Vec<Pair> = ours
        .map(|replay| (replay.message.clone(), replay.endpoint.clone()))
        .collect();
    if let Err(failure) = ledger.wait(move |ledger| ledger.hear(&pairs, now)).await {
        note(&failure.to_string());
    }
}

/// Says what becomes of the replays that ctrl-c leaves behind.
fn interrupted(history: &History) -> u8 {
    for replay in history.replays.open().filter(|replay| replay.by.is_none()) {
        let (message, endpoint) = (&replay.message, &replay.endpoint);
        note(&format!(
            "replay of {message} to {endpoint}: {}, and may still arrive; reeltop attempts --message {message} tells",
            replay.state.name()
        ));
    }
    INTERRUPTED
}

/// Prints a replay's state, once for each that it comes into. What is not known of one may be less
/// by and by: each reason is said.
fn say(
    history: &History,
    number: u64,
    is_json: bool,
    said: &mut HashSet<(u64, String)>,
    out: &mut Output,
) -> io::Result<()> {
    let Some(replay) = history.replays.get(number) else {
        return Ok(());
    };
    let state = match &replay.state {
        ReplayState::Unknown(_) => replay.words(),
        state => state.name().to_owned(),
    };
    if !said.insert((number, state)) {
        return Ok(());
    }
    if is_json {
        return out.line(&normal::replay(replay).to_string());
    }
    let attempt = replay
        .state
        .attempt()
        .and_then(|id| history.deliveries.get(&replay.message)?.attempt(id));
    let how = attempt.map(|attempt| {
        let took = attempt
            .duration_ms
            .map(|ms| format!(" in {ms} ms"))
            .unwrap_or_default();
        format!(" ({}{took})", attempt.outcome_words())
    });
    out.line(&format!(
        "{} → {}: {}{}",
        replay.message,
        history.endpoint_label(&replay.endpoint),
        replay.words(),
        how.unwrap_or_default()
    ))
}
