//! Messages in the order of their time, kept as they come, change and go.

use hashbrown::HashMap;

use super::super::id::MessageId;
use super::super::time::Time;

/// Some of the messages, oldest first, each once.
#[derive(Debug, Default)]
pub struct ByTime {
    order: Vec<(Time, MessageId)>,
    times: HashMap<MessageId, Time>,
}

impl ByTime {
    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub fn contains(&self, id: &MessageId) -> bool {
        self.times.contains_key(id)
    }

    /// All of them, by time and id.
    pub fn entries(&self) -> &[(Time, MessageId)] {
        &self.order
    }

    /// Puts a message where its time says, or takes it out.
    pub fn set(&mut self, id: &MessageId, time: Option<Time>) {
        if let Some(before) = self.times.get(id).copied() {
            if Some(before) == time {
                return;
            }
            if let Ok(at) = self.order.binary_search(&(before, id.clone())) {
                self.order.remove(at);
            }
            self.times.remove(id);
        }
        if let Some(time) = time {
            let entry = (time, id.clone());
            let at = self.order.partition_point(|other| *other < entry);
            self.order.insert(at, entry);
            self.times.insert(id.clone(), time);
        }
    }

    /// Takes out those that are not to be kept, at the price of one look at all.
    pub fn retain(&mut self, is_kept: impl Fn(&MessageId) -> bool) {
        let times = &mut self.times;
        self.order.retain(|(_, id)| {
            let is_kept = is_kept(id);
            if !is_kept {
                times.remove(id);
            }
            is_kept
        });
    }
}
