//! The replay overlay: the plan before anything is sent, then the replays it sent, followed in
//! the same place.

use std::collections::{HashMap, HashSet};

use super::list::Pick;
use super::toast::TOAST;
use super::{Effect, PostRequest, ReplayRequest, ShownPlan, State, Tone};
use crate::app::Overlay;
use crate::domain::time::SECOND;
use crate::domain::{
    Change, ChangeKind, EndpointId, Grounds, History, MessageId, Origin, Plan, PostBody, Replay,
    ReplayState, ReplayStep, Route, Stage, Time, Verdict, plan, plan_local, visible,
};

/// How long what is to be sent can be taken back, in microseconds.
pub const UNDO: i64 = 3 * SECOND;

/// What is about to be sent, and can be taken back until then.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaving {
    pub message: MessageId,
    /// Where to, whether the user chose it though the plan would have skipped it, and what was known
    /// then.
    chosen: Vec<(EndpointId, bool, Grounds)>,
    only: Option<EndpointId>,
    route: Route,
    /// Monotonic microseconds.
    pub until: i64,
}

/// The overlay of one message's replays.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayOverlay {
    pub message: MessageId,
    only: Option<EndpointId>,
    /// The service's resend, or a POST from here.
    pub route: Route,
    pub plan: Plan,
    pub pick: Pick<EndpointId>,
    /// What the user chose against the plan's proposal.
    choices: HashMap<EndpointId, bool>,
    /// Numbers of the replays being followed; empty while the plan is shown.
    pub sent: Vec<u64>,
    /// Whether the plan's own proposal is taken at the next look: only when the user asked for
    /// the plan, never while it stands there.
    is_new: bool,
}

impl ReplayOverlay {
    pub fn is_planning(&self) -> bool {
        self.sent.is_empty()
    }

    pub fn endpoints(&self) -> Vec<EndpointId> {
        self.plan
            .items
            .iter()
            .map(|item| item.endpoint.clone())
            .collect()
    }

    /// What the plan says would be sent.
    pub fn shown(&self) -> Option<ShownPlan> {
        self.is_planning().then(|| ShownPlan {
            message: self.message.clone(),
            route: self.route,
            chosen: self
                .plan
                .chosen()
                .map(|item| item.endpoint.clone())
                .collect(),
        })
    }

    /// Whether the user left the endpoint out.
    pub fn is_left_out(&self, endpoint: &EndpointId) -> bool {
        self.choices.get(endpoint) == Some(&false)
    }

    /// Goes back to the plan, as if it was asked for anew.
    pub fn renew(&mut self) {
        self.sent.clear();
        self.choices.clear();
        self.is_new = true;
    }

    /// Plans again with what is known now. What the user chose stays chosen unless it is refused;
    /// what stood there unchosen, or did not stand there, never becomes chosen by itself, as the
    /// user may be about to press Enter.
    pub fn refresh(&mut self, history: &History, is_read_only: bool, now: Time) {
        if !self.is_planning() {
            return;
        }
        let stood: HashSet<EndpointId> = self
            .plan
            .chosen()
            .map(|item| item.endpoint.clone())
            .collect();
        let is_new = std::mem::take(&mut self.is_new);
        let planned = by(self.route);
        self.plan = planned(
            history,
            &self.message,
            self.only.as_ref(),
            is_read_only,
            now,
        );
        for item in &mut self.plan.items {
            if let Some(choice) = self.choices.get(&item.endpoint) {
                item.is_chosen = *choice && !matches!(item.verdict, Verdict::Refuse(_));
            } else if !is_new {
                item.is_chosen &= stood.contains(&item.endpoint);
            }
        }
    }
}

/// How a replay by this route is planned.
fn by(route: Route) -> fn(&History, &MessageId, Option<&EndpointId>, bool, Time) -> Plan {
    match route {
        Route::Local => plan_local,
        _ => plan,
    }
}

impl State {
    /// Plans the other route: the service's resend, or a POST from here.
    pub(super) fn turn_route(&mut self) {
        match &mut self.overlay {
            Some(Overlay::Replay(overlay)) if overlay.is_planning() && self.leaving.is_none() => {
                overlay.route = match overlay.route {
                    Route::Local => Route::Server,
                    _ => Route::Local,
                };
                overlay.renew();
                overlay.refresh(&self.history, self.session.is_read_only, self.now.wall);
                self.viewport.plan = None;
            }
            Some(Overlay::Replay(_)) => {
                self.say_not_planning();
            }
            Some(Overlay::Bulk(_)) => self.turn_bulk_route(),
            _ => self.say_here("p turns the route of a plan; r or R makes one"),
        }
    }

