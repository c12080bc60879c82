//! Many messages replayed at once: where, in which order, and what is to be known before.

use std::collections::HashSet;

use super::history::{Delivery, History};
use super::id::{EndpointId, MessageId};
use super::plan::{Plan, Verdict, plan_tried};
use super::queue::{Job, MAX_FAILURES};
use super::time::{SECOND, Time, rough_words};

/// More than so many are confirmed by typing their number.
pub const MANY: usize = 20;
/// How long the attempt of a replay is looked for at a quick pace, in microseconds; as long, the
/// next of its task waits.
pub const FOLLOWED: i64 = 60 * SECOND;
/// So many are sent in a second, where nothing else is asked for.
pub const PER_SECOND: f64 = 5.0;

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
/// not where the endpoint has heard of a newer state of the task since.
pub fn plan_of_many(
    history: &History,
    message: &MessageId,
    only: Option<&EndpointId>,
    is_read_only: bool,
    now: Time,
) -> Plan {
    let mut plan = plan_tried(history, message, only, is_read_only, now);
    let deliveries = &history.deliveries;
    for item in plan.items.iter_mut().filter(|item| item.is_chosen) {
        let delivery = deliveries.get(message);
        if !item.is_failing {
            let why = "it was delivered there before, whatever came of a later try";
            item.verdict = Verdict::Skip(why.to_owned());
            item.is_chosen = false;
        } else if delivery.is_some_and(|it| deliveries.is_superseded(it, &item.endpoint)) {
            let why = "superseded: it took a newer message of this task since";
            item.verdict = Verdict::Skip(why.to_owned());
            item.is_chosen = false;
        }
    }
    plan
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

/// How so many are sent, in words.
pub fn order_words(n: usize, per_second: f64) -> String {
    let took = rough_words(((n as f64 / per_second * SECOND as f64) as i64).max(SECOND));
    format!(
        "oldest first, at most {per_second} a second, so in about {took}; the next of a task waits \
         for the one before; {MAX_FAILURES} failures in a row stop it"
    )
}
