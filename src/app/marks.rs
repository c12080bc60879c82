//! Marks: messages picked out one by one, for what is to be done with all of them. Each means the
//! endpoints that were meant when it was set.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::filter::Filter;
use super::list::Step;
use super::page::{Page, task_messages};
use super::subject::means_endpoint;
use super::{Overlay, Screen, State, Tone};
use crate::domain::{EndpointId, History, MessageId, plural};

/// What a mark says of the endpoints of its message.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meant {
    /// Those that the filter means by which the list was filtered: all where it names none.
    Filtered(Arc<Filter>),
    Endpoint(EndpointId),
}

impl Meant {
    fn is_everywhere(&self) -> bool {
        matches!(self, Self::Filtered(filter) if filter.query.of_attempts().is_empty())
    }

    fn means(&self, history: &History, message: &MessageId, endpoint: &EndpointId) -> bool {
        match self {
            Self::Filtered(filter) => means_endpoint(history, &filter.query, message, endpoint),
            Self::Endpoint(only) => only == endpoint,
        }
    }
}

/// The marked messages, by id: they stay marked wherever they are listed, and where no row is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// Each means the endpoints that any of these means.
    marked: BTreeMap<MessageId, Vec<Meant>>,
    /// Messages that had left memory when this was last looked at.
    evicted: u64,
}

impl Marks {
    pub fn len(&self) -> usize {
        self.marked.len()
    }

    pub fn is_empty(&self) -> bool {
        self.marked.is_empty()
    }

    pub fn has(&self, id: &MessageId) -> bool {
        self.marked.contains_key(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &MessageId> + '_ {
        self.marked.keys()
    }

    /// Whether a mark of the message means this endpoint.
    pub fn means(&self, history: &History, message: &MessageId, endpoint: &EndpointId) -> bool {
        let mut meant = self.marked.get(message).into_iter().flatten();
        meant.any(|meant| meant.means(history, message, endpoint))
    }

    /// Marks a message for what it is at one endpoint.
    pub fn add(&mut self, id: MessageId, endpoint: EndpointId) {
        self.set(id, Meant::Endpoint(endpoint));
    }

    fn set(&mut self, id: MessageId, meant: Meant) {
        let held = self.marked.entry(id).or_default();
        if !held.contains(&meant) {
            held.push(meant);
        }
    }

    fn toggle(&mut self, id: MessageId, filter: Filter) {
        if self.marked.remove(&id).is_none() {
            self.set(id, Meant::Filtered(Arc::new(filter)));
        }
    }

    /// Takes the marks of these away if all of them have this one; else gives it to them all.
    fn toggle_all(&mut self, ids: Vec<MessageId>, filter: Filter) {
        let meant = Meant::Filtered(Arc::new(filter));
        let has_it = |id| {
            let held = self.marked.get(id);
            held.is_some_and(|held: &Vec<Meant>| held.contains(&meant))
        };
        if ids.iter().all(has_it) {
            for id in &ids {
                self.marked.remove(id);
            }
        } else {
            for id in ids {
                self.set(id, meant.clone());
            }
        }
    }

    fn clear(&mut self) -> usize {
        std::mem::take(&mut self.marked).len()
    }

    /// Takes the marks away of what left memory. Gives how many.
    fn forget_gone(&mut self, history: &History) -> usize {
        let evicted = history.deliveries.evicted();
        if self.evicted == evicted {
            return 0;
        }
        self.evicted = evicted;
        let n = self.marked.len();
        self.marked
            .retain(|id, _| history.deliveries.get(id).is_some());
        n - self.marked.len()
    }

    /// How many there are, and which endpoints they mean where that is not all.
    pub fn words(&self) -> String {
        let n = self.len();
        let mut meant = self.marked.values().flatten();
        let Some(first) = meant.next() else {
            return format!("{n} marked");
        };
        let is_alike = meant.all(|other| other == first);
        let is_narrow = |meant: &Meant| !meant.is_everywhere();
        match first {
            Meant::Filtered(filter) if is_alike && is_narrow(first) => {
                format!("{n} marked, only where /{} means", filter.text)
            }
            _ if self.marked.values().flatten().any(is_narrow) => {
                format!("{n} marked, each only where it was meant")
            }
            _ => format!("{n} marked"),
        }
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
            return self.say_here(NOT_HERE);
        };
        let filter = self.marking_filter();
        self.marks.toggle(message, filter);
        self.step(Step::Down(1));
    }

    /// Marks every message that the list shows, or takes all these marks away.
    pub(super) fn mark_all(&mut self) {
        match self.overlay {
            Some(Overlay::Bulk(_)) => return self.choose_all_bulk(),
            Some(_) => return self.say_here("the star is for a plan of many (R)"),
            None => {}
        }
        if !self.has_markable() {
            return self.say_here(NOT_HERE);
        }
        if let Some(Page::Task(page)) = self.pages.last() {
            let all = task_messages(&self.history, &page.task);
            return self.marks.toggle_all(all, Filter::default());
        }
        match self.deliveries.ids(&self.history) {
            Some(ids) => self.marks.toggle_all(ids, self.marking_filter()),
            None => self.say_here(super::deliveries::STILL_FILTERING),
        }
    }

    /// The filter of the rows that are marked: none at a task's messages.
    fn marking_filter(&self) -> Filter {
        if self.pages.is_empty() {
            self.deliveries.filter.clone()
        } else {
            Filter::default()
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
    plural(n, "mark", "marks")
}
