//! The log of messages: the newest at once, then in the background a page in each round, until its
//! beginning or the bound of the memory. What is not read yet is told, so that no count looks whole.

use super::logs::{is_lost, limit};
use super::reading::{Below, Passed, Round, Sight};
use super::{MESSAGES, Poller};
use crate::domain::time::SECOND;
use crate::domain::{ChangeKind, Failure, FailureKind, Log, LogReach, Observation, Time};
use crate::io::client::FULL_PAGE;
use crate::wire::rest::{Logged, Page, STUCK};

/// How far below newer ones a message may come into the log: of two that are taken in at once, that
/// with the earlier time may be written later.
const LATE: i64 = 20 * SECOND;
/// Pages that the first look reads at once.
const FIRST_PAGES: usize = 2;

/// Where the log of messages is read back.
#[derive(Debug, Default)]
pub(super) struct Back {
    /// From when on it was read, and where it goes on.
    goes_on: Option<(Time, String)>,
    /// Before when it is not read, and why not.
    stopped: Option<(Time, String)>,
    /// How far it was told to be read.
    told: Option<LogReach>,
}

impl Poller {
    pub(super) async fn messages(&mut self) -> Result<(), Failure> {
        if !self.is_worth(MESSAGES) {
            return Ok(());
        }
        let is_first = self.message_log.is_unread();
        let newest = self.newest_messages().await;
        self.tell_unread(Log::Messages, &newest).await;
        let Some(below) = newest? else {
            return Ok(());
        };
        let outcome = if is_first {
            self.newest_read = self.oldest;
            self.go_on_back(below);
            Ok(())
        } else {
            self.read_messages_back().await
        };
        self.tell_reach().await;
        outcome
    }

    /// Reads the newest messages, and gives how the log goes on; `None` where there is no such
    /// route.
    async fn newest_messages(&mut self) -> Result<Option<Below>, Failure> {
        // Whatever is missed between two looks is paged for.
        let reading = self.message_log.clone();
        let mut round = Round::new(reading, LATE, FIRST_PAGES, self.at().mono);
        let (mut below, mut from, mut is_to_end) = (Below::Nothing, None, false);
        while !round.is_over() {
            let page = self.client.messages(limit(&round), round.cursor()).await;
            let page = match self.offered(MESSAGES, page).await {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(None),
                Err(failure) => {
                    self.message_log = round.failed(is_lost(&failure));
                    return Err(failure);
                }
            };
            let sight = self.take_messages(page, true).await;
            if sight.newest > Some(self.newest.0) {
                let seen = self.outlet.clock().now().mono;
                self.newest = (sight.newest.unwrap_or_default(), seen);
            }
            below = sight.below(from);
            is_to_end = sight.is_last;
            from = from.into_iter().chain(sight.oldest).min();
            round.took(sight, self.at());
        }
        self.message_log = round.end();
        if is_to_end && self.has_all(&self.message_log) {
            // What kept it from being read back is over.
            (self.message_back.goes_on, self.message_back.stopped) = (None, None);
        }
        Ok(Some(below))
    }

    /// Takes the messages of a page in, and tells those that are new or changed.
    async fn take_messages(&mut self, page: Page<Logged>, is_recorded: bool) -> Sight {
        self.tell_unreadable(page.unreadable).await;
        let mut sight = Sight::new(page.rows.iter().map(|row| row.value.message.accepted));
        self.oldest = self.oldest.into_iter().chain(sight.oldest).min();
        let mut kinds = Vec::new();
        (sight.is_known, sight.is_met) = (true, Some(true));
        for row in page.rows {
            let held = self.held.deliveries.get(&row.value.message.id);
            let held = held.and_then(|held| held.message.as_ref());
            sight.is_met = self.is_met(held.is_some());
            if held == Some(&row.value.message) {
                continue;
            }
            sight.is_known &= held.is_some();
            kinds.push(ChangeKind::Message(Box::new(row.value.message)));
            // What an old message says of a task that goes on is no news of it: where there are
            // tasks to be read, these are told by their list.
            let task = row.value.task;
            let is_svix_alone = self.client.is_svix_alone;
            let is_news = |task: &Observation| is_recorded || is_svix_alone || task.is_done();
            kinds.extend(task.filter(is_news).map(ChangeKind::Task));
        }
        self.tell_as(kinds, is_recorded).await;
        sight.is_last = page.is_last;
        sight.next = page.next;
        sight
    }

    /// Reads a page more of what is older. A journal need not keep it: it is read at each start.
    async fn read_messages_back(&mut self) -> Result<(), Failure> {
        let Some((from, cursor)) = self.message_back.goes_on.clone() else {
            return Ok(());
        };
        let deliveries = &self.held.deliveries;
        let most = self.client.http.limits.messages;
        if deliveries.len() + FULL_PAGE > most || deliveries.evicted() > 0 {
            let why = format!("no more than {most} are kept (limits.messages)");
            self.stop_reading_back(from, why);
            return Ok(());
        }
        let page = self.client.messages(FULL_PAGE, Some(&cursor)).await;
        let page = self.offered(MESSAGES, page).await;
        self.tell_unread(Log::OlderMessages, &page).await;
        let page = match page {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(()),
            Err(failure) => {
                if matches!(failure.kind, FailureKind::Invalid | FailureKind::NotFound) {
                    self.stop_reading_back(from, failure.what.clone());
                }
                return Err(failure);
            }
        };
        let sight = self.take_messages(page, false).await;
        self.go_on_back(sight.below(Some(from)));
        Ok(())
    }

    fn go_on_back(&mut self, below: Below) {
        self.message_back.goes_on = None;
        match below {
            Below::Nothing => {}
            Below::Rows(from, cursor) => self.message_back.goes_on = Some((from, cursor)),
            Below::Stuck(from) => self.stop_reading_back(from, STUCK.to_owned()),
        }
    }

    fn stop_reading_back(&mut self, from: Time, why: String) {
        self.message_back.goes_on = None;
        self.message_back.stopped = Some((from, why));
    }

    /// Whether the log of messages is still read back.
    pub(super) fn is_reading_messages_back(&self) -> bool {
        self.message_back.goes_on.is_some() && self.is_worth(MESSAGES) && !self.is_refused(MESSAGES)
    }

    /// Tells how far the log was read, where that is news.
    async fn tell_reach(&mut self) {
        let back = &self.message_back;
        let reach = match (self.message_log.passed(), &back.goes_on, &back.stopped) {
            (Some(Passed { above, is_stuck }), ..) if is_stuck => {
                LogReach::Stopped(above, STUCK.into())
            }
            (Some(Passed { above, .. }), ..) => LogReach::From(above),
            (None, Some((from, _)), _) => LogReach::From(*from),
            (None, None, Some((from, why))) => LogReach::Stopped(*from, why.as_str().into()),
            (None, None, None) => LogReach::Whole,
        };
        if back.told.as_ref() != Some(&reach) {
            self.message_back.told = Some(reach.clone());
            self.tell(vec![ChangeKind::MessagesRead(reach)]).await;
        }
    }
}
