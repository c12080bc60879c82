//! What became of a replay, by the attempts that are found.

use super::Replays;
use crate::domain::attempt::{Attempt, AttemptStatus, Trigger};
use crate::domain::id::{AttemptId, EndpointId, MessageId};
use crate::domain::replay::{Replay, ReplayState, Route};
use crate::domain::schedule::{Forecast, RetrySchedule};
use crate::domain::time::{Moment, Time};

/// An automatic retry comes a fifth before its time at most; a quarter is on the safe side.
const EARLY: i64 = 4;

/// How long after the end of its attempt a replay may still become ambiguous, in microseconds: two
/// manual attempts at about the same time may have been swapped.
const SETTLED: i64 = 600 * crate::domain::time::SECOND;

impl Replays {
    /// Looks for the attempt that the latest replay of a pair caused: a manual attempt that was
    /// not there before the request, whatever the clocks say (contracts.md, last part). Where the
    /// service does not say what caused an attempt, any that was not there, unless by the schedule
    /// it may be an automatic one. Returns whether the replay's state changed.
    pub fn settle(
        &mut self,
        message: &MessageId,
        endpoint: &EndpointId,
        attempts: &[&Attempt],
        schedule: &RetrySchedule,
        at: Moment,
    ) -> bool {
        let Some(number) = self.latest_of(message, endpoint) else {
            return false;
        };
        let claimed: Vec<AttemptId> = self
            .of(message, endpoint)
            .filter(|replay| replay.number != number)
            .filter_map(|replay| replay.state.attempt().cloned())
            .collect();
        let rivals: Vec<Replay> = self
            .of(message, endpoint)
            // The service has no attempt of what was posted from here.
            .filter(|replay| {
                matches!(replay.state, ReplayState::GivenUp(_)) && replay.route != Route::Local
            })
            .cloned()
            .collect();
        let Some(mut replay) = self.get(number).cloned() else {
            return false;
        };
        // What was refused for certain has caused nothing, whoever else sends it now.
        let is_without = matches!(
            replay.state,
            ReplayState::Planned | ReplayState::Refused(_) | ReplayState::Cancelled(_)
        );
        if is_without {
            return false;
        }
        let Some(before) = replay.before.clone() else {
            return false;
        };
        // Whoever looks may know a part of the attempts only: what was found before stands beside
        // what is found now, and is never forgotten for it.
        let known = replay.state.candidates();
        let mut ours = known.clone();
        let automatic = automatic_from(attempts, &before.ids, schedule);
        let mut is_doubtful = replay.has_rival(&rivals);
        for attempt in attempts {
            let is_new = attempt.trigger != Trigger::Scheduled
                && !before.ids.contains(&attempt.id)
                && !claimed.contains(&attempt.id)
                && !ours.contains(&attempt.id);
            let may_be_automatic = attempt.trigger == Trigger::Unknown
                && automatic.is_some_and(|from| attempt.started >= from);
            // Beside one that is ours, an automatic retry is nothing to wonder at.
            if is_new && (!may_be_automatic || known.is_empty()) {
                is_doubtful |= may_be_automatic;
                ours.push(attempt.id.clone());
            }
        }
        is_doubtful = match replay.state {
            ReplayState::Ambiguous(_) => true,
            _ => is_doubtful && known.is_empty(),
        };
        let state = match ours.as_slice() {
            [] => return false,
            // It may be an automatic one, that of a replay that was given up, one that was there
            // before and could not be read then, or ours may be one that cannot be read now.
            [only] if is_doubtful || !before.is_whole => ReplayState::Ambiguous(vec![only.clone()]),
            [only] => match attempts.iter().find(|attempt| attempt.id == *only) {
                // Its sender has not looked yet whether there is another.
                Some(found) if replay.is_followed => ReplayState::AttemptSeen(found.id.clone()),
                Some(found) => verdict(found, replay.was_unknown),
                None => return false,
            },
            _ if replay.is_settled(at) => return false,
            _ => ReplayState::Ambiguous(ours),
        };
        // An older sight of the same attempt takes nothing back.
        let changed = state != replay.state && state.rank() >= replay.state.rank();
        if !changed {
            return false;
        }
        replay.enter(state, at);
        self.put(replay);
        true
    }
}

