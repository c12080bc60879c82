//! What the embedded service holds: tasks, assets, one index. Bounded, with retention.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::catalog::Asset;
use super::clock::rfc3339;
use super::tasks::{CORE_FEATURES, FeatureState, Task, features_body};
use crate::wire::bodies::{AssetItemBody, IndexBody, ReferenceBody, TaskBody};

/// How long things stay, in microseconds, time scale applied.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    pub finished_us: i64,
    pub failed_active_us: i64,
}

#[derive(Debug)]
struct HeldTask {
    task: Task,
    number: u64,
}

#[derive(Debug)]
struct HeldAsset {
    asset: Asset,
    number: u64,
    features: Vec<(String, FeatureState)>,
    created_us: i64,
    updated_us: i64,
    tasks: usize,
    /// Part of the library that is there from the start.
    kept: bool,
}

#[derive(Debug)]
pub struct Store {
    user_id: String,
    index_id: String,
    started_us: i64,
    tasks: HashMap<String, HeldTask>,
    /// Task ids by number, the order of creation.
    numbers: BTreeMap<u64, String>,
    active: BTreeSet<u64>,
    /// (when it finished, number), oldest first.
    finished: VecDeque<(i64, u64)>,
    assets: HashMap<String, HeldAsset>,
    asset_numbers: BTreeMap<u64, String>,
    next_number: u64,
    size_bytes: u64,
    duration_tenths: u64,
    /// Beyond this the oldest finished tasks go early; with none finished, new ones are refused.
    most_tasks: usize,
    overflow: Overflow,
}

/// What did not fit since the start, for `/health`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overflow {
    /// Finished tasks that went before their time.
    pub evicted: u64,
    /// New tasks that were not taken.
    pub refused: u64,
}

impl Store {
    pub fn new(user_id: String, index_id: String, now_us: i64, most_tasks: usize) -> Self {
        Self {
            user_id,
            index_id,
            started_us: now_us,
            tasks: HashMap::new(),
            numbers: BTreeMap::new(),
            active: BTreeSet::new(),
            finished: VecDeque::new(),
            assets: HashMap::new(),
            asset_numbers: BTreeMap::new(),
            next_number: 0,
            size_bytes: 0,
            duration_tenths: 0,
            most_tasks,
            overflow: Overflow::default(),
        }
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// Adds an asset; `kept` ones outlive their tasks.
    pub fn add_asset(&mut self, asset: Asset, kept: bool, now_us: i64) {
        let number = self.number();
        self.size_bytes += asset.size_bytes;
        self.duration_tenths += duration_tenths(&asset);
        self.asset_numbers.insert(number, asset.id.clone());
        let features = if kept {
            let applies = |feature: &str| match feature {
                "visual" | "proxy" => asset.kind != "audio",
                "transcription" => asset.has_speech,
                _ => true,
            };
            let state = |name| {
                if applies(name) {
                    FeatureState::Completed
                } else {
                    FeatureState::Na
                }
            };
            CORE_FEATURES
                .iter()
                .map(|&name| (name.to_owned(), state(name)))
                .collect()
        } else {
            Vec::new()
        };
        let held = HeldAsset {
            number,
            features,
            created_us: now_us,
            updated_us: now_us,
            tasks: 0,
            kept,
            asset,
        };
        self.assets.insert(held.asset.id.clone(), held);
    }

    pub fn asset(&self, id: &str) -> Option<&Asset> {
        self.assets.get(id).map(|held| &held.asset)
    }

    /// Makes room for one more task; false if there are too many unfinished ones.
    pub fn make_room(&mut self) -> bool {
        while self.tasks.len() >= self.most_tasks {
            let Some((at, number)) = self.finished.pop_front() else {
                self.overflow.refused += 1;
                return false;
            };
            let before = self.tasks.len();
            self.forget_task(at, number);
            self.overflow.evicted += (before - self.tasks.len()) as u64;
        }
        true
    }

    /// Adds a task, unless there are too many unfinished ones.
    pub fn add_task(&mut self, task: Task) -> bool {
        if !self.make_room() {
            return false;
        }
        let number = self.number();
        if let Some(held) = self.assets.get_mut(&task.asset_id) {
            held.tasks += 1;
        }
        self.numbers.insert(number, task.id.clone());
        let id = task.id.clone();
        self.tasks.insert(id.clone(), HeldTask { task, number });
        self.settle(&id);
        true
    }

    /// Changes features of a task; gives the event type to publish with the task as it is now.
    pub fn change(
        &mut self,
        task_id: &str,
        changes: &[(&str, FeatureState)],
        now_us: i64,
    ) -> Option<(&'static str, TaskBody)> {
        let held = self.tasks.get_mut(task_id)?;
        let event_type = held.task.change(changes, now_us)?;
        let body = held.task.body(&self.user_id);
        self.settle(task_id);
        Some((event_type, body))
    }

    /// Brings the indexes in line with a task that was added or changed.
    fn settle(&mut self, task_id: &str) {
        let Some(HeldTask { task, number }) = self.tasks.get(task_id) else {
            return;
        };
        if let Some(held) = self.assets.get_mut(&task.asset_id) {
            held.updated_us = held.updated_us.max(task.updated_us);
            for (name, state) in &task.features {
                match held.features.iter_mut().find(|(known, _)| known == name) {
                    Some((_, old)) => *old = *state,
                    None => held.features.push((name.clone(), *state)),
                }
            }
        }
        if !task.is_done() || task.has_failed() {
            self.active.insert(*number);
        } else {
            self.active.remove(number);
        }
        if task.is_done() {
            self.finished.push_back((task.updated_us, *number));
        }
    }

    pub fn task(&self, id: &str) -> Option<&Task> {
        self.tasks.get(id).map(|held| &held.task)
    }

    /// Unfinished tasks, and failed ones for a while; newest first.
    pub fn active(&self, now_us: i64, retention: Retention) -> Vec<TaskBody> {
        let ids = self
            .active
            .iter()
            .rev()
            .filter_map(|number| self.numbers.get(number));
        let tasks = ids
            .filter_map(|id| self.tasks.get(id))
            .map(|held| &held.task);
        let shown =
            |task: &&Task| !task.is_done() || now_us - task.updated_us < retention.failed_active_us;
        tasks
            .filter(shown)
            .map(|task| task.body(&self.user_id))
            .collect()
    }

    /// How many tasks there are, how many of them are unfinished or lately failed, and how many
    /// assets.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.tasks.len(), self.active.len(), self.assets.len())
    }

