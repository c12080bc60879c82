//! The hub of the event stream: a ring of the latest events and the readers that follow.
//!
//! Publishing never waits. Each reader has a bounded queue; one that does not keep up is dropped,
//! its connection cut, and counted. It comes back with `Last-Event-ID` and loses nothing that
//! the ring still holds.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// More readers than this are refused.
const MOST_READERS: usize = 1024;

#[derive(Debug)]
pub struct Hub {
    inner: Mutex<Inner>,
    ring_size: usize,
    queue_size: usize,
}

#[derive(Debug, Default)]
struct Inner {
    ring: VecDeque<Frame>,
    readers: Vec<Reader>,
    figures: HubFigures,
    closed: bool,
}

#[derive(Debug)]
struct Frame {
    id: String,
    bytes: Bytes,
}

#[derive(Debug)]
struct Reader {
    queue: mpsc::Sender<Bytes>,
    cut: CancellationToken,
}

/// Counts since the start, for `/health`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HubFigures {
    pub published: u64,
    pub readers: usize,
    pub slow_readers_dropped: u64,
    /// Events in the ring, and their bytes.
    pub kept: usize,
    pub kept_bytes: usize,
}

/// What a reader gets: first the backlog, then what arrives in the queue, without a gap between.
#[derive(Debug)]
pub struct Subscription {
    /// The `Last-Event-ID` was asked for and is not in the ring: events may be missing.
    pub gap: bool,
    pub backlog: Vec<Bytes>,
    pub queue: mpsc::Receiver<Bytes>,
}

impl Hub {
    pub fn new(ring_size: usize, queue_size: usize) -> Self {
        Self {
            inner: Mutex::default(),
            ring_size,
            queue_size: queue_size.max(1),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an event to all readers and keeps it in the ring. `data` must be one line.
    pub fn publish(&self, id: &str, event_type: &str, data: &str) {
        self.publish_bytes(id, encode(id, event_type, data));
    }

    /// Like [`Hub::publish`], with the frame's bytes as they shall appear on the wire.
    pub fn publish_bytes(&self, id: &str, bytes: Bytes) {
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        inner.figures.published += 1;
        let mut slow = 0;
        inner
            .readers
            .retain(|reader| match reader.queue.try_send(bytes.clone()) {
                Ok(()) => true,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    slow += 1;
                    reader.cut.cancel();
                    false
                }
                Err(mpsc::error::TrySendError::Closed(_)) => false,
            });
        inner.figures.slow_readers_dropped += slow;
        inner.ring.push_back(Frame {
            id: id.to_owned(),
            bytes,
        });
        while inner.ring.len() > self.ring_size {
            inner.ring.pop_front();
        }
    }

    /// Adds a reader. With a last event id it first gets what came after that event; an id that
    /// the ring does not hold gives the whole ring and `gap`. `cut` ends the reader's connection.
    /// Nothing when there are too many readers or the hub is closed.
    pub fn subscribe(&self, last_id: Option<&str>, cut: CancellationToken) -> Option<Subscription> {
        let mut inner = self.lock();
        if inner.closed {
            return None;
        }
        inner.readers.retain(|reader| !reader.queue.is_closed());
        if inner.readers.len() >= MOST_READERS {
            return None;
        }
        let found = last_id.map(|id| inner.ring.iter().rposition(|frame| frame.id == id));
        let skip = match found {
            None => inner.ring.len(),
            Some(None) => 0,
            Some(Some(position)) => position + 1,
        };
        let backlog = inner
            .ring
            .iter()
            .skip(skip)
            .map(|frame| frame.bytes.clone())
            .collect();
        let (sender, queue) = mpsc::channel(self.queue_size);
        inner.readers.push(Reader { queue: sender, cut });
        Some(Subscription {
            gap: found == Some(None),
            backlog,
            queue,
        })
    }

    /// Ends every reader's stream after what is queued for it; later publishing does nothing.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.readers.clear();
    }

    /// Counts for `/health`.
    pub fn figures(&self) -> HubFigures {
        let mut inner = self.lock();
        inner.readers.retain(|reader| !reader.queue.is_closed());
        HubFigures {
            readers: inner.readers.len(),
            kept: inner.ring.len(),
            kept_bytes: inner.ring.iter().map(|frame| frame.bytes.len()).sum(),
            ..inner.figures
        }
    }
}

/// One frame of the stream: id, type and data, each on one line.
fn encode(id: &str, event_type: &str, data: &str) -> Bytes {
    let mut frame = String::with_capacity(data.len() + id.len() + event_type.len() + 24);
    for part in [
        "id: ",
        id,
        "\nevent: ",
        event_type,
        "\ndata: ",
        data,
        "\n\n",
    ] {
        frame.push_str(part);
    }
    Bytes::from(frame)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn token() -> CancellationToken {
        CancellationToken::new()
    }

    #[test]
    fn a_frame_is_three_lines_and_a_blank_one() {
        assert_eq!(
            encode("1", "task.failed", "{}"),
            "id: 1\nevent: task.failed\ndata: {}\n\n"
        );
    }

    #[test]
    fn the_ring_answers_last_event_id() {
        let hub = Hub::new(3, 8);
        for id in ["a", "b", "c", "d"] {
            hub.publish(id, "t", "{}");
        }
        let count = |last: Option<&str>| {
            let subscription = hub.subscribe(last, token()).unwrap();
            (subscription.backlog.len(), subscription.gap)
        };
        assert_eq!(count(None), (0, false));
        assert_eq!(count(Some("d")), (0, false));
        assert_eq!(count(Some("b")), (2, false));
        assert_eq!(count(Some("a")), (3, true));
        assert_eq!(count(Some("never")), (3, true));
        let figures = hub.figures();
        let one = encode("b", "t", "{}").len();
        assert_eq!((figures.published, figures.kept), (4, 3));
        assert_eq!(figures.kept_bytes, 3 * one);
    }

    #[test]
    fn a_slow_reader_is_cut_and_holds_nobody_up() {
        let hub = Hub::new(4, 2);
        let (slow_cut, quick_cut) = (token(), token());
        let _slow = hub.subscribe(None, slow_cut.clone()).unwrap();
        let mut quick = hub.subscribe(None, quick_cut.clone()).unwrap();
        for id in ["a", "b", "c"] {
            hub.publish(id, "t", "{}");
            assert!(quick.queue.try_recv().is_ok());
        }
        assert!(slow_cut.is_cancelled() && !quick_cut.is_cancelled());
        let figures = hub.figures();
        assert_eq!((figures.readers, figures.slow_readers_dropped), (1, 1));
    }
}
