//! Whose clock a time is by. Ours, that of the service that tells of tasks and that of the service
//! that delivers may be hours apart: what is measured is measured by one of them.

use super::super::time::{SECOND, Time};
use super::{EventEntry, History};

/// Two services whose clocks are no further apart agree, in microseconds: each answer tells its
/// service's time to about a second.
const AGREE: i64 = 5 * SECOND;

impl History {
    /// A time of ours by the clock of the service that delivers, by which its messages, attempts and
    /// retries are told.
    pub fn service_time(&self, ours: Time) -> Time {
        ours.plus(self.ahead)
    }

    /// A time of ours by the clock of the service that tells of tasks and events.
    pub fn task_time(&self, ours: Time) -> Time {
        ours.plus(self.tasks_ahead)
    }

    /// When an event happened, by the clock of the service that tells of tasks: as published, else as
    /// received.
    pub fn event_time(&self, entry: &EventEntry) -> Time {
        let received = || self.task_time(entry.received.wall);
        entry.published.unwrap_or_else(received)
    }

    /// How far the clock of the service that delivers is ahead of the one that tells of tasks.
    fn apart(&self) -> i64 {
        let apart = self.ahead.saturating_sub(self.tasks_ahead);
        if apart.saturating_abs() > AGREE {
            apart
        } else {
            0
        }
    }

    /// A time of the service that tells of tasks by the clock of the service that delivers.
    pub fn delivery_time(&self, of_tasks: Time) -> Time {
        of_tasks.plus(self.apart())
    }

    /// A time of the service that delivers by the clock of the service that tells of tasks.
    pub fn on_task_clock(&self, of_deliveries: Time) -> Time {
        of_deliveries.plus(self.apart().saturating_neg())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::change::ChangeKind;
    use super::super::tests::told;
    use super::*;

    #[test]
    fn each_service_has_its_clock_and_two_that_nearly_agree_have_one() {
        let mut history = History::default();
        told(&mut history, 0, ChangeKind::ServiceAhead(7200 * SECOND));
        told(&mut history, 0, ChangeKind::TasksAhead(-SECOND));
        let at = Time::from_seconds;
        assert_eq!(history.service_time(at(10_000)), at(17_200));
        assert_eq!(history.task_time(at(10_000)), at(9_999));
        assert_eq!(history.delivery_time(at(10_000)), at(17_201));
        assert_eq!(history.on_task_clock(at(17_201)), at(10_000));
        told(&mut history, 0, ChangeKind::TasksAhead(7198 * SECOND));
        assert_eq!(history.delivery_time(at(10_000)), at(10_000));
    }
}
