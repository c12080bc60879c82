//! The faults by name, and what each does on the wire.

use std::fmt;

/// One way in which a server misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fault {
    DropBetween,
    DropInside,
    DropInCharacter,
    Duplicate,
    Reorder,
    Delay,
    Crlf,
    Cr,
    Bom,
    NoIds,
    NoEventNames,
    BareTasks,
    Arrays,
    CamelCase,
    NaiveTimes,
    ClockAhead,
    ClockBehind,
    HeartbeatOnly,
    Silence,
    HalfOpen,
    Trickle,
    LineOfOneMib,
    LineOfHundredMib,
    InvalidUtf8,
    NoContent,
    Moved,
    MovedForNow,
    MovedAway,
    MovedAwayForNow,
    KeyRotated,
    Forbidden,
    NotFound,
    TooManySeconds,
    TooManyDate,
    Trouble,
    BadGateway,
    WrongType,
    Http10,
    NoStream,
    NoLogs,
    NoTasks,
    StaleSnapshot,
}

use Fault::{
    Arrays, BadGateway, BareTasks, Bom, CamelCase, ClockAhead, ClockBehind, Cr, Crlf, Delay,
    DropBetween, DropInCharacter, DropInside, Duplicate, Forbidden, HalfOpen, HeartbeatOnly,
    Http10, InvalidUtf8, KeyRotated, LineOfHundredMib, LineOfOneMib, Moved, MovedAway,
    MovedAwayForNow, MovedForNow, NaiveTimes, NoContent, NoEventNames, NoIds, NoLogs, NoStream,
    NoTasks, NotFound, Reorder, Silence, StaleSnapshot, TooManyDate, TooManySeconds, Trickle,
    Trouble, WrongType,
};

/// Every fault with its name and what it does, in the order of the enum.
pub const FAULTS: [(Fault, &str, &str); 42] = [
    (
        DropBetween,
        "drop-between",
        "the connection breaks between two events, after a few",
    ),
    (
        DropInside,
        "drop-inside",
        "the connection breaks inside an event, after a few",
    ),
    (
        DropInCharacter,
        "drop-in-character",
        "the connection breaks inside a UTF-8 character, after a few events",
    ),
    (
        Duplicate,
        "duplicate",
        "about every second event comes again, at once or a few events later",
    ),
    (Reorder, "reorder", "events come in threes, shuffled"),
    (Delay, "delay", "each event comes 50 to 500 ms late"),
    (Crlf, "crlf", "lines end in CRLF"),
    (Cr, "cr", "lines end in CR alone"),
    (Bom, "bom", "the stream begins with a byte order mark"),
    (NoIds, "no-ids", "events have no id"),
    (NoEventNames, "no-event-names", "events have no name"),
    (
        BareTasks,
        "bare-tasks",
        "a task event carries the task alone, without its envelope",
    ),
    (Arrays, "arrays", "an event's data is an array"),
    (
        CamelCase,
        "camel-case",
        "names in lists and events are in camelCase",
    ),
    (NaiveTimes, "naive-times", "times have no zone"),
    (
        ClockAhead,
        "clock-ahead",
        "the server's clock is seven minutes ahead",
    ),
    (
        ClockBehind,
        "clock-behind",
        "the server's clock is seven minutes behind",
    ),
    (
        HeartbeatOnly,
        "heartbeat-only",
        "the stream beats on and loses every event",
    ),
    (
        Silence,
        "silence",
        "the stream says nothing, not even a heartbeat",
    ),
    (
        HalfOpen,
        "half-open",
        "the server forgets its readers and never closes their connections",
    ),
    (Trickle, "trickle", "the stream comes one byte at a time"),
    (
        LineOfOneMib,
        "line-1mib",
        "every fourth event is a line of 1 MiB",
    ),
    (
        LineOfHundredMib,
        "line-100mib",
        "every eighth event is a line of 100 MiB",
    ),
    (
        InvalidUtf8,
        "invalid-utf8",
        "every third event has a byte that is no UTF-8",
    ),
    (
        NoContent,
        "204",
        "the stream is answered with 204: do not come back",
    ),
    (Moved, "301", "the stream has moved to another path"),
    (MovedForNow, "307", "the stream is at another path for now"),
    (
        MovedAway,
        "301-away",
        "the stream has moved to another origin",
    ),
    (
        MovedAwayForNow,
        "307-away",
        "the stream is at another origin for now",
    ),
    (
        KeyRotated,
        "401",
        "the key is not valid any more: streams end, everything is refused",
    ),
    (Forbidden, "403", "the stream is forbidden"),
    (NotFound, "404", "the stream is not found"),
    (
        TooManySeconds,
        "429",
        "too many requests; Retry-After is a number of seconds",
    ),
    (
        TooManyDate,
        "429-date",
        "too many requests; Retry-After is a date",
    ),
    (Trouble, "500", "everything is answered with 500"),
    (
        BadGateway,
        "502",
        "everything is answered with 502 and an HTML page",
    ),
    (
        WrongType,
        "wrong-type",
        "the stream's content type is text/plain",
    ),
    (
        Http10,
        "http-1.0",
        "answers are HTTP/1.0 and end with the connection, the stream after a few events",
    ),
    (
        NoStream,
        "no-stream",
        "there is no event stream: it is not found and not published",
    ),
    (
        NoLogs,
        "no-logs",
        "there are no log routes: they are not found and not published",
    ),
    (
        NoTasks,
        "no-tasks",
        "tasks cannot be read: /tasks/active and /tasks/{id} are not found",
    ),
    (
        StaleSnapshot,
        "stale-snapshot",
        "tasks are read as they were when this began",
    ),
];

