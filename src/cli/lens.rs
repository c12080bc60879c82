//! What the query of a headless list is asked about: a History of what was read, and of what the
//! query needs beside it, so that a word means here what it means on the screens.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt, stream};

use super::output::{Stop, note, usage};
use super::reading::{find_messages, is_unlisted, say_no_list, say_unreadable};
use crate::app::subject::{AttemptSubject, DeliverySubject, EndpointSubject, TaskSubject};
use crate::domain::query::{Field, Test};
use crate::domain::time::SECOND;
use crate::domain::{
    Abilities, AssetId, Attempt, Bounds, Change, ChangeKind, Delivery, Endpoint, EndpointId, Event,
    Failure, Health, History, Log, MessageId, Observation, Origin, OutcomeState, Payload, Query,
    TaskId, Time, Unreadable, plural,
};
use crate::io::Clock;
use crate::io::attempts::Attempts;
use crate::io::client::{Client, FULL_PAGE};
use crate::wire::rest::Logged;

/// Requests under way at once.
const AT_ONCE: usize = 8;
/// Endpoints whose attempts are read for how they fare, and attempts of each.
const MAX_FARING: usize = 100;
const MAX_TRIES: usize = 4 * FULL_PAGE;
/// How far back they are read, in microseconds.
const DAY: i64 = 86_400 * SECOND;
/// Names of assets that could not be read, after which no more are asked for.
const MAX_NAMELESS: usize = 100;

/// A query with what is known for it.
pub struct Lens<'a> {
    query: Query,
    /// Whether the query goes by the service's clock by now.
    is_settled: bool,
    client: &'a Client,
    history: History,
    /// Whether attempts and what they were answered are read whatever the query asks.
    has_answers: bool,
    /// Whether attempts are read for how each message stands, too, which leaves no row out.
    has_outcomes: bool,
    /// Messages whose attempts were read.
    read: HashSet<MessageId>,
    clock: Clock,
    n_failed: usize,
    first_failure: Option<Failure>,
    n_unreadable: u64,
    /// Why not all of how the messages stand could be read, which the query does not need.
    unread: Option<Failure>,
}

impl<'a> Lens<'a> {
    /// For a list of at most `n_rows` messages or tasks.
    pub fn new(query: &Query, client: &'a Client, n_rows: usize) -> Self {
        let usual = Bounds::default();
        Self {
            query: query.clone(),
            is_settled: false,
            client,
            history: History::new(Bounds {
                messages: usual.messages.max(n_rows),
                tasks: usual.tasks.max(n_rows),
                asset_names: client.http.limits.asset_names,
                ..usual
            }),
            has_answers: false,
            has_outcomes: false,
            read: HashSet::new(),
            clock: Clock::new(),
            n_failed: 0,
            first_failure: None,
            n_unreadable: 0,
            unread: None,
        }
    }

    /// Reads the attempts with their answers, and the endpoints, whatever the query asks.
    pub fn with_answers(mut self) -> Self {
        self.has_answers = true;
        self
    }

    /// Reads the attempts and the endpoints for how each message stands at them.
    pub fn with_outcomes(mut self) -> Self {
        self.has_outcomes = true;
        self
    }

    /// A message with how it stands at endpoints, where its attempts could be read.
    pub fn delivery(&self, id: &MessageId) -> Option<&Delivery> {
        let found = self.history.deliveries.get(id)?;
        self.read.contains(id).then_some(found)
    }

    /// What is asked, by the service's clock once rows were taken in.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// What was read.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// What that is needed could not be read, in words.
    pub fn missing(&self) -> Option<String> {
        let failure = self.first_failure.as_ref()?;
        Some(format!(
            "{} that {} needed could not be read: {failure}",
            plural(self.n_failed, "answer", "answers"),
            if self.n_failed == 1 { "is" } else { "are" }
        ))
    }

    /// Rows of answers that could not be read.
    pub fn n_unreadable(&self) -> u64 {
        self.n_unreadable
    }

    /// Says what could not be read. Returns whether all could.
    pub fn end(self) -> bool {
        if let Some(failure) = &self.first_failure {
            note(&format!(
                "{} answers that the query needs could not be read, so that rows may be missing: {failure}",
                self.n_failed
            ));
        }
        if let Some(failure) = &self.unread {
            note(&format!(
                "how the messages stand at their endpoints could not all be read: {failure}"
            ));
        }
        self.n_failed == 0
    }

    pub fn shows_message(&self, message: &MessageId) -> bool {
        self.query.is_empty()
            || self
                .history
                .deliveries
                .get(message)
                .is_some_and(|delivery| {
                    self.query.matches(&DeliverySubject {
                        history: &self.history,
                        delivery,
                    })
                })
    }

