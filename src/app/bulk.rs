//! The plan of many replays: what was asked for, what would be sent of it, what the user left out.

pub mod asking;
mod kept;
pub mod reading;
mod route;
pub mod run;
mod scope;
pub mod sending;
mod unread;

use std::collections::HashSet;

use crossterm::event::KeyEvent;

use super::action::Action;
use super::list::Step;
use super::prompt::Prompt;
use super::{Effect, Overlay, State, Tone};
use crate::domain::bulk::{
    MANY, PER_SECOND, Pair, Recovery, n_tried, oldest_first, order_words, plan_of_many,
    untried_first,
};
use crate::domain::{EndpointId, History, Job, MessageId, PlanItem, Route, TaskId, Time, Verdict};
use kept::Kept;
use route::{ALL_OR_NONE, FAILS_NO_MORE, gone, recovery_words};
use run::RunRow;
pub use scope::Scope;
pub use unread::NotRead;

/// Rows weighed again in a second, beside those in sight.
const WEIGHED: usize = 500;
/// Rows above and below the picked one that count as in sight.
const IN_SIGHT: usize = 100;

/// What the user wants against the plan's proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    Send,
    LeaveOut,
    /// Left to the service's own retry.
    Wait,
    /// It was left to that, and none comes after all.
    NoRetry,
}

/// One pair of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkRow {
    pub message: MessageId,
    pub task: Option<TaskId>,
    pub item: PlanItem,
    pub choice: Option<Choice>,
    /// Whether it was left out by another route, and this one sends it all the same.
    pub is_unwanted: bool,
}

impl Pair for BulkRow {
    fn message(&self) -> &MessageId {
        &self.message
    }

    fn endpoint(&self) -> &EndpointId {
        &self.item.endpoint
    }

    fn task(&self) -> Option<&TaskId> {
        self.task.as_ref()
    }
}

impl BulkRow {
    pub fn is_waiting(&self) -> bool {
        self.choice == Some(Choice::Wait)
    }

    /// Whether it is tried again by the service as far as is known, which has not said so.
    fn is_estimate(&self) -> bool {
        self.item.retry.is_some_and(|retry| !retry.is_exact)
    }

    /// Why attempts of it cannot be read, if some cannot.
    pub fn why_unreadable(&self) -> Option<&str> {
        let missing = self.item.unread.as_ref()?;
        missing.is_failing.then_some(&*missing.words)
    }

    fn is_refused(&self) -> bool {
        matches!(self.item.verdict, Verdict::Refuse(_))
    }

    /// Weighs the pair again. What did not stand there chosen never becomes chosen by itself, as
    /// the user may be about to press Enter.
    fn weigh(&mut self, history: &History, by: Route, is_read_only: bool, now: Time) {
        let stood = self.item.is_chosen;
        let endpoint = self.item.endpoint.clone();
        match weighed(history, by, &self.message, &endpoint, is_read_only, now) {
            Some(item) => self.item = item,
            None if by.is_sweep() => {
                self.item.verdict = match gone(history, &self.message, &endpoint) {
                    why if why == FAILS_NO_MORE => Verdict::Skip(why),
                    why => Verdict::Refuse(why),
                };
                self.item.is_chosen = false;
            }
            None => {
                self.item.verdict = Verdict::Refuse(GONE.to_owned());
                self.item.is_chosen = false;
            }
        }
        self.item.is_chosen = match self.choice {
            Some(Choice::Send) => !self.is_refused(),
            Some(_) => false,
            // The service sends whatever fails there: Enter means the number that stands there.
            None => (stood || by.is_sweep()) && self.item.is_chosen,
        };
        if self.item.retry.is_none() && self.is_waiting() {
            // It is over, or will not come: there is nothing left to wait for.
            self.choice = Some(Choice::NoRetry);
        }
    }
}

const GONE: &str = "the message left memory";