/// The name that stands for a changing mix of all that a client can survive.
pub const ALL: &str = "all";

impl Fault {
    /// Its name, as `--chaos` takes it.
    pub fn name(self) -> &'static str {
        FAULTS[self as usize].1
    }

    /// The fault of that name.
    pub fn named(name: &str) -> Option<Self> {
        FAULTS
            .iter()
            .find(|(_, known, _)| *known == name)
            .map(|(fault, ..)| *fault)
    }
}

/// Faults that are on together.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultSet(u64);

impl FaultSet {
    /// None at all.
    pub const CALM: Self = Self(0);
    /// A stream's request is answered otherwise than with the stream.
    pub const OF_ANSWERS: Self = Self::of(&[
        NoContent,
        Moved,
        MovedForNow,
        MovedAway,
        MovedAwayForNow,
        KeyRotated,
        Forbidden,
        NotFound,
        TooManySeconds,
        TooManyDate,
        Trouble,
        BadGateway,
        NoStream,
    ]);
    /// Only a new connection shows them, so that open streams end when one of them is switched on.
    pub const OF_OPENINGS: Self = Self::of(&[Bom, WrongType, Http10]).and(Self::OF_ANSWERS);
    /// They change what an open stream says.
    pub const OF_BYTES: Self = Self::of(&[
        DropBetween,
        DropInside,
        DropInCharacter,
        Duplicate,
        Reorder,
        Delay,
        Crlf,
        Cr,
        Bom,
        NoIds,
        NoEventNames,
        BareTasks,
        Arrays,
        CamelCase,
        NaiveTimes,
        HeartbeatOnly,
        Silence,
        HalfOpen,
        Trickle,
        LineOfOneMib,
        LineOfHundredMib,
        InvalidUtf8,
        Http10,
    ]);
    /// They change what other routes say.
    pub const OF_REST: Self = Self::of(&[
        CamelCase,
        NaiveTimes,
        ClockAhead,
        ClockBehind,
        NoLogs,
        NoTasks,
        StaleSnapshot,
    ]);

    /// These faults.
    pub const fn of(faults: &[Fault]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < faults.len() {
            bits |= 1 << faults[at] as u8;
            at += 1;
        }
        Self(bits)
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub const fn has(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u8) != 0
    }

    pub const fn has_any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// These without those.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// In the order of [`FAULTS`].
    pub fn iter(self) -> impl Iterator<Item = Fault> {
        FAULTS
            .iter()
            .map(|(fault, ..)| *fault)
            .filter(move |fault| self.has(*fault))
    }

    /// Their names.
    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(Fault::name).collect()
    }
}

impl FromIterator<Fault> for FaultSet {
    fn from_iter<T: IntoIterator<Item = Fault>>(faults: T) -> Self {
        faults
            .into_iter()
            .fold(Self::CALM, |set, fault| set.and(Self::of(&[fault])))
    }
}

impl fmt::Debug for FaultSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// These, all the time.
    These(FaultSet),
    /// A changing mix of all that a client can survive, with calm between, drawn from the seed.
    Mix,
}

impl Default for Choice {
    fn default() -> Self {
        Self::These(FaultSet::CALM)
    }
}

/// A name that is no fault's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no fault {name:?}; there are {}, {ALL}; --chaos list says what each does",
    known()
)]
pub struct UnknownFault {
    pub name: String,
}

fn known() -> String {
    FAULTS.map(|(_, name, _)| name).join(", ")
}

impl Choice {
    /// From names, of which `all` takes in every other.
    pub fn named<S: AsRef<str>>(names: &[S]) -> Result<Self, UnknownFault> {
        let mut set = FaultSet::CALM;
        let mut is_mix = false;
        for name in names.iter().map(AsRef::as_ref) {
            match Fault::named(name) {
                Some(fault) => set = set.and(FaultSet::of(&[fault])),
                None if name == ALL => is_mix = true,
                None => {
                    let name = name.to_owned();
                    return Err(UnknownFault { name });
                }
            }
        }
        Ok(if is_mix { Self::Mix } else { Self::These(set) })
    }

    /// As it was asked for.
    pub fn names(self) -> Vec<&'static str> {
        match self {
            Self::These(set) => set.names(),
            Self::Mix => vec![ALL],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum_and_names_are_unique() {
        for (at, (fault, name, _)) in FAULTS.iter().enumerate() {
            assert_eq!(*fault as usize, at, "{name}");
            assert_eq!(Fault::named(name), Some(*fault));
            assert_eq!(fault.name(), *name);
        }
    }

    #[test]
    fn every_fault_belongs_somewhere() {
        let everywhere = FaultSet::OF_BYTES
            .and(FaultSet::OF_OPENINGS)
            .and(FaultSet::OF_REST);
        assert_eq!(everywhere.iter().count(), FAULTS.len());
    }

    #[test]
    fn a_choice_is_read_from_names() {
        assert_eq!(
            Choice::named(&["crlf", "401"]),
            Ok(Choice::These(FaultSet::of(&[Crlf, KeyRotated])))
        );
        assert_eq!(Choice::named(&["crlf", "all"]), Ok(Choice::Mix));
        assert_eq!(Choice::named::<&str>(&[]), Ok(Choice::default()));
        let error = Choice::named(&["crlf", "gremlins"]).map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| {
            text.contains("\"gremlins\"")
                && text.contains("drop-in-character")
                && text.contains(", all;")
        }));
    }
}
