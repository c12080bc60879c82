//! Giving a replay up: the user looked what became of it, and says so twice.

use super::listing::{Entry, Listing};
use super::page::Page;
use super::toast::TOAST;
use super::{Effect, State, Tone};
use crate::domain::visible;

impl State {
    /// Gives up the replay that is picked among all, if that is asked for a second time.
    pub(super) fn give_up(&mut self) -> Vec<Effect> {
        let Some(Page::List(page)) = self.pages.last() else {
            self.say_here("L lists the replays; one of them can be given up there");
            return Vec::new();
        };
        let entries = page.what.entries(&self.history);
        let picked = match page.pick.current(&entries) {
            Some(Entry::Replay(number, _)) if page.what == Listing::Replays => *number,
            _ => {
                self.say_here("no replay is selected; L lists them");
                return Vec::new();
            }
        };
        let Some(replay) = self.history.replays.get(picked) else {
            return Vec::new();
        };
        if !replay.state.is_open() {
            let words = format!("nothing is waited for: it is {}", replay.state.name());
            self.say_here(words);
            return Vec::new();
        }
        let is_second = self
            .gives_up
            .take()
            .is_some_and(|(number, until)| number == picked && self.now.mono <= until);
        if is_second {
            return vec![Effect::GiveUp(picked)];
        }
        let label = self.history.endpoint_label(&replay.endpoint);
        let words = format!(
            "did you look? the replay of {} to {} may have arrived; X again stops waiting for it",
            replay.message.short(15),
            visible(&label),
        );
        self.gives_up = Some((picked, self.now.mono + TOAST));
        self.say(Tone::Warn, words);
        Vec::new()
    }
}
