//! One task as others see it.

use super::super::super::change::Origin;
use super::super::super::feature::Features;
use super::super::super::id::{AssetId, EventId, TaskId, UserId};
use super::super::super::task::{Observation, TaskState};
use super::super::super::time::Time;
use super::{ANY_RARE, GONE, HAS_EVENT, Id, NO_TIME, RARE_ASSET, RARE_EVENT, Rare, Tasks, part};

/// One task in memory.
#[derive(Clone, Copy)]
pub struct TaskRow<'a> {
    pub(super) tasks: &'a Tasks,
    pub(super) at: u32,
}

impl TaskRow<'_> {
    /// Its place, stable while it is in memory.
    pub fn place(&self) -> u32 {
        self.at
    }

    pub fn id(&self) -> TaskId {
        TaskId(self.tasks.task_id(self.at))
    }

    pub fn asset(&self) -> AssetId {
        let slot = self.tasks.slot(self.at);
        AssetId(part(
            slot.asset,
            slot.flags & RARE_ASSET != 0,
            self.rare().and_then(|rare| rare.asset.as_ref()),
        ))
    }

    pub fn user(&self) -> UserId {
        let slot = self.tasks.slot(self.at);
        let known = self.tasks.users.get(slot.user as usize);
        UserId(
            self.rare()
                .and_then(|rare| rare.user.clone())
                .or_else(|| known.cloned())
                .unwrap_or(Id::Uuid([0; 16])),
        )
    }

    pub fn state(&self) -> TaskState {
        self.tasks.state_at(self.at)
    }

    pub fn features(&self) -> Features {
        Features::from_parts(
            self.tasks.features[self.at as usize],
            self.rare().and_then(|rare| rare.extra.clone()),
        )
    }

    pub fn created(&self) -> Time {
        Time(self.tasks.created[self.at as usize])
    }

    pub fn updated(&self) -> Time {
        Time(self.tasks.updated[self.at as usize])
    }

    /// The event that carried the newest sight, if one did.
    pub fn event(&self) -> Option<EventId> {
        let slot = self.tasks.slot(self.at);
        (slot.flags & HAS_EVENT != 0).then(|| {
            EventId(part(
                slot.event,
                slot.flags & RARE_EVENT != 0,
                self.rare().and_then(|rare| rare.event.as_ref()),
            ))
        })
    }

    /// Where the newest sight came from, or what confirmed it last.
    pub fn origin(&self) -> Origin {
        self.tasks.slot(self.at).origin
    }

    /// When the newest sight was received, or last confirmed, in whole seconds.
    pub fn received(&self) -> Time {
        Time::from_seconds(i64::from(self.tasks.slot(self.at).received))
    }

    /// Whether nobody has told its state since the link was last lost.
    pub(in crate::domain::history) fn is_before_the_loss(&self) -> bool {
        self.tasks.slot(self.at).n_losses != self.tasks.n_losses
    }

    /// Whether no feature is queued, processing or unknown.
    pub fn is_done(&self) -> bool {
        self.is_gone() || self.features().tally().unfinished == 0
    }

    /// Whether the service answered 404 for it.
    pub fn is_gone(&self) -> bool {
        self.tasks.slot(self.at).flags & GONE != 0
    }

    /// The newest sight, whole.
    pub fn observation(&self) -> Observation {
        let published = self.tasks.slot(self.at).published;
        Observation {
            task: self.id(),
            asset: self.asset(),
            user: self.user(),
            features: self.features(),
            created: self.created(),
            updated: self.updated(),
            published: (published != NO_TIME).then_some(Time(published)),
            event: self.event(),
        }
    }

    fn rare(&self) -> Option<&Rare> {
        // Most tasks have nothing rare, and a pass over a million must not pay a look-up for each.
        if self.tasks.slot(self.at).flags & ANY_RARE == 0 {
            None
        } else {
            self.tasks.rare.get(&self.at)
        }
    }
}
