//! Many messages replayed at once: where, in which order, and what is to be known before.

mod sweep;

use std::collections::{BTreeSet, HashMap, HashSet};

use super::history::{Delivery, History};
use super::id::{EndpointId, MessageId, TaskId};
use super::link::Ability;
use super::message::Message;
use super::offer::Offer;
use super::plan::{Grounds, Plan, PlanItem, UNPLACED, Verdict, plan_local_tried, plan_tried};
use super::queue::{Job, MAX_FAILURES};
use super::replay::{LedgerRow, Route};
use super::time::{SECOND, Time, rough_words};

pub use sweep::{Sweep, Takes, Tried};

/// More than so many are confirmed by typing their number.
pub const MANY: usize = 20;
/// How long the attempt of a replay is looked for at a quick pace, in microseconds; as long, the
/// next of its task waits.
pub const FOLLOWED: i64 = 60 * SECOND;
/// So many are sent in a second, where nothing else is asked for.
pub const PER_SECOND: f64 = 5.0;
/// How far back Svix recovers, in microseconds (Svix API, "Recover Failed Webhooks").
pub const RECOVERED: i64 = 14 * 24 * 3600 * SECOND;

/// The messages as they happened, the oldest first, each once, and how many were named again.
pub fn oldest_first(
    history: &History,
    messages: impl IntoIterator<Item = MessageId>,
) -> (Vec<MessageId>, usize) {
    let mut seen = HashSet::new();
    let mut n_doubles = 0;
    let mut once: Vec<MessageId> = Vec::new();
    for message in messages {
        if seen.insert(message.clone()) {
            once.push(message);
        } else {
            n_doubles += 1;
        }
    }
    once.sort_by_cached_key(|id| {
        let time = history.deliveries.get(id).map(Delivery::time);
        (time, id.clone())
    });
    (once, n_doubles)
}

/// The plan of a message among many, at the endpoints that were tried: only where it failed, and
/// not where the endpoint has heard of a newer state of the task since. One request for many asks nobody
/// which of them it sends, so that what would be skipped is warned of there.
pub fn plan_of_many(
    history: &History,
    route: Route,
    message: &MessageId,
    only: Option<&EndpointId>,
    is_read_only: bool,
    now: Time,
) -> Plan {
    let mut plan = match route {
        Route::Local => plan_local_tried(history, message, only, is_read_only, now),
        Route::Server | Route::Svix | Route::Recover | Route::Missing | Route::Bulk => {
            plan_tried(history, message, only, is_read_only, now)
        }
    };
    leave_out_stale(history, &mut plan);
    if route.is_sweep() {
        plan.route = format!("Svix's {}, one request", route.name());
        plan.items.retain(|item| item.is_failing);
        plan.items.iter_mut().for_each(send_all_the_same);
    }
    plan
}

fn send_all_the_same(item: &mut PlanItem) {
    if let Verdict::Skip(why) = &item.verdict {
        if !item.warnings.contains(why) {
            item.warnings.push(why.clone());
        }
        item.verdict = Verdict::Send;
        item.is_chosen = true;
    }
}

/// Takes what needs no replay out of what is chosen.
fn leave_out_stale(history: &History, plan: &mut Plan) {
    let deliveries = &history.deliveries;
    for item in plan.items.iter_mut().filter(|item| item.is_chosen) {
        let delivery = deliveries.get(&plan.message);
        if !item.is_failing {
            let why = "it was delivered there before, whatever came of a later try";
            item.leave_out(why.to_owned());
        } else if delivery.is_some_and(|it| deliveries.is_superseded(it, &item.endpoint)) {
            let why = "superseded: it took a newer message of this task since";
            item.leave_out(why.to_owned());
        } else if delivery.is_some_and(|it| deliveries.is_unplaced(it)) {
            item.leave_out(UNPLACED.to_owned());
        }
    }
}

/// What one request would be asked for: everything that failed last at one endpoint since a time, by
/// Svix's recover, or of some event types alone, by its bulk-replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    pub asked: Sweep,
    /// What is known to have failed there last since then.
    pub messages: Vec<MessageId>,
}

