//! What is said of events on their way to a Svix server, in words.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use crate::domain::Failure;
use crate::domain::time::rough_words;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// So many events wait, and none is taken.
    Away {
        n: usize,
        why: Failure,
    },
    /// One was taken; so many that failed before still wait.
    Back(usize),
    /// The server asks to be left alone.
    Busy(Failure),
    /// An event fails again and again while others are taken.
    Stuck {
        id: String,
        why: Failure,
    },
    /// What failed while others were taken is taken.
    Unstuck,
    Refused {
        id: String,
        why: Failure,
    },
    /// The `n`th that is given up.
    GivenUp {
        id: String,
        tries: u32,
        over: Duration,
        n: u64,
        why: Failure,
    },
    /// So many wait that there is no room for more.
    Full(usize),
    /// There is room again; so many were dropped meanwhile.
    Room(u64),
}

impl Display for Said {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away { n: 1, why } => write!(f, "an event waits until Svix takes it: {why}"),
            Self::Away { n, why } => write!(f, "{n} events wait until Svix takes them: {why}"),
            Self::Back(0) => write!(f, "Svix takes events again"),
            Self::Back(1) => write!(f, "Svix takes events again; one waits for another try"),
            Self::Back(n) => write!(f, "Svix takes events again; {n} wait for another try"),
            Self::Busy(why) => write!(f, "events wait as Svix asks: {why}"),
            Self::Stuck { id, why } => write!(
                f,
                "Svix does not take the event {id} while it takes others; it is tried again, and so are those like it (/health counts them as retries_pending): {why}"
            ),
            Self::Unstuck => write!(f, "Svix has taken the events that it did not take before"),
            // What to do is for whoever sends it, and that is this program.
            Self::Refused { id, why } => {
                write!(
                    f,
                    "Svix refused the event {id}, which is dropped: {}",
                    why.what
                )
            }
            Self::GivenUp {
                id,
                tries,
                over,
                n,
                why,
            } => {
                let over = i64::try_from(over.as_micros()).unwrap_or(i64::MAX);
                write!(
                    f,
                    "the event {id} is given up (the {n}. of this run): Svix did not take it in {tries} tries over {}, while it took others: {why}",
                    rough_words(over)
                )
            }
            Self::Full(n) => write!(
                f,
                "{n} events wait for Svix; what comes on top is dropped (/health counts it)"
            ),
            Self::Room(1) => write!(
                f,
                "there is room for events again; one was dropped meanwhile"
            ),
            Self::Room(n) => write!(
                f,
                "there is room for events again; {n} were dropped meanwhile"
            ),
        }
    }
}
