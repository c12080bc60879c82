//! The file: `SQLite`, one row for each block of changes, and a few facts.
//!
//! What came within a second is one small row (`is_open`). Once enough of them stand, they are
//! sealed: taken apart and put together into one block, which compresses far better. No row of one
//! change each, and no index on an id, as both cost several times more (the row's key is the number
//! of its first change).

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior,
    params,
};

use super::place;
use crate::domain::{Change, Moment, NotRecording, Time};
use crate::wire::record::{self, Decoded, Encoded};

/// `reel`, so that a file of another program is told from ours.
const APPLICATION: u32 = 0x7265_656c;
/// Changes in a sealed block, about; …
pub(super) const BLOCK_ROWS: usize = 4096;
/// … fewer where they are large.
const BLOCK_BYTES: usize = 4 << 20;
/// Largest part of a block that is read, in bytes, whatever the file claims.
const MAX_PART: usize = 256 << 20;
/// Level of zstd: the higher ones cost more than they save here.
const LEVEL: i32 = 1;

/// Each step takes a file from one version to the next.
pub(super) const STEPS: [&str; 2] = [
    "CREATE TABLE block (
        first INTEGER PRIMARY KEY,
        n INTEGER NOT NULL, n_events INTEGER NOT NULL,
        since INTEGER NOT NULL, until INTEGER NOT NULL,
        is_open INTEGER NOT NULL,
        typed_size INTEGER NOT NULL, raw_size INTEGER NOT NULL,
        typed BLOB NOT NULL, raw BLOB NOT NULL
     );
     CREATE TABLE fact (name TEXT PRIMARY KEY, value) WITHOUT ROWID;",
    "CREATE TABLE hole (at INTEGER NOT NULL, n INTEGER NOT NULL, why TEXT NOT NULL);",
];

/// Why the file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It can be used, but not now, or not by us.
    Unusable(NotRecording),
    /// It is damaged.
    Corrupt(String),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        let why = error.to_string();
        Self::Unusable(match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                return Self::Corrupt(why);
            }
            Some(ErrorCode::DiskFull) => NotRecording::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                NotRecording::ReadOnly(why)
            }
            _ => NotRecording::Failed(why),
        })
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Unusable(match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => NotRecording::Full,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                NotRecording::ReadOnly(error.to_string())
            }
            _ => NotRecording::Failed(error.to_string()),
        })
    }
}

/// A row of the file, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockInfo {
    /// The number of its first change.
    pub first: i64,
    pub n: usize,
    pub n_events: usize,
    pub raw_bytes: usize,
}

/// What is noted beside the changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The last event id of the stream, every event up to it being recorded.
    pub last_event_id: Option<String>,
    /// The last sign of life of the stream, nothing being missed up to it.
    pub alive: Option<Time>,
}

/// An open journal file.
pub struct File {
    db: Connection,
    next: i64,
    n_open: usize,
    open_bytes: usize,
}

