//! What is said of a replay that keeps another from being sent.

use super::{Replay, ReplayState, Who};
use crate::domain::id::EndpointId;

impl Replay {
    /// Why no other of its pair is sent while it is open.
    pub fn open_words(&self) -> String {
        match &self.by {
            Some(who) if who.is_running => {
                format!("{} is replaying it: {}", who.words(), self.words())
            }
            Some(who) => format!(
                "a replay of it by {} is open: {}",
                who.words(),
                self.words()
            ),
            None => format!("a replay of it is open: {}", self.words()),
        }
    }

    /// Why nothing is sent to this endpoint while it is open, be it that it goes there by another name.
    pub fn rival_words(&self, at: &EndpointId) -> String {
        let open = self.open_words();
        if self.endpoint == *at {
            open
        } else {
            format!("{open}; it may still arrive there by {}", self.endpoint)
        }
    }

    /// How somebody who has looked closes it by a command, where nobody follows it any more.
    pub fn closing_words(&self) -> Option<String> {
        const ID: usize = 8;
        let who = self.by.as_ref().filter(|who| !who.is_running)?;
        let is_sent = matches!(
            self.state,
            ReplayState::Accepted | ReplayState::AttemptSeen(_) | ReplayState::Unknown(_)
        );
        let id: String = who.id.chars().take(ID).collect();
        is_sent.then(|| {
            format!("once you have looked there, reeltop replays --give-up {id} closes it")
        })
    }

    /// The same; where somebody follows it, where to read how it ends.
    pub fn closing_hint(&self) -> String {
        self.closing_words()
            .unwrap_or_else(|| "reeltop replays tells how it ends".to_owned())
    }

    /// Why nothing more is sent where it went while that was being decided.
    pub fn meanwhile_words(&self) -> String {
        let who = self.by.as_ref().map(Who::words);
        let who = who.unwrap_or_else(|| "this reeltop".to_owned());
        format!(
            "{who} posted it there meanwhile: {}; asked once more, it is sent again",
            self.words()
        )
    }
}