    pub fn shows_attempt(&self, attempt: &Attempt) -> bool {
        self.query.matches(&AttemptSubject {
            history: &self.history,
            attempt,
        })
    }

    pub fn shows_endpoint(&self, endpoint: &Endpoint) -> bool {
        let is_failing = self.history.deliveries.newest().any(|delivery| {
            let outcome = delivery.outcome(&endpoint.id);
            outcome.is_some_and(|outcome| outcome.state == OutcomeState::Failed)
        });
        self.query.matches(&EndpointSubject {
            endpoint,
            is_failing,
        })
    }

    pub fn shows_task(&self, task: &TaskId) -> bool {
        self.history.tasks.get(task).is_some_and(|row| {
            self.query.matches(&TaskSubject {
                history: &self.history,
                row,
            })
        })
    }

    /// The name of an asset, if it was read.
    pub fn asset_name(&self, asset: &AssetId) -> Option<&str> {
        self.history.asset_name(asset).map(|name| &**name)
    }

    /// Takes in the messages of a list, and reads what the query asks of them.
    pub async fn take_messages(&mut self, rows: impl Iterator<Item = &Logged>) {
        self.settle(self.client.deliveries_ahead());
        let mut ids = Vec::new();
        for logged in rows {
            ids.push(logged.message.id.clone());
            self.take_message(logged);
        }
        let is_needed = self.has_answers
            || self.asks(|test| matches!(test, Test::State(_) | Test::Outcome(_) | Test::Text(_)))
            || self.asks_field(&[Field::Endpoint, Field::Code, Field::Trigger, Field::Cause]);
        if is_needed || self.has_outcomes {
            let client = self.client;
            let answers = ids.into_iter().map(|id| async move {
                let attempts = Attempts::of(client, &id).await;
                (Some(id), attempts)
            });
            self.take_answers(answers, is_needed).await;
        }
        self.read_endpoints().await;
        self.read_schedule().await;
        if self.asks(|test| matches!(test, Test::Text(_))) || self.asks_field(&[Field::Asset]) {
            self.read_names().await;
        }
    }

    /// Takes in the messages of tasks with the events that they tell, and reads their attempts.
    pub async fn take_told(&mut self, rows: &[Logged]) {
        self.take_messages(rows.iter()).await;
        for Logged { message, task } in rows {
            if let (Some(id), Some(task)) = (&message.event, task) {
                self.fold(ChangeKind::Event(Event {
                    id: id.clone(),
                    kind: message.kind.clone(),
                    published: task.published,
                    user: None,
                    task: Some(task.clone()),
                    asset_name: None,
                }));
            }
        }
    }

    /// Takes in the attempts of a list, and reads what the query asks of their messages.
    pub async fn take_attempts(&mut self, rows: impl Iterator<Item = &Attempt>) {
        self.settle(self.client.deliveries_ahead());
        let mut messages = HashSet::new();
        for attempt in rows {
            messages.insert(attempt.message.to_string());
            self.take_attempt(attempt);
        }
        if self.asks_field(&[Field::Type, Field::Task, Field::Asset, Field::User]) {
            let wanted: Vec<String> = messages.into_iter().collect();
            match find_messages(self.client, &wanted).await {
                Ok(found) => found.iter().for_each(|row| self.take_message(&row.value)),
                Err(failure) => self.note_failure(failure),
            }
        }
        if self.asks_field(&[Field::Asset]) {
            self.read_names().await;
        }
        self.read_endpoints().await;
    }

    /// Reads what the query asks of endpoints: whether messages are failing there.
    pub async fn take_endpoints(&mut self, ids: Vec<EndpointId>) {
        self.settle(self.client.deliveries_ahead());
        let asks_how = |test: &Test| {
            matches!(test, Test::State(_)) || matches!(test, Test::Outcome("failed" | "delivered"))
        };
        if !self.asks(asks_how) {
            return;
        }
        let client = self.client;
        let answers = ids.into_iter().map(|id| async move {
            let page = client.attempts_at(&id, FULL_PAGE, None).await;
            let attempts = page.map(|page| Attempts {
                rows: page.rows.into_iter().map(|row| row.value).collect(),
                unreadable: page.unreadable,
            });
            (None, attempts)
        });
        self.take_answers(answers, true).await;
    }

