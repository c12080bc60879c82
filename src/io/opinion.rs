//! A second opinion on a stream: the same stream read by `reqwest-eventsource`, as a program with
//! an off-the-shelf client would read it.
//!
//! That client panics on some streams and can be kept busy for long by others, so that it runs on
//! a thread of its own, whose panics make no noise and which is left behind if it does not come
//! back.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::RequestBuilder;
use reqwest_eventsource::{Error, Event, EventSource, retry};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::client::http::Http;
use super::client::masking::Masking;

/// The thread's name, by which its panics are known.
const THREAD: &str = "second opinion";
/// Events that are kept to be compared, of either reader.
pub const MAX_SIGHTS: usize = 10_000;
/// How long the thread may take to come back.
const GRACE: Duration = Duration::from_secs(1);

/// Bytes of a word that are kept to be shown.
const MAX_EXCERPT: usize = 60;

/// A word of a stream, in little room however long it is: enough to compare it and to show how it
/// begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    len: usize,
    hash: u64,
    /// How it begins, without the key.
    start: Box<str>,
}

impl Word {
    pub fn of(word: &str, masking: &Masking) -> Self {
        // Masked before it is cut: a cut within a key would hide that it is one.
        let clean = masking.text(word);
        Self {
            len: word.len(),
            hash: hash(word),
            start: clean[..clean.floor_char_boundary(MAX_EXCERPT)].into(),
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.start)?;
        if self.len > MAX_EXCERPT {
            write!(f, "\u{2026} ({} bytes)", self.len)?;
        }
        Ok(())
    }
}

/// An event as a reader saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    pub kind: Word,
    pub id: Word,
    /// The data's length in bytes, and its hash.
    pub data: (usize, u64),
    pub at: Instant,
}

impl Sight {
    /// An event that is seen now.
    pub fn now(kind: &str, id: &str, data: &str, masking: &Masking) -> Self {
        Self {
            kind: Word::of(kind, masking),
            id: Word::of(id, masking),
            data: (data.len(), hash(data)),
            at: Instant::now(),
        }
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// How the other reader's reading ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It read until it was told to stop.
    Stopped,
    /// The connection ended.
    Ended,
    /// It gave up, for this reason.
    GaveUp(String),
    /// It panicked.
    Crashed,
    /// It did not come back.
    Stuck,
}

/// What the other reader saw.
#[derive(Debug, Clone)]
pub struct Opinion {
    /// When its connection stood.
    pub opened: Option<Instant>,
    pub sights: Vec<Sight>,
    pub end: End,
}

#[derive(Debug, Default)]
struct Seen {
    opened: Option<Instant>,
    sights: Vec<Sight>,
}

/// A reading under way.
pub struct Reading {
    seen: Arc<Mutex<Seen>>,
    stop: oneshot::Sender<()>,
    end: oneshot::Receiver<End>,
}

impl Reading {
    /// Begins to read on a thread of its own.
    pub fn begin(request: RequestBuilder, http: Arc<Http>) -> std::io::Result<Self> {
        hush();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (stop, stopped) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let shared = Arc::clone(&seen);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::Builder::new()
            .name(THREAD.to_owned())
            .spawn(move || {
                let how = runtime.block_on(read(request, &http.masking, &shared, stopped));
                // Nobody may wait for it any more.
                let _ = ended.send(how);
            })?;
        Ok(Self { seen, stop, end })
    }

    /// Ends the reading and says what was seen.
    pub async fn conclude(self) -> Opinion {
        // It may have ended already.
        let _ = self.stop.send(());
        let end = match timeout(GRACE, self.end).await {
            Ok(Ok(end)) => end,
            // The thread is gone and has said nothing.
            Ok(Err(_)) => End::Crashed,
            Err(_) => End::Stuck,
        };
        let mut seen = lock(&self.seen);
        Opinion {
            opened: seen.opened,
            sights: std::mem::take(&mut seen.sights),
            end,
        }
    }
}

async fn read(
    request: RequestBuilder,
    masking: &Masking,
    seen: &Mutex<Seen>,
    mut stopped: oneshot::Receiver<()>,
) -> End {
    let Ok(mut source) = EventSource::new(request) else {
        return End::GaveUp("its request cannot be repeated".to_owned());
    };
    source.set_retry_policy(Box::new(retry::Never));
    loop {
        let event = tokio::select! {
            biased;
            _ = &mut stopped => return End::Stopped,
            event = source.next() => event,
        };
        match event {
            Some(Ok(Event::Open)) => lock(seen).opened = Some(Instant::now()),
            Some(Ok(Event::Message(message))) => {
                let mut seen = lock(seen);
                if seen.sights.len() >= MAX_SIGHTS {
                    return End::Stopped;
                }
                let sight = Sight::now(&message.event, &message.id, &message.data, masking);
                seen.sights.push(sight);
            }
            Some(Err(Error::StreamEnded)) | None => return End::Ended,
            Some(Err(error)) => return End::GaveUp(reason(&error, masking)),
        }
    }
}

/// Why it gave up, without the URL that the library names in full and without the key.
fn reason(error: &Error, masking: &Masking) -> String {
    match error {
        Error::InvalidStatusCode(status, _) => format!("the answer was {}", status.as_u16()),
        Error::InvalidContentType(kind, _) => {
            let kind = String::from_utf8_lossy(kind.as_bytes());
            let kind = Word::of(&kind, masking);
            format!("it cannot take the content type {kind}")
        }
        Error::Transport(_) => "its connection broke".to_owned(),
        Error::Utf8(_) => "the stream holds bytes that are no UTF-8".to_owned(),
        Error::Parser(_) => "it cannot parse the stream".to_owned(),
        Error::InvalidLastEventId(_) => "it cannot send the event id back".to_owned(),
        Error::StreamEnded => "the stream ended".to_owned(),
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Panics of the thread are findings, not accidents: the hook passes over them.
fn hush() {
    static HUSHED: Once = Once::new();
    HUSHED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if thread::current().name() != Some(THREAD) {
                previous(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn a_word_of_a_mebibyte_takes_little_room_and_is_still_compared_whole() {
        let masking = Masking::new(None).unwrap();
        let long = "\u{e9}".repeat(1 << 19);
        let word = Word::of(&long, &masking);
        assert!(word.start.len() <= MAX_EXCERPT);
        assert!(word.to_string().ends_with("\u{2026} (1048576 bytes)"));
        assert_eq!(word, Word::of(&long, &masking));
        let last = format!("{}ab", &long[..long.len() - 2]);
        assert_ne!(word, Word::of(&last, &masking));
        assert_eq!(Word::of("task.failed", &masking).to_string(), "task.failed");
    }

    #[test]
    fn a_key_that_the_cut_would_halve_is_not_shown() {
        let key = SecretString::from("sk_planted_in_a_long_word");
        let masking = Masking::new(Some(&key)).unwrap();
        let word = format!("{}sk_planted_in_a_long_word", "x".repeat(MAX_EXCERPT - 8));
        let shown = Word::of(&word, &masking).to_string();
        assert!(!shown.contains("sk_"), "{shown}");
    }
}