    /// Opens the plan for a message, or what runs already.
    pub(super) fn plan_replay(&mut self, message: MessageId, only: Option<EndpointId>) {
        let running: Vec<u64> = self
            .history
            .replays
            .of_message(&message)
            .filter(|replay| {
                replay.state.is_open() && only.as_ref().is_none_or(|only| replay.endpoint == *only)
            })
            .map(|replay| replay.number)
            .collect();
        let mut overlay = ReplayOverlay {
            plan: Plan {
                message: message.clone(),
                route: String::new(),
                items: Vec::new(),
            },
            message,
            only,
            route: Route::Server,
            pick: Pick::default(),
            choices: HashMap::new(),
            sent: Vec::new(),
            is_new: true,
        };
        overlay.refresh(&self.history, self.session.is_read_only, self.now.wall);
        if let Some(first) = overlay.plan.chosen().next() {
            overlay.pick = Pick::of(first.endpoint.clone());
        }
        overlay.sent = running;
        // What stood on the screen before is not what stands there next.
        self.viewport.plan = None;
        self.overlay = Some(Overlay::Replay(Box::new(overlay)));
    }

    /// Turns the choice of the picked endpoint round.
    pub(super) fn choose_endpoint(&mut self) {
        let Some(Overlay::Replay(overlay)) = &mut self.overlay else {
            return;
        };
        if !overlay.is_planning() {
            self.say_here("it is sent; r shows the plan again");
            return;
        }
        if self.leaving.is_some() {
            self.say(Tone::Info, "it is about to be sent; u takes it back");
            return;
        }
        let endpoints = overlay.endpoints();
        let Some(endpoint) = overlay.pick.current(&endpoints).cloned() else {
            return;
        };
        if overlay.plan.toggle(&endpoint) {
            let is_chosen = overlay.plan.chosen().any(|item| item.endpoint == endpoint);
            overlay.choices.insert(endpoint, is_chosen);
            return;
        }
        let why = overlay
            .plan
            .items
            .iter()
            .find(|item| item.endpoint == endpoint)
            .and_then(|item| match &item.verdict {
                Verdict::Refuse(why) => Some(why.clone()),
                _ => None,
            });
        self.say(
            Tone::Warn,
            format!("cannot be chosen: {}", why.unwrap_or_default()),
        );
    }

    /// Is about to send what is chosen, if that is what the last frame showed: keys typed ahead,
    /// and what came since the frame, must never send what nobody saw. Pressed again, it is sent
    /// without more ado.
    pub(super) fn send_replays(&mut self) -> Vec<Effect> {
        let Some(Overlay::Replay(mut overlay)) = self.overlay.take() else {
            return Vec::new();
        };
        if !overlay.is_planning() {
            // Sent already: Enter only closes what is followed.
            return Vec::new();
        }
        // The replays must be seen to move, and the plan must rest on all that is known.
        self.unfreeze();
        overlay.refresh(&self.history, self.session.is_read_only, self.now.wall);
        let shown = overlay.shown();
        let is_in_sight = shown.is_some() && self.viewport.plan == shown;
        if let Some(leaving) = &mut self.leaving {
            if is_in_sight {
                leaving.until = self.now.mono;
            }
            self.overlay = Some(Overlay::Replay(overlay));
            return self.leave();
        }
        if !is_in_sight {
            self.overlay = Some(Overlay::Replay(overlay));
            let words = if self.viewport.plan.is_some() {
                "the plan changed, nothing was sent; look again, Enter sends it"
            } else {
                "the plan was not in sight yet, nothing was sent; look, Enter sends it"
            };
            self.say(Tone::Warn, words);
            return Vec::new();
        }
        self.viewport.plan = None;
        let chosen: Vec<(EndpointId, bool, Grounds)> = overlay
            .plan
            .chosen()
            .map(|item| {
                let is_forced = item.verdict != Verdict::Send;
                (item.endpoint.clone(), is_forced, item.grounds.clone())
            })
            .collect();
        if chosen.is_empty() {
            let refusal = overlay
                .plan
                .items
                .iter()
                .find_map(|item| match &item.verdict {
                    Verdict::Refuse(why) => Some(format!("nothing was sent: {why}")),
                    _ => None,
                });
            self.say(
                Tone::Warn,
                refusal.unwrap_or_else(|| {
                    "nothing is chosen, so nothing was sent; Space chooses an endpoint".into()
                }),
            );
        } else {
            self.leaving = Some(Leaving {
                message: overlay.message.clone(),
                only: overlay.only.clone(),
                route: overlay.route,
                chosen,
                until: self.now.mono + UNDO,
            });
        }
        self.overlay = Some(Overlay::Replay(overlay));
        Vec::new()
    }