    /// Reads how endpoints fare: their attempts of a day, and when the server disables one. What
    /// cannot be read leaves no row out. Gives how each fares that could be asked.
    pub async fn read_health(&mut self, endpoints: &[&Endpoint]) -> HashMap<EndpointId, Health> {
        if endpoints.len() > MAX_FARING {
            note(&format!(
                "how they fare was asked of the first {MAX_FARING} of {} endpoints",
                endpoints.len()
            ));
        }
        let began = self.service_now();
        let client = self.client;
        let asked = endpoints
            .iter()
            .take(MAX_FARING)
            .map(|endpoint| async move {
                let found = tries_at(client, &endpoint.id, began.plus(-DAY)).await;
                (*endpoint, found)
            });
        let mut answers = stream::iter(asked).buffer_unordered(AT_ONCE);
        let mut found = Vec::new();
        let mut first_failure = None;
        while let Some((endpoint, answer)) = answers.next().await {
            match answer {
                Ok(attempts) => {
                    found.push(endpoint);
                    for attempt in attempts {
                        self.fold(ChangeKind::Attempt(Box::new(attempt)));
                    }
                }
                Err(failure) => {
                    first_failure.get_or_insert(failure);
                }
            }
        }
        drop(answers);
        if let Some(failure) = first_failure {
            note(&format!(
                "how the endpoints fare could not all be read: {failure}"
            ));
        }
        if !found.is_empty()
            && let Ok(published) = self.client.published().await
        {
            self.fold(ChangeKind::Abilities(Box::new(Abilities {
                retry_schedule: published.and_then(|published| published.retry_schedule),
                ..Abilities::default()
            })));
        }
        // What began while it was read counts as well.
        let now = self.service_now();
        let health = |endpoint: &Endpoint| Health::of(&self.history, endpoint, now);
        let found = found.into_iter();
        found
            .map(|endpoint| (endpoint.id.clone(), health(endpoint)))
            .collect()
    }

    /// Takes in the tasks of a list and reads the names of their assets. Exit code 2 for a query
    /// about webhooks, which this list does not read.
    pub async fn take_tasks(
        &mut self,
        rows: impl Iterator<Item = &Observation>,
    ) -> Result<(), Stop> {
        let asks_more = |test: &Test| match test {
            Test::Outcome(word) => !matches!(*word, "done" | "active"),
            Test::Field(field, _) => matches!(
                field,
                Field::Type
                    | Field::Message
                    | Field::Endpoint
                    | Field::Code
                    | Field::Trigger
                    | Field::Cause
            ),
            _ => false,
        };
        if self.asks(asks_more) {
            let why = "it asks about a task's webhooks, which this list does not read; `reeltop messages` takes it";
            return Err(usage("--query", why));
        }
        self.settle(self.client.tasks_ahead());
        for task in rows {
            self.fold(ChangeKind::Task(task.clone()));
        }
        self.read_names().await;
        Ok(())
    }

    /// Once the first rows are there the service has answered, so that its clock is known.
    fn settle(&mut self, ahead: Option<i64>) {
        if !self.is_settled {
            self.query.shift(ahead.unwrap_or(0));
            self.is_settled = true;
        }
    }

    fn asks(&self, test: impl Fn(&Test) -> bool) -> bool {
        self.query.terms().iter().any(|term| test(&term.test))
    }

    fn asks_field(&self, fields: &[Field]) -> bool {
        self.asks(|test| matches!(test, Test::Field(field, _) if fields.contains(field)))
    }

    /// Payloads are not asked about, and would only press on the bounds.
    fn take_message(&mut self, logged: &Logged) {
        let mut message = logged.message.clone();
        message.payload = Payload::Absent;
        self.fold(ChangeKind::Message(Box::new(message)));
        if let Some(task) = &logged.task {
            self.fold(ChangeKind::Task(task.clone()));
        }
    }

    fn take_attempt(&mut self, attempt: &Attempt) {
        let mut attempt = attempt.clone();
        if !self.has_answers && !self.asks_field(&[Field::Cause]) {
            attempt.response = "".into();
        }
        self.fold(ChangeKind::Attempt(Box::new(attempt)));
    }

    /// `is_needed`: whether rows may be missing where one could not be read.
    async fn take_answers<F>(&mut self, answers: impl Iterator<Item = F>, is_needed: bool)
    where
        F: Future<Output = (Option<MessageId>, Result<Attempts, Failure>)>,
    {
        let mut answers = stream::iter(answers).buffer_unordered(AT_ONCE);
        let mut unreadable = Vec::new();
        while let Some((message, answer)) = answers.next().await {
            match answer {
                Ok(attempts) => {
                    attempts
                        .rows
                        .iter()
                        .for_each(|attempt| self.take_attempt(attempt));
                    if let Some(message) = message {
                        self.note_read(message, attempts.missing());
                    }
                    unreadable.extend(attempts.unreadable);
                }
                Err(failure) if is_needed => self.note_failure(failure),
                Err(failure) => {
                    self.unread.get_or_insert(failure);
                }
            }
        }
        say_unreadable(&unreadable);
        self.n_unreadable += Unreadable::sum(&unreadable);
    }