impl Recovery {
    /// What one request of the route would have to ask for to send these pairs again, and what else it
    /// sends. Fails with the reason why none can.
    pub fn of(
        history: &History,
        route: Route,
        pairs: &[(MessageId, EndpointId)],
        now: Time,
    ) -> Result<Self, String> {
        let offer = match route {
            Route::Bulk => Offer::BulkReplay,
            _ => Offer::Recover,
        };
        match history.abilities.offers.get(&offer) {
            Some(Ability::Offered(_)) => {}
            Some(Ability::Absent(why)) => return Err(why.clone()),
            Some(Ability::Unknown) => {
                return Err("it is not known yet whether it is offered".into());
            }
            None => return Err("deliveries are not read from a Svix server here".into()),
        }
        let Some((_, endpoint)) = pairs.first() else {
            return Err("nothing failed".into());
        };
        if pairs.iter().any(|(_, other)| other != endpoint) {
            return Err("it asks for one endpoint, and these failed at several".into());
        }
        // The service goes by when it accepted a message: the time of an attempt says nothing of it.
        let read = |(message, _): &(MessageId, EndpointId)| {
            let held = history.deliveries.get(message)?;
            held.message.as_ref()
        };
        let read: Option<Vec<&Message>> = pairs.iter().map(read).collect();
        let read = read.unwrap_or_default();
        let Some(oldest) = read.iter().map(|message| message.accepted).min() else {
            return Err("when one of these was accepted is not known".into());
        };
        let since = Time(oldest.0 - oldest.0.rem_euclid(SECOND));
        let takes = if route == Route::Bulk {
            let kinds: BTreeSet<&str> = read.iter().map(|message| message.kind.name()).collect();
            Takes::Tried {
                event_types: kinds.into_iter().map(str::to_owned).collect(),
                outcome: Some(Tried::Failed),
            }
        } else {
            Takes::Failed
        };
        if takes == Takes::Failed && history.service_time(now).since(since) > RECOVERED {
            return Err("it goes back 14 days, and the oldest of these is older".into());
        }
        let asked = Sweep {
            endpoint: endpoint.clone(),
            since,
            takes,
        };
        Ok(Self {
            messages: failed_since(history, &asked),
            asked,
        })
    }

    /// All that fails there by now, what has come to it meanwhile included: it is sent as well.
    pub fn failing(&self, history: &History) -> Vec<Job> {
        failed_since(history, &self.asked)
            .into_iter()
            .map(|message| job(history, message, &self.asked.endpoint))
            .collect()
    }

    /// What speaks against the request as a whole, beside the messages that fail there: a replay to
    /// the endpoint that is open may yet fail, and would be sent again by it.
    pub fn obstacle(&self, history: &History) -> Option<String> {
        let mut open = history.replays.open();
        let open = open.find(|replay| replay.endpoint == self.asked.endpoint)?;
        Some(format!(
            "nothing can be {}, as for {} {}",
            self.asked.takes.sent(),
            open.message.short(20),
            open.open_words()
        ))
    }
}

/// What such a request is known to take, the oldest first: what was accepted since its time, and what
/// was tried since, whichever the service goes by.
fn failed_since(history: &History, asked: &Sweep) -> Vec<MessageId> {
    let (endpoint, since) = (&asked.endpoint, asked.since);
    let failed = history.deliveries.newest().filter(|delivery| {
        let is_since = || {
            let mut attempts = delivery.attempts_at(endpoint).into_iter();
            delivery.time() >= since || attempts.any(|attempt| attempt.started >= since)
        };
        asked.takes_message(history, &delivery.id) && is_since()
    });
    oldest_first(history, failed.map(|delivery| delivery.id.clone())).0
}

fn job(history: &History, message: MessageId, endpoint: &EndpointId) -> Job {
    let held = history.deliveries.get(&message);
    Job {
        task: held.and_then(|held| held.message.as_ref()?.task.clone()),
        endpoint: endpoint.clone(),
        grounds: Grounds::of(history, &message, endpoint),
        message,
    }
}

/// What is chosen in the plans, in their order.
pub fn jobs<'a>(plans: &'a [Plan], history: &'a History) -> impl Iterator<Item = Job> + 'a {
    plans.iter().flat_map(|plan| {
        let held = history.deliveries.get(&plan.message);
        let task = held.and_then(|held| held.message.as_ref()?.task.clone());
        plan.chosen().map(move |item| Job {
            message: plan.message.clone(),
            endpoint: item.endpoint.clone(),
            task: task.clone(),
            grounds: item.grounds.clone(),
        })
    })
}

/// A message and where it goes, as one of many.
pub trait Pair {
    fn message(&self) -> &MessageId;
    fn endpoint(&self) -> &EndpointId;
    fn task(&self) -> Option<&TaskId>;
}

impl Pair for Job {
    fn message(&self) -> &MessageId {
        &self.message
    }

    fn endpoint(&self) -> &EndpointId {
        &self.endpoint
    }

    fn task(&self) -> Option<&TaskId> {
        self.task.as_ref()
    }
}