    /// Sends what can be taken back no more. Each pair is weighed once more: what came meanwhile
    /// may speak against it.
    pub(super) fn leave(&mut self) -> Vec<Effect> {
        let is_due = |leaving: &mut Leaving| leaving.until <= self.now.mono;
        let Some(leaving) = self.leaving.take_if(is_due) else {
            return Vec::new();
        };
        let (message, only, route) = (leaving.message, leaving.only, leaving.route);
        let is_read_only = self.session.is_read_only;
        let plan = by(route)(
            &self.history,
            &message,
            only.as_ref(),
            is_read_only,
            self.now.wall,
        );
        let mut effects = Vec::new();
        let mut numbers = Vec::new();
        for (endpoint, is_forced, grounds) in leaving.chosen {
            let mut items = plan.items.iter();
            let verdict = items.find(|item| item.endpoint == endpoint);
            match verdict.map(|item| &item.verdict) {
                Some(Verdict::Skip(why)) if !is_forced => self.say_not_sent(&endpoint, why),
                Some(Verdict::Refuse(why)) => self.say_not_sent(&endpoint, why),
                None => self.say_not_sent(&endpoint, "it is in the plan no more"),
                Some(Verdict::Send | Verdict::Skip(_)) => {
                    let number = self.number_replay(&message, &endpoint, route);
                    numbers.push(number);
                    effects.push(self.sending(ReplayRequest {
                        number,
                        message: message.clone(),
                        endpoint,
                        route,
                        grounds,
                    }));
                }
            }
        }
        self.viewport.plan = None;
        if let Some(Overlay::Replay(overlay)) = &mut self.overlay
            && overlay.message == message
        {
            overlay.sent.extend(numbers);
        }
        effects
    }

    /// The effect that sends a replay by its route.
    pub(super) fn sending(&self, replay: ReplayRequest) -> Effect {
        let known = self.history.endpoints.get(&replay.endpoint);
        let body = || PostBody::of(&self.history, &replay.message);
        match (replay.route, known) {
            (Route::Local, Some(known)) => match body() {
                Some(body) => Effect::PostHere(PostRequest {
                    url: known.url.clone(),
                    body: body.bytes,
                    replay,
                }),
                // It is refused there, as it has no body.
                None => Effect::Replay(replay),
            },
            _ => Effect::Replay(replay),
        }
    }

    fn say_not_sent(&mut self, endpoint: &EndpointId, why: &str) {
        let label = self.history.endpoint_label(endpoint);
        let words = format!("not sent to {label}: {why}");
        self.say(Tone::Warn, visible(&words).into_owned());
    }

    /// Takes back what is about to be sent. Returns whether there was something.
    pub(super) fn undo_replay(&mut self) -> bool {
        let is_undone = self.leaving.take().is_some();
        if is_undone {
            self.viewport.plan = None;
            self.say(Tone::Info, "taken back, nothing was sent");
        }
        is_undone
    }

    /// Gives a replay its number and writes down that it is planned, before its effect is given
    /// out: no second press and no second overlay can send the same pair then.
    pub(super) fn number_replay(
        &mut self,
        message: &MessageId,
        endpoint: &EndpointId,
        route: Route,
    ) -> u64 {
        let number = self.next_replay;
        self.next_replay += 1;
        self.fold(Change {
            seq: self.history.last_seq(),
            received: self.now,
            origin: Origin::User,
            raw: None,
            kind: ChangeKind::Replay(Box::new(ReplayStep {
                replay: number,
                message: message.clone(),
                endpoint: endpoint.clone(),
                route,
                stage: Stage::Planned,
            })),
        });
        number
    }

    /// Says why what a plan offers is of no use any more.
    fn say_not_planning(&mut self) {
        self.say(
            Tone::Info,
            if self.leaving.is_some() {
                "it is about to be sent; u takes it back"
            } else {
                "it is sent already, or was before; only a plan can be changed"
            },
        );
    }

    /// Leaves what the service tries again by itself to it, in the plan of one message.
    pub(super) fn leave_one_to_retry(&mut self) {
        let Some(Overlay::Replay(overlay)) = &mut self.overlay else {
            return;
        };
        if !overlay.is_planning() || self.leaving.is_some() {
            return self.say_not_planning();
        }
        let now = self.history.service_time(self.now.wall);
        let items = overlay.plan.items.iter_mut();
        let mut left = Vec::new();
        for item in items.filter(|item| item.has_retry(now)) {
            if let Some(retry) = item.retry {
                item.is_chosen = false;
                overlay.choices.insert(item.endpoint.clone(), false);
                left.push((item.endpoint.clone(), retry));
            }
        }
        let message = overlay.message.clone();
        if left.is_empty() {
            return self.say(
                Tone::Info,
                "the service tries nothing of what is chosen again by itself",
            );
        }
        for (endpoint, retry) in left {
            self.wait_for_retry(&message, &endpoint, retry.at);
            let label = self.history.endpoint_label(&endpoint);
            let (about, clock) = (retry.about(), self.clock(retry.at));
            let words = format!(
                "left to the service's own retry at {label}, {about}{clock}; a notice tells"
            );
            self.say(Tone::Info, visible(&words).into_owned());
        }
        if let Some(Overlay::Replay(overlay)) = &self.overlay
            && overlay.plan.chosen().next().is_none()
        {
            self.overlay = None;
        }
    }