impl File {
    /// Opens the file to write, making or migrating it as needed.
    pub fn open(path: &Path) -> Result<Self, Trouble> {
        let is_new = place::make_file(path)?.metadata()?.len() == 0;
        if !is_new {
            check_header(path)?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(std::time::Duration::from_secs(1))?;
        if is_new {
            db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        }
        migrate(&mut db)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        // A kill loses nothing that was committed; a power cut at most the last commits.
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.pragma_update(None, "journal_size_limit", 8 << 20)?;
        Self::with(db)
    }

    /// Opens the file to read; `None` if there is none.
    pub fn open_to_read(path: &Path) -> Result<Option<Self>, Trouble> {
        match fs::metadata(path) {
            Ok(meta) if meta.len() == 0 => return Ok(None),
            Ok(_) => check_header(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(std::time::Duration::from_secs(1))?;
        let db = match version(&db) {
            Ok(_) => db,
            // Where nothing can be written beside it, it is read as it lies.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) => {
                immutable(path)?
            }
            Err(error) => return Err(error.into()),
        };
        let version = version(&db)?;
        if version > STEPS.len() {
            return Err(Trouble::Unusable(NotRecording::Newer));
        }
        if version == 0 {
            return Ok(None);
        }
        // What is read is one state of the file, whatever is written meanwhile.
        db.execute_batch("BEGIN")?;
        Self::with(db).map(Some)
    }

    fn with(db: Connection) -> Result<Self, Trouble> {
        let last = "SELECT first + n FROM block ORDER BY first DESC LIMIT 1";
        let next: Option<i64> = db.query_row(last, [], |row| row.get(0)).optional()?;
        let open = "SELECT coalesce(sum(n), 0), coalesce(sum(typed_size + raw_size), 0)
                    FROM block WHERE is_open";
        let (n_open, open_bytes) =
            db.query_row(open, [], |row| Ok((size_at(row, 0)?, size_at(row, 1)?)))?;
        Ok(Self {
            db,
            next: next.unwrap_or(1),
            n_open,
            open_bytes,
        })
    }

    /// Every block, oldest first; with `since`, those that hold something received at or after it.
    pub fn blocks(&self, since: Option<Time>) -> Result<Vec<BlockInfo>, Trouble> {
        let sql = "SELECT first, n, n_events, raw_size FROM block WHERE until >= ?1 ORDER BY first";
        let mut statement = self.db.prepare(sql)?;
        let since = since.map_or(i64::MIN, |since| since.0);
        let rows = statement.query_map([since], |row| {
            Ok(BlockInfo {
                first: row.get(0)?,
                n: size_at(row, 1)?,
                n_events: size_at(row, 2)?,
                raw_bytes: size_at(row, 3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One block's changes, with their raw bytes if they are wanted.
    pub fn read(&self, first: i64, with_raw: bool) -> Result<Decoded, Trouble> {
        let sql = if with_raw {
            "SELECT typed_size, typed, raw_size, raw FROM block WHERE first = ?1"
        } else {
            "SELECT typed_size, typed, 0, x'' FROM block WHERE first = ?1"
        };
        let mut statement = self.db.prepare(sql)?;
        let mut rows = statement.query([first])?;
        let Some(row) = rows.next()? else {
            return Err(Trouble::Corrupt(format!("block {first} is not there")));
        };
        let part = |at: usize| -> Result<Vec<u8>, Trouble> {
            let bytes = row.get_ref(at + 1)?.as_blob().unwrap_or_default();
            unpack(bytes, size_at(row, at)?)
        };
        let typed = part(0)?;
        let raw = if with_raw { Some(part(2)?) } else { None };
        record::decode(&typed, raw.as_deref())
            .map_err(|damaged| Trouble::Corrupt(damaged.to_string()))
    }

    pub fn facts(&self) -> Result<Facts, Trouble> {
        let sql = "SELECT value FROM fact WHERE name = ?1";
        let text = self.db.query_row(sql, ["last_event_id"], |row| row.get(0));
        let alive = self.db.query_row(sql, ["alive"], |row| row.get(0));
        Ok(Facts {
            last_event_id: text.optional()?,
            alive: alive.optional()?.map(Time),
        })
    }

    /// Moments after which changes were not recorded, with their number and why, since a time.
    pub fn holes(&self, since: Time) -> Result<Vec<(Time, u64, String)>, Trouble> {
        let has_holes = "SELECT count(*) FROM sqlite_schema WHERE name = 'hole'";
        if self
            .db
            .query_row(has_holes, [], |row| row.get::<_, i64>(0))?
            == 0
        {
            return Ok(Vec::new());
        }
        let sql = "SELECT at, n, why FROM hole WHERE at >= ?1 ORDER BY at";
        let mut statement = self.db.prepare(sql)?;
        let rows = statement.query_map([since.0], |row| {
            Ok((Time(row.get(0)?), size_at(row, 1)? as u64, row.get(2)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Changes that the file holds.
    pub fn n_changes(&self) -> Result<u64, Trouble> {
        let sql = "SELECT coalesce(sum(n), 0) FROM block";
        Ok(self.db.query_row(sql, [], |row| size_at(row, 0))? as u64)
    }

    /// Appends changes, sealing blocks as they fill, in one transaction.
    pub fn append(&mut self, entry: &Entry<'_>) -> Result<(), Trouble> {
        let (mut next, n_open, open_bytes) = (self.next, self.n_open, self.open_bytes);
        let outcome = self.try_append(entry, &mut next);
        if outcome.is_ok() {
            self.next = next;
        } else {
            (self.n_open, self.open_bytes) = (n_open, open_bytes);
        }
        outcome
    }

    fn try_append(&mut self, entry: &Entry<'_>, next: &mut i64) -> Result<(), Trouble> {
        let bytes: usize = entry.changes.iter().map(weight).sum();
        let is_full = self.n_open + entry.changes.len() >= BLOCK_ROWS
            || self.open_bytes + bytes >= BLOCK_BYTES;
        let mut before = Vec::new();
        if is_full && self.n_open > 0 {
            (before, *next) = self.take_open()?;
        }
        let transaction = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !before.is_empty() {
            transaction.execute("DELETE FROM block WHERE is_open", [])?;
            (self.n_open, self.open_bytes) = (0, 0);
        }
        let changes: Vec<&Change> = before.iter().chain(entry.changes).collect();
        let mut rest = changes.as_slice();
        while !rest.is_empty() {
            let n = block_length(rest);
            let is_whole = n < rest.len() || n == BLOCK_ROWS || weights(rest) >= BLOCK_BYTES;
            let (now, later) = rest.split_at(n);
            rest = later;
            let mut block = record::encode(now.iter().copied());
            record::redact(&mut block.typed, entry.secrets);
            record::redact(&mut block.raw, entry.secrets);
            insert(&transaction, *next, &block, !is_whole)?;
            *next += block.n_rows as i64;
            if !is_whole {
                self.n_open += block.n_rows;
                self.open_bytes += block.typed.len() + block.raw.len();
            }
        }
        entry.facts(&transaction)?;
        transaction.commit()?;
        Ok(())
    }

    /// The changes of the rows that are not sealed, and the number of the first.
    fn take_open(&self) -> Result<(Vec<Change>, i64), Trouble> {
        let mut statement = self
            .db
            .prepare("SELECT first FROM block WHERE is_open ORDER BY first")?;
        let firsts: Vec<i64> = statement
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut changes = Vec::with_capacity(self.n_open);
        for first in &firsts {
            let found = self.read(*first, true)?;
            changes.extend(found.records.into_iter().map(|record| Change {
                seq: 0,
                received: Moment {
                    wall: record.received,
                    mono: 0,
                },
                origin: record.origin,
                raw: record.raw,
                kind: record.kind,
            }));
        }
        Ok((changes, firsts.first().copied().unwrap_or(self.next)))
    }

    /// Lets the oldest blocks go: those received before `before`, and as many as make the rest fit
    /// into `max_bytes`. The newest block always stays. Gives the number of changes let go.
    pub fn prune(&mut self, before: Time, max_bytes: u64) -> Result<u64, Trouble> {
        let newest = "SELECT max(first) FROM block";
        let Some(newest) = self
            .db
            .query_row(newest, [], |row| row.get::<_, Option<i64>>(0))?
        else {
            return Ok(0);
        };
        let old = "SELECT coalesce(max(first), 0) FROM block WHERE until < ?1 AND first < ?2";
        let mut last: i64 = self
            .db
            .query_row(old, params![before.0, newest], |row| row.get(0))?;
        let mut excess = self.used_bytes()?.saturating_sub(max_bytes);
        if excess > 0 {
            let sizes = "SELECT first, length(typed) + length(raw) FROM block ORDER BY first";
            let mut statement = self.db.prepare(sizes)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (first, bytes): (i64, _) = (row.get(0)?, size_at(row, 1)? as u64);
                if first >= newest || excess == 0 {
                    break;
                }
                last = last.max(first);
                excess = excess.saturating_sub(bytes);
            }
        }
        if last == 0 {
            return Ok(0);
        }
        let transaction = self.db.transaction()?;
        let gone = "SELECT coalesce(sum(n), 0) FROM block WHERE first <= ?1 AND NOT is_open";
        let n_gone = transaction.query_row(gone, [last], |row| size_at(row, 0))?;
        transaction.execute(
            "DELETE FROM block WHERE first <= ?1 AND NOT is_open",
            [last],
        )?;
        transaction.execute("DELETE FROM hole WHERE at < ?1", [before.0])?;
        transaction.commit()?;
        // Each step frees one page.
        let mut vacuum = self.db.prepare("PRAGMA incremental_vacuum")?;
        let mut steps = vacuum.query([])?;
        while steps.next()?.is_some() {}
        Ok(n_gone as u64)
    }

    /// Bytes that are in use within the file.
    fn used_bytes(&self) -> Result<u64, Trouble> {
        let pragma = |name| {
            self.db
                .pragma_query_value(None, name, |row| size_at(row, 0))
                .map(|size| size as u64)
        };
        let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
        Ok(pages * pragma("page_size")?)
    }

    /// Bounds the file, for the test of a full disk.
    #[cfg(test)]
    pub(super) fn bound(&self, n_pages: u32) -> Result<(), Trouble> {
        self.db.pragma_update(None, "max_page_count", n_pages)?;
        Ok(())
    }
}

/// What is appended at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Entry<'a> {
    pub changes: &'a [Change],
    pub last_event_id: Option<&'a str>,
    pub alive: Option<Time>,
    /// Changes that were not recorded before this: when that was noted, their number, and why.
    pub hole: Option<(Time, u64, &'a str)>,
    /// What is overwritten wherever it stands.
    pub secrets: &'a [&'a [u8]],
}

impl Entry<'_> {
    fn facts(&self, to: &Transaction<'_>) -> Result<(), Trouble> {
        let sql = "INSERT OR REPLACE INTO fact (name, value) VALUES (?1, ?2)";
        if let Some(id) = self.last_event_id {
            to.prepare(sql)?.execute(params!["last_event_id", id])?;
        }
        if let Some(alive) = self.alive {
            to.prepare(sql)?.execute(params!["alive", alive.0])?;
        }
        if let Some((at, n, why)) = self.hole {
            let sql = "INSERT INTO hole (at, n, why) VALUES (?1, ?2, ?3)";
            to.execute(sql, params![at.0, n as i64, why])?;
        }
        Ok(())
    }
}

/// About how many bytes a change takes in a block before it is compressed.
pub(super) fn weight(change: &Change) -> usize {
    use crate::domain::{ChangeKind, Payload};
    let carried = match &change.kind {
        ChangeKind::Message(message) => match &message.payload {
            Payload::Json(text) => text.len(),
            Payload::Expired | Payload::Absent => 0,
        },
        ChangeKind::Attempt(attempt) => attempt.response.len(),
        ChangeKind::Unreadable(what) => what.excerpt.len(),
        _ => 0,
    };
    carried + change.raw.as_ref().map_or(0, |raw| raw.len()) + 128
}

fn weights(changes: &[&Change]) -> usize {
    changes.iter().map(|change| weight(change)).sum()
}

/// How many of the changes fill a block.
fn block_length(changes: &[&Change]) -> usize {
    let mut bytes = 0;
    let fits = changes.iter().take(BLOCK_ROWS).take_while(|change| {
        let has_room = bytes < BLOCK_BYTES;
        bytes += weight(change);
        has_room
    });
    fits.count()
}

fn insert(to: &Transaction<'_>, first: i64, block: &Encoded, is_open: bool) -> Result<(), Trouble> {
    let sql = "INSERT INTO block
        (first, n, n_events, since, until, is_open, typed_size, raw_size, typed, raw)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    to.prepare(sql)?.execute(params![
        first,
        block.n_rows as i64,
        block.n_events as i64,
        block.first.0,
        block.last.0,
        is_open,
        block.typed.len() as i64,
        block.raw.len() as i64,
        pack(&block.typed)?,
        pack(&block.raw)?,
    ])?;
    Ok(())
}

fn pack(bytes: &[u8]) -> Result<Vec<u8>, Trouble> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    // A damaged block is told from a sound one.
    compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))?;
    Ok(compressor.compress(bytes)?)
}

fn unpack(bytes: &[u8], size: usize) -> Result<Vec<u8>, Trouble> {
    if size > MAX_PART {
        return Err(Trouble::Corrupt(format!("a block of {size} bytes")));
    }
    zstd::bulk::decompress(bytes, size).map_err(|error| Trouble::Corrupt(error.to_string()))
}

/// Reads the first bytes of a file: whether it is `SQLite`'s at all, and ours.
fn check_header(path: &Path) -> Result<(), Trouble> {
    use std::io::Read;
    let mut header = [0; 100];
    let mut file = fs::File::open(path)?;
    match file.read_exact(&mut header) {
        Ok(()) if header.starts_with(b"SQLite format 3\0") => {}
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error.into()),
        _ => return Err(Trouble::Corrupt("it is no SQLite file".to_owned())),
    }
    let application = header[68..72].try_into().map_or(0, u32::from_be_bytes);
    if application == APPLICATION {
        Ok(())
    } else {
        Err(Trouble::Unusable(NotRecording::Foreign))
    }
}

/// A count or size of a row; what is negative in a damaged file counts as none.
fn size_at(row: &Row<'_>, at: usize) -> rusqlite::Result<usize> {
    Ok(usize::try_from(row.get::<_, i64>(at)?).unwrap_or(0))
}

fn version(db: &Connection) -> rusqlite::Result<usize> {
    db.pragma_query_value(None, "user_version", |row| size_at(row, 0))
}

fn migrate(db: &mut Connection) -> Result<(), Trouble> {
    let version = version(db)?;
    if version > STEPS.len() {
        return Err(Trouble::Unusable(NotRecording::Newer));
    }
    if version == STEPS.len() {
        return Ok(());
    }
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in &STEPS[version..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", STEPS.len() as i64)?;
    transaction.commit()?;
    Ok(())
}

fn immutable(path: &Path) -> Result<Connection, Trouble> {
    let mut escaped = String::new();
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                escaped.push(char::from(byte));
            }
            _ => {
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let address = PathBuf::from(format!("file:{escaped}?immutable=1"));
    Ok(Connection::open_with_flags(address, flags)?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use crate::domain::{AssetId, ChangeKind, Origin};

    fn names(n: usize) -> Vec<Change> {
        let name = |at: usize| ChangeKind::AssetNamed {
            asset: AssetId::new(&format!("{at}")),
            name: format!("{:x}", fastrand::u128(..)).into(),
        };
        (0..n)
            .map(|at| Change {
                seq: 0,
                received: Moment::default(),
                origin: Origin::Poll,
                raw: Some(fastrand::u128(..).to_le_bytes().repeat(20).into()),
                kind: name(at),
            })
            .collect()
    }

    fn append(file: &mut File, changes: &[Change]) -> Result<(), Trouble> {
        file.append(&Entry {
            changes,
            ..Entry::default()
        })
    }

    fn all(file: &File) -> usize {
        let blocks = file.blocks(None).unwrap();
        let read = |block: &BlockInfo| file.read(block.first, true).unwrap().records.len();
        blocks.iter().map(read).sum()
    }

    #[test]
    fn a_full_disk_is_said_and_harms_nothing_and_later_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = File::open(&folder.path().join("full.db")).unwrap();
        file.bound(60).unwrap();
        let changes = names(1500);
        let mut n_done = 0;
        let trouble = loop {
            match append(&mut file, &changes) {
                Ok(()) => n_done += changes.len(),
                Err(trouble) => break trouble,
            }
        };
        assert_eq!(trouble, Trouble::Unusable(NotRecording::Full));
        assert!(n_done > 0);
        assert_eq!(all(&file), n_done);
        file.bound(1_000_000).unwrap();
        append(&mut file, &names(5000)).unwrap();
        assert_eq!(all(&file), n_done + 5000);
        drop(file);
        let again = File::open(&folder.path().join("full.db")).unwrap();
        assert_eq!(all(&again), n_done + 5000);
    }

    #[test]
    fn small_pieces_are_sealed_into_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = File::open(&folder.path().join("sealed.db")).unwrap();
        let changes = names(10_000);
        for piece in changes.chunks(7) {
            append(&mut file, piece).unwrap();
        }
        let blocks = file.blocks(None).unwrap();
        let n_large = blocks.iter().filter(|block| block.n > 4000).count();
        assert_eq!((n_large, all(&file)), (2, 10_000));
        let kinds: Vec<ChangeKind> = (blocks.iter())
            .flat_map(|block| file.read(block.first, false).unwrap().records)
            .map(|record| record.kind)
            .collect();
        assert!(
            kinds
                .iter()
                .zip(&changes)
                .all(|(kind, change)| *kind == change.kind)
        );
    }
}
