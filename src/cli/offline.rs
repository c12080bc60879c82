//! The lists as the journal has them: nothing is asked of the server.

use super::args::{AttemptsArgs, EndpointsArgs, MessagesArgs, SourceArgs, TasksArgs};
use super::endpoints::list::print_endpoints;
use super::list::{Numbers, Standing, number, print_attempts, print_messages, query};
use super::output::{Outcome, Stop, note, usage};
use super::{journal, source, tasks as online};
use crate::app::subject::{AttemptSubject, DeliverySubject, EndpointSubject, TaskSubject};
use crate::domain::query::{Term, Test};
use crate::domain::{
    Attempt, Delivery, EndpointId, Health, History, Message, MessageId, OutcomeState, Query,
    TaskId, TaskRow, plural,
};
use crate::io::Clock;
use crate::io::journal::{File, reopen};
use crate::wire::recorded;

/// Everything that the journal of the configured server holds.
pub fn history(from: &SourceArgs) -> Result<History, Stop> {
    let source = source::configured(from)?;
    let settings = journal::required(&source, from)?;
    let file = match File::open_to_read(&settings.file) {
        Ok(Some(file)) => file,
        Ok(None) => return Err(journal::none_yet(&settings.file)),
        Err(trouble) => return Err(journal::stop(&settings.file, &trouble)),
    };
    let mut history = History::new(settings.bounds);
    let found = reopen(&file, &settings.bounds, Clock::new().now(), &mut |batch| {
        history.apply_all(batch);
        true
    });
    if !found.damaged.is_empty() {
        note(&format!(
            "{} parts of the journal could not be read",
            found.damaged.len()
        ));
    }
    for hole in &found.holes {
        let until = hole.until.rfc3339();
        note(&format!(
            "not in the journal: {}, until {until}",
            hole.words()
        ));
    }
    if let Some(alive) = file.facts().unwrap_or_default().alive {
        let end = alive.rfc3339();
        note(&format!("as of {end}, where the journal ends"));
    }
    if let Some(trouble) = &found.broken {
        note(&format!("not all of the journal could be read: {trouble}"));
    }
    Ok(history)
}

/// Reads a query that the journal can answer: which attempts were read, it does not tell.
fn known(text: Option<&str>, is_utc: bool) -> Result<Query, Stop> {
    let query = query(text, is_utc)?;
    let is_unsent = |term: &Term| term.test == Test::Outcome("unsent");
    if query.terms().iter().any(is_unsent) {
        let why = "the journal does not tell which attempts were read, and so not what is unsent; \
                   without --offline the service is asked";
        return Err(usage("--query", why));
    }
    Ok(query)
}

/// Says of how many rows it is not known whether they match.
fn say_open(n: usize, one: &str, many: &str) {
    if n > 0 {
        note(&format!(
            "whether {} more match the journal does not tell, as it does not tell which attempts were \
             read; without --offline the service is asked",
            plural(n, one, many)
        ));
    }
}

/// `tasks --offline`: the unfinished tasks as they were seen last, or those with these ids.
pub fn tasks(args: &TasksArgs, from: &SourceArgs) -> Outcome {
    let query = known(args.query.as_deref(), from.utc)?;
    let history = history(from)?;
    let mut code = 0;
    let mut found: Vec<TaskRow<'_>> = Vec::new();
    if args.ids.is_empty() {
        let places = 0..history.tasks.places() as u32;
        let rows = places.filter_map(|place| history.tasks.row(place));
        found.extend(rows.filter(|row| !row.is_done() && !row.is_gone()));
        found.sort_by_key(|row| std::cmp::Reverse(row.created()));
    } else {
        for id in &args.ids {
            if let Some(row) = history.tasks.get(&TaskId::new(id)) {
                found.push(row);
            } else {
                note(&format!("task {id} is not in the journal"));
                code = 1;
            }
        }
    }
    let mut n_open = 0;
    let matches = |row: &TaskRow<'_>| {
        let task = TaskSubject {
            history: &history,
            row: *row,
        };
        n_open += usize::from(query.may_match(&task));
        query.matches(&task)
    };
    let rows: Vec<_> = (found.into_iter().filter(matches))
        .map(|row| recorded::task(row.observation()))
        .collect();
    let name = |asset: &_| history.asset_name(asset).map(|name| &**name);
    online::print(&rows, name, args.json, from, "no such tasks in the journal")?;
    say_open(n_open, "task", "tasks");
    Ok(code)
}

