//! Marks: messages picked out one by one, for what is to be done with all of them.

use std::collections::BTreeSet;

use super::list::Step;
use super::page::{Page, task_messages};
use super::{Overlay, Screen, State, Tone};
use crate::domain::{History, MessageId};

/// The marked messages, by id: they stay marked wherever they are listed, and where no row is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    ids: BTreeSet<MessageId>,
    /// Messages that had left memory when this was last looked at.
    evicted: u64,
}

impl Marks {
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub fn has(&self, id: &MessageId) -> bool {
        self.ids.contains(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &MessageId> + '_ {
        self.ids.iter()
    }

    pub fn add(&mut self, id: MessageId) {
        self.ids.insert(id);
    }

    fn toggle(&mut self, id: MessageId) {
        if !self.ids.remove(&id) {
            self.ids.insert(id);
        }
    }

    /// Takes the marks of these away if all of them have one; else marks them all.
    fn toggle_all(&mut self, ids: Vec<MessageId>) {
        if ids.iter().all(|id| self.ids.contains(id)) {
            for id in &ids {
                self.ids.remove(id);
            }
        } else {
            self.ids.extend(ids);
        }
    }

    fn clear(&mut self) -> usize {
        std::mem::take(&mut self.ids).len()
    }

    /// Takes the marks away of what left memory. Gives how many.
    fn forget_gone(&mut self, history: &History) -> usize {
        let evicted = history.deliveries.evicted();
        if self.evicted == evicted {
            return 0;
        }
        self.evicted = evicted;
        let n = self.ids.len();
        self.ids.retain(|id| history.deliveries.get(id).is_some());
        n - self.ids.len()
    }
}

const NOT_HERE: &str = "marks are for messages: on Deliveries (3), or at a task's messages (Tab)";

impl State {
    /// Whether the rows that the keys act on are messages, which can be marked.
    pub fn has_markable(&self) -> bool {
        match self.pages.last() {
            None => self.screen == Screen::Deliveries,
            Some(Page::Task(page)) => page.pane == 1,
            Some(_) => false,
        }
    }

    /// Turns the mark of the selected message round and goes on to the next; in a plan, chooses.
    pub(super) fn choose(&mut self) {
        match self.overlay {
            Some(Overlay::Replay(_)) => return self.choose_endpoint(),
            Some(Overlay::Bulk(_)) => return self.choose_bulk(),
            None => {}
            Some(_) => return,
        }
        let message = match self.pages.last() {
            _ if !self.has_markable() => None,
            Some(Page::Task(page)) => page
                .messages
                .current(&task_messages(&self.history, &page.task))
                .cloned(),
            _ => self.listed_message(),
        };
        let Some(message) = message else {
            return self.say(Tone::Info, NOT_HERE);
        };
        self.marks.toggle(message);
        self.step(Step::Down(1));
    }

    /// Marks every message that the list shows, or takes all these marks away.
    pub(super) fn mark_all(&mut self) {
        match self.overlay {
            Some(Overlay::Bulk(_)) => return self.choose_all_bulk(),
            Some(_) => return self.say(Tone::Info, "the star is for a plan of many (R)"),
            None => {}
        }
        if !self.has_markable() {
            return self.say(Tone::Info, NOT_HERE);
        }
        if let Some(Page::Task(page)) = self.pages.last() {
            self.marks
                .toggle_all(task_messages(&self.history, &page.task));
            return;
        }
        match self.deliveries.ids(&self.history) {
            Some(ids) => self.marks.toggle_all(ids),
            None => self.say(Tone::Info, super::deliveries::STILL_FILTERING),
        }
    }

    /// Takes all marks away. Returns whether there were any.
    pub(super) fn clear_marks(&mut self) -> bool {
        let n = self.marks.clear();
        if n > 0 {
            self.say(Tone::Info, format!("{} taken away", marks_words(n)));
        }
        n > 0
    }

    /// Says so where marked messages left memory.
    pub(super) fn forget_marks(&mut self) {
        let n = self.marks.forget_gone(&self.history);
        if n > 0 {
            let words = format!("{} went: their messages left memory", marks_words(n));
            self.say(Tone::Warn, words);
        }
    }

    /// Marked messages that the filter of the list hides.
    pub fn n_hidden_marks(&self) -> usize {
        let is_hidden = |id: &&MessageId| !self.deliveries.shows(id);
        self.marks.iter().filter(is_hidden).count()
    }
}

fn marks_words(n: usize) -> String {
    if n == 1 {
        "1 mark".to_owned()
    } else {
        format!("{n} marks")
    }
}