/// One pair as a bulk would send it.
fn weighed(
    history: &History,
    by: Route,
    message: &MessageId,
    endpoint: &EndpointId,
    is_read_only: bool,
    now: Time,
) -> Option<PlanItem> {
    let plan = plan_of_many(history, by, message, Some(endpoint), is_read_only, now);
    plan.items.into_iter().next()
}

/// How much of a plan is what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub send: usize,
    /// By the user.
    pub left_out: usize,
    /// By the plan: superseded, or delivered meanwhile.
    pub skipped: usize,
    pub refused: usize,
    pub waiting: usize,
    /// Those of them that the service has not said so of.
    pub waiting_estimated: usize,
    /// Left to the service's own retry, of which none comes after all.
    pub no_retry: usize,
    /// Those that the service tries again by itself, and that are to be sent, …
    pub pending: usize,
    /// … and those of them that it has not said so of.
    pub estimated: usize,
    /// Those that were left out by another route, and that are sent all the same.
    pub unwanted: usize,
    /// Those that are to be sent though not all of their attempts are read, …
    pub unread: usize,
    /// … and of these those whose attempts cannot be.
    pub unreadable: usize,
}

/// The overlay: the plan, and the number that is typed to confirm it.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkOverlay {
    /// What was asked for, in words.
    pub title: String,
    scope: Scope,
    /// How it is sent, …
    pub by: Route,
    /// … in words.
    pub route: String,
    /// The one request, if it is sent by Svix's recover, …
    pub recovery: Option<Recovery>,
    /// … and what speaks against it, beside its rows.
    against: Option<String>,
    /// Rows of a recovery that would be skipped if each was sent alone.
    pub n_stale: usize,
    pub rows: Vec<BulkRow>,
    /// What was chosen by the routes before this one.
    kept: Kept,
    /// Messages that are asked for, and those of them that did not fail last where it is meant.
    pub n_messages: usize,
    pub n_fine: usize,
    /// Those of them of which that is not known.
    pub not_read: NotRead,
    /// The picked row.
    pub at: usize,
    /// Where the number is typed.
    pub typed: Option<Prompt>,
    /// Counts what the user changed, so that only what was in sight is sent.
    pub version: u64,
    /// The row that is weighed next.
    next: usize,
}

/// What the frame said that Enter would do, if it had room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownBulk {
    /// Send so many, as the plan stood in this version.
    Plan { version: u64, n: usize },
    /// Go on after a stop.
    Stopped,
}

impl BulkOverlay {
    /// By every route but Svix's recover.
    fn new(history: &History, scope: Scope, by: Route, is_read_only: bool, now: Time) -> Self {
        let pairs = scope.pairs(history);
        let (messages, _) = oldest_first(history, pairs.messages);
        let mut rows = Vec::new();
        let mut without_rows = Vec::new();
        let mut route = None;
        for message in &messages {
            let only = pairs.endpoint.as_ref();
            let plan = plan_of_many(history, by, message, only, is_read_only, now);
            let n_before = rows.len();
            let held = history.deliveries.get(message);
            let task = held.and_then(|held| held.message.as_ref()?.task.clone());
            let is_meant =
                |item: &PlanItem| item.is_failing && scope.means(history, message, &item.endpoint);
            for item in plan.items.into_iter().filter(is_meant) {
                rows.push(BulkRow {
                    message: message.clone(),
                    task: task.clone(),
                    item,
                    choice: None,
                    is_unwanted: false,
                });
            }
            route = Some(plan.route);
            if rows.len() == n_before {
                without_rows.push(message);
            }
        }
        let not_read = NotRead::of(history, &scope, &messages, pairs.endpoint.clone());
        let is_fine = |id: &&MessageId| !not_read.has(history, id);
        let n_fine = without_rows.into_iter().filter(is_fine).count();
        untried_first(&mut rows, history);
        Self {
            title: scope.words(history, not_read.is_part()),
            scope,
            by,
            route: route.unwrap_or_default(),
            recovery: None,
            against: None,
            n_stale: 0,
            n_messages: messages.len(),
            n_fine,
            not_read,
            rows,
            kept: Kept::default(),
            at: 0,
            typed: None,
            version: 0,
            next: 0,
        }
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for row in &self.rows {
            if row.item.is_chosen {
                counts.send += 1;
                counts.pending += usize::from(row.item.retry.is_some());
                counts.estimated += usize::from(row.is_estimate());
                counts.unwanted += usize::from(row.is_unwanted);
                counts.unread += usize::from(row.item.unread.is_some());
                counts.unreadable += usize::from(row.why_unreadable().is_some());
            } else if row.is_waiting() {
                counts.waiting += 1;
                counts.waiting_estimated += usize::from(row.is_estimate());
            } else if row.is_refused() {
                counts.refused += 1;
            } else if row.choice == Some(Choice::NoRetry) {
                counts.no_retry += 1;
            } else if row.choice.is_some() {
                counts.left_out += 1;
            } else {
                counts.skipped += 1;
            }
        }
        counts
    }

