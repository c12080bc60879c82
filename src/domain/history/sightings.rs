//! What is seen of tasks: by events, by snapshots, and the names and words that come with them.

use std::sync::Arc;

use super::super::event::Event;
use super::super::feature::{Feature, FeatureState};
use super::super::id::AssetId;
use super::super::task::{Observation, TaskState};
use super::super::time::Moment;
use super::super::words::{Example, WordKind};
use super::{Applied, EventEntry, History, Origin, Sighted, TaskSight};

/// Longest name of an asset kept, in bytes.
const MAX_NAME_BYTES: usize = 512;

impl History {
    pub(super) fn take_event(
        &mut self,
        event: Event,
        received: Moment,
        origin: Origin,
        raw: Option<Arc<[u8]>>,
    ) -> Applied {
        if origin == Origin::Stream {
            self.last_event = Some(received);
        }
        let is_first = self.events.is_first_sight(&event.id);
        let example = || example_of("event", &event.id, raw.as_deref());
        let sighted = event
            .task
            .as_ref()
            .map(|seen| self.sight(seen, origin, received, example));
        if !is_first {
            // A repeated id may still carry news, as where a server's ids are not unique.
            let news = sighted.filter(|sighted| sighted.is_newest);
            return news.map_or(Applied::Nothing, |sighted| self.announce(sighted));
        }
        if let Some(name) = event.kind.unknown() {
            self.new_words
                .see(WordKind::EventType, name, 1, received, example);
        }
        if let (Some(name), Some(seen)) = (&event.asset_name, &event.task) {
            self.name_asset(seen.asset.clone(), name.clone());
        }
        let task = event.task.map(|seen| TaskSight {
            state: seen.state(),
            task: seen.task,
            features: seen.features,
            updated: seen.updated,
        });
        let entry = EventEntry::new(
            event.id,
            event.kind,
            event.published,
            received,
            origin,
            task,
            raw,
        );
        let previous = sighted
            .as_ref()
            .map_or(0, |sighted| self.tasks.newest_event(sighted.at));
        let position = self.events.push(entry, previous);
        let Some(sighted) = sighted else {
            return Applied::Shown;
        };
        self.tasks.set_newest_event(sighted.at, position);
        self.announce(sighted)
    }

    pub(super) fn take_task(
        &mut self,
        seen: &Observation,
        received: Moment,
        origin: Origin,
    ) -> Applied {
        let example = || example_of("task", &seen.task, None);
        let sighted = self.sight(seen, origin, received, example);
        self.announce(sighted)
    }

    fn sight(
        &mut self,
        seen: &Observation,
        origin: Origin,
        received: Moment,
        example: impl Fn() -> Example,
    ) -> Sighted {
        if seen.features.extra().is_some() {
            for (feature, state) in seen.features.iter() {
                if let FeatureState::Unknown(word) = &state {
                    self.new_words
                        .see(WordKind::State, word, 1, received, &example);
                }
                if let Feature::Other(name) = &feature {
                    self.new_words
                        .see(WordKind::Feature, name, 1, received, &example);
                }
            }
        }
        self.tasks.sight(seen, origin, received)
    }

    fn announce(&self, sighted: Sighted) -> Applied {
        let failed =
            sighted.after == TaskState::Failed && sighted.before != Some(TaskState::Failed);
        match self.tasks.row(sighted.at) {
            Some(row) if failed => Applied::TaskFailed(row.id()),
            _ => Applied::Shown,
        }
    }

    pub(super) fn name_asset(&mut self, asset: AssetId, name: Arc<str>) {
        let name = match name.len() {
            0..=MAX_NAME_BYTES => name,
            _ => name[..name.floor_char_boundary(MAX_NAME_BYTES)].into(),
        };
        if self.asset_names.len() >= self.bounds.asset_names
            && !self.asset_names.contains_key(&asset)
        {
            // Names are a convenience that can be read again, so that the simplest bound will do.
            self.n_names_dropped += self.asset_names.len() as u64;
            self.asset_names.clear();
        }
        self.asset_names.insert(asset, name);
    }
}

pub(super) fn example_of(what: &str, id: &dyn std::fmt::Display, raw: Option<&[u8]>) -> Example {
    Example::new(format!("{what} {id}"), raw.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::super::event::EventType;
    use super::super::super::feature::Features;
    use super::super::super::id::{EventId, TaskId, UserId};
    use super::super::super::time::Time;
    use super::super::ChangeKind;
    use super::super::tests::told;
    use super::*;

    #[test]
    fn a_word_that_is_new_to_us_is_listed_with_where_it_was_seen() {
        let mut history = History::default();
        let mut features = Features::default();
        features.set(Feature::new("captions"), FeatureState::new("paused"));
        let seen = Observation {
            task: TaskId::new("t1"),
            asset: AssetId::new("a"),
            user: UserId::new("u"),
            features,
            created: Time(1),
            updated: Time(2),
            published: None,
            event: None,
        };
        let event = Event {
            id: EventId::new("e1"),
            kind: EventType::new("task.paused"),
            published: None,
            user: None,
            task: Some(seen.clone()),
            asset_name: None,
        };
        let of_an_asset = Event {
            id: EventId::new("e0"),
            kind: EventType::new("asset.created"),
            task: None,
            ..event.clone()
        };
        told(&mut history, 4, ChangeKind::Event(of_an_asset));
        told(&mut history, 5, ChangeKind::Event(event));
        told(&mut history, 6, ChangeKind::Task(seen));
        let words: Vec<_> = (history.new_words.iter())
            .map(|word| {
                (
                    word.kind.name(),
                    &*word.word,
                    word.count,
                    &*word.example.seen_in,
                )
            })
            .collect();
        let expected = [
            ("event type", "task.paused", 1, "event e1"),
            ("feature", "captions", 2, "event e1"),
            ("state", "paused", 2, "event e1"),
        ];
        assert_eq!(words, expected);
        assert!((history.new_words.iter()).all(|word| word.first.wall == Time::from_seconds(5)));
    }
}