    /// Names and states of endpoints, where the server lists them.
    async fn read_endpoints(&mut self) {
        let asks = |test: &Test| {
            matches!(test, Test::Text(_)) || matches!(test, Test::Outcome("disabled" | "enabled"))
        };
        let is_needed = self.has_answers || self.asks(asks) || self.asks_field(&[Field::Endpoint]);
        if !is_needed && !self.has_outcomes {
            return;
        }
        match self.client.endpoints().await {
            Ok(page) => page
                .rows
                .into_iter()
                .for_each(|row| self.fold(ChangeKind::Endpoint(Box::new(row.value)))),
            // Without the list, which is not documented, ids and URLs of attempts are what there is.
            Err(failure) if is_unlisted(&failure) => {
                say_no_list(&failure, "ids and addresses of attempts name them");
            }
            Err(failure) if is_needed => self.note_failure(failure),
            Err(failure) => {
                self.unread.get_or_insert(failure);
            }
        }
    }

    /// Whether a retry is to come is told by the schedule that the server publishes.
    async fn read_schedule(&mut self) {
        let asks = |test: &Test| {
            matches!(
                test,
                Test::Outcome("retrying" | "exhausted" | "done" | "active")
            )
        };
        if !self.asks(asks) {
            return;
        }
        match self.client.published().await {
            Ok(published) => self.fold(ChangeKind::Abilities(Box::new(Abilities {
                retry_schedule: published.and_then(|published| published.retry_schedule),
                ..Abilities::default()
            }))),
            Err(failure) => self.note_failure(failure),
        }
    }

    /// Names of the assets of all tasks here, as many as are kept; says how many are left out.
    async fn read_names(&mut self) {
        let places = 0..self.history.tasks.places() as u32;
        let rows = places.filter_map(|place| self.history.tasks.row(place));
        let assets: HashSet<AssetId> = rows.map(|row| row.asset()).collect();
        let client = self.client;
        let n_assets = assets.len();
        let most = client.http.limits.asset_names;
        let names = assets.into_iter().take(most).map(|asset| async move {
            let name = client.asset_name(&asset).await?;
            Ok(name.map(|name| ChangeKind::AssetNamed { asset, name }))
        });
        let mut names = stream::iter(names).buffer_unordered(AT_ONCE);
        let (mut n_read, mut n_failed) = (0, 0);
        let mut first_failure: Option<Failure> = None;
        while n_failed < MAX_NAMELESS
            && let Some(name) = names.next().await
        {
            match name {
                Ok(found) => {
                    n_read += 1;
                    if let Some(found) = found {
                        self.fold(found);
                    }
                }
                Err(failure) => {
                    n_failed += 1;
                    first_failure.get_or_insert(failure);
                }
            }
        }
        if n_read < n_assets {
            let why = first_failure.map_or_else(
                || format!("limits.asset_names is {most}"),
                |failure| failure.to_string(),
            );
            let n_left = n_assets - n_read;
            note(&format!(
                "{n_left} of {n_assets} asset names were not read, so that rows may be missing: {why}"
            ));
        }
    }

    /// Takes note that the attempts of a message were read, and why not all of them.
    fn note_read(&mut self, message: MessageId, missing: Option<String>) {
        self.read.insert(message.clone());
        self.fold(match missing {
            None => ChangeKind::AttemptsRead(message),
            Some(why) => ChangeKind::Unread {
                log: Log::AttemptsOf(message),
                why: Some(why.into()),
            },
        });
    }

    /// Now by the clock of the service that delivers, as far as its answers so far tell that.
    pub fn service_now(&mut self) -> Time {
        let clocks = [
            self.client.deliveries_ahead().map(ChangeKind::ServiceAhead),
            self.client.tasks_ahead().map(ChangeKind::TasksAhead),
        ];
        for clock in clocks.into_iter().flatten() {
            self.fold(clock);
        }
        self.history.service_time(self.clock.now().wall)
    }

    fn note_failure(&mut self, failure: Failure) {
        self.n_failed += 1;
        self.first_failure.get_or_insert(failure);
    }

    fn fold(&mut self, kind: ChangeKind) {
        self.history.apply(Change {
            seq: self.history.last_seq() + 1,
            received: self.clock.now(),
            origin: Origin::Snapshot,
            raw: None,
            kind,
        });
    }
}

/// The attempts at an endpoint since a time, newest first, as far as they are read.
async fn tries_at(
    client: &Client,
    endpoint: &EndpointId,
    since: Time,
) -> Result<Vec<Attempt>, Failure> {
    let mut found: Vec<Attempt> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = client
            .attempts_at(endpoint, FULL_PAGE, cursor.as_deref())
            .await?;
        let n_before = found.len();
        found.extend(page.rows.into_iter().map(|row| row.value));
        let is_far = found.last().is_some_and(|last| last.started < since);
        let is_over = page.is_last || page.next.is_none();
        if is_far || is_over || found.len() == n_before || found.len() >= MAX_TRIES {
            return Ok(found);
        }
        cursor = page.next;
    }
}
