//! What a word for a state says of a message: whether it holds, and whether that is known at all.

use crate::domain::{Delivery, Forecast, History, OutcomeState};

/// Whether a word holds for a message, as far as is known: what failed as it was read last counts as
/// failed.
pub(super) fn has_outcome(history: &History, delivery: &Delivery, word: &str) -> bool {
    let any = |state: OutcomeState| {
        delivery
            .outcomes
            .iter()
            .any(|outcome| outcome.state == state)
    };
    // What was not sent as far as is known may have been sent all the same, and what was delivered
    // wherever it is known may have failed elsewhere.
    let is_all_known = || !history.is_unread_somewhere(delivery);
    let is_unsent = || delivery.outcomes.is_empty() && is_all_known();
    match word {
        "failed" => any(OutcomeState::Failed),
        "delivered" | "completed" => {
            !delivery.outcomes.is_empty() && is_delivered(delivery) && is_all_known()
        }
        "broken" => history.deliveries.broken().contains(&delivery.id),
        "superseded" => delivery.outcomes.iter().any(|outcome| {
            outcome.state == OutcomeState::Failed
                && history
                    .deliveries
                    .is_superseded(delivery, &outcome.endpoint)
        }),
        "sending" => any(OutcomeState::Sending),
        "canceled" | "cancelled" => any(OutcomeState::Canceled),
        "unsent" => is_unsent(),
        "retrying" => forecasts(history, delivery)
            .any(|forecast| matches!(forecast, Forecast::Next { .. } | Forecast::Uncertain { .. })),
        "exhausted" => forecasts(history, delivery)
            .any(|forecast| matches!(forecast, Forecast::Exhausted { .. } | Forecast::Over { .. })),
        "manual" | "scheduled" => delivery
            .attempts()
            .iter()
            .any(|attempt| attempt.trigger.name() == word),
        "disabled" | "enabled" => delivery.outcomes.iter().any(|outcome| {
            history
                .endpoints
                .get(&outcome.endpoint)
                .is_some_and(|endpoint| endpoint.disabled == (word == "disabled"))
        }),
        "replayed" => history.replays.of_message(&delivery.id).next().is_some(),
        "done" => is_settled(history, delivery) && is_all_known(),
        // Of what is not read nobody knows whether it is over.
        "active" => {
            !is_settled(history, delivery) && (!delivery.outcomes.is_empty() || is_unsent())
        }
        _ => false,
    }
}

/// Whether it is not known if a word holds that does not as far as is known: attempts that are not read
/// may make it hold. Where those that are known rule it out, it is known.
pub(super) fn is_outcome_unknown(history: &History, delivery: &Delivery, word: &str) -> bool {
    let is_unread = || history.is_unread_somewhere(delivery);
    let is_none_known = delivery.outcomes.is_empty();
    match word {
        "unsent" => is_none_known && is_unread(),
        "delivered" | "completed" => is_delivered(delivery) && is_unread(),
        "done" | "active" => (is_none_known || is_settled(history, delivery)) && is_unread(),
        "disabled" | "enabled" => history.unread_at(delivery).any(|id| {
            let endpoint = history.endpoints.get(id);
            endpoint.is_some_and(|endpoint| endpoint.disabled == (word == "disabled"))
        }),
        "manual" | "scheduled" => {
            let mut outcomes = delivery.outcomes.iter();
            let is_in_part = |it| history.attempts_missing(delivery, it).is_some();
            outcomes.any(|outcome| is_in_part(&outcome.endpoint)) || is_unread()
        }
        "failed" | "broken" | "superseded" | "sending" | "canceled" | "cancelled" | "retrying"
        | "exhausted" => is_unread(),
        // The ledger knows what was replayed, and the other words are of no message.
        _ => false,
    }
}

/// Whether every endpoint that is known to have been tried has got it.
fn is_delivered(delivery: &Delivery) -> bool {
    let mut outcomes = delivery.outcomes.iter();
    outcomes.all(|outcome| outcome.state == OutcomeState::Delivered)
}

/// Whether nothing more happens by itself at the endpoints that are known to have been tried.
fn is_settled(history: &History, delivery: &Delivery) -> bool {
    let mut outcomes = delivery.outcomes.iter();
    !delivery.outcomes.is_empty()
        && outcomes.all(|outcome| outcome.state != OutcomeState::Sending)
        && forecasts(history, delivery).all(|forecast| {
            matches!(
                forecast,
                Forecast::Nothing | Forecast::Exhausted { .. } | Forecast::Over { .. }
            )
        })
}

fn forecasts(history: &History, delivery: &Delivery) -> impl Iterator<Item = Forecast> {
    let outcomes = delivery.outcomes.iter();
    outcomes.map(|outcome| history.forecast(delivery, &outcome.endpoint))
}