    pub fn overflow(&self) -> Overflow {
        self.overflow
    }

    /// Lets go of what has been kept long enough.
    pub fn sweep(&mut self, now_us: i64, retention: Retention) {
        while let Some((at, number)) = self.finished.front().copied() {
            if now_us - at < retention.finished_us {
                break;
            }
            self.finished.pop_front();
            self.forget_task(at, number);
        }
        let expired: Vec<u64> = self
            .active
            .iter()
            .filter(|number| {
                let task = self.numbers.get(number).and_then(|id| self.task(id));
                task.is_none_or(|task| {
                    task.is_done() && now_us - task.updated_us >= retention.failed_active_us
                })
            })
            .copied()
            .collect();
        for number in expired {
            self.active.remove(&number);
        }
    }

    /// Removes a task that finished at that time and has not moved since.
    fn forget_task(&mut self, finished_us: i64, number: u64) {
        let Some(id) = self.numbers.get(&number) else {
            return;
        };
        let still = |held: &HeldTask| held.task.is_done() && held.task.updated_us == finished_us;
        if !self.tasks.get(id).is_some_and(still) {
            return;
        }
        let Some(held) = self.tasks.remove(id) else {
            return;
        };
        self.numbers.remove(&number);
        self.active.remove(&number);
        let asset_id = held.task.asset_id;
        let Some(asset) = self.assets.get_mut(&asset_id) else {
            return;
        };
        asset.tasks = asset.tasks.saturating_sub(1);
        if asset.tasks == 0
            && !asset.kept
            && let Some(gone) = self.assets.remove(&asset_id)
        {
            self.asset_numbers.remove(&gone.number);
            self.size_bytes = self.size_bytes.saturating_sub(gone.asset.size_bytes);
            let tenths = duration_tenths(&gone.asset);
            self.duration_tenths = self.duration_tenths.saturating_sub(tenths);
        }
    }

    pub fn asset_body(&self, id: &str) -> Option<AssetItemBody> {
        let held = self.assets.get(id)?;
        let asset = &held.asset;
        let derived = |feature: &str| {
            let done = (feature.to_owned(), FeatureState::Completed);
            held.features.contains(&done).then(|| ReferenceBody {
                id: derived_id(id, feature),
            })
        };
        Some(AssetItemBody {
            id: asset.id.clone(),
            kind: asset.kind,
            name: asset.name.clone(),
            size_bytes: asset.size_bytes,
            mime_type: asset.mime_type,
            save_original: true,
            duration: asset.duration_s,
            user_id: self.user_id.clone(),
            index_id: self.index_id.clone(),
            features: features_body(&held.features),
            proxy: derived("proxy"),
            preview: derived("preview"),
            created: rfc3339(held.created_us),
            updated: rfc3339(held.updated_us),
        })
    }

    /// The assets of an index, newest first; nothing for an unknown index.
    pub fn assets_of(&self, index_id: &str) -> Option<Vec<AssetItemBody>> {
        let ids = self.asset_numbers.values().rev();
        (index_id == self.index_id).then(|| ids.filter_map(|id| self.asset_body(id)).collect())
    }