    /// Tells the end of a replay, or that its outcome is unknown.
    pub(super) fn tell_replay(&mut self, number: u64) {
        let Some(replay) = self.history.replays.get(number) else {
            return;
        };
        // Of many, the line of the whole is told while they go.
        if let Some(run) = &mut self.run
            && run.note_later(replay)
            && run.is_active()
        {
            return;
        }
        let tone = match &replay.state {
            ReplayState::Delivered { .. } => Tone::Ok,
            ReplayState::Answered(answer) if answer.is_success() => Tone::Ok,
            ReplayState::Failed { .. } | ReplayState::Answered(_) | ReplayState::Refused(_) => {
                Tone::Bad
            }
            ReplayState::Cancelled(_) => Tone::Info,
            ReplayState::Unknown(_) | ReplayState::Ambiguous(_) => Tone::Warn,
            _ => return,
        };
        let text = format!(
            "replay of {} to {}: {}",
            replay.message.short(15),
            self.history.endpoint_label(&replay.endpoint),
            replay.words()
        );
        self.say(tone, text);
    }

    /// Quits; while a replay is under way, or many are not sent yet, only if asked a second time.
    pub(super) fn quit(&mut self) -> Vec<Effect> {
        let is_under_way = self.history.replays.open().any(|replay| {
            let is_sent = matches!(
                replay.state,
                ReplayState::Planned | ReplayState::Sending | ReplayState::Accepted
            );
            is_sent && replay.by.is_none()
        });
        let n_unsent = self.n_unsent();
        let words = match (n_unsent, is_under_way) {
            (0, false) => match self.quitting_loses() {
                Some(words) => words.to_owned(),
                None => return vec![Effect::Quit],
            },
            (0, true) => "a replay is under way; q again quits".to_owned(),
            (1, _) => "1 replay is not sent yet; q again quits, and it is cancelled".to_owned(),
            (n, _) => format!("{n} replays are not sent yet; q again quits, and cancels them"),
        };
        self.quit_after(words)
    }

    /// Quits at once; while many are not sent yet, only if asked a second time.
    pub(super) fn interrupt(&mut self) -> Vec<Effect> {
        match self.n_waiting() {
            0 => vec![Effect::Quit],
            n => self.quit_after(format!(
                "{n} not sent yet; ctrl-c again quits, and cancels what is not sent"
            )),
        }
    }

    fn quit_after(&mut self, words: String) -> Vec<Effect> {
        if self.now.mono <= self.quits_until {
            return vec![Effect::Quit];
        }
        self.quits_until = self.now.mono + TOAST;
        self.say(Tone::Warn, words);
        Vec::new()
    }

    /// Replays that were confirmed and have not left.
    fn n_unsent(&self) -> usize {
        let leaving = self.leaving.as_ref().map_or(0, |it| it.chosen.len());
        leaving + self.n_waiting()
    }

    /// The same of many.
    fn n_waiting(&self) -> usize {
        let run = self.run.as_ref().filter(|run| run.is_active());
        run.map_or(0, |run| run.score.waiting)
    }

    /// When something is to be done though nothing comes; monotonic microseconds.
    pub fn due(&self) -> Option<i64> {
        let leaving = self.leaving.as_ref().map(|leaving| leaving.until);
        let run = self.run.as_ref().and_then(|run| run.due(&self.history));
        leaving.into_iter().chain(run).min()
    }

    /// What is to be told at the end: each replay whose outcome is not known yet, in a line, and how
    /// many were not sent.
    pub fn open_replays(&self) -> Vec<String> {
        let replays = self.history.replays.open();
        let n_unsent = self.n_unsent();
        let unsent = (n_unsent > 0).then(|| format!("{n_unsent} replays were not sent: cancelled"));
        replays
            .filter(|replay| replay.by.is_none())
            .map(|replay: &Replay| {
                let message = replay.message.to_string();
                let words = format!(
                    "replay of {message} to {}: {}; reeltop attempts --message {message} tells \
                     what became of it",
                    self.history.endpoint_label(&replay.endpoint),
                    replay.words(),
                );
                visible(&words).into_owned()
            })
            .chain(unsent)
            .chain(self.open_changes().map(|line| visible(&line).into_owned()))
            .collect()
    }
}
