//! Sending many: what leaves when its time comes, what the user takes back, and what is said of it.

use super::super::{Effect, Overlay, ReplayRequest, State, SweepRequest, Tone};
use super::route::{FAILS_NO_MORE, gone};
use super::run::{Phase, Run, RunRow, Score};
use super::{BulkOverlay, ShownBulk, weighed};
use crate::app::replaying::UNDO;
use crate::domain::bulk::Recovery;
use crate::domain::{PlanItem, Route, Verdict, plural, visible};

/// The overlay of a run: the row that is picked, if it does not follow what leaves next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunView {
    pub at: Option<usize>,
    /// Whether the rest is to be cancelled if `u` is pressed again.
    pub is_asking: bool,
}

impl State {
    /// Begins a run with its time to take it back.
    pub(super) fn begin_run(&mut self, plan: Box<BulkOverlay>) {
        // It must be seen to move, and rest on all that is known.
        self.unfreeze();
        self.run = Some(Run::new(plan, self.now.mono + UNDO));
        self.open_run();
    }

    pub(super) fn open_run(&mut self) {
        self.viewport.bulk = None;
        self.overlay = Some(Overlay::Run(RunView::default()));
        self.note_read();
    }

    /// A run that ended before the user's eyes need not be shown again.
    fn note_read(&mut self) {
        let is_open = matches!(self.overlay, Some(Overlay::Run(_)));
        if let Some(run) = &mut self.run {
            run.was_read |= is_open && run.phase == Phase::Ended;
        }
    }

    /// Sends what is due of the run, and says how it goes on.
    pub(in crate::app) fn drive_run(&mut self) -> Vec<Effect> {
        let Some(mut run) = self.run.take() else {
            return Vec::new();
        };
        let mut effects = Vec::new();
        run.note_ended(&self.history, self.now.mono);
        loop {
            if run.settle(self.now.mono) {
                self.tell_run(&run);
            }
            if run.phase != Phase::Going {
                break;
            }
            if run.is_recovery() {
                let Some(recovery) = run.take_recovery(self.now.mono) else {
                    break;
                };
                effects.extend(self.recover(&mut run, recovery));
                continue;
            }
            let Some((at, row)) = run.take_next(self.now.mono) else {
                break;
            };
            match self.last_word(run.by, &row) {
                Ok(()) => {
                    let request = self.begin_row(&mut run, at, row);
                    effects.push(self.sending(request));
                }
                Err(why) => run.passed_over(at, &row.job, why),
            }
        }
        self.run = Some(run);
        self.note_read();
        effects
    }

    /// Numbers the replay of a row that leaves now.
    fn begin_row(&mut self, run: &mut Run, at: usize, row: RunRow) -> ReplayRequest {
        let number = self.number_replay(&row.job.message, &row.job.endpoint, run.by);
        run.sent(at, number);
        ReplayRequest {
            number,
            message: row.job.message,
            endpoint: row.job.endpoint,
            route: run.by,
            grounds: row.job.grounds,
        }
    }

    /// The one request of a recovery, unless something has come to speak against one of its rows:
    /// the service would send that one too.
    fn recover(&mut self, run: &mut Run, recovery: Recovery) -> Option<Effect> {
        for job in recovery.failing(&self.history) {
            run.add(job);
        }
        let rows = run.take_all();
        let obstacle = recovery.obstacle(&self.history);
        let words = rows.iter().map(|(_, row)| self.last_word(run.by, row));
        let words: Vec<Result<(), String>> = words.collect();
        let against = rows.iter().zip(&words).find_map(|((_, row), word)| {
            let why = word.as_ref().err().filter(|why| *why != FAILS_NO_MORE)?;
            let message = row.job.message.short(20);
            let sent = recovery.asked.takes.sent();
            Some(format!("nothing was {sent}, as for {message}: {why}"))
        });
        let against = obstacle.or(against);
        if let Some(why) = &against {
            self.say(Tone::Warn, visible(why).into_owned());
        }
        let mut replays = Vec::new();
        for ((at, row), word) in rows.into_iter().zip(words) {
            match (&against, word) {
                (Some(why), _) => run.passed_over(at, &row.job, why.clone()),
                (None, Err(why)) => run.passed_over(at, &row.job, why),
                (None, Ok(())) => replays.push(self.begin_row(run, at, row)),
            }
        }
        (!replays.is_empty()).then_some(Effect::Sweep(SweepRequest {
            asked: recovery.asked,
            replays,
        }))
    }

    /// Takes back all that could still be: who stops the program does not mean it to leave later.
    pub(in crate::app) fn take_back(&mut self) {
        self.undo_replay();
        if let Some(run) = self
            .run
            .take_if(|run| matches!(run.phase, Phase::Undoable { .. }))
            && let Phase::Undoable { plan, .. } = run.phase
        {
            self.viewport.bulk = None;
            self.overlay = Some(Overlay::Bulk(plan));
            self.say(Tone::Info, "taken back, nothing was sent");
        }
    }

    /// Weighs a pair at the moment in which it would leave: what came since the plan may speak
    /// against it.
    fn last_word(&self, by: Route, row: &RunRow) -> Result<(), String> {
        let (message, endpoint) = (&row.job.message, &row.job.endpoint);
        let is_read_only = self.session.is_read_only;
        let item = weighed(
            &self.history,
            by,
            message,
            endpoint,
            is_read_only,
            self.now.wall,
        );
        match item.map(|PlanItem { verdict, .. }| verdict) {
            Some(Verdict::Send) => Ok(()),
            Some(Verdict::Skip(_)) if row.is_forced => Ok(()),
            Some(Verdict::Skip(why) | Verdict::Refuse(why)) => Err(why),
            None if by.is_sweep() => Err(gone(&self.history, message, endpoint)),
            None => Err(super::GONE.to_owned()),
        }
    }

