//! `reeltop replays --give-up`: closing replays whose outcome nobody will know, once the service was
//! asked for it a last time, on the word of whoever looked.

use std::collections::HashSet;

use super::{endpoints, line, look};
use crate::app::subject::ReplaySubject;
use crate::cli::args::ReplaysArgs;
use crate::cli::output::{Outcome, Output, Stop, note, usage};
use crate::cli::prompt::{confirmed, counted};
use crate::domain::bulk::MANY;
use crate::domain::{Failure, FailureKind, History, Query, Replay, Route, plural};
use crate::io::client::Client;
use crate::io::clock::Clock;
use crate::io::ledger::Ledger;

/// Where they stand, and who is asked about them.
pub(super) struct By {
    pub ledger: Ledger,
    /// None is asked where that is not wanted.
    pub client: Option<Client>,
    pub clock: Clock,
}

impl By {
    pub async fn give_up(&self, ids: &[String], query: &Query, args: &ReplaysArgs) -> Outcome {
        let named = self.meant(ids, query, args).await?;
        let open = self.after_a_look(named, !ids.is_empty()).await?;
        let n = open.len();
        if n == 0 {
            note("nothing was given up");
            return Ok(0);
        }
        say(&open);
        if !args.yes {
            let reply = match n {
                1 => confirmed("Give it up?").await?,
                2..=MANY => confirmed(&format!("Give {n} up?")).await?,
                _ => counted(n, "give up").await?,
            };
            reply.or_stop(match n {
                1 => "nothing was given up, it is still waited for",
                _ => "nothing was given up, they are still waited for",
            })?;
        }
        let numbers: HashSet<u64> = open.iter().map(|it| it.number).collect();
        let now = self.clock.now();
        let closed = self
            .ledger
            .wait(move |ledger| ledger.give_up_all(&numbers, now))
            .await?;
        let mut out = Output::new();
        let (mut n_closed, mut failures) = (0, Vec::new());
        for one in closed {
            match one {
                Ok(replay) if args.json => out.line(&line(&replay).to_string())?,
                Ok(replay) => out.line(&format!("{}: {}", of(&replay), replay.words()))?,
                Err(failure) => {
                    failures.push(failure);
                    continue;
                }
            }
            n_closed += 1;
        }
        out.flush()?;
        if n > 1 {
            note(&format!("{n_closed} of {n} given up"));
        }
        let Some(last) = failures.pop() else {
            return Ok(0);
        };
        for failure in &failures {
            note(&failure.to_string());
        }
        Err(last.into())
    }

    /// What is to be given up, oldest first: by its ids, or all that is open and that the query means.
    async fn meant(
        &self,
        ids: &[String],
        query: &Query,
        args: &ReplaysArgs,
    ) -> Result<Vec<Replay>, Stop> {
        let is_by_query = args.open || !query.is_empty();
        if ids.is_empty() && !is_by_query {
            let why = "give ids of replays, or with --query or --open say which are meant";
            return Err(usage("--give-up", why));
        }
        if !ids.is_empty() && is_by_query {
            let why = "its ids name them already; --query and --open go with it where it has none";
            return Err(usage("--give-up", why));
        }
        if is_by_query {
            let now = self.clock.now();
            let listed = self.ledger.wait(move |ledger| ledger.list(0, now));
            let mut open = listed.await?;
            let history = if query.is_empty() {
                &History::default()
            } else {
                &endpoints(self.client.as_ref(), self.clock).await
            };
            open.retain(|replay| query.matches(&ReplaySubject { history, replay }));
            return Ok(open);
        }
        let mut meant: Vec<Replay> = Vec::new();
        for id in ids {
            let replay = self.named(id).await?;
            if !meant.iter().any(|known| known.number == replay.number) {
                meant.push(replay);
            }
        }
        Ok(meant)
    }

