//! Faults that can be switched on: a server as bad as a client may meet, on purpose and by seed.
//!
//! ```text
//! request ──► gate: refuse, or let through and reshape the answer
//!                └──► flow: the bytes of an open stream, event by event
//! ```
//!
//! The routes know nothing of it. A switch reaches streams that are open; where a fault only shows
//! in a new connection, they end.

mod fault;
mod flow;
mod frame;
mod gate;
mod mix;
mod route;
mod shape;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use fault::{ALL, Choice, FAULTS, Fault, FaultSet, UnknownFault};

use super::backend::Backend;
use crate::wire::bodies::TaskBody;
use mix::Mix;

/// How far off the server's clock is while it is, in microseconds.
const SKEW: i64 = 7 * 60 * 1_000_000;

/// The switch of a server's faults; cheap to clone.
#[derive(Clone)]
pub struct Chaos {
    inner: Arc<Inner>,
}

struct Inner {
    seed: u64,
    backend: Backend,
    on: watch::Sender<FaultSet>,
    switch: Mutex<Switch>,
    figures: Figures,
    n_streams: AtomicU64,
    stop: CancellationToken,
    tracker: TaskTracker,
}

#[derive(Default)]
struct Switch {
    choice: Choice,
    /// Ends the mix under way.
    mix: Option<CancellationToken>,
    stale: Option<Arc<Stale>>,
}

/// Tasks as they were.
pub(super) struct Stale {
    pub at_us: i64,
    pub active: Vec<TaskBody>,
}

/// What went through the gate.
#[derive(Debug, Default)]
pub(super) struct Figures {
    requests: AtomicU64,
    stream_requests: AtomicU64,
    refused: AtomicU64,
    followed_away: AtomicU64,
    keys_away: AtomicU64,
}

/// Counts of requests since the start, those to `/health` and `/_chaos` aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChaosFigures {
    pub requests: u64,
    pub stream_requests: u64,
    /// Answered by a fault.
    pub refused: u64,
    /// Came by a redirect to another origin, which no client should follow with its key…
    pub followed_away: u64,
    /// … and brought the key along.
    pub keys_away: u64,
}

impl Figures {
    fn count(&self, is_stream: bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.stream_requests
            .fetch_add(u64::from(is_stream), Ordering::Relaxed);
    }

    fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    fn count_away(&self, has_key: bool) {
        self.followed_away.fetch_add(1, Ordering::Relaxed);
        self.keys_away
            .fetch_add(u64::from(has_key), Ordering::Relaxed);
    }

    fn read(&self) -> ChaosFigures {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ChaosFigures {
            requests: read(&self.requests),
            stream_requests: read(&self.stream_requests),
            refused: read(&self.refused),
            followed_away: read(&self.followed_away),
            keys_away: read(&self.keys_away),
        }
    }
}

impl Chaos {
    pub(super) fn new(
        backend: Backend,
        seed: u64,
        stop: CancellationToken,
        tracker: TaskTracker,
    ) -> Self {
        let inner = Inner {
            seed,
            backend,
            on: watch::Sender::new(FaultSet::CALM),
            switch: Mutex::default(),
            figures: Figures::default(),
            n_streams: AtomicU64::new(0),
            stop,
            tracker,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Switches faults; what was on before ends. Must be called inside a tokio runtime.
    pub fn switch(&self, choice: Choice) {
        let mut switch = self.locked();
        if let Some(mix) = switch.mix.take() {
            mix.cancel();
        }
        switch.choice = choice;
        match choice {
            Choice::These(faults) => self.turn_on(&mut switch, faults),
            Choice::Mix => {
                let ended = self.inner.stop.child_token();
                switch.mix = Some(ended.clone());
                let mixing = self.clone().mix(ended);
                self.inner.tracker.spawn(mixing);
            }
        }
    }

    /// What was asked for.
    pub fn choice(&self) -> Choice {
        self.locked().choice
    }

    /// What is on now.
    pub fn faults(&self) -> FaultSet {
        *self.inner.on.borrow()
    }

    /// Counts of requests.
    pub fn read_figures(&self) -> ChaosFigures {
        self.inner.figures.read()
    }

    async fn mix(self, ended: CancellationToken) {
        let mut mix = Mix::new(self.inner.seed);
        loop {
            let spell = mix.next();
            {
                let mut switch = self.locked();
                if ended.is_cancelled() {
                    return;
                }
                self.turn_on(&mut switch, spell.faults);
            }
            tokio::select! {
                () = ended.cancelled() => return,
                () = tokio::time::sleep(spell.lasts) => {}
            }
        }
    }

    fn turn_on(&self, switch: &mut Switch, faults: FaultSet) {
        let inner = &self.inner;
        inner.backend.skew_clock(match faults {
            set if set.has(Fault::ClockAhead) => SKEW,
            set if set.has(Fault::ClockBehind) => -SKEW,
            _ => 0,
        });
        if !faults.has(Fault::StaleSnapshot) {
            switch.stale = None;
        } else if switch.stale.is_none() {
            let (at_us, active) = inner.backend.snapshot();
            switch.stale = Some(Arc::new(Stale { at_us, active }));
        }
        inner.on.send_replace(faults);
    }

    fn locked(&self) -> MutexGuard<'_, Switch> {
        self.inner
            .switch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn stale(&self) -> Option<Arc<Stale>> {
        self.locked().stale.clone()
    }

    fn figures(&self) -> &Figures {
        &self.inner.figures
    }

    fn backend(&self) -> &Backend {
        &self.inner.backend
    }

    fn seed(&self) -> u64 {
        self.inner.seed
    }

    /// For a stream that opens: the faults as they change, and the stream's number.
    fn next_stream(&self) -> (watch::Receiver<FaultSet>, u64) {
        let number = self.inner.n_streams.fetch_add(1, Ordering::Relaxed);
        (self.inner.on.subscribe(), number)
    }

    /// The route by which clients with the key switch faults.
    pub(super) fn route<S: Clone + Send + Sync + 'static>(&self) -> MethodRouter<S> {
        get(route::show)
            .put(route::switch)
            .delete(route::calm)
            .with_state(self.clone())
    }

    /// The same routes behind the gate.
    pub(super) fn before(&self, routes: Router) -> Router {
        routes.layer(from_fn_with_state(self.clone(), gate::pass))
    }
}

impl std::fmt::Debug for Chaos {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chaos")
            .field("on", &self.faults())
            .finish_non_exhaustive()
    }
}
