//! Replays that stand in the ledger, which is told of each of their stages before anybody else: of
//! many at once, in one write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::ReplayOrder;
use crate::domain::{ChangeKind, EndpointId, Failure, Origin, Replay, ReplayStep, Route, Stage};
use crate::io::clock::Clock;
use crate::io::ledger::{Ledger, PlannedAll};
use crate::io::outlet::{Draft, Outlet};
use crate::io::receiver::Receiver;

/// How soon a stage that could not be written is tried again at first, …
const AGAIN: Duration = Duration::from_millis(200);
/// … and at last.
const MAX_AGAIN: Duration = Duration::from_secs(10);

/// A replay that stands in the ledger.
#[derive(Clone)]
pub(super) struct Written {
    pub outlet: Outlet,
    pub order: ReplayOrder,
    pub id: Arc<str>,
    /// Counts what was to be written, so that an older stage is never written after a newer.
    n_noted: Arc<AtomicU64>,
}

/// Stages of one that could not be written yet.
struct Late {
    id: Arc<str>,
    stages: Vec<Stage>,
    /// Which of those that were to be written they are.
    nth: u64,
    n_noted: Arc<AtomicU64>,
}

impl Late {
    /// Newer word of it makes this needless.
    fn is_newest(&self) -> bool {
        self.n_noted.load(Ordering::SeqCst) == self.nth
    }
}

impl Written {
    /// Writes the order into the ledger; nothing may be sent if that fails, for the reason that is
    /// given as its last stage.
    pub async fn new(outlet: &Outlet, order: &ReplayOrder) -> Result<Self, Stage> {
        let written = Self::new_all(outlet, std::slice::from_ref(order)).await;
        first(written)
    }

    /// The same of one that is posted to a receiver, unless another of its message may still arrive
    /// there, whatever it goes by.
    pub async fn to_receiver(
        outlet: &Outlet,
        order: &ReplayOrder,
        receiver: Receiver,
    ) -> Result<Self, Stage> {
        let orders = std::slice::from_ref(order);
        first(Self::planned(outlet, orders, Some(receiver)).await)
    }

    /// The same of many that go by one route: all are written, or none. Where one alone speaks
    /// against it, says which.
    pub async fn new_all(
        outlet: &Outlet,
        orders: &[ReplayOrder],
    ) -> Result<Vec<Self>, (Option<usize>, Stage)> {
        Self::planned(outlet, orders, None).await
    }

    async fn planned(
        outlet: &Outlet,
        orders: &[ReplayOrder],
        receiver: Option<Receiver>,
    ) -> Result<Vec<Self>, (Option<usize>, Stage)> {
        let Some(first) = orders.first() else {
            return Ok(Vec::new());
        };
        let (now, route) = (outlet.clock().now(), first.route);
        let pairs = orders.iter().map(|order| {
            let pair = (order.message.clone(), order.endpoint.clone());
            (order.number, pair)
        });
        let pairs: Vec<_> = pairs.collect();
        let planned = outlet
            .ledger()
            .wait(move |ledger| ledger.plan_beside(&pairs, route, receiver.as_ref(), now));
        match planned.await {
            Ok(PlannedAll::As(ids)) => {
                let one = |(order, id): (&ReplayOrder, Arc<str>)| Self {
                    outlet: outlet.clone(),
                    order: order.clone(),
                    id,
                    n_noted: Arc::default(),
                };
                Ok(orders.iter().zip(ids).map(one).collect())
            }
            Ok(PlannedAll::Open { at, open }) => {
                if !open.state.is_open() {
                    let why = open.meanwhile_words();
                    return Err((Some(at), Stage::Cancelled(why)));
                }
                let to = orders
                    .get(at)
                    .map_or(&open.endpoint, |order| &order.endpoint);
                Err((Some(at), Stage::Cancelled(kept_words(&open, to))))
            }
            Err(failure) => Err((None, Stage::Refused(failure))),
        }
    }

    /// Writes a stage down, then tells it. Fails if it could not be written.
    pub async fn step(&self, stage: Stage) -> Result<(), Failure> {
        Self::step_all(vec![(self, stage)]).await
    }

    /// The same of many, each with its own: all are written, or none.
    pub async fn step_all(steps: Vec<(&Self, Stage)>) -> Result<(), Failure> {
        let Some((Self { outlet, .. }, _)) = steps.first() else {
            return Ok(());
        };
        let all = steps
            .iter()
            .map(|(row, stage)| (row.id.clone(), stage.clone()));
        write(outlet.ledger(), outlet.clock(), all.collect()).await?;
        // Who sends it looks for its attempt as well. Both are told at once: what comes into sight
        // before its request has ended may be somebody else's.
        let looks = |row: &Self, stage: &Stage| {
            let is_sending = matches!(stage, Stage::Sending { .. });
            (is_sending && row.order.route != Route::Local).then_some(Stage::Looking)
        };
        let told = steps.into_iter().flat_map(|(row, stage)| {
            let looking = looks(row, &stage);
            [stage].into_iter().chain(looking).map(|it| row.draft(it))
        });
        outlet.send(told.collect()).await;
        Ok(())
    }

