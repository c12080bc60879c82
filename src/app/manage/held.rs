//! What the answers to changes leave to be seen: in the place of its own waiting, or, where that was
//! closed, as soon as nothing else is open and no key is pressed. Nothing that is being typed is
//! taken away by it, and no key that was meant for something else acts on it.

use std::collections::VecDeque;

use super::{EndpointAction, EndpointRequest, Manage, Stage};
use crate::app::{Overlay, State, Tone};
use crate::domain::time::SECOND;

/// How long no key must have been pressed before something comes by itself, in microseconds.
const REST: i64 = SECOND;
/// For how long a key that is pressed then was meant for what stood there before.
const GLANCE: i64 = SECOND / 2;

/// The changes of endpoints that wait for their answers, and what waits to be seen of them.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    asked: u64,
    held: VecDeque<Manage>,
}

impl Changes {
    /// Gives a change its number.
    pub(super) fn ask(&mut self, action: EndpointAction) -> EndpointRequest {
        self.asked += 1;
        EndpointRequest {
            number: self.asked,
            action,
        }
    }
}

impl State {
    /// Whether the answer to this change is waited for in sight, or under the help.
    pub(super) fn is_asked(&self, number: u64) -> bool {
        let is_own = |overlay: &Overlay| matches!(overlay, Overlay::Manage(manage) if manage.stage == Stage::Waiting(number));
        match &self.overlay {
            Some(Overlay::Help {
                below: Some(below), ..
            }) => is_own(below),
            Some(overlay) => is_own(overlay),
            None => false,
        }
    }

    /// Puts what an answer gave in the place of its waiting, or keeps it until there is room.
    pub(super) fn settle_change(&mut self, number: u64, mut left: Option<Manage>) {
        if let Some(left) = &mut left {
            left.since = self.now.mono;
        }
        if !self.is_asked(number) {
            self.changes.held.extend(left);
            return;
        }
        let left = left.map(|left| Overlay::Manage(Box::new(left)));
        match &mut self.overlay {
            Some(Overlay::Help { below, .. }) => *below = left.map(Box::new),
            other => *other = left,
        }
    }

    /// Shows what waits, once the user does nothing else.
    pub(in crate::app) fn show_held(&mut self) {
        let is_free = self.overlay.is_none() && self.prompt.is_none();
        if !is_free || self.now.mono.saturating_sub(self.keyed) < REST {
            return;
        }
        if let Some(mut next) = self.changes.held.pop_front() {
            next.since = self.now.mono;
            self.overlay = Some(Overlay::Manage(Box::new(next)));
        }
    }

    /// Whether what is open came by itself only now: what is pressed was meant for what stood there
    /// before, and does nothing.
    pub(in crate::app) fn is_too_soon(&mut self) -> bool {
        let is_new = matches!(&self.overlay, Some(Overlay::Manage(manage))
            if self.now.mono.saturating_sub(manage.since) < GLANCE);
        if is_new {
            self.say(
                Tone::Info,
                "this came only now, so that key did nothing; look, then press it again",
            );
        }
        is_new
    }
}
