//! The bytes of one open stream, as the faults of the moment make them.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use futures_util::{StreamExt, stream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::fault::{Fault, FaultSet};
use super::frame::{Frame, Part};
use super::shape;

/// Events in one shuffle.
const SHUFFLED: usize = 3;
/// A shuffle that does not fill goes out after this long.
const SHUFFLE_WITHIN: Duration = Duration::from_millis(60);
/// Events that may come a second time later on.
const REMEMBERED: usize = 4;
/// A connection that is to break lives for at most this many events.
const LIFE: usize = 6;
/// Before a connection is broken, what was sent gets this long to leave.
const FLUSH: Duration = Duration::from_millis(5);
/// While events are lost, the stream beats this often.
const BEAT: Duration = Duration::from_millis(50);
/// Delays, in milliseconds.
const DELAYS: std::ops::Range<u64> = 50..500;
/// A trickle pauses for a millisecond after this many bytes.
const TRICKLE: usize = 16;
/// Bytes without the end of a frame are passed on as they are beyond this.
const MOST_PARTIAL: usize = 1 << 20;
const MIB: usize = 1 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What is to happen next on the connection.
enum Piece {
    Send(Part),
    Until(Instant),
    /// What a trickle rests for.
    Rest,
    Pause(Duration),
    /// Lets what was sent leave by itself.
    Yield,
    /// The connection breaks.
    Break,
    /// The stream ends as it should.
    End,
}

/// One stream under way.
struct Flow {
    /// Nothing where the server has forgotten this reader.
    source: Option<BodyDataStream>,
    faults: watch::Receiver<FaultSet>,
    /// What was on when it was opened.
    opened_under: FaultSet,
    seed: u64,
    rng: Rng,
    partial: BytesMut,
    shuffle: Vec<Frame>,
    shuffle_until: Instant,
    remembered: VecDeque<Frame>,
    /// Events until the connection breaks, if it is to.
    life: usize,
    delayed_until: Instant,
    next_beat: Instant,
    pieces: VecDeque<Piece>,
}

/// Puts the faults into the body of a stream that was opened under some of them. `seed` is the
/// server's, `number` the connection's.
pub fn through(
    body: Body,
    opened_under: FaultSet,
    faults: watch::Receiver<FaultSet>,
    seed: u64,
    number: u64,
) -> Body {
    let mut rng = Rng::with_seed(seed ^ number.rotate_right(16));
    let now = Instant::now();
    let mut flow = Flow {
        source: Some(body.into_data_stream()),
        faults,
        opened_under,
        seed,
        life: rng.usize(1..=LIFE),
        rng,
        partial: BytesMut::new(),
        shuffle: Vec::new(),
        shuffle_until: now,
        remembered: VecDeque::new(),
        delayed_until: now,
        next_beat: now,
        pieces: VecDeque::new(),
    };
    if opened_under.has(Fault::Bom) {
        flow.send(Bytes::from_static(BYTE_ORDER_MARK));
    }
    Body::from_stream(stream::unfold(flow, |mut flow| async move {
        let chunk = flow.next().await?;
        Some((chunk, flow))
    }))
}