    /// The one replay whose id begins so.
    async fn named(&self, id: &str) -> Result<Replay, Stop> {
        let wanted = id.to_owned();
        let now = self.clock.now();
        let found = self.ledger.wait(move |ledger| ledger.find(&wanted, now));
        let mut found = found.await?;
        match (found.pop(), found.is_empty()) {
            (Some(replay), true) if !id.is_empty() => Ok(replay),
            (Some(_), _) => Err(usage(
                "--give-up",
                format!("more than one id begins with {id:?}"),
            )),
            (None, _) => {
                let what = format!("no replay has the id {id:?}");
                let hint = "reeltop replays lists them";
                Err(Failure::new(FailureKind::NotFound, what, hint).into())
            }
        }
    }

    /// Those that are open still, once the service was asked. Of those that are named, one that has
    /// ended is a mistake; of the others those that a running reeltop follows are left to it.
    async fn after_a_look(&self, meant: Vec<Replay>, are_named: bool) -> Result<Vec<Replay>, Stop> {
        let numbers: HashSet<u64> = meant.iter().map(|replay| replay.number).collect();
        let n_open = meant.iter().filter(|it| it.state.is_open()).count();
        let mut unasked = HashSet::new();
        if let (1.., Some(client)) = (n_open, &self.client) {
            unasked = look(&self.ledger, client, self.clock, meant.clone(), usize::MAX).await?;
        }
        let now = self.clock.now();
        let listed = self.ledger.wait(move |ledger| ledger.list(0, now));
        let mut open = listed.await?;
        open.retain(|replay| replay.state.is_open() && numbers.contains(&replay.number));
        if are_named {
            let still: HashSet<u64> = open.iter().map(|replay| replay.number).collect();
            if let Some(ended) = meant.iter().find(|it| !still.contains(&it.number)) {
                return Err(self.not_open(ended).await);
            }
            return Ok(open);
        }
        let n_ended = n_open - open.len();
        if n_ended > 0 {
            let have = plural(n_ended, "has", "have");
            note(&format!("{have} ended meanwhile, as reeltop replays tells"));
        }
        let is_followed = |replay: &Replay| replay.by.as_ref().is_some_and(|who| who.is_running);
        let n_before = open.len();
        open.retain(|replay| !is_followed(replay));
        let n_followed = n_before - open.len();
        if n_followed > 0 {
            let are = plural(n_followed, "is", "are");
            note(&format!("{are} left to a reeltop that is running"));
        }
        let n_before = open.len();
        open.retain(|replay| !unasked.contains(&replay.message));
        let n_kept = n_before - open.len();
        if n_kept > 0 {
            let is = plural(n_kept, "is", "are");
            note(&format!(
                "{is} kept open, as the service could not be asked; --offline gives up without asking it"
            ));
        }
        Ok(open)
    }

    /// That one that was named has ended, and how.
    async fn not_open(&self, replay: &Replay) -> Stop {
        let id = replay.by.as_ref().map(|who| who.id.to_string());
        let now = match self.named(&id.unwrap_or_default()).await {
            Ok(now) => now,
            Err(stop) => return stop,
        };
        let what = format!("{} is not waited for: {}", of(&now), now.words());
        let hint = "only what is open can be given up; reeltop replays --open lists it";
        Failure::new(FailureKind::Local, what, hint).into()
    }
}

fn of(replay: &Replay) -> String {
    format!("the replay of {} to {}", replay.message, replay.endpoint)
}

/// Says how they stand, and what giving them up means.
fn say(open: &[Replay]) {
    for replay in open.iter().take(MANY) {
        note(&format!("{}: {}", of(replay), replay.words()));
    }
    if let Some(n_more @ 1..) = open.len().checked_sub(MANY) {
        note(&format!("{n_more} more; reeltop replays --open lists them"));
    }
    let by_service = open.iter().find(|replay| replay.route != Route::Local);
    note(&match (open, by_service) {
        ([_], None) => "it may have arrived: look there first".to_owned(),
        ([replay], Some(_)) => format!(
            "it may have arrived, or still may: look there first, and at reeltop attempts --message {}",
            replay.message
        ),
        (_, None) => "each may have arrived: look there first".to_owned(),
        (_, Some(_)) => "each may have arrived, or still may: look there first, and at reeltop \
                         attempts --message ID; once given up, sent again it may arrive twice"
            .to_owned(),
    });
}
