//! What earlier runs recorded, told in an order that shows the newest first and ends in the same
//! History as a fold from the beginning.
//!
//! The newest blocks, as many events as are kept in memory, come as they were. Older blocks are
//! read backwards and without their raw bytes: of their events only the tasks they tell of are
//! taken, and of what replaces its like (endpoints, names, attempts) only the newest.

use std::collections::{HashMap, HashSet, VecDeque};

use super::Resume;
use super::file::{BlockInfo, File, Trouble};
use crate::domain::{
    Abilities, AssetId, AttemptId, Bounds, Change, ChangeKind, EndpointId, Hole, MessageId,
    Missing, Moment, Observation, Origin, Proof, TaskId, Time,
};
use crate::wire::record::Record;

/// Changes read at a start, at most; older ones stay in the file.
const MAX_RESTORED: usize = 1_000_000;
/// Raw bytes that are read into memory.
const MAX_RAW: usize = 48 << 20;
/// Changes in one batch.
const BATCH: usize = 2048;
/// Comparisons of earlier runs that are told.
const MAX_PROOFS: usize = 50;
/// Unfinished tasks that the link is told of.
const MAX_KNOWN: usize = 100_000;

/// What was found.
#[derive(Debug, Default)]
pub struct Reopened {
    pub resume: Resume,
    /// Changes that were read.
    pub n_restored: u64,
    /// Blocks that could not be read, by the number of their first change.
    pub damaged: Vec<i64>,
    /// Why reading ended before the end: the file itself is damaged, or cannot be read now.
    pub broken: Option<Trouble>,
    /// What the file does not hold, oldest first.
    pub holes: Vec<Hole>,
}

/// Tells what the file holds to `emit`, until that says `false`.
pub fn reopen(
    file: &File,
    bounds: &Bounds,
    now: Moment,
    emit: &mut dyn FnMut(Vec<Change>) -> bool,
) -> Reopened {
    let mut telling = Telling {
        now,
        emit,
        is_wanted: true,
        batch: Vec::new(),
        sights: HashMap::new(),
        unfinished: HashMap::new(),
        gone: HashMap::new(),
        abilities: None,
        holes: VecDeque::new(),
        newest: Newest::default(),
        proofs: VecDeque::new(),
        found: Reopened::default(),
    };
    let outcome = telling.tell_all(file, bounds);
    if let Err(trouble) = outcome {
        telling.found.broken.get_or_insert(trouble);
    }
    telling.end()
}

/// Ids of what was told in its newest form already.
#[derive(Default)]
struct Newest {
    assets: HashSet<AssetId>,
    endpoints: HashSet<EndpointId>,
    messages: HashSet<MessageId>,
    attempts: HashSet<AttemptId>,
    /// Where attempts were made.
    places: HashSet<EndpointId>,
    listed: Option<ChangeKind>,
}

impl Newest {
    /// Takes note of a change that replaces its like; whether none like it was told before.
    fn take(&mut self, kind: &ChangeKind) -> bool {
        match kind {
            ChangeKind::AssetNamed { asset, .. } => self.assets.insert(asset.clone()),
            ChangeKind::Message(message) => self.messages.insert(message.id.clone()),
            ChangeKind::Attempt(attempt) => {
                if !self.places.contains(&attempt.endpoint) {
                    self.places.insert(attempt.endpoint.clone());
                }
                self.attempts.insert(attempt.id.clone())
            }
            ChangeKind::Endpoint(endpoint) => self.endpoints.insert(endpoint.id.clone()),
            _ => false,
        }
    }
}

struct Telling<'a> {
    now: Moment,
    emit: &'a mut dyn FnMut(Vec<Change>) -> bool,
    is_wanted: bool,
    batch: Vec<Change>,
    /// The first parts of the order ([`Observation::order`]) of each task's newest sight.
    sights: HashMap<TaskId, (Time, u32)>,
    unfinished: HashMap<TaskId, Observation>,
    /// Tasks that the service did not know any more when they were last asked for.
    gone: HashMap<TaskId, Time>,
    abilities: Option<(Time, Box<Abilities>)>,
    /// Holes among the newest events that were not told yet.
    holes: VecDeque<Hole>,
    newest: Newest,
    proofs: VecDeque<(Time, Proof)>,
    found: Reopened,
}

