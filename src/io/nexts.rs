//! When the service tries again what failed, where it says so: a Svix server does, of a message's
//! destinations.

use super::client::svix::Svix;
use crate::domain::{
    Abilities, Attempt, Change, ChangeKind, Failure, History, Moment, NextAsked, NextTry, Origin,
    Time, Unreadable,
};

/// What a server said of one message.
#[derive(Debug, Default)]
pub struct Nexts {
    pub told: Vec<NextTry>,
    pub unreadable: Vec<Unreadable>,
}

/// Asks when a message is tried again where it failed. `now` is the time once the answer is there.
pub async fn ask(svix: &Svix, asked: &NextAsked, now: impl Fn() -> Time) -> Result<Nexts, Failure> {
    let page = svix.destinations(&asked.message).await?;
    let now = now();
    let rows = page.rows.into_iter().map(|row| row.value);
    let told = rows.filter_map(|row| asked.heard(&row.endpoint.id, row.next_attempt, now));
    Ok(Nexts {
        told: told.collect(),
        unreadable: page.unreadable,
    })
}

/// A history of nothing but these attempts, by the schedule that is known and the service's clock.
pub fn of_attempts(
    abilities: &Abilities,
    attempts: &[Attempt],
    ahead: i64,
    now: Moment,
) -> History {
    let mut history = History::default();
    let schedule = Abilities {
        retry_schedule: abilities.retry_schedule.clone(),
        ..Abilities::default()
    };
    let attempts = attempts.iter().cloned().map(Box::new);
    let kinds = [
        ChangeKind::Abilities(Box::new(schedule)),
        ChangeKind::ServiceAhead(ahead),
    ];
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
