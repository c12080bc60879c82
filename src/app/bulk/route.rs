//! The route of a plan of many: the service's resend, a POST from here, or one request to Svix, its
//! recover or bulk-replay. Its replay-missing is none: a plan is of what failed, and what was never
//! tried cannot be told here, where not every message's attempts are read.

use super::super::{Overlay, State, Tone};
use super::kept::Kept;
use super::{BulkOverlay, BulkRow, NotRead, Scope};
use crate::domain::bulk::{Pair, Recovery, plan_of_many};
use crate::domain::{
    EndpointId, History, MessageId, OutcomeState, PlanItem, Route, Time, Verdict, visible,
};

/// Why no row of a recovery can be left out.
pub(super) const ALL_OR_NONE: &str =
    "one request sends everything that failed there: none can be left out; p is another route";

/// Why the service leaves one alone.
pub(super) const FAILS_NO_MORE: &str =
    "it did not fail there last any more, so that it is not sent again";

/// Why one that failed there does no more. What is under way may fail yet, and would be sent then.
pub(super) fn gone(history: &History, message: &MessageId, endpoint: &EndpointId) -> String {
    let held = history.deliveries.get(message);
    let outcome = held.and_then(|held| held.outcome(endpoint));
    let why = match outcome.map(|outcome| outcome.state) {
        Some(OutcomeState::Sending) => "an attempt is under way there, which may fail yet",
        _ => FAILS_NO_MORE,
    };
    why.to_owned()
}

/// What one request for many is asked for.
pub(super) fn recovery_words(history: &History, recovery: &Recovery) -> String {
    let label = history.endpoint_label(&recovery.asked.endpoint);
    format!("everything that failed at {}", visible(&label))
}

impl BulkOverlay {
    /// The plan of one request that has the service send again what failed at an endpoint.
    fn recovering(
        history: &History,
        scope: Scope,
        recovery: Recovery,
        is_read_only: bool,
        now: Time,
    ) -> Self {
        let mut rows = Vec::new();
        let (mut route, mut n_stale) = (String::new(), 0);
        for message in &recovery.messages {
            let only = Some(&recovery.asked.endpoint);
            let by = |route| plan_of_many(history, route, message, only, is_read_only, now);
            let plan = by(recovery.asked.takes.route());
            let is_stale = |item: &PlanItem| matches!(item.verdict, Verdict::Skip(_));
            n_stale += usize::from(by(Route::Server).items.iter().any(is_stale));
            let held = history.deliveries.get(message);
            let task = held.and_then(|held| held.message.as_ref()?.task.clone());
            rows.extend(plan.items.into_iter().map(|item| BulkRow {
                message: message.clone(),
                task: task.clone(),
                item,
                choice: None,
                is_unwanted: false,
            }));
            route = plan.route;
        }
        let against = recovery.obstacle(history);
        Self {
            title: recovery_words(history, &recovery),
            scope,
            by: recovery.asked.takes.route(),
            route,
            n_messages: rows.len(),
            n_fine: 0,
            not_read: NotRead::default(),
            rows,
            kept: Kept::default(),
            recovery: Some(recovery),
            against,
            n_stale,
            at: 0,
            typed: None,
            version: 0,
            next: 0,
        }
    }

    /// What one request of the route would have to ask for. What was left out does not widen it.
    fn to_recover(
        &self,
        history: &History,
        route: Route,
        kept: &Kept,
        now: Time,
    ) -> Result<Recovery, String> {
        let rows = self.rows.iter();
        let wanted = rows.filter(|row| !kept.leaves_out(&row.message, row.endpoint()));
        let pairs: Vec<_> = wanted
            .map(|row| (row.message.clone(), row.endpoint().clone()))
            .collect();
        if pairs.is_empty() {
            return Err("every row is left out".to_owned());
        }
        Recovery::of(history, route, &pairs, now)
    }

    /// Whether Enter does anything.
    pub fn can_go(&self) -> bool {
        let counts = self.counts();
        counts.send + counts.waiting > 0 && self.obstacle().is_none()
    }

    /// Why nothing of a recovery can be sent: what speaks against one speaks against all, as they
    /// cannot be told apart in the request.
    pub fn obstacle(&self) -> Option<String> {
        if !self.by.is_sweep() {
            return None;
        }
        let sent = match self.by {
            Route::Recover => "recovered",
            _ => "sent",
        };
        let of_rows = || {
            self.rows.iter().find_map(|row| match &row.item.verdict {
                Verdict::Refuse(why) => Some(format!(
                    "nothing can be {sent}, as {} cannot be sent there: {why}",
                    row.message.short(20)
                )),
                _ => None,
            })
        };
        of_rows().or_else(|| self.against.clone())
    }
}

impl State {
    /// Plans many by the next route that there is.
    pub(in crate::app) fn turn_bulk_route(&mut self) {
        let Some(Overlay::Bulk(overlay)) = &mut self.overlay else {
            return;
        };
        let (history, is_read_only) = (&self.history, self.session.is_read_only);
        let (scope, now) = (overlay.scope.clone(), self.now.wall);
        let by = |route| BulkOverlay::new(history, scope.clone(), route, is_read_only, now);
        let kept = overlay.choices();
        let mut refusals: Vec<(&str, String)> = Vec::new();
        let requests: &[Route] = match overlay.by {
            Route::Local => &[Route::Recover, Route::Bulk],
            Route::Recover => &[Route::Bulk],
            Route::Server | Route::Svix | Route::Missing | Route::Bulk => &[],
        };
        let turned = if matches!(overlay.by, Route::Server | Route::Svix) {
            by(Route::Local)
        } else {
            // What was asked for, and not what another request would send beside it.
            let asked_for = by(Route::Server);
            let possible = requests.iter().find_map(|route| {
                let asked = asked_for.to_recover(history, *route, &kept, now);
                asked.map_err(|why| refusals.push((route.name(), why))).ok()
            });
            match possible {
                Some(asked) => {
                    BulkOverlay::recovering(history, scope.clone(), asked, is_read_only, now)
                }
                None => asked_for,
            }
        };
        let mut turned = turned.keeping(kept);
        // What the last frame showed is not this.
        turned.version = overlay.version + 1;
        **overlay = turned;
        self.viewport.bulk = None;
        if let Some(words) = refused_words(&refusals) {
            self.say(Tone::Info, words);
        }
    }
}

/// Why the routes that were passed by are none.
fn refused_words(refusals: &[(&str, String)]) -> Option<String> {
    match refusals {
        [] => None,
        [(one, why), (other, same)] if why == same => Some(format!(
            "Svix's {one} and {other} are no routes here: {why}"
        )),
        several => {
            let words = several
                .iter()
                .map(|(name, why)| format!("Svix's {name} is no route here: {why}"));
            Some(words.collect::<Vec<_>>().join("; "))
        }
    }
}
