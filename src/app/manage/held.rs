//! What the answers to changes leave to be seen: in the place of its own waiting, or, where that was
//! closed, as soon as nothing else is open and no key is pressed. Nothing that is being typed is
//! taken away by it, and no key that was meant for something else acts on it.

use std::collections::VecDeque;

use super::{EndpointAction, EndpointRequest, Form, Manage, Stage};
use crate::app::{Overlay, State, Tone};
use crate::domain::EndpointId;
use crate::domain::time::SECOND;

/// How long no key must have been pressed before something comes by itself, in microseconds.
const REST: i64 = SECOND;
/// For how long a key that is pressed then was meant for what stood there before.
const GLANCE: i64 = SECOND / 2;

/// The changes of endpoints that wait for their answers, and what waits to be seen of them.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    asked: u64,
    /// Those whose answers are not here yet.
    open: Vec<EndpointRequest>,
    held: VecDeque<Manage>,
}

impl Changes {
    /// Gives a change its number.
    pub(super) fn ask(
        &mut self,
        action: EndpointAction,
        form: Option<Box<Form>>,
    ) -> EndpointRequest {
        self.asked += 1;
        let request = EndpointRequest {
            number: self.asked,
            action,
            form,
        };
        self.open.push(request.clone());
        request
    }

    /// Its answer is here.
    pub(super) fn close(&mut self, number: u64) {
        self.open.retain(|open| open.number != number);
    }

    /// Those that change something, their answers not here yet.
    fn under_way(&self) -> impl Iterator<Item = &EndpointAction> {
        let open = self.open.iter().map(|open| &open.action);
        open.filter(|action| !action.is_reading())
    }
}

/// A new secret, and its endpoint's name.
fn new_secret(manage: &Manage) -> Option<(&str, &EndpointId)> {
    match (&manage.stage, &manage.endpoint) {
        (
            Stage::Secret {
                is_new: true, name, ..
            },
            Some(id),
        ) => Some((name, id)),
        _ => None,
    }
}

impl State {
    /// What would be lost by quitting now: the outcome of a change, a secret that may never be told
    /// again.
    pub(in crate::app) fn quitting_loses(&self) -> Option<&'static str> {
        let is_shown = matches!(&self.overlay, Some(Overlay::Manage(manage))
            if new_secret(manage).is_some());
        if self.changes.under_way().next().is_some() {
            Some("a change of an endpoint is under way; q again quits, and its outcome is not told")
        } else if is_shown || self.changes.held.iter().any(|it| new_secret(it).is_some()) {
            Some("a new signing secret is shown, or waits to be; q again quits without it")
        } else {
            None
        }
    }

    /// What is to be told at the end: each change whose outcome is not known, and each new secret
    /// that nobody saw, in a line.
    pub(in crate::app) fn open_changes(&self) -> impl Iterator<Item = String> {
        let open = self.changes.under_way().map(|action| {
            let asked = self.asked_words(action);
            let id = action.endpoint().map(ToString::to_string);
            let verb = action.verb();
            let how = verb.map(|verb| verb.look(&id.unwrap_or_default()));
            let how = how.unwrap_or_default();
            format!("{asked}: it is not known whether it was done; {how}")
        });
        let unseen = self.changes.held.iter().filter_map(new_secret);
        let unseen = unseen.map(|(name, id)| {
            format!(
                "the new signing secret of {name} was not shown; reeltop endpoints secret {id} \
                 tells it where the service does"
            )
        });
        open.chain(unseen)
    }

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
