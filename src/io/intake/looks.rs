//! One thing that is read now, because somebody looks at it.

use super::super::attempts::Attempts;
use super::super::client::Client;
use super::super::names;
use super::super::nexts::{self, Nexts};
use super::super::outlet::Outlet;
use crate::domain::{
    AssetId, Attempt, ChangeKind, Failure, FailureKind, History, Log, MessageId, NextAsked, Origin,
    Payload, TaskId,
};
use crate::wire::rest::Logged;

/// Something to read now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    Task(TaskId),
    /// All attempts of a message.
    Attempts(MessageId),
    /// A message itself; a Svix server alone tells one by its id.
    Message(MessageId),
    Asset(AssetId),
}

/// Reads it and tells what is found.
pub(super) async fn look(client: &Client, outlet: &Outlet, what: Look) -> Result<(), Failure> {
    match what {
        // There is nobody to ask.
        Look::Task(_) | Look::Asset(_) if client.is_svix_alone => {}
        Look::Task(id) => {
            let kind = match client.task(&id).await {
                Ok(row) => ChangeKind::Task(row.value),
                Err(failure) if failure.kind == FailureKind::NotFound => ChangeKind::TaskGone(id),
                Err(failure) => return Err(failure),
            };
            outlet.tell(Origin::Poll, kind).await;
        }
        Look::Message(id) => look_at_message(client, outlet, &id).await?,
        Look::Attempts(id) => {
            let log = Log::AttemptsOf(id.clone());
            let attempts = match Attempts::of(client, &id).await {
                Ok(attempts) => attempts,
                Err(failure) => {
                    let why = Some(failure.brief().into());
                    let unread = ChangeKind::Unread { log, why };
                    outlet.tell(Origin::Poll, unread).await;
                    return Err(failure);
                }
            };
            let is_whole = attempts.is_whole();
            let missing = attempts.missing().map(Into::into);
            let mut drafts = outlet.unreadable(Origin::Poll, attempts.unreadable);
            let nexts = look_on(client, outlet, &id, &attempts.rows).await;
            let rows = attempts.rows.into_iter();
            drafts.extend(
                rows.map(|attempt| {
                    outlet.draft(Origin::Poll, ChangeKind::Attempt(Box::new(attempt)))
                }),
            );
            // What is said of the next attempt counts after those that are known.
            let nexts = nexts
                .told
                .into_iter()
                .map(Box::new)
                .map(ChangeKind::NextTry);
            drafts.extend(nexts.map(|kind| outlet.draft(Origin::Poll, kind)));
            let end = if is_whole {
                ChangeKind::AttemptsRead(id.clone())
            } else {
                ChangeKind::Unread { log, why: missing }
            };
            drafts.push(outlet.draft(Origin::Poll, end));
            outlet.send(drafts).await;
        }
        Look::Asset(id) => match names::look(client, outlet, &id).await {
            Err(failure)
                if matches!(
                    failure.kind,
                    FailureKind::NotFound | FailureKind::NotOffered
                ) => {}
            outcome => outcome?,
        },
    }
    Ok(())
}

/// Reads one message and tells it, or why it cannot be read.
async fn look_at_message(client: &Client, outlet: &Outlet, id: &MessageId) -> Result<(), Failure> {
    let Some(svix) = &client.svix else {
        return Ok(());
    };
    let read = svix.message(id).await;
    let unread = |why: &str| ChangeKind::Unread {
        log: Log::Message(id.clone()),
        why: Some(why.into()),
    };
    let (kinds, outcome) = match read {
        Ok(row) if row.value.message.id != *id => {
            (vec![unread("the service told another message")], Ok(()))
        }
        Ok(row) => {
            let Logged { message, task } = row.value;
            // What an old message says of a task that goes on is no news of it, where there are
            // tasks to be read.
            let task = task.filter(|task| client.is_svix_alone || task.is_done());
            let is_bare = message.payload == Payload::Absent;
            let bare = is_bare.then(|| unread("the service tells it without a payload"));
            let message = ChangeKind::Message(Box::new(message));
            let kinds = [message].into_iter().chain(task.map(ChangeKind::Task));
            (kinds.chain(bare).collect(), Ok(()))
        }
        Err(failure) if failure.kind == FailureKind::NotFound => {
            (vec![unread("the service keeps it no longer")], Ok(()))
        }
        Err(failure) => (vec![unread(&failure.brief())], Err(failure)),
    };
    let drafts = kinds
        .into_iter()
        .map(|kind| outlet.draft(Origin::Poll, kind));
    outlet.send(drafts.collect()).await;
    outcome
}

/// When the service tries a message again: asked at once for the one that is looked at, as it may
/// be long until its turn. What is not told stays an estimate.
async fn look_on(
    client: &Client,
    outlet: &Outlet,
    message: &MessageId,
    attempts: &[Attempt],
) -> Nexts {
    let now = outlet.clock().now();
    let ahead = client.deliveries_ahead().unwrap_or(0);
    let held = nexts::of_attempts(&outlet.abilities(), attempts, ahead, now);
    let is_unknown = |held: &History| {
        let delivery = held.deliveries.get(message);
        delivery.is_some_and(|delivery| held.is_next_unknown(delivery, now.wall))
    };
    match &client.svix {
        Some(svix) if is_unknown(&held) => {
            let asked = NextAsked::of(&held, message);
            let answer = nexts::ask(svix, &asked, || outlet.clock().now().wall);
            answer.await.unwrap_or_default()
        }
        _ => Nexts::default(),
    }
}

/// Asks when a message of a plan is tried again, and tells what is said of that.
pub(super) async fn ask_next(
    client: &Client,
    outlet: &Outlet,
    asked: &NextAsked,
) -> Result<(), Failure> {
    let Some(svix) = &client.svix else {
        return Err(Failure::absent("when it tries again"));
    };
    let said = nexts::ask(svix, asked, || outlet.clock().now().wall).await?;
    let mut drafts = outlet.unreadable(Origin::Poll, said.unreadable);
    let told = said.told.into_iter().map(Box::new).map(ChangeKind::NextTry);
    drafts.extend(told.map(|kind| outlet.draft(Origin::Poll, kind)));
    outlet.send(drafts).await;
    Ok(())
}