    /// Writes down how it stands now, and tells it. Where that fails, the ledger goes on holding it
    /// open, as nobody else may send it then, and it is written as soon as that is possible.
    pub async fn note(&self, stage: Stage) {
        Self::note_all(&[self], &[stage]).await;
    }

    /// Writes down that it is looked for no more, and what is not known of it, if anything is not.
    pub async fn note_end(&self, unknown: Option<String>) {
        let unknown = unknown.map(Stage::Unknown);
        let stages: Vec<Stage> = unknown.into_iter().chain([Stage::Looked]).collect();
        Self::note_all(&[self], &stages).await;
    }

    /// Writes down that all of them came through these stages.
    pub async fn note_all(rows: &[&Self], stages: &[Stage]) {
        let Some(Self { outlet, .. }) = rows.first() else {
            return;
        };
        let late: Vec<Late> = rows
            .iter()
            .map(|row| Late {
                id: row.id.clone(),
                stages: stages.to_vec(),
                nth: row.n_noted.fetch_add(1, Ordering::SeqCst) + 1,
                n_noted: row.n_noted.clone(),
            })
            .collect();
        // Without the outlet, so that what waits for the last word does not wait for this.
        let (ledger, clock) = (outlet.ledger().clone(), outlet.clock());
        if let Err(failure) = write_late(&ledger, clock, &late).await {
            tracing::warn!("{failure}");
            tokio::spawn(write_in_time(ledger, clock, late));
        }
        let told = rows
            .iter()
            .flat_map(|row| stages.iter().map(|stage| row.draft(stage.clone())));
        outlet.send(told.collect()).await;
    }

    fn draft(&self, stage: Stage) -> Draft {
        draft(&self.outlet, &self.order, stage)
    }
}

/// Why nothing is sent to this endpoint while another replay is open, and what to do.
pub fn kept_words(open: &Replay, to: &EndpointId) -> String {
    format!("{}; {}", open.rival_words(to), open.closing_hint())
}

fn first(written: Result<Vec<Written>, (Option<usize>, Stage)>) -> Result<Written, Stage> {
    let written = written.map_err(|(_, stage)| stage)?;
    written.into_iter().next().ok_or_else(|| {
        let why = "it was not written down";
        Stage::Cancelled(why.to_owned())
    })
}

/// Tries until all is written that nothing newer has made needless.
async fn write_in_time(ledger: Ledger, clock: Clock, mut late: Vec<Late>) {
    let mut wait = AGAIN;
    loop {
        sleep(wait).await;
        wait = (wait * 2).min(MAX_AGAIN);
        late.retain(Late::is_newest);
        if write_late(&ledger, clock, &late).await.is_ok() {
            return;
        }
    }
}

async fn write_late(ledger: &Ledger, clock: Clock, late: &[Late]) -> Result<(), Failure> {
    let of_one = |late: &Late| {
        let id = late.id.clone();
        let stages = late.stages.clone().into_iter();
        stages.map(move |stage| (id.clone(), stage))
    };
    write(ledger, clock, late.iter().flat_map(of_one).collect()).await
}

async fn write(
    ledger: &Ledger,
    clock: Clock,
    steps: Vec<(Arc<str>, Stage)>,
) -> Result<(), Failure> {
    if steps.is_empty() {
        return Ok(());
    }
    let now = clock.now();
    ledger
        .wait(move |ledger| ledger.step_all(&steps, now))
        .await
}

/// Tells how an order stands.
pub(super) async fn tell(outlet: &Outlet, order: &ReplayOrder, stage: Stage) {
    outlet.send(vec![draft(outlet, order, stage)]).await;
}

/// Tells that all of them stand so.
pub(super) async fn tell_all(outlet: &Outlet, orders: &[ReplayOrder], stage: &Stage) {
    let told = orders
        .iter()
        .map(|order| draft(outlet, order, stage.clone()));
    outlet.send(told.collect()).await;
}

fn draft(outlet: &Outlet, order: &ReplayOrder, stage: Stage) -> Draft {
    let step = ReplayStep {
        replay: order.number,
        message: order.message.clone(),
        endpoint: order.endpoint.clone(),
        route: order.route,
        stage,
    };
    outlet.draft(Origin::User, ChangeKind::Replay(Box::new(step)))
}
