//! What a post from here would do, before it does.

use std::io;

use serde_json::json;

use super::{Held, line, nth, standing_words};
use crate::cli::args::ReplayArgs;
use crate::cli::output::{Output, UNCLEAR, tell};
use crate::cli::replay::arrived::Warnings;
use crate::domain::{EndpointId, MessageId, Replay, ReplayStep, Replays, Route, Stage};
use crate::io::Clock;

/// What would become of each message at once, and the warnings of each.
pub struct Planned<'a> {
    held: &'a [Held],
    warnings: &'a Warnings,
    stages: &'a [Stage],
    replays: Replays,
}

impl<'a> Planned<'a> {
    /// Of the messages posted to this place.
    pub fn of(
        held: &'a [Held],
        warnings: &'a Warnings,
        place: &EndpointId,
        stages: &'a [Stage],
    ) -> Self {
        let mut replays = Replays::default();
        let now = Clock::new().now();
        for ((message, stage), number) in held.iter().zip(stages).zip(1..) {
            let step = ReplayStep {
                replay: number,
                message: MessageId::new(&message.id),
                endpoint: place.clone(),
                route: Route::Local,
                stage: stage.clone(),
            };
            replays.step(step, now);
        }
        Self {
            held,
            warnings,
            stages,
            replays,
        }
    }

    pub fn is_any_sent(&self) -> bool {
        self.stages.contains(&Stage::Planned)
    }

    /// Prints it, a line each.
    pub fn print(&self, out: &mut Output, args: &ReplayArgs) -> io::Result<()> {
        if args.json {
            for (message, replay, warnings) in self.rows() {
                let mut line = line(message, replay);
                line["warnings"] = json!(warnings);
                out.line(&line.to_string())?;
            }
        } else {
            for words in self.words() {
                out.line(&words)?;
            }
        }
        out.flush()
    }

    /// The exit code that goes with it.
    pub fn code(&self) -> u8 {
        let is_kept_back = |stage: &Stage| matches!(stage, Stage::Cancelled(_));
        if self.stages.iter().any(is_kept_back) {
            return UNCLEAR;
        }
        u8::from(self.stages.iter().any(|stage| *stage != Stage::Planned))
    }

    /// Shows it to who is asked, or would have to be.
    pub fn show(&self) {
        for words in self.words() {
            tell(&words);
        }
    }

    fn words(&self) -> impl Iterator<Item = String> {
        self.rows().flat_map(|(message, replay, warnings)| {
            let warnings = warnings.iter().map(|words| format!("  ! {words}"));
            core::iter::once(standing_words(message, replay)).chain(warnings)
        })
    }

    fn rows(&self) -> impl Iterator<Item = (&Held, &Replay, &[String])> {
        self.replays.all().filter_map(|replay| {
            let message = nth(self.held, replay.number)?;
            let warnings = self.warnings.get(&replay.message);
            Some((message, replay, warnings.map_or(&[][..], Vec::as_slice)))
        })
    }
}

/// The warnings in the order of the messages.
pub fn warned<'a>(
    ids: &'a [MessageId],
    warnings: &'a Warnings,
) -> impl Iterator<Item = (&'a MessageId, &'a String)> {
    let of = |id: &'a MessageId| warnings.get(id).into_iter().flatten();
    ids.iter()
        .flat_map(move |id| of(id).map(move |words| (id, words)))
}