    /// Those that stood there left out, and that nothing keeps from being sent by now: none becomes
    /// chosen by itself.
    pub fn n_ready(&self) -> usize {
        let is_ready = |row: &&BulkRow| {
            !row.item.is_chosen && row.choice.is_none() && row.item.verdict == Verdict::Send
        };
        self.rows.iter().filter(is_ready).count()
    }

    /// How many of what is to be sent an earlier replay tried.
    pub fn n_tried(&self, history: &History) -> usize {
        let chosen = self.rows.iter().filter(|row| row.item.is_chosen);
        n_tried(chosen, history)
    }

    /// How it is sent, in words.
    pub fn order(&self, n: usize) -> String {
        order_words(n, PER_SECOND)
    }

    /// What Enter does now.
    pub fn shown(&self) -> ShownBulk {
        ShownBulk::Plan {
            version: self.version,
            n: self.counts().send,
        }
    }

    /// Weighs the next rows again, and those that may be in sight.
    pub fn refresh(&mut self, history: &History, is_read_only: bool, now: Time) {
        let recovery = self.recovery.as_ref();
        self.against = recovery.and_then(|recovery| recovery.obstacle(history));
        let title = recovery.map(|recovery| recovery_words(history, recovery));
        self.look_for_failures(history);
        self.not_read.look_at_others(history, &self.scope);
        // An endpoint may have another name by now, and more may be read.
        match title {
            Some(words) => self.title = words,
            None if self.scope.is_told(history) => {
                self.title = self.scope.words(history, self.not_read.is_part());
            }
            None => {}
        }
        let n = self.rows.len();
        let near = self.at.saturating_sub(IN_SIGHT)..(self.at + IN_SIGHT).min(n);
        let next = self.next.min(n)..(self.next + WEIGHED).min(n);
        self.next = if next.end == n { 0 } else { next.end };
        for at in near.chain(next) {
            if let Some(row) = self.rows.get_mut(at) {
                row.weigh(history, self.by, is_read_only, now);
            }
        }
    }

    /// Weighs the rows of these messages again.
    fn weigh_those(
        &mut self,
        messages: &HashSet<MessageId>,
        history: &History,
        is_read_only: bool,
        now: Time,
    ) {
        let rows = self.rows.iter_mut();
        rows.filter(|row| messages.contains(&row.message))
            .for_each(|row| row.weigh(history, self.by, is_read_only, now));
    }

    pub(super) fn step(&mut self, step: Step) {
        let last = self.rows.len().saturating_sub(1);
        self.at = match step {
            Step::Up(n) | Step::PageUp(n) => self.at.saturating_sub(n),
            Step::Down(n) | Step::PageDown(n) => (self.at + n).min(last),
            Step::First => 0,
            Step::Last => last,
        };
    }

