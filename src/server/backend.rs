//! The backend: one owner of the service's state, and the only door through which it changes.
//!
//! A change and the event it publishes happen under one short lock, so events are on the stream
//! in the order in which the state moved. Nothing waits in here.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::time::Instant;
use uuid::Uuid;

use super::catalog::{self, Asset, Fate};
use super::clock::{self, rfc3339};
use super::hub::Hub;
use super::port::{Accepted, Delivery};
use super::store::{Overflow, Retention, Store};
use super::tasks::{CORE_FEATURES, EVENT_TYPES, FeatureState, PROGRESS, Task};
use crate::wire::bodies::{
    AssetBody, AssetDataBody, AssetItemBody, EnvelopeBody, IndexBody, IndexDataBody, TaskBody,
    TaskDataBody, UserBody,
};

/// Finished tasks are kept this long, failed ones stay active this long; the time scale divides.
const FINISHED: Duration = Duration::from_hours(24);
const FAILED_ACTIVE: Duration = Duration::from_hours(1);
/// Assets that are there from the start, so that tasks can be asked for at once.
const LIBRARY: usize = 12;

/// A task that the simulator shall work on.
#[derive(Debug)]
pub struct Order {
    pub task_id: String,
    pub fate: Fate,
    pub at: Instant,
}

/// A handle to the state of the running server; cheap to clone.
#[derive(Clone)]
pub struct Backend {
    shared: Arc<Shared>,
}

struct Shared {
    store: Mutex<Store>,
    hub: Hub,
    delivery: Arc<dyn Delivery>,
    orders: mpsc::UnboundedSender<Order>,
    retention: Retention,
    user: UserBody,
    seed: u64,
    /// Tasks asked for by clients so far: each gets a fate of its own.
    requests: AtomicU64,
    /// How far off the clock is, in microseconds.
    skew: AtomicI64,
}

/// Why a task asked for by a client is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TaskRefused {
    #[error("Asset not found")]
    UnknownAsset,
    #[error("too many unfinished tasks")]
    TooMany,
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Backend").finish_non_exhaustive()
    }
}

