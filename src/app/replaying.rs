//! The replay overlay: the plan before anything is sent, then the replays it sent, followed in
//! the same place.

use std::collections::{HashMap, HashSet};

use super::list::Pick;
use super::{Effect, ReplayRequest, ShownPlan, State, TOAST, Tone};
use crate::app::Overlay;
use crate::domain::{
    Change, ChangeKind, EndpointId, History, MessageId, Origin, Plan, Replay, ReplayState,
    ReplayStep, Route, Stage, Time, Verdict, plan, visible,
};

/// The overlay of one message's replays.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayOverlay {
    pub message: MessageId,
    only: Option<EndpointId>,
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
        self.plan = plan(
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

impl State {
    /// Opens the plan for a message, or what runs already.
    pub(super) fn plan_replay(&mut self, message: MessageId, only: Option<EndpointId>) {
        let running: Vec<u64> = self
            .history
            .replays
            .all()
            .iter()
            .filter(|replay| {
                replay.state.is_open()
                    && replay.message == message
                    && only.as_ref().is_none_or(|only| replay.endpoint == *only)
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
            self.say(Tone::Info, "it is sent; r shows the plan again");
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

    /// Sends what is chosen, once, if that is what the last frame showed: keys typed ahead, and
    /// what came since the frame, must never send what nobody saw. The step is written down before its effect is given out, so
    /// that no second press and no second overlay can send the same pair again.
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
        let Some(ShownPlan { chosen, .. }) = overlay
            .shown()
            .filter(|planned| self.viewport.plan.as_ref() == Some(planned))
        else {
            self.overlay = Some(Overlay::Replay(overlay));
            let words = if self.viewport.plan.is_some() {
                "the plan changed, nothing was sent; look again, Enter sends it"
            } else {
                "the plan was not in sight yet, nothing was sent; look, Enter sends it"
            };
            self.say(Tone::Warn, words);
            return Vec::new();
        };
        self.viewport.plan = None;
        let mut effects = Vec::new();
        for endpoint in chosen {
            if self
                .history
                .replays
                .open_of(&overlay.message, &endpoint)
                .is_some()
            {
                continue;
            }
            let number = self.next_replay;
            self.next_replay += 1;
            self.fold(Change {
                seq: self.history.last_seq(),
                received: self.now,
                origin: Origin::User,
                raw: None,
                kind: ChangeKind::Replay(Box::new(ReplayStep {
                    replay: number,
                    message: overlay.message.clone(),
                    endpoint: endpoint.clone(),
                    route: Route::Server,
                    stage: Stage::Planned,
                })),
            });
            overlay.sent.push(number);
            effects.push(Effect::Replay(ReplayRequest {
                number,
                message: overlay.message.clone(),
                endpoint,
                route: Route::Server,
            }));
        }
        if effects.is_empty() {
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
        }
        self.overlay = Some(Overlay::Replay(overlay));
        effects
    }

    /// Tells the end of a replay, or that its outcome is unknown.
    pub(super) fn tell_replay(&mut self, number: u64) {
        let Some(replay) = self.history.replays.get(number) else {
            return;
        };
        let tone = match &replay.state {
            ReplayState::Delivered { .. } => Tone::Ok,
            ReplayState::Failed { .. } | ReplayState::Refused(_) => Tone::Bad,
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

    /// Quits; while a replay is under way only if asked a second time.
    pub(super) fn quit(&mut self) -> Vec<Effect> {
        let is_under_way = self.history.replays.all().iter().any(|replay| {
            let is_sent = matches!(
                replay.state,
                ReplayState::Planned | ReplayState::Sending | ReplayState::Accepted
            );
            is_sent && replay.by.is_none()
        });
        if is_under_way && self.now.mono > self.quits_until {
            self.quits_until = self.now.mono + TOAST;
            self.say(Tone::Warn, "a replay is under way; q again quits");
            return Vec::new();
        }
        vec![Effect::Quit]
    }

    /// What is to be told at the end: each replay whose outcome is not known yet, in a line.
    pub fn open_replays(&self) -> Vec<String> {
        let replays = self.history.replays.all().iter();
        replays
            .filter(|replay| replay.state.is_open() && replay.by.is_none())
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
            .collect()
    }
}