    /// Turns the choice of the picked row round. Fails with the reason where it cannot be sent.
    fn toggle(&mut self) -> Result<(), String> {
        let Some(row) = self.rows.get_mut(self.at) else {
            return Err("there is no row".to_owned());
        };
        if self.by.is_sweep() {
            return Err(ALL_OR_NONE.to_owned());
        }
        if let Verdict::Refuse(why) = &row.item.verdict {
            return Err(why.clone());
        }
        row.item.is_chosen ^= true;
        // Back at what the plan proposes: what speaks against it later counts again.
        let is_proposed = row.item.is_chosen && row.item.verdict == Verdict::Send;
        row.choice = match row.item.is_chosen {
            true if is_proposed => None,
            true => Some(Choice::Send),
            false => Some(Choice::LeaveOut),
        };
        self.version += 1;
        self.step(Step::Down(1));
        Ok(())
    }

    /// Leaves all out, or takes back in what the plan proposes.
    fn toggle_all(&mut self) {
        let is_any = self.rows.iter().any(|row| row.item.is_chosen);
        for row in &mut self.rows {
            if is_any {
                row.item.is_chosen = false;
                row.choice = Some(Choice::LeaveOut);
            } else {
                row.choice = None;
                row.item.is_chosen = row.item.verdict == Verdict::Send;
            }
        }
        self.version += 1;
    }

    /// Leaves what the service tries again by itself to it, or takes that back. Gives how many.
    fn toggle_waits(&mut self, now: Time) -> usize {
        let may_wait = |row: &BulkRow| row.item.has_retry(now);
        let n = self.rows.iter().filter(|row| may_wait(row)).count();
        for row in &mut self.rows {
            if may_wait(row) {
                row.choice = Some(Choice::Wait);
                row.item.is_chosen = false;
            } else if n == 0 && row.is_waiting() {
                row.choice = None;
                row.item.is_chosen = row.item.verdict == Verdict::Send;
            }
        }
        self.version += 1;
        n
    }

    /// What is to be sent, as rows of a run.
    fn run_rows(&self) -> impl Iterator<Item = RunRow> + '_ {
        let chosen = self.rows.iter().filter(|row| row.item.is_chosen);
        chosen.map(|row| {
            let job = Job {
                message: row.message.clone(),
                endpoint: row.item.endpoint.clone(),
                task: row.task.clone(),
                grounds: row.item.grounds.clone(),
            };
            // What the plan would have skipped is sent because the user said so.
            RunRow::new(job, row.item.verdict != Verdict::Send)
        })
    }
}

impl State {
    /// Opens the plan of many replays; what is under way, or has just ended, before that.
    pub(super) fn plan_bulk(&mut self) -> Vec<Effect> {
        if self.run.as_ref().is_some_and(|run| !run.was_read) {
            self.open_run();
            return Vec::new();
        }
        let scope = match self.bulk_scope() {
            Ok(scope) => scope,
            Err(why) => {
                self.say(Tone::Info, why);
                return Vec::new();
            }
        };
        let overlay = BulkOverlay::new(
            &self.history,
            scope,
            Route::Server,
            self.session.is_read_only,
            self.now.wall,
        );
        let mut looks = self.read_for(&overlay);
        if overlay.rows.is_empty() {
            let words = format!("{}: {}", overlay.title, overlay.why_empty());
            self.say(Tone::Info, words);
            return looks;
        }
        looks.extend(self.ask_nexts(&overlay));
        self.viewport.bulk = None;
        self.overlay = Some(Overlay::Bulk(Box::new(overlay)));
        looks
    }

    /// Space in the plan of many.
    pub(super) fn choose_bulk(&mut self) {
        if let Some(Overlay::Bulk(overlay)) = &mut self.overlay
            && let Err(why) = overlay.toggle()
        {
            self.say(Tone::Warn, format!("cannot be chosen: {why}"));
        }
    }

    /// The star in the plan of many.
    pub(super) fn choose_all_bulk(&mut self) {
        match &mut self.overlay {
            Some(Overlay::Bulk(overlay)) if overlay.by.is_sweep() => {
                self.say(Tone::Warn, ALL_OR_NONE);
            }
            Some(Overlay::Bulk(overlay)) => overlay.toggle_all(),
            _ => {}
        }
    }

