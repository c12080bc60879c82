//! One request to Svix for many messages at an endpoint: which of them it sends is its own choice.

use super::plan_of_many;
use crate::domain::endpoint::EVERY_TASK_EVENT;
use crate::domain::event::EventType;
use crate::domain::history::{History, OutcomeState};
use crate::domain::id::{EndpointId, MessageId};
use crate::domain::offer::Offer;
use crate::domain::plan::{Plan, plan};
use crate::domain::replay::Route;
use crate::domain::time::Time;

/// What one request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    pub endpoint: EndpointId,
    /// Messages that were accepted before are left out.
    pub since: Time,
    pub takes: Takes,
}

/// Which messages of an endpoint a request takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Takes {
    /// What failed there last (Svix's recover).
    Failed,
    /// What was never tried there, as while it was disabled (Svix's replay-missing).
    Missing,
    /// What was tried there, delivered or not (Svix's bulk-replay).
    Tried {
        /// Of these types alone; of all if there is none.
        event_types: Vec<String>,
        /// Only what stands there so.
        outcome: Option<Tried>,
    },
}

/// How a message stands that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    Delivered,
    Failed,
}

impl Takes {
    pub fn route(&self) -> Route {
        match self {
            Self::Failed => Route::Recover,
            Self::Missing => Route::Missing,
            Self::Tried { .. } => Route::Bulk,
        }
    }

    pub fn offer(&self) -> Offer {
        match self {
            Self::Failed => Offer::Recover,
            Self::Missing => Offer::ReplayMissing,
            Self::Tried { .. } => Offer::BulkReplay,
        }
    }

    /// What becomes of what it takes: `recovered`, `sent`.
    pub fn sent(&self) -> &'static str {
        match self {
            Self::Failed => "recovered",
            Self::Missing | Self::Tried { .. } => "sent",
        }
    }

    /// What it takes, in words: `everything of task.failed that failed there`.
    pub fn words(&self) -> String {
        match self {
            Self::Failed => "everything that failed there".to_owned(),
            Self::Missing => "everything that was never tried there".to_owned(),
            Self::Tried {
                event_types,
                outcome,
            } => {
                let of = if event_types.is_empty() {
                    String::new()
                } else {
                    format!(" of {}", event_types.join(", "))
                };
                let how = match outcome {
                    None => "was sent there, delivered or not,",
                    Some(Tried::Delivered) => "was delivered there",
                    Some(Tried::Failed) => "failed there",
                };
                format!("everything{of} that {how}")
            }
        }
    }

    /// Whether a message that was delivered meanwhile is sent no more.
    pub fn spares_delivered(&self) -> bool {
        match self {
            Self::Failed | Self::Missing => true,
            Self::Tried { outcome, .. } => *outcome == Some(Tried::Failed),
        }
    }
}

impl Sweep {
    /// The plans of those messages that it takes, as far as is known here. The service asks nobody
    /// which it sends, so that none of them can be left out.
    pub fn plans(
        &self,
        history: &History,
        messages: &[MessageId],
        is_read_only: bool,
        now: Time,
    ) -> Vec<Plan> {
        let at = &self.endpoint;
        let plans = messages.iter().filter_map(|message| {
            if self.takes == Takes::Failed {
                let by = Route::Recover;
                let plan = plan_of_many(history, by, message, Some(at), is_read_only, now);
                return (!plan.items.is_empty()).then_some(plan);
            }
            if !self.takes_message(history, message) {
                return None;
            }
            let mut plan = plan(history, message, Some(at), is_read_only, now);
            plan.route = format!("Svix's {}, one request", self.takes.offer().name());
            for item in &mut plan.items {
                item.grounds.overlook_newer();
            }
            Some(plan)
        });
        plans.collect()
    }

    pub(super) fn takes_message(&self, history: &History, message: &MessageId) -> bool {
        let Some(delivery) = history.deliveries.get(message) else {
            return false;
        };
        let kind = delivery.message.as_ref().map(|message| &message.kind);
        let state = delivery
            .outcome(&self.endpoint)
            .map(|outcome| outcome.state);
        match &self.takes {
            Takes::Failed => state == Some(OutcomeState::Failed),
            Takes::Missing => {
                let endpoint = history.endpoints.get(&self.endpoint);
                let wanted = endpoint.and_then(|endpoint| endpoint.event_types.as_deref());
                let is_wanted = |kind| wanted.is_none_or(|types| types.contains(kind));
                state.is_none() && kind.is_none_or(is_wanted)
            }
            Takes::Tried {
                event_types,
                outcome,
            } => {
                let is_meant = |kind: &EventType| {
                    event_types.is_empty()
                        || event_types
                            .iter()
                            .any(|name| name == kind.name() || name == EVERY_TASK_EVENT)
                };
                let stands_so = match outcome {
                    None => state.is_some(),
                    Some(Tried::Delivered) => state == Some(OutcomeState::Delivered),
                    Some(Tried::Failed) => state == Some(OutcomeState::Failed),
                };
                stands_so && kind.is_none_or(is_meant)
            }
        }
    }
}