impl Backend {
    pub(super) fn new(
        hub: Hub,
        delivery: Arc<dyn Delivery>,
        orders: mpsc::UnboundedSender<Order>,
        seed: u64,
        time_scale: f64,
        most_tasks: usize,
    ) -> Self {
        let mut rng = Rng::with_seed(seed);
        let now = clock::now_us();
        let user = user(&mut rng, now);
        let index_id = catalog::uuid(&mut rng);
        let mut store = Store::new(user.id.clone(), index_id, now, most_tasks);
        for _ in 0..LIBRARY {
            store.add_asset(catalog::asset(&mut rng), true, now);
        }
        let scaled = |time: Duration| (time.as_micros() as f64 / time_scale) as i64;
        let retention = Retention {
            finished_us: scaled(FINISHED),
            failed_active_us: scaled(FAILED_ACTIVE),
        };
        let requests = AtomicU64::new(0);
        let store = Mutex::new(store);
        let shared = Shared {
            store,
            hub,
            delivery,
            orders,
            retention,
            user,
            seed,
            requests,
            skew: AtomicI64::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.shared
            .store
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The time by the service's own clock, in unix microseconds.
    pub(super) fn now_us(&self) -> i64 {
        clock::now_us() + self.shared.skew.load(Ordering::Relaxed)
    }

    /// Puts the clock off by so many microseconds. What is written is written.
    pub(super) fn skew_clock(&self, by_us: i64) {
        self.shared.skew.store(by_us, Ordering::Relaxed);
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.shared.hub
    }

    pub(super) fn delivery(&self) -> &dyn Delivery {
        self.shared.delivery.as_ref()
    }

    /// Takes in an asset with its first task, publishes both, and gives the task to the simulator.
    pub(super) fn ingest(
        &self,
        asset: Asset,
        task_id: String,
        features: Vec<(String, FeatureState)>,
        fate: Fate,
    ) -> bool {
        let mut store = self.store();
        let now = self.now_us();
        let task = Task::new(task_id.clone(), asset.id.clone(), features, now);
        let body = task.body(store.user_id());
        if !store.make_room() {
            return false;
        }
        let asset_id = asset.id.clone();
        store.add_asset(asset, false, now);
        store.add_task(task);
        if let Some(asset) = store.asset_body(&asset_id) {
            self.publish_locked("asset.created", now, AssetDataBody { asset });
        }
        self.publish_locked(PROGRESS, now, TaskDataBody { task: body });
        drop(store);
        self.order(task_id, fate);
        true
    }

    /// Makes a task for a client, to be worked on by the simulator; its id.
    pub(super) fn request(&self, asset_id: &str, features: &[&str]) -> Result<String, TaskRefused> {
        let number = self.shared.requests.fetch_add(1, Ordering::Relaxed);
        // Apart from the simulator's own numbers, which count from zero.
        let mut rng = Rng::with_seed(self.shared.seed ^ (number + 1).rotate_right(8));
        let (states, fate) = {
            let store = self.store();
            let asset = store.asset(asset_id).ok_or(TaskRefused::UnknownAsset)?;
            let states = catalog::requested_of(Some(asset), features);
            let fate = catalog::fate(&mut rng, &states, asset.duration_s);
            (states, fate)
        };
        let id = self
            .add_task(asset_id, states)
            .ok_or(TaskRefused::TooMany)?;
        self.order(id.clone(), fate);
        Ok(id)
    }

    fn order(&self, task_id: String, fate: Fate) {
        // Refused only while stopping, when nobody works any more.
        let _ = self.shared.orders.send(Order {
            task_id,
            fate,
            at: Instant::now(),
        });
    }

    fn add_task(&self, asset_id: &str, features: Vec<(String, FeatureState)>) -> Option<String> {
        let id = Uuid::new_v4().to_string();
        let mut store = self.store();
        let now = self.now_us();
        let task = Task::new(id.clone(), asset_id.to_owned(), features, now);
        let body = task.body(store.user_id());
        if !store.add_task(task) {
            return None;
        }
        self.publish_locked(PROGRESS, now, TaskDataBody { task: body });
        Some(id)
    }

    /// Makes a task that nothing works on: it only moves by [`Backend::set_feature`]. All its
    /// features are queued. The asset need not exist.
    pub fn create_task(&self, asset_id: &str, features: &[&str]) -> Option<String> {
        self.add_task(asset_id, catalog::requested_of(None, features))
    }

    /// Sets one feature of a task and publishes what follows; false if nothing changed.
    pub fn set_feature(&self, task_id: &str, feature: &str, state: FeatureState) -> bool {
        self.set_features(task_id, &[(feature, state)])
    }

    /// Sets features of a task in one change, with one event; false if nothing changed.
    pub fn set_features(&self, task_id: &str, changes: &[(&str, FeatureState)]) -> bool {
        let mut store = self.store();
        let now = self.now_us();
        let Some((event_type, task)) = store.change(task_id, changes, now) else {
            return false;
        };
        let asset_id = task.asset_id.clone();
        self.publish_locked(event_type, now, TaskDataBody { task });
        if changes.contains(&("proxy", FeatureState::Completed))
            && let Some(asset) = store.asset_body(&asset_id)
        {
            self.publish_locked("asset.updated", now, AssetDataBody { asset });
        }
        true
    }

    /// The state of one feature; nothing for an unknown task or feature.
    pub fn feature(&self, task_id: &str, feature: &str) -> Option<FeatureState> {
        self.store().task(task_id)?.feature(feature)
    }

    /// Publishes any event, on the stream and, if it is a task event, as a webhook. Gives its id.
    pub fn publish(&self, event_type: &'static str, data: impl Serialize) -> Option<String> {
        let _store = self.store();
        self.publish_locked(event_type, self.now_us(), data)
    }

    /// Puts a frame on the stream with exactly these bytes, for tests and benches of readers.
    pub fn publish_bytes(&self, id: &str, frame: Bytes) {
        self.shared.hub.publish_bytes(id, frame);
    }

    /// Says how the index stands, on the stream.
    pub(super) fn publish_index(&self) {
        let store = self.store();
        let index = store.index_body();
        self.publish_locked("index.updated", self.now_us(), IndexDataBody { index });
    }

    /// Builds the envelope once; stream and webhooks carry the same bytes. The caller holds the
    /// store's lock, which is what keeps events in the order of the changes.
    fn publish_locked(
        &self,
        event_type: &'static str,
        at_us: i64,
        data: impl Serialize,
    ) -> Option<String> {
        let event_id = Uuid::new_v4().to_string();
        let envelope = EnvelopeBody {
            timestamp: &rfc3339(at_us),
            user_id: &self.shared.user.id,
            event_id: &event_id,
            event_type,
            data,
        };
        let text = serde_json::to_string(&envelope).ok()?;
        self.shared.hub.publish(&event_id, event_type, &text);
        if EVENT_TYPES.contains(&event_type) {
            let payload = RawValue::from_string(text).ok()?.into();
            let event_id = event_id.clone();
            self.shared.delivery.accept(Accepted {
                event_id,
                event_type,
                payload,
                at_us,
            });
        }
        Some(event_id)
    }

    pub fn task_body(&self, id: &str) -> Option<TaskBody> {
        let store = self.store();
        store.task(id).map(|task| task.body(store.user_id()))
    }

    pub fn active(&self) -> Vec<TaskBody> {
        self.store().active(self.now_us(), self.shared.retention)
    }

    /// The active tasks, and the time at which they were so.
    pub(super) fn snapshot(&self) -> (i64, Vec<TaskBody>) {
        let store = self.store();
        let now = self.now_us();
        (now, store.active(now, self.shared.retention))
    }

    /// Whether a task was created after that time.
    pub(super) fn is_younger(&self, id: &str, than_us: i64) -> bool {
        self.store()
            .task(id)
            .is_some_and(|task| task.created_us > than_us)
    }

    pub(super) fn asset_body(&self, id: &str) -> Option<AssetBody> {
        let item = self.store().asset_body(id)?;
        Some(AssetBody {
            item,
            index_units: None,
        })
    }

    pub(super) fn assets_of(&self, index_id: &str) -> Option<Vec<AssetItemBody>> {
        self.store().assets_of(index_id)
    }

    pub(super) fn index_body(&self) -> IndexBody {
        self.store().index_body()
    }

    pub(super) fn user(&self) -> &UserBody {
        &self.shared.user
    }

    /// Tasks, unfinished or lately failed ones, and assets.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        self.store().counts()
    }

    /// Tasks that the bound let go early or kept out.
    pub(super) fn overflow(&self) -> Overflow {
        self.store().overflow()
    }

    pub(super) fn sweep(&self) {
        self.store().sweep(self.now_us(), self.shared.retention);
    }
}

fn user(rng: &mut Rng, now_us: i64) -> UserBody {
    let id = catalog::uuid(rng);
    UserBody {
        external_id: format!("user_{}", id.replace('-', "").get(..16).unwrap_or_default()),
        id,
        first_name: "Ada".to_owned(),
        last_name: "Local".to_owned(),
        email: "ada@example.com".to_owned(),
        avatar_url: None,
        created: rfc3339(now_us),
        updated: rfc3339(now_us),
        tokens_remaining: 1_000_000,
        is_aspect_admin: Some(false),
    }
}

/// Features a client may ask for, by their words.
pub(super) fn core_feature(word: &str) -> Option<&'static str> {
    CORE_FEATURES.into_iter().find(|known| *known == word)
}