    /// Leaves what the service tries again by itself to it, in the plan that is open.
    pub(super) fn leave_to_retry(&mut self) {
        // Left alone for long, what it would say is not waited for.
        let is_asking = !self.asking.is_over() && self.left_alone().is_none();
        let words = match &mut self.overlay {
            Some(Overlay::Replay(_)) => return self.leave_one_to_retry(),
            Some(Overlay::Bulk(overlay)) if overlay.by.is_sweep() => Some(ALL_OR_NONE),
            Some(Overlay::Bulk(_)) if is_asking => return self.say_asking(),
            Some(Overlay::Bulk(overlay)) => {
                let had_any = overlay.rows.iter().any(BulkRow::is_waiting);
                let now = self.history.service_time(self.now.wall);
                match (overlay.toggle_waits(now), had_any) {
                    (0, false) => Some("the service tries none of them again by itself"),
                    (0, true) => Some("they are to be sent again, not waited for"),
                    _ => None,
                }
            }
            _ => Some("it is sent, or about to be: what waits is chosen in the plan"),
        };
        if let Some(words) = words {
            self.say(Tone::Info, words);
        }
    }

    /// A key where the number is typed.
    pub(super) fn press_in_count(&mut self, key: KeyEvent, action: Option<Action>) -> Vec<Effect> {
        match (action, &mut self.overlay) {
            (Some(Action::Interrupt), _) => return self.interrupt(),
            (Some(Action::Send), _) => self.confirm_bulk(),
            (Some(Action::Back), Some(Overlay::Bulk(overlay))) => {
                overlay.typed = None;
                self.viewport.bulk = None;
            }
            (None, Some(Overlay::Bulk(overlay))) => {
                if let Some(typed) = &mut overlay.typed {
                    typed.press(key);
                }
            }
            _ => {}
        }
        Vec::new()
    }

    /// Enter in the plan of many: sends what was in sight, or asks for its number first.
    pub(super) fn confirm_bulk(&mut self) {
        let Some(Overlay::Bulk(mut overlay)) = self.overlay.take() else {
            return;
        };
        if let Some(why) = overlay.obstacle() {
            self.overlay = Some(Overlay::Bulk(overlay));
            return self.say(Tone::Warn, why);
        }
        let n = overlay.counts().send;
        let is_typed = match &overlay.typed {
            Some(typed) if typed.text().trim() == n.to_string() => true,
            Some(typed) => {
                let words = format!("{:?} is not {n}: nothing was sent", typed.text().trim());
                self.say(Tone::Warn, words);
                self.overlay = Some(Overlay::Bulk(overlay));
                return;
            }
            None => false,
        };
        if !is_typed && self.viewport.bulk != Some(overlay.shown()) {
            self.viewport.bulk = None;
            self.overlay = Some(Overlay::Bulk(overlay));
            let words = "the plan changed or was not in sight yet, nothing was sent; look, Enter \
                         sends it";
            return self.say(Tone::Warn, words);
        }
        if n > MANY && !is_typed {
            overlay.typed = Some(Prompt::new(""));
            self.overlay = Some(Overlay::Bulk(overlay));
            return;
        }
        overlay.typed = None;
        if overlay.rows.iter().any(BulkRow::is_waiting) {
            self.wait_for_retries(&overlay);
        }
        if n == 0 {
            if overlay.rows.iter().any(BulkRow::is_waiting) {
                return;
            }
            let refusal = overlay.rows.iter().find_map(|row| match &row.item.verdict {
                Verdict::Refuse(why) => Some(format!("nothing was sent: {why}")),
                _ => None,
            });
            let words = refusal
                .unwrap_or_else(|| "nothing is chosen, so nothing was sent; Space chooses".into());
            self.overlay = Some(Overlay::Bulk(overlay));
            return self.say(Tone::Warn, words);
        }
        self.begin_run(overlay);
    }
}