impl Telling<'_> {
    fn tell_all(&mut self, file: &File, bounds: &Bounds) -> Result<(), Trouble> {
        let blocks = file.blocks(None)?;
        let whole = recent(&blocks, bounds.events);
        let (older, recent) = blocks.split_at(whole);
        self.found.holes = file.holes(Time(i64::MIN))?;
        let after = older.last().map_or(Time(i64::MIN), |block| block.until);
        let holes = self.found.holes.iter().filter(|hole| hole.until > after);
        self.holes = holes.cloned().collect();
        for block in recent {
            if !self.is_wanted {
                return Ok(());
            }
            for record in self.read(file, block, true)? {
                self.take_recent(record);
            }
            if self.found.damaged.last() == Some(&block.first)
                && let Some(hole) = self.found.holes.last().cloned()
            {
                self.tell_hole(hole);
            }
        }
        for hole in std::mem::take(&mut self.holes) {
            self.tell_hole(hole);
        }
        let mut left = MAX_RESTORED.saturating_sub(self.found.n_restored as usize);
        for block in older.iter().rev() {
            if !self.is_wanted || left == 0 {
                break;
            }
            left = left.saturating_sub(block.n);
            let records = self.read(file, block, false)?;
            for record in records.into_iter().rev() {
                self.take_older(record);
            }
        }
        Ok(())
    }

    /// A block's records; one that is damaged is counted, and the others are read all the same.
    fn read(
        &mut self,
        file: &File,
        block: &BlockInfo,
        with_raw: bool,
    ) -> Result<Vec<Record>, Trouble> {
        match file.read(block.first, with_raw) {
            Ok(found) => {
                self.found.n_restored += found.records.len() as u64;
                Ok(found.records)
            }
            Err(Trouble::Damaged(_)) => {
                self.note_damaged(block);
                Ok(Vec::new())
            }
            // Others may lie in parts of the file that are sound.
            Err(trouble @ Trouble::Corrupt(_)) => {
                self.note_damaged(block);
                self.found.broken.get_or_insert(trouble);
                Ok(Vec::new())
            }
            Err(other) => Err(other),
        }
    }

    fn note_damaged(&mut self, block: &BlockInfo) {
        self.found.damaged.push(block.first);
        self.found.holes.push(Hole {
            until: block.until,
            n: block.n as u64,
            why: Missing::Damaged,
        });
    }

    fn tell_hole(&mut self, hole: Hole) {
        let at = hole.until;
        self.push(at, None, ChangeKind::Hole(Box::new(hole)));
    }

    fn take_recent(&mut self, record: Record) {
        while let Some(hole) = self
            .holes
            .pop_front_if(|hole| hole.until <= record.received)
        {
            self.tell_hole(hole);
        }
        match &record.kind {
            ChangeKind::Event(event) => {
                if let Some(seen) = &event.task {
                    self.note_return(seen);
                    self.note_sight(seen);
                }
            }
            ChangeKind::Task(seen) => {
                self.note_return(seen);
                self.note_sight(seen);
            }
            ChangeKind::TaskGone(task) => {
                self.unfinished.remove(task);
                self.gone.insert(task.clone(), record.received);
            }
            ChangeKind::Abilities(abilities) => {
                self.abilities = Some((record.received, abilities.clone()));
                return;
            }
            ChangeKind::EndpointsListed(_) => self.newest.listed = Some(record.kind.clone()),
            ChangeKind::AssetNamed { .. }
            | ChangeKind::Message(_)
            | ChangeKind::Attempt(_)
            | ChangeKind::Endpoint(_) => {
                self.newest.take(&record.kind);
            }
            // The link's states show where gaps stand between the events.
            ChangeKind::NewWord(_) | ChangeKind::Link(_) | ChangeKind::Proof(_) => {}
            // What could not be read in an earlier run says nothing of now, and replays are
            // told by their ledger.
            _ => return,
        }
        self.push(record.received, record.raw, record.kind);
    }

    fn take_older(&mut self, record: Record) {
        let at = record.received;
        match record.kind {
            ChangeKind::Event(event) => {
                let Some(seen) = event.task else {
                    return;
                };
                if let Some(name) = event.asset_name {
                    let asset = seen.asset.clone();
                    self.take_older(Record {
                        kind: ChangeKind::AssetNamed { asset, name },
                        raw: None,
                        ..record
                    });
                }
                self.take_older_sight(at, seen);
            }
            ChangeKind::Task(seen) => self.take_older_sight(at, seen),
            // Whoever saw it later knows better.
            ChangeKind::TaskGone(task) if self.sights.contains_key(&task) => {}
            ChangeKind::TaskGone(task) => {
                self.gone.insert(task, at);
            }
            ChangeKind::Abilities(abilities) => {
                self.abilities.get_or_insert((at, abilities));
            }
            ChangeKind::EndpointsListed(_) => {
                self.newest.listed.get_or_insert(record.kind);
            }
            ChangeKind::Proof(proof) if self.proofs.len() < MAX_PROOFS => {
                self.proofs.push_front((at, *proof));
            }
            kind if self.newest.take(&kind) => self.push(at, None, kind),
            _ => {}
        }
    }

    fn take_older_sight(&mut self, at: Time, seen: Observation) {
        // What comes before a sight that was told cannot win against it.
        if self.note_sight(&seen) {
            self.push(at, None, ChangeKind::Task(seen));
        }
    }

    /// A task that was gone is back once something newer is told of it.
    fn note_return(&mut self, seen: &Observation) {
        if !self.gone.is_empty() && self.gone.contains_key(&seen.task) {
            let order = (seen.updated, seen.features.tally().rank);
            if self
                .sights
                .get(&seen.task)
                .is_none_or(|known| order > *known)
            {
                self.gone.remove(&seen.task);
            }
        }
    }

    /// Whether the sight may be the newest of its task.
    fn note_sight(&mut self, seen: &Observation) -> bool {
        let tally = seen.features.tally();
        let order = (seen.updated, tally.rank);
        match self.sights.get_mut(&seen.task) {
            Some(known) if *known > order => return false,
            Some(known) => *known = order,
            None => {
                self.sights.insert(seen.task.clone(), order);
            }
        }
        if self.gone.contains_key(&seen.task) {
            return true;
        }
        if tally.unfinished == 0 {
            self.unfinished.remove(&seen.task);
        } else if self.unfinished.len() < MAX_KNOWN || self.unfinished.contains_key(&seen.task) {
            self.unfinished.insert(seen.task.clone(), seen.clone());
        }
        true
    }

    fn push(&mut self, received: Time, raw: Option<std::sync::Arc<[u8]>>, kind: ChangeKind) {
        self.batch.push(Change {
            seq: 0,
            received: self.moment(received),
            origin: Origin::Journal,
            raw,
            kind,
        });
        if self.batch.len() >= BATCH {
            self.send();
        }
    }

    /// When it was received, on this run's clock too.
    fn moment(&self, received: Time) -> Moment {
        let ago = self.now.wall.0.saturating_sub(received.0);
        Moment {
            wall: received,
            mono: self.now.mono.saturating_sub(ago.max(0)),
        }
    }

    fn send(&mut self) {
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        if self.is_wanted && !batch.is_empty() {
            self.is_wanted = (self.emit)(batch);
        }
    }

    fn end(mut self) -> Reopened {
        for (task, at) in std::mem::take(&mut self.gone) {
            self.push(at, None, ChangeKind::TaskGone(task));
        }
        if let Some((at, abilities)) = self.abilities.take() {
            self.push(at, None, ChangeKind::Abilities(abilities));
        }
        if let Some(listed) = self.newest.listed.take() {
            self.push(self.now.wall, None, listed);
        }
        // Newest first, as each is older than all that were told.
        for (at, proof) in std::mem::take(&mut self.proofs).into_iter().rev() {
            self.push(at, None, ChangeKind::Proof(Box::new(proof)));
        }
        self.send();
        let known = std::mem::take(&mut self.unfinished).into_values();
        self.found.holes.sort_by_key(|hole| hole.until);
        self.found.resume = Resume {
            known: known.collect(),
            endpoints: self.newest.places.into_iter().collect(),
        };
        self.found
    }
}

/// The first of the newest blocks that are told whole.
fn recent(blocks: &[BlockInfo], max_events: usize) -> usize {
    let (mut n_events, mut raw_bytes, mut n_rows) = (0, 0, 0);
    let mut first = blocks.len();
    for block in blocks.iter().rev() {
        if n_events >= max_events || raw_bytes >= MAX_RAW || n_rows >= MAX_RESTORED {
            break;
        }
        n_events += block.n_events;
        raw_bytes += block.raw_bytes;
        n_rows += block.n;
        first -= 1;
    }
    first
}
