//! Server-sent events: an incremental decoder over bytes cut anywhere, and the encoder of a frame.
//!
//! Conforms to the WHATWG HTML specification, section 9.2.6 "Interpreting an event stream": LF, CR
//! and CRLF line ends (an event is out at its CR, without waiting for the LF that may follow), one
//! byte order mark, `data` joined by LF, ids that persist, `retry`, and U+FFFD for bytes that are
//! no UTF-8. Time is linear in the bytes; a data line that lies whole in a chunk is not copied.

use std::borrow::Cow;
use std::mem;

use memchr::{memchr, memchr2};

/// One dispatched event of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The event's type; `message` if the server named none.
    pub event: &'a str,
    /// The data as it came, lines joined by LF; bytes that are no UTF-8 are still in it.
    pub data: &'a [u8],
    /// The last event id as it stands after this event; empty if there never was one.
    pub id: &'a str,
    /// Whether this event named its id itself, as ids persist over events that name none.
    pub has_id: bool,
}

impl<'a> Frame<'a> {
    /// The data as text, with U+FFFD for what is no UTF-8.
    pub fn text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.data)
    }
}

/// No line end came within the longest line: the connection is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no line end within {within} bytes")]
pub struct EndlessLine {
    pub within: usize,
}

/// Counters of one decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    pub frames: u64,
    /// Comment lines, which servers send as heartbeats.
    pub comments: u64,
    /// Events skipped because they were larger than the limit.
    pub oversized: u64,
    /// Comments by which a server says that it no longer has all events since the last event id:
    /// `: gap` (contracts.md, "The embedded server").
    pub gaps: u64,
}

/// Where the data of the event under way lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data {
    None,
    /// One line, in the chunk that is being read.
    InChunk {
        start: usize,
        end: usize,
    },
    /// In the decoder's own buffer.
    Owned,
}

/// An incremental decoder of one connection after another.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the bytes so far"
)]
#[derive(Debug)]
pub struct Decoder {
    max_event: usize,
    max_line: usize,
    /// How many bytes of a byte order mark were seen at the start; 3 when it is over.
    bom: usize,
    /// Whether the last line ended in CR, so that an LF right after it belongs to it.
    after_cr: bool,
    /// The beginning of a line whose end has not come yet.
    carry: Vec<u8>,
    /// Bytes of the unfinished line, those that were not kept included.
    line_bytes: usize,
    /// Whether the unfinished line was too large to keep.
    is_line_lost: bool,
    data: Data,
    owned: Vec<u8>,
    /// The type named last; kept, as the next event mostly has the same.
    event: String,
    has_event: bool,
    /// The id of the event under way, if it has one; what else stands here is of no use.
    id: String,
    has_new_id: bool,
    last_id: String,
    /// Whether the event under way is too large and is passed over.
    is_skipping: bool,
    retry_ms: Option<u64>,
    counters: Counters,
}

const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

impl Decoder {
    /// A decoder that passes over events of more than `max_event` bytes.
    pub fn new(max_event: usize) -> Self {
        let max_event = max_event.max(16);
        Self {
            max_event,
            max_line: max_event.saturating_mul(4),
            bom: 0,
            after_cr: false,
            carry: Vec::new(),
            line_bytes: 0,
            is_line_lost: false,
            data: Data::None,
            owned: Vec::new(),
            event: String::new(),
            has_event: false,
            id: String::new(),
            has_new_id: false,
            last_id: String::new(),
            is_skipping: false,
            retry_ms: None,
            counters: Counters::default(),
        }
    }

    /// Gives a connection up when no line end comes within `max_line` bytes, instead of within four
    /// times the largest event; never within less than one event.
    #[must_use]
    pub fn giving_up_after(mut self, max_line: usize) -> Self {
        self.max_line = max_line.max(self.max_event);
        self
    }

    /// Starts with a last event id, as after a restart.
    #[must_use]
    pub fn resuming(mut self, last_id: &str) -> Self {
        last_id.clone_into(&mut self.last_id);
        self
    }

    /// The id to send as `Last-Event-ID`; empty if there is none.
    pub fn last_event_id(&self) -> &str {
        &self.last_id
    }