/// `messages --offline`
pub fn messages(args: &MessagesArgs, from: &SourceArgs) -> Outcome {
    let query = known(args.query.as_deref(), from.utc)?;
    let history = history(from)?;
    let wanted: Vec<MessageId> = args.ids.iter().map(|id| MessageId::new(id)).collect();
    let is_known = |id: &MessageId| {
        let delivery = history.deliveries.get(id);
        delivery.is_some_and(|delivery| delivery.message.is_some())
    };
    let mut code = 0;
    for id in wanted.iter().filter(|id| !is_known(id)) {
        note(&format!("message {id} is not in the journal"));
        code = 1;
    }
    let is_wanted = |message: &Message| wanted.is_empty() || wanted.contains(&message.id);
    let limit = if wanted.is_empty() {
        args.limit
    } else {
        usize::MAX
    };
    let mut n_open = 0;
    let rows: Vec<_> = (history.deliveries.newest())
        .filter(|delivery| delivery.message.as_ref().is_some_and(is_wanted))
        .filter(|delivery| {
            let message = DeliverySubject {
                history: &history,
                delivery,
            };
            n_open += usize::from(query.may_match(&message));
            query.matches(&message)
        })
        .filter_map(|delivery| delivery.message.clone())
        .take(limit)
        .map(recorded::message)
        .collect();
    let standing = Standing {
        history: &history,
        known: &|id| history.deliveries.get(id).filter(|_| !args.no_attempts),
    };
    print_messages(&rows.iter().collect::<Vec<_>>(), &standing, args.json, from)?;
    say_open(n_open, "message", "messages");
    Ok(code)
}

/// `attempts --offline`
pub fn attempts(args: &AttemptsArgs, from: &SourceArgs) -> Outcome {
    let query = query(args.query.as_deref(), from.utc)?;
    let history = history(from)?;
    let message = args.message.as_deref().map(MessageId::new);
    let endpoint = args.endpoint.as_deref().map(EndpointId::new);
    let mut found: Vec<&Attempt> = (history.deliveries.newest())
        .flat_map(Delivery::attempts)
        .filter(|attempt| message.as_ref().is_none_or(|id| attempt.message == *id))
        .filter(|attempt| endpoint.as_ref().is_none_or(|id| attempt.endpoint == *id))
        .filter(|attempt| {
            query.matches(&AttemptSubject {
                history: &history,
                attempt,
            })
        })
        .collect();
    found.sort_by(|a, b| (b.started, &b.id).cmp(&(a.started, &a.id)));
    found.truncate(args.limit);
    let every = history.deliveries.newest().flat_map(Delivery::attempts);
    let numbers: Numbers = number(every);
    let rows: Vec<_> = found.into_iter().cloned().map(recorded::attempt).collect();
    print_attempts(&rows.iter().collect::<Vec<_>>(), &numbers, args.json, from)?;
    Ok(0)
}

/// `endpoints --offline`
pub fn endpoints(args: &EndpointsArgs, from: &SourceArgs) -> Outcome {
    let query = query(args.query.as_deref(), from.utc)?;
    let history = history(from)?;
    let is_failing = |id: &EndpointId| {
        history.deliveries.newest().any(|delivery| {
            let outcome = delivery.outcome(id);
            outcome.is_some_and(|outcome| outcome.state == OutcomeState::Failed)
        })
    };
    let rows: Vec<_> = (history.endpoints.values())
        .filter(|endpoint| {
            query.matches(&EndpointSubject {
                endpoint,
                is_failing: is_failing(&endpoint.id),
            })
        })
        .map(|endpoint| (endpoint.clone(), None))
        .collect();
    let now = Clock::new().now().wall;
    let health = (history.endpoints.values())
        .map(|endpoint| (endpoint.id.clone(), Health::of(&history, endpoint, now)))
        .collect();
    print_endpoints(&rows, &health, now, args.json)?;
    Ok(0)
}