impl Replay {
    /// Whether its attempt ended so long ago that another manual one, which appears only now, is
    /// somebody else's.
    fn is_settled(&self, now: Moment) -> bool {
        let is_ended = matches!(
            self.state,
            ReplayState::Delivered { .. } | ReplayState::Failed { .. }
        );
        is_ended && now.wall.since(self.since.wall) > SETTLED
    }

    /// Whether the request of one of these, which were given up, may have made the attempt that
    /// is looked for: it was sent not long before, and no clock tells more.
    fn has_rival(&self, given_up: &[Self]) -> bool {
        let (own, Some(sent)) = (self.number, self.sent) else {
            return false;
        };
        given_up.iter().any(|other| {
            let earlier = other.sent.filter(|_| other.number != own);
            earlier.is_some_and(|earlier| sent.wall.since(earlier.wall) <= SETTLED)
        })
    }
}

/// From when on an attempt that does not say what caused it may be an automatic one, by the
/// service's own clock; `None` if none was to come after those that were there before.
fn automatic_from(
    attempts: &[&Attempt],
    before: &[AttemptId],
    schedule: &RetrySchedule,
) -> Option<Time> {
    const ALWAYS: Option<Time> = Some(Time(i64::MIN));
    let mut earlier: Vec<&Attempt> = attempts
        .iter()
        .filter(|attempt| before.contains(&attempt.id))
        .copied()
        .collect();
    earlier.sort_by_key(|attempt| attempt.started);
    // Without any, the first attempt may not have been made yet.
    let Some(last) = earlier.last().filter(|_| earlier.len() == before.len()) else {
        return ALWAYS;
    };
    match schedule.forecast(&earlier) {
        Forecast::Next { at, .. } | Forecast::Uncertain { at, .. } => {
            let delay = at.since(last.started).max(0);
            Some(last.started.plus(delay - delay / EARLY))
        }
        Forecast::Exhausted { .. }
        | Forecast::Over { .. }
        | Forecast::Unread
        | Forecast::Nothing => None,
    }
}