    /// The server's reconnection time in milliseconds, if it gave one.
    pub fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Makes ready for a new connection: what was unfinished is dropped, ids and retry persist.
    pub fn reconnect(&mut self) {
        let fresh = Self::new(self.max_event)
            .giving_up_after(self.max_line)
            .resuming(&self.last_id);
        let old = mem::replace(self, fresh);
        self.retry_ms = old.retry_ms;
        self.counters = old.counters;
    }

    /// Forgets the last event id.
    pub fn forget_id(&mut self) {
        self.last_id.clear();
    }

    /// Takes a chunk and gives each event that it completes to `sink`.
    pub fn push(
        &mut self,
        chunk: &[u8],
        mut sink: impl FnMut(Frame<'_>),
    ) -> Result<(), EndlessLine> {
        let mut at = self.pass_bom(chunk);
        if self.after_cr && at < chunk.len() {
            self.after_cr = false;
            at += usize::from(chunk[at] == b'\n');
        }
        while let Some(length) = memchr2(b'\n', b'\r', &chunk[at..]) {
            let end = at + length;
            if self.line_bytes > 0 {
                self.extend_carry(&chunk[at..end]);
                let carry = mem::take(&mut self.carry);
                if !mem::take(&mut self.is_line_lost) {
                    self.line(&carry, None, chunk, &mut sink);
                }
                self.carry = carry;
                self.carry.clear();
                self.line_bytes = 0;
            } else {
                self.line(&chunk[at..end], Some(at), chunk, &mut sink);
            }
            at = end + 1;
            if chunk[end] == b'\r' {
                match chunk.get(at) {
                    Some(b'\n') => at += 1,
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
        }
        self.extend_carry(&chunk[at..]);
        self.own_data(chunk);
        if self.line_bytes > self.max_line {
            return Err(EndlessLine {
                within: self.line_bytes,
            });
        }
        Ok(())
    }

    fn pass_bom(&mut self, chunk: &[u8]) -> usize {
        let mut at = 0;
        while self.bom < 3 && at < chunk.len() {
            if chunk[at] == BOM[self.bom] {
                self.bom += 1;
                at += 1;
            } else {
                // What looked like the start of a mark is the start of the first line.
                let n_seen = self.bom;
                self.bom = 3;
                if n_seen > at {
                    self.extend_carry(&BOM[..n_seen]);
                } else {
                    at -= n_seen;
                }
            }
        }
        at
    }

    /// Keeps the beginning of an unfinished line, unless it is a comment or too large.
    fn extend_carry(&mut self, bytes: &[u8]) {
        self.line_bytes += bytes.len();
        if self.is_line_lost || self.carry.first() == Some(&b':') {
            return;
        }
        // Only data counts against the limit; other fields share it line by line.
        let first = self.carry.first().or(bytes.first());
        let start = self.carry.iter().chain(bytes).take(b"data:".len());
        let may_be_data = start.zip(b"data:").all(|(byte, wanted)| byte == wanted);
        let held = if may_be_data { self.held() } else { 0 };
        if self.carry.len() + bytes.len() + held <= self.max_event + "data: ".len() {
            self.carry.extend_from_slice(bytes);
        } else if first == Some(&b':') {
            self.carry.push(b':');
        } else {
            self.is_line_lost = true;
            self.carry = Vec::new();
            self.skip();
        }
    }

    /// Bytes of data held for the event under way.
    fn held(&self) -> usize {
        match self.data {
            Data::None => 0,
            Data::InChunk { start, end } => end - start + 1,
            Data::Owned => self.owned.len() + 1,
        }
    }

    fn skip(&mut self) {
        if !self.is_skipping {
            self.counters.oversized += 1;
        }
        self.is_skipping = true;
        self.data = Data::None;
        self.owned = Vec::new();
    }

    fn own_data(&mut self, chunk: &[u8]) {
        if let Data::InChunk { start, end } = self.data {
            self.owned.clear();
            self.owned.extend_from_slice(&chunk[start..end]);
            self.data = Data::Owned;
        }
    }

    /// Takes a whole line; `offset` is its place in the chunk, if it lies there.
    fn line(
        &mut self,
        line: &[u8],
        offset: Option<usize>,
        chunk: &[u8],
        sink: &mut impl FnMut(Frame<'_>),
    ) {
        if line.is_empty() {
            self.dispatch(chunk, sink);
        } else if let Some(value) = line.strip_prefix(b"data:") {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            let start = offset.map(|offset| offset + line.len() - value.len());
            self.take_data(value, start, chunk);
        } else if line[0] == b':' {
            self.counters.comments += 1;
            self.counters.gaps += u64::from(line[1..].trim_ascii() == b"gap");
        } else if line.len() > self.max_event + "data: ".len() {
            self.skip();
        } else {
            let colon = memchr(b':', line).unwrap_or(line.len());
            let value = line.get(colon + 1..).unwrap_or_default();
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match &line[..colon] {
                b"data" => self.take_data(value, None, chunk),
                b"event" => {
                    if self.event.as_bytes() != value {
                        assign(&mut self.event, value);
                    }
                    self.has_event = !value.is_empty();
                }
                b"id" if memchr(0, value).is_none() => {
                    assign(&mut self.id, value);
                    self.has_new_id = true;
                }
                b"retry" => self.take_retry(value),
                _ => {}
            }
        }
    }

    fn take_data(&mut self, value: &[u8], start: Option<usize>, chunk: &[u8]) {
        if self.is_skipping {
            return;
        }
        if value.len() + self.held() > self.max_event {
            self.skip();
            return;
        }
        match (self.data, start) {
            (Data::None, Some(start)) => {
                self.data = Data::InChunk {
                    start,
                    end: start + value.len(),
                };
                return;
            }
            (Data::None, None) => self.owned.clear(),
            (Data::InChunk { .. }, _) => {
                self.own_data(chunk);
                self.owned.push(b'\n');
            }
            (Data::Owned, _) => self.owned.push(b'\n'),
        }
        self.owned.extend_from_slice(value);
        self.data = Data::Owned;
    }

    fn take_retry(&mut self, value: &[u8]) {
        if !value.is_empty() && value.iter().all(u8::is_ascii_digit) {
            let digits = value.iter().map(|digit| u64::from(digit - b'0'));
            self.retry_ms =
                Some(digits.fold(0, |sum, digit| sum.saturating_mul(10).saturating_add(digit)));
        }
    }

    fn dispatch(&mut self, chunk: &[u8], sink: &mut impl FnMut(Frame<'_>)) {
        let has_id = mem::take(&mut self.has_new_id);
        if has_id {
            mem::swap(&mut self.last_id, &mut self.id);
        }
        let data = match mem::replace(&mut self.data, Data::None) {
            Data::None => None,
            Data::InChunk { start, end } => chunk.get(start..end),
            Data::Owned => Some(&*self.owned),
        };
        if let Some(data) = data {
            self.counters.frames += 1;
            let event = if self.has_event {
                self.event.as_str()
            } else {
                "message"
            };
            sink(Frame {
                event,
                data,
                id: &self.last_id,
                has_id,
            });
        }
        self.has_event = false;
        self.owned.clear();
        self.is_skipping = false;
    }
}

/// Decodes a field's value into a buffer that is used again and again.
fn assign(field: &mut String, value: &[u8]) {
    field.clear();
    match std::str::from_utf8(value) {
        Ok(text) => field.push_str(text),
        Err(_) => field.push_str(&String::from_utf8_lossy(value)),
    }
}

/// Writes a frame as a server sends it: id, event and data, one line each where data has no LF.
pub fn encode(frame: Frame<'_>, out: &mut Vec<u8>) {
    for (name, value) in [("id", frame.id), ("event", frame.event)] {
        if !value.is_empty() && !value.contains(['\n', '\r', '\0']) {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.push(b'\n');
        }
    }
    for line in frame.data.split(|&byte| byte == b'\n') {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn read(decoder: &mut Decoder, chunk: &[u8]) -> Vec<(String, String, String)> {
        let mut out = Vec::new();
        decoder
            .push(chunk, |frame| {
                out.push((
                    frame.event.to_owned(),
                    frame.text().into_owned(),
                    frame.id.to_owned(),
                ));
            })
            .unwrap();
        out
    }

    #[test]
    fn what_is_encoded_is_decoded_again() {
        let mut bytes = Vec::new();
        encode(
            Frame {
                event: "task.failed",
                data: b"{\"a\":1}\nsecond",
                id: "7",
                has_id: true,
            },
            &mut bytes,
        );
        assert_eq!(
            bytes,
            b"id: 7\nevent: task.failed\ndata: {\"a\":1}\ndata: second\n\n"
        );
        let frames = read(&mut Decoder::new(1 << 20), &bytes);
        assert_eq!(
            frames,
            [("task.failed".into(), "{\"a\":1}\nsecond".into(), "7".into())]
        );
    }

    /// Found by fuzzing: `d…` was taken for data where the cut fell inside it.
    #[test]
    fn another_field_beside_the_largest_data_costs_no_event_wherever_it_is_cut() {
        let stream = format!("data: {}\nd{}: b\n\n", "x".repeat(60), "y".repeat(15));
        for chunk_size in 1..stream.len() {
            let mut decoder = Decoder::new(64);
            let chunks = stream.as_bytes().chunks(chunk_size);
            let n_frames = chunks
                .map(|chunk| read(&mut decoder, chunk).len())
                .sum::<usize>();
            assert_eq!(
                (n_frames, decoder.counters().oversized),
                (1, 0),
                "{chunk_size}"
            );
        }
    }

    #[test]
    fn an_oversized_event_is_skipped_and_the_next_one_is_read() {
        for chunk_size in [1, 7, 64, 10_000] {
            let mut decoder = Decoder::new(100);
            let stream = format!("id: 1\ndata: {}\n\nid: 2\ndata: b\n\n", "x".repeat(300));
            let frames: Vec<_> = stream
                .as_bytes()
                .chunks(chunk_size)
                .flat_map(|chunk| read(&mut decoder, chunk))
                .collect();
            assert_eq!(
                frames,
                [("message".into(), "b".into(), "2".into())],
                "{chunk_size}"
            );
            assert_eq!(decoder.counters().oversized, 1);
        }
    }

    #[test]
    fn an_event_of_many_lines_is_capped_too() {
        let mut decoder = Decoder::new(100);
        let stream = format!("{}\ndata: b\n\n", "data: 0123456789\n".repeat(20));
        assert_eq!(
            read(&mut decoder, stream.as_bytes()),
            [("message".into(), "b".into(), String::new())]
        );
        assert_eq!(decoder.counters().oversized, 1);
    }

    #[test]
    fn the_limit_is_the_same_at_every_chunking() {
        let two_lines = format!("data: {0}\ndata: {0}\n\n", "x".repeat(60));
        let long_type = format!("data: {}\nevent: task.completed\n\n", "x".repeat(98));
        let lost_name = format!("i{}d: 9\ndata: a\n\n", "x".repeat(200));
        for (stream, n_expected) in [(two_lines, 0), (long_type, 1), (lost_name, 0)] {
            for chunk_size in [1, 2, 3, 64, 1000] {
                let mut decoder = Decoder::new(100);
                let frames: usize = stream
                    .as_bytes()
                    .chunks(chunk_size)
                    .map(|chunk| read(&mut decoder, chunk).len())
                    .sum();
                assert_eq!(frames, n_expected, "{chunk_size}: {stream}");
                assert_eq!(decoder.last_event_id(), "", "{chunk_size}");
            }
        }
    }

    #[test]
    fn an_event_of_just_the_largest_size_passes_at_every_chunking() {
        for chunk_size in 1..120 {
            let mut decoder = Decoder::new(100);
            let stream = format!("data: {}\n\n", "x".repeat(100));
            let frames: usize = stream
                .as_bytes()
                .chunks(chunk_size)
                .map(|chunk| read(&mut decoder, chunk).len())
                .sum();
            assert_eq!(frames, 1, "{chunk_size}");
        }
    }

    #[test]
    fn an_endless_line_is_given_up_and_costs_little_memory() {
        let mut decoder = Decoder::new(1 << 20);
        let chunk = vec![b'x'; 64 << 10];
        let mut n_chunks = 0;
        while decoder.push(&chunk, |_| {}).is_ok() {
            n_chunks += 1;
            assert!(decoder.carry.capacity() + decoder.owned.capacity() <= 4 << 20);
        }
        assert_eq!(n_chunks, 64);
        decoder.reconnect();
        assert_eq!(read(&mut decoder, b"data: ok\n\n").len(), 1);
    }

    #[test]
    fn a_long_comment_is_no_event() {
        let mut decoder = Decoder::new(100);
        for chunk in [&b": "[..], &[b'x'; 150], &[b'x'; 150], b"\ndata: a\n\n"] {
            decoder.push(chunk, |_| {}).unwrap();
        }
        assert_eq!(
            decoder.counters(),
            Counters {
                frames: 1,
                comments: 1,
                oversized: 0,
                gaps: 0
            }
        );
    }
}
