//! Sights of tasks in typed columns: what an event or a snapshot says where every id is a UUID.

use super::fields::{Fields, Writer, put_signed, take_signed};
use super::kinds::KNOWN_STATES;
use crate::domain::{
    AssetId, ChangeKind, Event, EventId, EventType, Features, Id, Observation, TaskId, Time, UserId,
};

/// The number of an event about a task.
pub(super) const SIGHT_EVENT: u8 = 0;
/// The number of a sight of a task outside the stream.
pub(super) const SIGHT_TASK: u8 = 1;

type Uuid = [u8; 16];

/// The ids of one row: event, task, asset, user.
pub(super) type RowIds = [Uuid; 4];

const TYPES: [EventType; 3] = [
    EventType::TaskProgress,
    EventType::TaskCompleted,
    EventType::TaskFailed,
];
/// No time.
const ABSENT: u8 = 0x80;

/// The columns as they are written.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// The number of the event's type; its high bit says that there is no published time.
    types: Vec<u8>,
    events: Vec<u8>,
    tasks: Vec<u8>,
    assets: Vec<u8>,
    users: Vec<u8>,
    features: Vec<u8>,
    created: Vec<u8>,
    updated: Vec<u8>,
    published: Vec<u8>,
    last_ids: RowIds,
    last_updated: i64,
}

impl Columns {
    /// Takes in a sight of a task that fits; gives the number of its kind, or `None`.
    pub fn push(&mut self, kind: &ChangeKind) -> Option<u8> {
        match kind {
            ChangeKind::Event(event) => {
                let (number, event_id, seen) = plain_event(event)?;
                self.sight(seen, Some(event_id))?;
                let absent = if seen.published.is_some() { 0 } else { ABSENT };
                self.types.push(number | absent);
                self.events.extend_from_slice(event_id);
                if let Some(time) = seen.published {
                    put_signed(&mut self.published, time.0.wrapping_sub(seen.updated.0));
                }
                Some(SIGHT_EVENT)
            }
            ChangeKind::Task(seen) if seen.published.is_none() && seen.event.is_none() => {
                self.sight(seen, None)?;
                Some(SIGHT_TASK)
            }
            _ => None,
        }
    }

    fn sight(&mut self, seen: &Observation, event: Option<&Uuid>) -> Option<()> {
        let (Id::Uuid(task), Id::Uuid(asset), Id::Uuid(user)) =
            (&seen.task.0, &seen.asset.0, &seen.user.0)
        else {
            return None;
        };
        if seen.features.extra().is_some() {
            return None;
        }
        self.last_ids = [event.copied().unwrap_or_default(), *task, *asset, *user];
        self.tasks.extend_from_slice(task);
        self.assets.extend_from_slice(asset);
        self.users.extend_from_slice(user);
        let packed = seen.features.packed();
        self.features.extend_from_slice(&packed.to_le_bytes());
        let updated = seen.updated.0;
        put_signed(&mut self.updated, updated.wrapping_sub(self.last_updated));
        self.last_updated = updated;
        put_signed(&mut self.created, updated.wrapping_sub(seen.created.0));
        Some(())
    }

    /// The ids of the row that was taken in last.
    pub fn last_ids(&self) -> RowIds {
        self.last_ids
    }

    /// Writes the columns, which are empty afterwards.
    pub fn finish(&mut self, tag: u8, to: &mut Writer) {
        let all = [
            &mut self.types,
            &mut self.events,
            &mut self.tasks,
            &mut self.assets,
            &mut self.users,
            &mut self.features,
            &mut self.created,
            &mut self.updated,
            &mut self.published,
        ];
        for (at, column) in all.into_iter().enumerate() {
            to.bytes(tag + at as u8, column);
            column.clear();
        }
        (self.last_ids, self.last_updated) = (RowIds::default(), 0);
    }
}

/// An event that the columns can hold whole: its type's number, its id, and its task.
fn plain_event(event: &Event) -> Option<(u8, &Uuid, &Observation)> {
    let seen = event.task.as_ref()?;
    let Id::Uuid(id) = &event.id.0 else {
        return None;
    };
    let is_plain = event.asset_name.is_none()
        && event.user.as_ref() == Some(&seen.user)
        && event.published == seen.published
        && seen.event.as_ref() == Some(&event.id);
    let number = TYPES.iter().position(|known| *known == event.kind)?;
    is_plain.then_some((number as u8, id, seen))
}

/// Reads the columns row by row.
pub(super) struct Reader<'a> {
    types: &'a [u8],
    events: &'a [u8],
    tasks: &'a [u8],
    assets: &'a [u8],
    users: &'a [u8],
    features: &'a [u8],
    created: &'a [u8],
    updated: &'a [u8],
    published: &'a [u8],
    last_ids: RowIds,
    last_updated: i64,
}

impl<'a> Reader<'a> {
    /// Of a block's fields, its columns beginning at `tag`; a missing one reads as empty.
    pub fn new(block: Fields<'a>, tag: u8) -> Self {
        let column = |at| block.bytes(tag + at).unwrap_or_default();
        Self {
            types: column(0),
            events: column(1),
            tasks: column(2),
            assets: column(3),
            users: column(4),
            features: column(5),
            created: column(6),
            updated: column(7),
            published: column(8),
            last_ids: RowIds::default(),
            last_updated: 0,
        }
    }

    /// The ids of the row that was read last.
    pub fn last_ids(&self) -> RowIds {
        self.last_ids
    }

    /// The next row, of a kind that [`Columns::push`] gave.
    pub fn next(&mut self, kind: u8) -> Option<ChangeKind> {
        let (task, asset, user) = (
            take::<16>(&mut self.tasks)?,
            take::<16>(&mut self.assets)?,
            take::<16>(&mut self.users)?,
        );
        let packed = u32::from_le_bytes(take::<4>(&mut self.features)?);
        let updated = self
            .last_updated
            .wrapping_add(take_signed(&mut self.updated)?);
        self.last_updated = updated;
        let created = updated.wrapping_sub(take_signed(&mut self.created)?);
        let mut seen = Observation {
            task: TaskId(Id::Uuid(task)),
            asset: AssetId(Id::Uuid(asset)),
            user: UserId(Id::Uuid(user)),
            features: Features::from_parts(packed & KNOWN_STATES, None),
            created: Time(created),
            updated: Time(updated),
            published: None,
            event: None,
        };
        if kind == SIGHT_TASK {
            self.last_ids = [Uuid::default(), task, asset, user];
            return Some(ChangeKind::Task(seen));
        }
        let event = take::<16>(&mut self.events)?;
        self.last_ids = [event, task, asset, user];
        let [number] = take::<1>(&mut self.types)?;
        if number & ABSENT == 0 {
            let after = take_signed(&mut self.published)?;
            seen.published = Some(Time(updated.wrapping_add(after)));
        }
        let id = EventId(Id::Uuid(event));
        seen.event = Some(id.clone());
        Some(ChangeKind::Event(Event {
            id,
            kind: TYPES.get(usize::from(number & !ABSENT))?.clone(),
            published: seen.published,
            user: Some(seen.user.clone()),
            task: Some(seen),
            asset_name: None,
        }))
    }
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*bytes)
}