    pub fn index_body(&self) -> IndexBody {
        IndexBody {
            id: self.index_id.clone(),
            name: "Library".to_owned(),
            description: Some("What the embedded server works on".to_owned()),
            num_assets: self.assets.len() as u64,
            size_bytes: self.size_bytes,
            total_tokens_used: 0,
            duration: self.duration_tenths as f64 / 10.0,
            user_id: Some(self.user_id.clone()),
            default_features: CORE_FEATURES.to_vec(),
            is_sample: false,
            is_sample_ready: false,
            sample_prompts: Vec::new(),
            created: rfc3339(self.started_us),
            updated: rfc3339(self.started_us),
        }
    }
}

fn duration_tenths(asset: &Asset) -> u64 {
    (asset.duration_s.unwrap_or(0.0) * 10.0).round() as u64
}

/// Derived files have ids of their own; ours are the asset's with the feature's letter count put
/// in the last digits, which keeps them stable and in UUID form.
fn derived_id(asset_id: &str, feature: &str) -> String {
    let kept = asset_id
        .get(..asset_id.len().saturating_sub(2))
        .unwrap_or_default();
    format!("{kept}{:02x}", feature.len())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::FeatureState::{Completed, Failed, Queued};
    use super::*;

    const KEPT: Retention = Retention {
        finished_us: 1000,
        failed_active_us: 100,
    };

    fn store() -> Store {
        let mut store = Store::new("u".to_owned(), "i".to_owned(), 0, 3);
        for id in ["a", "b"] {
            let asset = Asset {
                id: id.to_owned(),
                name: format!("{id}.mp4"),
                kind: "video",
                mime_type: "video/mp4",
                size_bytes: 10,
                duration_s: Some(1.5),
                has_speech: true,
            };
            store.add_asset(asset, id == "b", 0);
            let features = vec![("proxy".to_owned(), Queued)];
            assert!(store.add_task(Task::new(format!("t{id}"), id.to_owned(), features, 0)));
        }
        store
    }

    fn active(store: &Store, now_us: i64) -> Vec<String> {
        store
            .active(now_us, KEPT)
            .into_iter()
            .map(|task| task.id)
            .collect()
    }

    #[test]
    fn completed_tasks_leave_the_active_list_and_failed_ones_later() {
        let mut store = store();
        assert_eq!(active(&store, 0), ["tb", "ta"]);
        store.change("ta", &[("proxy", Completed)], 10).unwrap();
        store.change("tb", &[("proxy", Failed)], 10).unwrap();
        assert_eq!(active(&store, 50), ["tb"]);
        assert!(active(&store, 110).is_empty());
        store.sweep(110, KEPT);
        assert_eq!(store.counts(), (2, 0, 2));
    }

    #[test]
    fn finished_tasks_go_with_assets_that_nobody_needs() {
        let mut store = store();
        store.change("ta", &[("proxy", Completed)], 10).unwrap();
        store.change("tb", &[("proxy", Completed)], 10).unwrap();
        store.sweep(1009, KEPT);
        assert_eq!(store.counts(), (2, 0, 2));
        store.sweep(1010, KEPT);
        assert_eq!(store.counts(), (0, 0, 1));
        assert!(store.asset_body("b").is_some() && store.asset_body("a").is_none());
        assert_eq!(store.index_body().size_bytes, 10);
    }

    #[test]
    fn beyond_the_bound_the_oldest_finished_go_and_then_new_ones_are_refused() {
        let mut store = store();
        let mut add = |id: &str| {
            let features = vec![("proxy".to_owned(), Queued)];
            let added = store.add_task(Task::new(id.to_owned(), "b".to_owned(), features, 0));
            if id == "tc" {
                store.change("ta", &[("proxy", Completed)], 10).unwrap();
            }
            (added, store.counts().0, store.overflow())
        };
        let overflow = |evicted, refused| Overflow { evicted, refused };
        assert_eq!(add("tc"), (true, 3, overflow(0, 0)));
        assert_eq!(add("td"), (true, 3, overflow(1, 0)));
        assert_eq!(add("te"), (false, 3, overflow(1, 1)));
        assert!(store.task("ta").is_none() && store.task("td").is_some());
    }

    #[test]
    fn a_task_that_moves_again_is_not_swept_by_its_first_end() {
        let mut store = store();
        store.change("ta", &[("proxy", Completed)], 10).unwrap();
        store.change("ta", &[("proxy", Queued)], 20).unwrap();
        store.sweep(5000, KEPT);
        assert!(store.task("ta").is_some());
        assert_eq!(active(&store, 5000), ["tb", "ta"]);
    }
}
