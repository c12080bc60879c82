//! The replays that are known, and which attempt each caused.

mod rows;
mod settling;

use std::collections::HashSet;

use self::rows::Rows;
use super::{LedgerRow, Replay, ReplayState, ReplayStep, Route};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::id::{AttemptId, EndpointId, MessageId};
use crate::domain::time::Moment;

/// Replays of other reeltops that have ended and are kept in memory. The ledger keeps them all.
const MAX_ENDED: usize = 5_000;

/// The replays that are known: those of this run, and those of the ledger. They stand in the order
/// of the ledger's rows, whatever the clocks said; those of this run that the ledger has not told
/// of yet are the last.
#[derive(Debug, Clone, Default)]
pub struct Replays {
    rows: Rows,
    /// The numbers of those that had no room, as the ledger may tell of one again: none is counted
    /// twice, and one that came back is not counted.
    let_go: HashSet<u64>,
    /// The latest revision of a row of the ledger that was told of, and of which file.
    latest: Option<(u32, i64)>,
}

impl Replays {
    /// Oldest first.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Replay> + '_ {
        self.rows.all()
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.len() == 0
    }

    /// Those of other reeltops that have ended and had no room here.
    pub fn n_let_go(&self) -> usize {
        self.let_go.len()
    }

    /// The latest revision of a row of the ledger that was told of; 0 if none was.
    pub fn latest_revision(&self) -> i64 {
        self.latest.map_or(0, |(_, rev)| rev)
    }

    pub fn get(&self, number: u64) -> Option<&Replay> {
        self.rows.get(number)
    }

    /// Those that may still change, oldest first.
    pub fn open(&self) -> impl DoubleEndedIterator<Item = &Replay> + '_ {
        self.rows.open()
    }

    /// The replays of one pair, oldest first.
    pub fn of(
        &self,
        message: &MessageId,
        endpoint: &EndpointId,
    ) -> impl DoubleEndedIterator<Item = &Replay> + '_ {
        self.rows.of(message, endpoint)
    }

    /// The replays of one message, oldest first.
    pub fn of_message(&self, message: &MessageId) -> impl DoubleEndedIterator<Item = &Replay> + '_ {
        self.rows.of_message(message)
    }

    /// The replay of this pair that may still change, if there is one.
    pub fn open_of(&self, message: &MessageId, endpoint: &EndpointId) -> Option<&Replay> {
        let mut of_pair = self.of(message, endpoint);
        of_pair.find(|replay| replay.state.is_open())
    }

    /// The latest replay of this pair, if it is closed without a certain outcome: it may have
    /// arrived, or still be on its way. What was found later may be an attempt of somebody else.
    pub fn doubtful_of(&self, message: &MessageId, endpoint: &EndpointId) -> Option<&Replay> {
        let is_doubtful = |replay: &&Replay| replay.state.is_doubtful();
        let latest = self.latest(message, endpoint).filter(is_doubtful);
        // What was posted from here says nothing of what the service may still bring.
        latest.or_else(|| self.latest_resend(message, endpoint).filter(is_doubtful))
    }

    /// The number of the latest replay of this pair that caused an attempt of the service, or may
    /// yet. What was posted from here has none there, and ends nothing of a resend.
    pub fn latest_of(&self, message: &MessageId, endpoint: &EndpointId) -> Option<u64> {
        let latest = self.latest_resend(message, endpoint);
        latest.map(|replay| replay.number)
    }

    /// What was refused for certain or taken back has caused nothing, whoever else sends it: it
    /// neither ends nor hides what is to be known of an earlier one.
    fn latest(&self, message: &MessageId, endpoint: &EndpointId) -> Option<&Replay> {
        self.effective(message, endpoint).next()
    }

    /// The same among those that the service was asked for.
    fn latest_resend(&self, message: &MessageId, endpoint: &EndpointId) -> Option<&Replay> {
        let mut newest = self.effective(message, endpoint);
        newest.find(|replay| replay.route != Route::Local)
    }

    fn effective(
        &self,
        message: &MessageId,
        endpoint: &EndpointId,
    ) -> impl Iterator<Item = &Replay> + '_ {
        let caused_nothing = |state: &ReplayState| {
            matches!(state, ReplayState::Refused(_) | ReplayState::Cancelled(_))
        };
        let newest = self.of(message, endpoint).rev();
        newest.filter(move |replay| !caused_nothing(&replay.state))
    }

    /// Where in the ledger the latest replay of this pair stands that was neither taken back before its
    /// request, nor refused here, nor put off by the service (429), however it ended; `None` if there
    /// is none.
    pub fn tried(&self, message: &MessageId, endpoint: &EndpointId) -> Option<LedgerRow> {
        let mut newest = self.of(message, endpoint).rev();
        let is_try = |replay: &&Replay| {
            let is_ours = |why: &Failure| why.kind == FailureKind::Local;
            match &replay.state {
                ReplayState::Cancelled(_) => false,
                ReplayState::Refused(why) => !is_ours(why) && !replay.state.is_put_off(),
                _ => true,
            }
        };
        let latest = newest.find(is_try)?;
        // What the ledger has not told of yet is the last.
        Some(latest.row.unwrap_or(LedgerRow {
            file: u32::MAX,
            n: latest.number.cast_signed(),
            rev: 0,
        }))
    }

    /// The replay that caused the attempt, if one of ours did.
    pub fn cause_of(&self, attempt: &AttemptId) -> Option<&Replay> {
        self.rows.cause_of(attempt)
    }

    pub fn step(&mut self, step: ReplayStep, at: Moment) {
        let mut replay = self.get(step.replay).cloned().unwrap_or(Replay {
            number: step.replay,
            message: step.message,
            endpoint: step.endpoint,
            route: step.route,
            state: ReplayState::Planned,
            planned: at,
            since: at,
            sent: None,
            before: None,
            was_unknown: false,
            is_followed: false,
            row: None,
            by: None,
        });
        replay.step(step.stage, at);
        self.put(replay);
    }

    /// Takes in what the ledger says of a replay. Older word of one that is known changes nothing
    /// but where it stands.
    pub fn take(&mut self, told: Replay) {
        let row = told.row;
        self.latest = self.latest.max(row.map(|row| (row.file, row.rev)));
        let mut replay = match self.get(told.number) {
            // Why one of our own was refused its sender tells, who knows more of it than the file.
            Some(known)
                if known.by.is_none()
                    && told.by.is_none()
                    && matches!(told.state, ReplayState::Refused(_)) =>
            {
                known.clone()
            }
            Some(known) if told.state.rank() >= known.state.rank() => in_this_run(known, told),
            Some(known) => known.clone(),
            None => told,
        };
        let known = self.get(replay.number).and_then(|known| known.row);
        replay.row = row.or(known);
        self.put(replay);
        while self.rows.n_ended_of_others() > MAX_ENDED
            && let Some(number) = self.rows.let_go()
        {
            self.let_go.insert(number);
        }
    }

    fn put(&mut self, replay: Replay) {
        self.let_go.remove(&replay.number);
        self.rows.put(replay);
    }
}

/// In the order of their rows; those without one in that in which they come.
impl FromIterator<Replay> for Replays {
    fn from_iter<T: IntoIterator<Item = Replay>>(replays: T) -> Self {
        let mut all = Self::default();
        for replay in replays {
            all.put(replay);
        }
        all
    }
}

/// What the ledger says of a replay that is known. The file holds no clock of this run: of our own
/// the moments stay as they were, as waits are reckoned from them.
fn in_this_run(known: &Replay, mut told: Replay) -> Replay {
    if known.by.is_some() || told.by.is_some() {
        return told;
    }
    told.planned = known.planned;
    let floor = known.since.mono;
    told.sent = match (known.sent, told.sent) {
        (None, Some(sent)) => Some(Moment {
            mono: floor,
            ..sent
        }),
        (known, _) => known,
    };
    if told.state == known.state {
        told.since = known.since;
    } else {
        told.since.mono = told.since.mono.max(floor);
    }
    told
}