fn verdict(attempt: &Attempt, found_later: bool) -> ReplayState {
    let attempt_id = attempt.id.clone();
    match attempt.status {
        AttemptStatus::Success => ReplayState::Delivered {
            attempt: attempt_id,
            found_later,
        },
        AttemptStatus::Fail | AttemptStatus::Canceled => ReplayState::Failed {
            attempt: attempt_id,
            found_later,
        },
        _ => ReplayState::AttemptSeen(attempt_id),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use crate::domain::failure::{Failure, FailureKind};
    use crate::domain::replay::{Before, ReplayStep, Reply, Stage};
    use crate::domain::time::SECOND;

    fn at(seconds: i64) -> Moment {
        Moment {
            wall: Time(seconds * SECOND),
            mono: seconds * SECOND,
        }
    }

    fn first(replays: &Replays) -> Replay {
        replays.get(1).unwrap().clone()
    }

    fn edit<T>(replays: &mut Replays, what: impl FnOnce(&mut Replay) -> T) -> T {
        let mut replay = first(replays);
        let told = what(&mut replay);
        replays.put(replay);
        told
    }

    fn manual(id: &str, status: AttemptStatus) -> Attempt {
        Attempt {
            id: AttemptId::new(id),
            message: MessageId::new("msg_1"),
            endpoint: EndpointId::new("ep_1"),
            url: "http://127.0.0.1/".into(),
            started: Time::default(),
            status,
            code: 200,
            duration_ms: None,
            response: "".into(),
            trigger: Trigger::Manual,
        }
    }

    /// A replay that was sent at second 0 and taken.
    fn sent() -> Replays {
        sent_at(0)
    }

    fn sent_at(seconds: i64) -> Replays {
        let mut replays = Replays::default();
        let before = Before::from([]);
        for stage in [Stage::Planned, Stage::Sending { before }, Stage::Accepted] {
            let step = ReplayStep {
                replay: 1,
                message: MessageId::new("msg_1"),
                endpoint: EndpointId::new("ep_1"),
                route: Route::Server,
                stage,
            };
            replays.step(step, at(seconds));
        }
        replays
    }

    #[test]
    fn where_not_all_that_was_before_is_known_no_attempt_is_taken_for_ours() {
        let (old, ours) = (
            manual("a1", AttemptStatus::Success),
            manual("a2", AttemptStatus::Fail),
        );
        let mut replays = sent();
        edit(&mut replays, |it| {
            it.before.as_mut().unwrap().is_whole = false;
        });
        let one = ReplayState::Ambiguous(vec![old.id.clone()]);
        assert_eq!(settle(&mut replays, &[&old], 1), one);
        assert!(
            first(&replays)
                .words()
                .ends_with("attempt a1 may be ours, and not all attempts could be read")
        );
        // The other one is named beside it, whenever it is seen.
        let both = ReplayState::Ambiguous(vec![old.id.clone(), ours.id.clone()]);
        assert_eq!(settle(&mut replays, &[&ours], 2), both);
    }

    #[test]
    fn where_not_all_that_came_since_is_known_no_attempt_is_taken_for_ours() {
        let foreign = manual("a2", AttemptStatus::Success);
        let one = ReplayState::Ambiguous(vec![foreign.id.clone()]);
        let mut replays = sent();
        edit(&mut replays, |it| it.step(Stage::Looking, at(0)));
        // It was seen at a look that was whole, and the next one is not.
        settle(&mut replays, &[&foreign], 1);
        edit(&mut replays, |it| it.step(Stage::Blurred, at(2)));
        assert_eq!(settle(&mut replays, &[&foreign], 2), one);
    }

    fn given_up_then_sent(after: i64) -> Replays {
        let mut replays = sent();
        let mut replay = first(&replays);
        replay.step(Stage::Unknown("no answer".into()), at(60));
        replay.give_up("ann on host (pid 1)", at(70)).unwrap();
        replays.put(replay);
        let again = Replay {
            number: 2,
            state: ReplayState::Accepted,
            sent: Some(at(after)),
            was_unknown: false,
            ..first(&replays)
        };
        replays.put(again);
        replays
    }

    fn settle(replays: &mut Replays, attempts: &[&Attempt], now: i64) -> ReplayState {
        let (message, endpoint) = (MessageId::new("msg_1"), EndpointId::new("ep_1"));
        replays.settle(
            &message,
            &endpoint,
            attempts,
            &RetrySchedule::default(),
            at(now),
        );
        replays.get(1).unwrap().state.clone()
    }

    #[test]
    fn who_knows_a_part_of_the_attempts_rewrites_nothing() {
        let (first, second) = (
            manual("a1", AttemptStatus::Success),
            manual("a2", AttemptStatus::Fail),
        );
        let mut replays = sent();
        let delivered = settle(&mut replays, &[&first], 1);
        assert_eq!(delivered.name(), "delivered");
        // One that knows only the other attempt: two of them may be ours.
        let both = ReplayState::Ambiguous(vec![first.id.clone(), second.id.clone()]);
        assert_eq!(settle(&mut replays, &[&second], 2), both);
        // And it stays so for whoever knows one of them.
        for known in [&first, &second] {
            assert_eq!(settle(&mut replays, &[known], 3), both);
        }
    }

    #[test]
    fn what_the_ledger_says_of_our_own_keeps_the_moments_of_this_run() {
        let mut replays = sent_at(90);
        let known = first(&replays);
        let without_clock = |moment: Moment| Moment { mono: 0, ..moment };
        let mut told = known.clone();
        told.planned = without_clock(known.planned);
        told.sent = known.sent.map(without_clock);
        told.since = without_clock(known.since);
        replays.take(told.clone());
        assert_eq!(first(&replays), known);
        told.state = ReplayState::Delivered {
            attempt: AttemptId::new("a1"),
            found_later: false,
        };
        replays.take(told);
        assert_eq!(first(&replays).sent, known.sent);
        assert!(first(&replays).since.mono >= known.since.mono);
    }

    #[test]
    fn what_was_refused_or_posted_from_here_takes_no_attempt_for_its_own() {
        let theirs = manual("a1", AttemptStatus::Success);
        let failure = Failure::new(FailureKind::Invalid, "422", "");
        let reply = Reply {
            code: 500,
            duration_ms: 3,
        };
        for (route, last) in [
            (Route::Server, Stage::Refused(failure)),
            (Route::Local, Stage::Answered(reply)),
            (Route::Local, Stage::Unknown("it was cut".into())),
        ] {
            let mut replays = Replays::default();
            let before = Before::from([]);
            for stage in [Stage::Planned, Stage::Sending { before }, last] {
                let step = ReplayStep {
                    replay: 1,
                    message: theirs.message.clone(),
                    endpoint: theirs.endpoint.clone(),
                    route,
                    stage,
                };
                replays.step(step, at(0));
            }
            let state = replays.get(1).unwrap().state.clone();
            assert_eq!(settle(&mut replays, &[&theirs], 1), state);
        }
    }

    #[test]
    fn what_ended_long_ago_is_not_doubted_for_a_later_resend_of_somebody() {
        let (first, second) = (
            manual("a1", AttemptStatus::Success),
            manual("a2", AttemptStatus::Fail),
        );
        let mut replays = sent();
        let delivered = settle(&mut replays, &[&first], 1);
        assert_eq!(settle(&mut replays, &[&second], 3600), delivered);
        assert_eq!(settle(&mut replays, &[&first, &second], 3600), delivered);
    }

    #[test]
    fn an_older_sight_of_its_attempt_takes_nothing_back() {
        let mut replays = sent();
        let done = manual("a1", AttemptStatus::Success);
        let delivered = settle(&mut replays, &[&done], 1);
        let running = manual("a1", AttemptStatus::Sending);
        assert_eq!(settle(&mut replays, &[&running], 2), delivered);
    }

    #[test]
    fn what_was_given_up_is_closed_and_found_all_the_same() {
        let mut replays = sent();
        let mut replay = first(&replays);
        replay.step(Stage::Unknown("no answer".into()), at(60));
        replay.give_up("ann on host (pid 1)", at(70)).unwrap();
        assert_eq!(
            replay.give_up("bob", at(80)).unwrap_err(),
            "it is given up already"
        );
        replays.put(replay.clone());
        assert!(!replay.state.is_open() && replay.since == at(70));
        assert!(
            replay
                .words()
                .contains("ann on host (pid 1); it was unknown: no answer")
        );
        let pair = (MessageId::new("msg_1"), EndpointId::new("ep_1"));
        assert!(replays.doubtful_of(&pair.0, &pair.1).is_some());
        // An attempt under way does not open it again; its end is told.
        let running = manual("a1", AttemptStatus::Sending);
        assert_eq!(settle(&mut replays, &[&running], 90).name(), "given up");
        let done = manual("a1", AttemptStatus::Success);
        let found_later = ReplayState::Delivered {
            attempt: done.id.clone(),
            found_later: true,
        };
        assert_eq!(settle(&mut replays, &[&done], 99), found_later);
        let reason = replays.all().next_back().and_then(Replay::reason);
        assert_eq!(
            reason.as_deref(),
            Some("found later, perhaps somebody else's")
        );
    }

    #[test]
    fn what_is_posted_from_here_hides_no_resend_and_is_no_rival_of_one() {
        let pair = (MessageId::new("msg_1"), EndpointId::new("ep_1"));
        let moment = |at| Moment {
            wall: Time(at),
            mono: at,
        };
        let mut replays = Replays::default();
        let mut tell = |number, route, stage, at| {
            replays.step(
                ReplayStep {
                    replay: number,
                    message: pair.0.clone(),
                    endpoint: pair.1.clone(),
                    route,
                    stage,
                },
                moment(at),
            );
        };
        let sending = || Stage::Sending {
            before: Before::from([]),
        };
        for (number, route) in [(1, Route::Server), (2, Route::Local)] {
            tell(number, route, sending(), 10);
            tell(number, route, Stage::Unknown("cut".into()), 10);
        }
        let mut local = replays.get(2).cloned().unwrap();
        local.enter(ReplayState::GivenUp("looked".into()), moment(30));
        replays.put(local);
        let doubtful = replays.doubtful_of(&pair.0, &pair.1);
        assert_eq!(doubtful.map(|replay| replay.number), Some(2));
        // The attempt of the resend comes all the same, and nobody else has made it.
        let done = manual("a1", AttemptStatus::Success);
        let schedule = RetrySchedule::default();
        assert!(replays.settle(&pair.0, &pair.1, &[&done], &schedule, moment(40)));
        let found = &replays.get(1).unwrap().state;
        assert!(
            matches!(
                found,
                ReplayState::Delivered {
                    found_later: true,
                    ..
                }
            ),
            "{found:?}"
        );
    }

    #[test]
    fn an_attempt_that_may_be_of_a_replay_given_up_is_not_taken_for_the_next() {
        let pair = (MessageId::new("msg_1"), EndpointId::new("ep_1"));
        let done = manual("a1", AttemptStatus::Success);
        for (after, name) in [(80, "ambiguous"), (3600, "delivered")] {
            let mut replays = given_up_then_sent(after);
            assert!(replays.settle(
                &pair.0,
                &pair.1,
                &[&done],
                &RetrySchedule::default(),
                at(after + 1)
            ));
            assert_eq!(replays.get(2).unwrap().state.name(), name);
            assert_eq!(replays.get(1).unwrap().state.name(), "given up");
        }
    }

    fn unmarked(id: &str, started: i64, status: AttemptStatus) -> Attempt {
        Attempt {
            started: at(started).wall,
            code: if status == AttemptStatus::Success {
                204
            } else {
                500
            },
            trigger: Trigger::Unknown,
            ..manual(id, status)
        }
    }

    /// A replay that was sent after these attempts, which do not say what caused them.
    fn sent_after(earlier: &[&Attempt]) -> Replays {
        let mut replays = sent();
        let before: Vec<_> = earlier.iter().map(|attempt| attempt.id.clone()).collect();
        edit(&mut replays, |it| it.before = Some(before.into()));
        replays
    }

    #[test]
    fn without_triggers_the_only_new_attempt_is_ours_unless_it_may_be_automatic() {
        let failed = unmarked("a1", 100, AttemptStatus::Fail);
        // By Svix's schedule the next comes 5 s later, or a fifth sooner.
        for (started, name) in [(102, "delivered"), (104, "ambiguous"), (400, "ambiguous")] {
            let new = unmarked("a2", started, AttemptStatus::Success);
            let mut replays = sent_after(&[&failed]);
            let state = settle(&mut replays, &[&new, &failed], 500);
            assert_eq!(state.name(), name, "{started}");
            // And it stays so.
            assert_eq!(settle(&mut replays, &[&new, &failed], 501), state);
        }
        // Nothing comes by itself after a delivery; what was there before must be known for that.
        let done = unmarked("a1", 100, AttemptStatus::Success);
        let new = unmarked("a2", 400, AttemptStatus::Success);
        let state = settle(&mut sent_after(&[&done]), &[&new, &done], 500);
        assert_eq!(state.name(), "delivered");
        let state = settle(&mut sent_after(&[&done]), &[&new], 500);
        assert_eq!(state.name(), "ambiguous");
    }

    #[test]
    fn without_triggers_more_than_one_new_attempt_is_ambiguous() {
        let failed = unmarked("a1", 100, AttemptStatus::Fail);
        let ours = unmarked("a2", 101, AttemptStatus::Fail);
        let other = unmarked("a3", 102, AttemptStatus::Fail);
        let mut replays = sent_after(&[&failed]);
        let state = settle(&mut replays, &[&failed, &ours, &other], 500);
        assert_eq!(state.name(), "ambiguous");
        // An automatic retry after ours was found is nothing to wonder at.
        let mut replays = sent_after(&[&failed]);
        let state = settle(&mut replays, &[&failed, &ours], 500);
        assert_eq!(state.name(), "failed");
        let retry = unmarked("a3", 450, AttemptStatus::Success);
        assert_eq!(settle(&mut replays, &[&failed, &ours, &retry], 501), state);
    }

    #[test]
    fn no_outcome_is_final_before_its_sender_looked_once_more() {
        let (first, second) = (
            manual("a1", AttemptStatus::Success),
            manual("a2", AttemptStatus::Fail),
        );
        let mut replays = sent();
        edit(&mut replays, |it| it.step(Stage::Looking, at(0)));
        assert_eq!(settle(&mut replays, &[&first], 1).name(), "attempt seen");
        let mut alone = replays.clone();
        edit(&mut alone, |it| it.step(Stage::Looked, at(2)));
        assert_eq!(settle(&mut alone, &[&first], 2).name(), "delivered");
        assert_eq!(
            settle(&mut replays, &[&first, &second], 2).name(),
            "ambiguous"
        );
        // Nor is it certain where nobody looked: the sender is gone, or never had an answer.
        for stage in [None, Some(Stage::Unknown("no answer".into()))] {
            let mut replays = sent();
            edit(&mut replays, |it| it.step(Stage::Looking, at(0)));
            settle(&mut replays, &[&first], 1);
            match stage {
                None => edit(&mut replays, |it| it.orphan(at(2))),
                Some(stage) => {
                    edit(&mut replays, |it| it.step(stage, at(2)));
                    edit(&mut replays, |it| it.step(Stage::Looked, at(2)));
                }
            }
            let later = ReplayState::Delivered {
                attempt: first.id.clone(),
                found_later: true,
            };
            assert_eq!(settle(&mut replays, &[&first], 3), later);
        }
    }
}
