//! When the service tries again what failed, where it says so: a Svix server does, of a message's
//! destinations.

use super::client::svix::Svix;
use crate::domain::time::SECOND;
use crate::domain::{
    Abilities, Attempt, Change, ChangeKind, Delivery, Failure, Forecast, History, MessageId,
    Moment, NextTry, Origin, OutcomeState, Time, Unreadable,
};

/// So near to the time of a retry it may be under way, and none be planned for that; in
/// microseconds. One that is late for so long is asked about again.
const NEAR: i64 = 60 * SECOND;

/// What a server said of one message.
#[derive(Debug, Default)]
pub struct Nexts {
    pub told: Vec<NextTry>,
    pub unreadable: Vec<Unreadable>,
}

/// Asks when a message is tried again where it failed. `held` knows its attempts; `now` is the time
/// once the answer is there.
pub async fn ask(
    svix: &Svix,
    held: &History,
    message: &MessageId,
    now: impl Fn() -> Time,
) -> Result<Nexts, Failure> {
    let page = svix.destinations(message).await?;
    let mut nexts = Nexts {
        unreadable: page.unreadable,
        ..Nexts::default()
    };
    let Some(delivery) = held.deliveries.get(message) else {
        return Ok(nexts);
    };
    let now = now();
    nexts.told.extend(page.rows.into_iter().filter_map(|row| {
        let endpoint = row.value.endpoint.id;
        let outcome = delivery.outcome(&endpoint)?;
        let estimate = held.schedule.forecast(&delivery.attempts_at(&endpoint));
        if row.value.next_attempt.is_none()
            && let Forecast::Next { at, .. } | Forecast::Uncertain { at, .. } = estimate
            && (at.0 - now.0).abs() < NEAR
        {
            return None;
        }
        Some(NextTry {
            message: message.clone(),
            after: outcome.last.clone(),
            endpoint,
            at: row.value.next_attempt,
        })
    }));
    Ok(nexts)
}

/// Whether it failed at an endpoint where more attempts are to be expected, and the service has not
/// said when.
pub fn is_unknown(held: &History, delivery: &Delivery, now: Time) -> bool {
    delivery.outcomes.iter().any(|outcome| {
        outcome.state == OutcomeState::Failed
            && match held.forecast(delivery, &outcome.endpoint) {
                Forecast::Next {
                    at, is_exact: true, ..
                } => now.since(at) > NEAR,
                Forecast::Next { .. } | Forecast::Uncertain { .. } => true,
                // The schedule may be another than the one that is known here.
                Forecast::Exhausted { .. } => delivery.next_told(&outcome.endpoint).is_none(),
                _ => false,
            }
    })
}

/// A history of nothing but these attempts, by the schedule that is known.
pub fn of_attempts(abilities: &Abilities, attempts: &[Attempt], now: Moment) -> History {
    let mut history = History::default();
    let schedule = Abilities {
        retry_schedule: abilities.retry_schedule.clone(),
        ..Abilities::default()
    };
    let attempts = attempts.iter().cloned().map(Box::new);
    let kinds = [ChangeKind::Abilities(Box::new(schedule))];
    for kind in kinds.into_iter().chain(attempts.map(ChangeKind::Attempt)) {
        history.apply(Change {
            seq: 0,
            received: now,
            origin: Origin::Poll,
            raw: None,
            kind,
        });
    }
    history
}
