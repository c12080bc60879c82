//! The journal as the rest sees it: whether what happens is recorded, where, and what was not.

use std::fmt::{self, Write};

use super::count::plural;
use super::time::Time;

/// Whether what happens is being recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Recording {
    /// Nobody wants it recorded.
    #[default]
    Off,
    /// The file of earlier runs is being read.
    Opening,
    On,
    /// It should be recorded and is not.
    Not(NotRecording),
}

/// Why nothing is recorded although it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRecording {
    /// Another reeltop records this profile.
    Another,
    /// The disk, or what this user may use of it, is full.
    Full,
    /// The folder or the file cannot be written.
    ReadOnly(String),
    /// The file belongs to another program.
    Foreign,
    /// The file was written by a newer reeltop.
    Newer,
    /// Anything else, in words.
    Failed(String),
}

impl NotRecording {
    /// What to do, where that is not to mend the file or what is around it.
    pub fn advice(&self) -> Option<&'static str> {
        matches!(self, Self::Newer)
            .then_some("use the newer reeltop; this one leaves the file as it is")
    }
}

impl fmt::Display for NotRecording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Another => f.write_str("another reeltop records this profile"),
            Self::Full => f.write_str("the disk is full"),
            Self::ReadOnly(why) => write!(f, "it cannot be written: {why}"),
            Self::Foreign => f.write_str("the file belongs to another program"),
            Self::Newer => f.write_str("the file was written by a newer reeltop"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// Why the journal does not hold a part of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// It was never recorded, and why.
    NotRecorded(String),
    /// It was too old or too much, and left the file.
    LetGo,
    /// It is in the file and cannot be read.
    Damaged,
}

/// A part of the past that the journal does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// When it ended, about.
    pub until: Time,
    /// Changes that are missing.
    pub n: u64,
    pub why: Missing,
}

impl Hole {
    /// `1204 changes were not recorded: the disk is full`
    pub fn words(&self) -> String {
        let changes = match self.n {
            1 => "1 change".to_owned(),
            n => format!("{n} changes"),
        };
        match &self.why {
            Missing::NotRecorded(why) => format!("{changes} not recorded: {why}"),
            Missing::LetGo => format!("{changes} left the journal by age or size"),
            Missing::Damaged => format!("{changes} in a damaged part of the journal"),
        }
    }
}

/// The journal of this profile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Journal {
    pub recording: Recording,
    /// The file, as people name it; empty where there is none.
    pub file: String,
    /// Bytes of the file and of what `SQLite` keeps beside it.
    pub bytes: u64,
    /// Changes that this run recorded.
    pub n_recorded: u64,
    /// Changes of this run that are not in the file. Those that came while another reeltop recorded
    /// are that one's, and do not count.
    pub n_missed: u64,
    /// Changes of earlier runs that were read at the start.
    pub n_restored: u64,
    /// Parts of the file that could not be read.
    pub n_damaged: u64,
    /// What it does not hold of earlier runs, oldest first.
    pub holes: Vec<Hole>,
    /// Why earlier runs could not be read, or not all of them.
    pub unread: Option<String>,
    /// The name that a corrupt file was given to keep it.
    pub set_aside: Option<String>,
}

impl Journal {
    /// Whether people must know: something should be recorded and is not, or was not.
    pub fn is_amiss(&self) -> bool {
        matches!(self.recording, Recording::Not(_))
            || self.n_missed > 0
            || self.n_damaged > 0
            || self.unread.is_some()
            || (self.holes.iter()).any(|hole| hole.why != Missing::LetGo)
            || self.set_aside.is_some()
    }

    /// Whether it records, in a few words.
    pub fn words(&self) -> String {
        let mut words = match &self.recording {
            Recording::Off => "off".to_owned(),
            Recording::Opening => "reading earlier runs".to_owned(),
            Recording::On => "recording".to_owned(),
            Recording::Not(why) => format!("not recording: {why}"),
        };
        if self.n_missed > 0 {
            let missed = plural(self.n_missed, "change", "changes");
            let _ = write!(words, " · {missed} not recorded");
        }
        words
    }
}
