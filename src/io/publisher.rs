//! Publishes events at a Svix server in the background: several at once, those of one task one after
//! the other, and again what failed in passing.

pub mod line;
mod said;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use self::line::{Line, Next, Pace, Tally, Verdict};
use super::client::failure::Failed;
use super::client::svix::{Published, Svix};
use crate::domain::Failure;

/// How often it is looked whether all is published, at the end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Whoever publishes; it ends when this is dropped.
pub struct Publisher {
    shared: Arc<Shared>,
    publishing: AbortHandle,
}

struct Shared {
    line: Mutex<Line>,
    changed: Notify,
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Publisher {
    /// Begins to publish; `say` gets what people should know. Needs a tokio runtime around it.
    pub fn start(svix: Svix, pace: Pace, say: impl Fn(&str) + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            line: Mutex::new(Line::new(pace)),
            changed: Notify::new(),
        });
        let publishing = tokio::spawn(publish_all(svix, Arc::clone(&shared), say));
        Self {
            shared,
            publishing: publishing.abort_handle(),
        }
    }

    /// Takes an event in; never waits. Where too many wait it is dropped, counted and said.
    pub fn take(&self, event: Published) {
        let task = task_of(&event);
        self.shared.line().push(&task, event);
        self.shared.changed.notify_one();
    }

    pub fn tally(&self) -> Tally {
        self.shared.line().tally()
    }

    /// Tries what waits at once, and waits so long for it. Gives how it stands then, and why the
    /// last try failed that did.
    pub async fn drain(&self, within: Duration) -> (Tally, Option<Failure>) {
        self.shared.line().hurry(Instant::now());
        self.shared.changed.notify_one();
        let emptied = async {
            while self.tally().waiting > 0 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let _ = tokio::time::timeout(within, emptied).await;
        let line = self.shared.line();
        (line.tally(), line.last().cloned())
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.publishing.abort();
    }
}

/// The task that an event is about; one that names none is its own.
fn task_of(event: &Published) -> String {
    #[derive(Deserialize)]
    struct Payload {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        task: Task,
    }
    #[derive(Deserialize)]
    struct Task {
        id: String,
    }
    let payload: Result<Payload, _> = serde_json::from_str(event.payload.get());
    payload.map_or_else(|_| event.event_id.clone(), |payload| payload.data.task.id)
}

async fn publish_all(svix: Svix, shared: Arc<Shared>, say: impl Fn(&str)) {
    let mut on_their_way = FuturesUnordered::new();
    loop {
        let (next, said) = {
            let mut line = shared.line();
            (line.next(Instant::now()), line.said())
        };
        for said in said {
            say(&said.to_string());
        }
        let due = match next {
            Next::Go(trip) => {
                let svix = &svix;
                on_their_way.push(async move {
                    let verdict = verdict(svix.publish(&trip.event).await);
                    (trip, verdict)
                });
                continue;
            }
            Next::Wait(until) => Some(until),
            Next::Nothing => None,
        };
        let wait = async {
            match due {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some((trip, verdict)) = on_their_way.next() => {
                let mut line = shared.line();
                line.settle(*trip, verdict, Instant::now(), fastrand::f64());
            }
            () = wait => {}
            () = shared.changed.notified() => {}
        }
    }
}

/// What a try comes to. Only what Svix says of the event itself is final: a wrong token, an
/// application that is gone or a proxy in between may be mended while events wait.
fn verdict(published: Result<(), Failed>) -> Verdict {
    let Err(failed) = published else {
        return Verdict::Taken;
    };
    let wait = failed.retry_after.filter(|wait| *wait > 0);
    let wait = wait.map(|wait| Duration::from_micros(wait.unsigned_abs()));
    match failed.status {
        Some(400 | 413 | 422) => Verdict::Refused(failed.failure),
        Some(429) => Verdict::Busy(failed.failure, wait),
        _ => Verdict::Failed(failed.failure, wait),
    }
}