    fn tell_run(&mut self, run: &Run) {
        match run.phase {
            Phase::Stopped => self.say(
                Tone::Bad,
                format!(
                    "{}: {} not sent; R shows what is left, Enter there resumes",
                    run.stop_words(),
                    plural(run.score.waiting, "is", "are")
                ),
            ),
            Phase::Ended => {
                let score = &run.score;
                let is_fine = score.delivered == run.rows().len();
                let tone = if is_fine { Tone::Ok } else { Tone::Warn };
                let shows = if matches!(self.overlay, Some(Overlay::Run(_))) {
                    ""
                } else {
                    "; R shows them"
                };
                self.say(tone, format!("replayed: {}{shows}", score_words(score)));
            }
            Phase::Undoable { .. } | Phase::Going => {}
        }
    }

    /// `u`: takes back what is not sent yet. Of a run that is going, only if asked twice.
    pub(in crate::app) fn undo(&mut self) {
        if self.undo_replay() {
            return;
        }
        let Some(Overlay::Run(view)) = &mut self.overlay else {
            return self.say_here("nothing is about to be sent");
        };
        let Some(mut run) = self.run.take() else {
            return;
        };
        if let Phase::Undoable { plan, .. } = run.phase {
            self.viewport.bulk = None;
            self.overlay = Some(Overlay::Bulk(plan));
            return self.say(Tone::Info, "taken back, nothing was sent");
        }
        let n_waiting = run.score.waiting;
        if n_waiting == 0 {
            let words = match run.n_unbegun(&self.history) {
                0 => "all of it is sent: nothing can be taken back".to_owned(),
                n => format!(
                    "{}, but u takes nothing back any more; what is not sent as reeltop quits is \
                     called off",
                    unbegun_words(run.by, n)
                ),
            };
            self.say(Tone::Info, words);
        } else if view.is_asking {
            let n = run.cancel();
            view.is_asking = false;
            self.say(
                Tone::Warn,
                plural(
                    n,
                    "was cancelled, it was not sent",
                    "were cancelled, they were not sent",
                ),
            );
        } else {
            view.is_asking = true;
        }
        self.run = Some(run);
    }

    /// `r` in the overlay of a run that ended: plans anew.
    pub(in crate::app) fn plan_again(&mut self) -> Vec<Effect> {
        if self.run.as_ref().is_some_and(Run::is_active) {
            self.say_here("it is not over yet; u cancels what is not sent");
            return Vec::new();
        }
        self.overlay = None;
        self.run = None;
        self.plan_bulk()
    }

    /// Esc in the overlay of a run: closes it, or takes the run back while it can be.
    pub(in crate::app) fn leave_run(&mut self) {
        let Some(run) = &self.run else {
            self.overlay = None;
            return;
        };
        match (&run.phase, &mut self.overlay) {
            (Phase::Undoable { .. }, _) => self.undo(),
            (_, Some(Overlay::Run(view))) if view.is_asking => view.is_asking = false,
            (Phase::Ended, _) => {
                self.overlay = None;
                self.run = None;
            }
            (Phase::Stopped, _) => {
                self.overlay = None;
                self.say(
                    Tone::Info,
                    "it is stopped and sends nothing; R shows it, and Enter there resumes",
                );
            }
            _ => {
                self.overlay = None;
                self.say(
                    Tone::Info,
                    "it goes on; R shows it, and u there cancels the rest",
                );
            }
        }
    }

    /// Enter in the overlay of a run: goes on after a stop, if the stop was in sight.
    pub(in crate::app) fn resume_run(&mut self) -> Vec<Effect> {
        if let Some(run) = &mut self.run
            && run.phase == Phase::Stopped
            && self.viewport.bulk == Some(ShownBulk::Stopped)
        {
            self.viewport.bulk = None;
            run.resume();
            return self.drive_run();
        }
        if self
            .run
            .as_ref()
            .is_none_or(|run| run.phase == Phase::Ended)
        {
            self.leave_run();
        }
        Vec::new()
    }

    pub(in crate::app) fn step_run(&mut self, step: super::Step) {
        use super::Step;
        let (Some(run), Some(Overlay::Run(view))) = (&self.run, &mut self.overlay) else {
            return;
        };
        let last = run.rows().len().saturating_sub(1);
        let at = view.at.unwrap_or_else(|| run.front());
        view.at = Some(match step {
            Step::Up(n) | Step::PageUp(n) => at.saturating_sub(n),
            Step::Down(n) | Step::PageDown(n) => (at + n).min(last),
            Step::First => 0,
            Step::Last => last,
        });
    }
}

/// How far those are whose request is not made yet.
pub fn unbegun_words(by: Route, n: usize) -> String {
    if by.is_sweep() {
        "the request is not made yet: what it sends is read and written down first".to_owned()
    } else {
        let are = plural(n, "is", "are");
        format!("{are} not sent yet: each is read and written down first")
    }
}

/// `25 sent · 23 delivered · 1 failed · 1 unknown`, what is none left out.
pub fn score_words(score: &Score) -> String {
    let mut words = vec![format!("{} sent", score.sent())];
    for (n, word) in [
        (score.delivered, "delivered"),
        (score.failed, "failed"),
        (score.unknown, "unknown"),
        (score.under_way, "under way"),
        (score.waiting, "left"),
        (score.passed_over, "passed over"),
        (score.cancelled, "cancelled"),
    ] {
        if n > 0 {
            words.push(format!("{n} {word}"));
        }
    }
    words.join(" · ")
}
