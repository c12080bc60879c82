//! What the stream brings: frames become changes, which go out, or are held while a comparison of
//! this connection runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::Link;
use crate::domain::{
    ChangeKind, Example, Moment, Observation, Origin, Unreadable, WordKind, WordSeen, plural,
};
use crate::io::outlet::Draft;
use crate::wire::lenient::excerpt;
use crate::wire::rest::Row;
use crate::wire::{events, fields};

/// Words that are new to us, counted, so that a stream full of them brings few changes.
#[derive(Default)]
pub(super) struct Words {
    seen: BTreeMap<Arc<str>, WordSeen>,
}

impl Words {
    pub fn add(&mut self, seen: WordSeen) {
        match self.seen.get_mut(&seen.word) {
            Some(held) => held.count += seen.count,
            None => {
                self.seen.insert(seen.word.clone(), seen);
            }
        }
    }

    /// The fields of a task that are new to us.
    pub fn add_task(&mut self, row: &Row<Observation>) {
        for field in fields::new_in_task(&row.raw) {
            self.add(WordSeen {
                kind: WordKind::Field,
                word: field.into(),
                count: 1,
                example: Example::new(format!("task {}", row.value.task), b""),
            });
        }
    }

    pub fn take(self) -> impl Iterator<Item = ChangeKind> {
        let seen = self.seen.into_values();
        seen.map(|seen| ChangeKind::NewWord(Box::new(seen)))
    }
}

impl Link {
    pub(super) fn decode(&mut self, chunk: &[u8], drafts: &mut Vec<Draft>) {
        let received = self.outlet.clock().now();
        self.last_byte = Some(received);
        let mut n_unreadable = 0;
        let shape = self.client.http.limits.shape();
        let mut words = Words::default();
        self.stream.take(chunk, |frame| {
            let mut raw: Option<Arc<[u8]>> = None;
            let outcome = events::decode_within(&frame, shape, |kind| {
                if let ChangeKind::NewWord(seen) = kind {
                    return words.add(*seen);
                }
                let raw = raw.get_or_insert_with(|| frame.data.into()).clone();
                drafts.push(Draft {
                    received,
                    origin: Origin::Stream,
                    raw: Some(raw),
                    kind,
                });
            });
            if let Err(why) = outcome {
                n_unreadable += 1;
                let what = Unreadable::new("stream", why, excerpt(frame.data));
                let kind = ChangeKind::Unreadable(Box::new(what));
                drafts.push(Draft {
                    received,
                    origin: Origin::Stream,
                    raw: None,
                    kind,
                });
            }
        });
        self.outlet
            .gauges()
            .unreadable
            .fetch_add(n_unreadable, Ordering::Relaxed);
        drafts.extend(words.take().map(|kind| Draft {
            received,
            origin: Origin::Stream,
            raw: None,
            kind,
        }));
        self.count(received, drafts);
    }

    /// Brings the shared counters up to date, and says it where events were skipped.
    pub(super) fn count(&mut self, received: Moment, drafts: &mut Vec<Draft>) {
        let counters = self.stream.decoder().counters();
        let gauges = self.outlet.gauges();
        gauges.frames.store(counters.frames, Ordering::Relaxed);
        gauges.comments.store(counters.comments, Ordering::Relaxed);
        gauges
            .oversized
            .store(counters.oversized, Ordering::Relaxed);
        gauges.bytes.store(self.stream.bytes(), Ordering::Relaxed);
        gauges
            .connections
            .store(self.stream.connections(), Ordering::Relaxed);
        let n_skipped = counters.oversized - self.seen.oversized;
        if n_skipped > 0 {
            let limit = self.client.http.limits.event_bytes;
            let why = format!(
                "{} skipped: larger than {limit} bytes",
                plural(n_skipped, "event was", "events were")
            );
            let what = Unreadable {
                count: n_skipped,
                ..Unreadable::new("stream", why, "")
            };
            let kind = ChangeKind::Unreadable(Box::new(what));
            drafts.push(Draft {
                received,
                origin: Origin::Stream,
                raw: None,
                kind,
            });
        }
        if counters.gaps > self.seen.gaps {
            self.has_overflowed = true;
            if self.is_compared {
                // The proof is there already; another says it.
                self.compare_at = Some(Instant::now());
            }
        }
        self.seen = counters;
    }

    /// Sends events on, or holds them while a comparison of this connection runs.
    pub(super) async fn pass_on(&mut self, drafts: Vec<Draft>) {
        if drafts.is_empty() {
            self.note_place();
            return;
        }
        if self.is_open && !self.is_caught_up && self.comparison.is_some() {
            self.held_bytes += drafts
                .iter()
                .map(|draft| draft.raw.as_ref().map_or(0, |raw| raw.len()))
                .sum::<usize>();
            self.held.extend(drafts);
            return;
        }
        self.send(drafts).await;
    }

    pub(super) async fn send(&mut self, drafts: Vec<Draft>) {
        let mut is_passed_over = false;
        for draft in &drafts {
            match &draft.kind {
                ChangeKind::Event(event) => event.task.iter().for_each(|task| {
                    self.known.see(task);
                    if draft.origin == Origin::Stream {
                        self.expected.told(task);
                    }
                }),
                ChangeKind::Task(task) => self.known.see(task),
                ChangeKind::TaskGone(task) => self.known.forget(task),
                ChangeKind::Unreadable(_) => is_passed_over |= draft.origin == Origin::Stream,
                _ => {}
            }
        }
        if is_passed_over && self.is_open {
            // What it told of a task can be read elsewhere.
            let soon = Instant::now() + self.client.http.waits.pace();
            self.compare_at = Some(self.compare_at.map_or(soon, |at| at.min(soon)));
            self.compare_wait = Duration::ZERO;
        }
        self.outlet.send(drafts).await;
        self.note_place();
    }
}