/// Puts the pairs in the order in which a run takes them: what was never replayed goes first and what
/// was tried last goes last, so that a bulk that failures stopped goes on with the rest when it is
/// asked for again. What one endpoint hears of one task keeps its order, and goes by the latest try
/// of any of it.
pub fn untried_first<T: Pair>(pairs: &mut [T], history: &History) {
    let lane = |pair: &T| {
        let alone = pair.task().is_none().then(|| pair.message().clone());
        (pair.endpoint().clone(), pair.task().cloned(), alone)
    };
    let mut tries: HashMap<_, LedgerRow> = HashMap::new();
    for pair in &*pairs {
        if let Some(row) = history.replays.tried(pair.message(), pair.endpoint()) {
            let latest = tries.entry(lane(pair)).or_insert(row);
            *latest = row.max(*latest);
        }
    }
    pairs.sort_by_cached_key(|pair| tries.get(&lane(pair)).copied());
}

/// How many of them an earlier replay tried.
pub fn n_tried<'a, T: Pair + 'a>(pairs: impl Iterator<Item = &'a T>, history: &History) -> usize {
    let is_tried = |pair: &&T| {
        let tried = history.replays.tried(pair.message(), pair.endpoint());
        tried.is_some()
    };
    pairs.filter(is_tried).count()
}

/// That so many were tried before, where any were.
pub fn tried_words(n_tried: usize) -> Option<String> {
    match n_tried {
        0 => None,
        1 => Some(
            "1 of them was tried by an earlier replay: it goes last, and with it what else its \
             task has"
                .to_owned(),
        ),
        n => Some(format!(
            "{n} of them were tried by an earlier replay: they go last, and with them what else \
             their tasks have"
        )),
    }
}

/// That the service tries so many of them again by itself, so many of these by estimate alone.
pub fn retried_words(n: usize, n_estimated: usize) -> String {
    match n_estimated {
        0 => format!("the service tries {n} of them again by itself"),
        all if all == n => format!("by estimate the service tries {n} of them again by itself"),
        some => format!("the service tries {n} of them again by itself ({some} by estimate)"),
    }
}

/// How so many are sent, in words.
pub fn order_words(n: usize, per_second: f64) -> String {
    let took = rough_words(((n as f64 / per_second * SECOND as f64) as i64).max(SECOND));
    format!(
        "oldest first, at most {per_second} a second, so in about {took}; the next of a task waits \
         for the one before; {MAX_FAILURES} failures in a row stop it"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::failure::{Failure, FailureKind};
    use crate::domain::replay::{Replay, ReplayStep, Replays, Stage};
    use crate::domain::time::Moment;

    fn job(message: &str, task: Option<&str>) -> Job {
        Job {
            message: MessageId::new(message),
            endpoint: EndpointId::new("ep"),
            task: task.map(TaskId::new),
            grounds: Grounds::default(),
        }
    }

    #[test]
    fn what_was_tried_goes_last_and_a_task_keeps_its_order() {
        let jobs = [
            job("m1", None),
            job("m2", Some("t")),
            job("m3", None),
            job("m4", Some("t")),
            job("m5", None),
            job("m6", None),
        ];
        let mut history = History::default();
        // The newest try of the task is the latest of all; what was taken back or put off is none.
        let refused = |kind| Stage::Refused(Failure::new(kind, "", ""));
        let tries = [
            ("m3", Stage::Planned),
            ("m1", refused(FailureKind::NotFound)),
            ("m4", Stage::Planned),
            ("m5", Stage::Cancelled("ended".to_owned())),
            ("m6", refused(FailureKind::RateLimited)),
        ];
        for ((message, stage), n) in tries.into_iter().zip(1_u32..) {
            let at = Moment {
                wall: Time(0),
                mono: 0,
            };
            let mut replays = Replays::default();
            replays.step(
                ReplayStep {
                    replay: n.into(),
                    message: MessageId::new(message),
                    endpoint: EndpointId::new("ep"),
                    route: Route::Server,
                    stage,
                },
                at,
            );
            for told in replays.all() {
                let row = Some(LedgerRow {
                    file: 1,
                    n: n.into(),
                    rev: 0,
                });
                history.replays.take(Replay {
                    row,
                    ..told.clone()
                });
            }
        }
        let mut jobs = jobs;
        untried_first(&mut jobs, &history);
        let order = jobs.each_ref().map(|job| job.message.to_string());
        assert_eq!(order, ["m5", "m6", "m3", "m1", "m2", "m4"]);
        assert_eq!(n_tried(jobs.iter(), &history), 3);
    }
}