impl Flow {
    /// The next bytes; an error breaks the connection, nothing ends the stream.
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            while let Some(piece) = self.pieces.pop_front() {
                match piece {
                    Piece::Send(part) => {
                        let (chunk, rest) = part.split();
                        if let Some(rest) = rest {
                            self.pieces.push_front(Piece::Send(rest));
                        }
                        return Some(Ok(chunk));
                    }
                    // Nothing drags on that was switched off.
                    Piece::Until(_) | Piece::Rest | Piece::Yield if self.is_switched() => {}
                    Piece::Rest => sleep(Duration::from_millis(1)).await,
                    Piece::Until(at) => sleep_until(at).await,
                    Piece::Pause(time) => sleep(time).await,
                    Piece::Yield => tokio::task::yield_now().await,
                    Piece::Break => return Some(Err(io::ErrorKind::ConnectionAborted.into())),
                    Piece::End => return None,
                }
            }
            self.gather().await?;
        }
    }

    /// Waits for what comes next and makes pieces of it; nothing when the stream is over.
    async fn gather(&mut self) -> Option<()> {
        let faults = *self.faults.borrow_and_update();
        if faults
            .without(self.opened_under)
            .has_any(FaultSet::OF_OPENINGS)
        {
            return None;
        }
        if faults.has(Fault::HalfOpen) {
            self.source = None;
        }
        let Some(source) = &mut self.source else {
            // Forgotten: only the client can end this connection now.
            return std::future::pending().await;
        };
        if faults.has(Fault::Silence) {
            // What happens meanwhile waits in the hub's queue.
            return self.faults.changed().await.ok();
        }
        let has_shuffle = !self.shuffle.is_empty();
        tokio::select! {
            biased;
            changed = self.faults.changed() => changed.ok(),
            () = sleep_until(self.shuffle_until), if has_shuffle => {
                self.end_shuffle(faults);
                Some(())
            }
            chunk = source.next() => {
                let chunk = chunk?.ok()?;
                self.take(&chunk, faults);
                Some(())
            }
        }
    }

    /// Whether other faults are on than those by which the pieces were made.
    fn is_switched(&self) -> bool {
        self.faults.has_changed().unwrap_or(false)
    }

    fn send(&mut self, bytes: Bytes) {
        self.pieces.push_back(Piece::Send(Part::Bytes(bytes)));
    }

    fn take(&mut self, chunk: &Bytes, faults: FaultSet) {
        let is_plain = self.partial.is_empty() && self.shuffle.is_empty();
        if is_plain && !faults.has_any(FaultSet::OF_BYTES) {
            return self.send(chunk.clone());
        }
        self.partial.extend_from_slice(chunk);
        while let Some(at) = self.partial.windows(2).position(|pair| pair == b"\n\n") {
            let frame = Frame::of(&self.partial.split_to(at + 2));
            self.take_frame(frame, faults);
        }
        if self.partial.len() > MOST_PARTIAL {
            let rest = self.partial.split().freeze();
            self.send(rest);
        }
    }

    fn take_frame(&mut self, frame: Frame, faults: FaultSet) {
        if frame.data.is_none() {
            let parts = frame.parts(line_end(faults));
            return self.push(parts, faults);
        }
        if faults.has(Fault::HeartbeatOnly) {
            return self.lose(faults);
        }
        let frame = self.spoilt(frame, faults);
        if !faults.has(Fault::Reorder) && self.shuffle.is_empty() {
            return self.take_event(&frame, faults);
        }
        if self.shuffle.is_empty() {
            self.shuffle_until = Instant::now() + SHUFFLE_WITHIN;
        }
        self.shuffle.push(frame);
        if self.shuffle.len() >= SHUFFLED {
            self.end_shuffle(faults);
        }
    }

    fn end_shuffle(&mut self, faults: FaultSet) {
        let mut events = std::mem::take(&mut self.shuffle);
        self.rng.shuffle(&mut events);
        for frame in &events {
            self.take_event(frame, faults);
        }
    }

    /// An event is lost, and a heartbeat says that all is well.
    fn lose(&mut self, faults: FaultSet) {
        let now = Instant::now();
        if now >= self.next_beat {
            self.next_beat = now + BEAT;
            let parts = Frame::of(b": ping\n\n").parts(line_end(faults));
            self.push(parts, faults);
        }
    }

    /// The event in another shape, without its id or name, too long or damaged.
    fn spoilt(&self, mut frame: Frame, faults: FaultSet) -> Frame {
        let Some(data) = &mut frame.data else {
            return frame;
        };
        if shape::changes_json(faults)
            && let Some(shaped) = shape::event(data, faults)
        {
            *data = shaped;
        }
        // The same events each time, whichever connection they come by.
        let id = frame.id.clone().unwrap_or_default();
        let chance = |fault| Rng::with_seed(self.seed ^ hash(&(fault as u8, &id)));
        let mut damage = chance(Fault::InvalidUtf8);
        if faults.has(Fault::InvalidUtf8) && damage.u8(0..3) == 0 {
            let at = damage.usize(0..data.len().max(1));
            if let Some(byte) = data.get_mut(at) {
                *byte = 0xff;
            }
        }
        if faults.has(Fault::LineOfOneMib) && chance(Fault::LineOfOneMib).u8(0..4) == 0 {
            frame.padding = MIB;
        }
        if faults.has(Fault::LineOfHundredMib) && chance(Fault::LineOfHundredMib).u8(0..8) == 0 {
            frame.padding = 100 * MIB;
        }
        if faults.has(Fault::NoIds) {
            frame.id = None;
        }
        if faults.has(Fault::NoEventNames) {
            frame.event = None;
        }
        frame
    }

    fn take_event(&mut self, frame: &Frame, faults: FaultSet) {
        let end = self.end_of_life(faults);
        if matches!(end, Some(Fault::DropInside | Fault::DropInCharacter)) {
            let part = self.beginning(frame, end, faults);
            self.send(part);
        } else {
            self.push_event(frame, faults);
        }
        match end {
            None if faults.has(Fault::Duplicate) => self.repeat(frame, faults),
            None => {}
            Some(Fault::Http10) => self.pieces.push_back(Piece::End),
            Some(_) => {
                self.pieces.push_back(Piece::Pause(FLUSH));
                self.pieces.push_back(Piece::Break);
            }
        }
    }

    /// Why the connection ends with this event, if it does.
    fn end_of_life(&mut self, faults: FaultSet) -> Option<Fault> {
        let ends = [
            Fault::DropBetween,
            Fault::DropInside,
            Fault::DropInCharacter,
            Fault::Http10,
        ];
        let ends: Vec<Fault> = ends.into_iter().filter(|end| faults.has(*end)).collect();
        let end = self.rng.choice(ends)?;
        self.life = self.life.saturating_sub(1);
        (self.life == 0).then_some(end)
    }

    /// The event up to some byte inside it, or inside one of its characters.
    fn beginning(&mut self, frame: &Frame, end: Option<Fault>, faults: FaultSet) -> Bytes {
        let mut frame = frame.clone();
        frame.padding = 0;
        let is_in_character = end == Some(Fault::DropInCharacter);
        if is_in_character && let Some(data) = &mut frame.data {
            let at = data.iter().position(|byte| *byte == b'{');
            let at = at.map_or(0, |brace| brace + 1);
            data.splice(at..at, "\"operator\":\"Zoë\",".bytes());
        }
        let parts = frame.parts(line_end(faults));
        let Some(Part::Bytes(bytes)) = parts.into_iter().next() else {
            return Bytes::new();
        };
        let first_of_two = bytes.windows(2).position(|pair| pair == "ë".as_bytes());
        let at = match first_of_two {
            Some(at) if is_in_character => at + 1,
            _ => self.rng.usize(1..bytes.len().max(2) - 1),
        };
        bytes.slice(..at.min(bytes.len()))
    }

    /// Sends it once more, or one that was sent before.
    fn repeat(&mut self, frame: &Frame, faults: FaultSet) {
        if frame.padding > 0 {
            return;
        }
        if self.rng.bool() {
            self.push_event(frame, faults);
        } else if self.rng.bool()
            && let Some(older) = self.remembered.pop_front()
        {
            self.push_event(&older, faults);
        }
        self.remembered.push_back(frame.clone());
        if self.remembered.len() > REMEMBERED {
            self.remembered.pop_front();
        }
    }

    fn push_event(&mut self, frame: &Frame, faults: FaultSet) {
        if faults.has(Fault::Delay) {
            let delay = Duration::from_millis(self.rng.u64(DELAYS));
            self.delayed_until = self.delayed_until.max(Instant::now() + delay);
            self.pieces.push_back(Piece::Until(self.delayed_until));
        }
        self.push(frame.parts(line_end(faults)), faults);
    }

    fn push(&mut self, parts: Vec<Part>, faults: FaultSet) {
        for part in parts {
            match part {
                Part::Bytes(bytes) if faults.has(Fault::Trickle) => self.trickle(&bytes),
                part => self.pieces.push_back(Piece::Send(part)),
            }
        }
    }

    fn trickle(&mut self, bytes: &Bytes) {
        for at in 0..bytes.len() {
            self.send(bytes.slice(at..=at));
            self.pieces.push_back(if at % TRICKLE == 0 {
                Piece::Rest
            } else {
                Piece::Yield
            });
        }
    }
}

fn line_end(faults: FaultSet) -> &'static str {
    match (faults.has(Fault::Cr), faults.has(Fault::Crlf)) {
        (true, _) => "\r",
        (_, true) => "\r\n",
        _ => "\n",
    }
}

fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
