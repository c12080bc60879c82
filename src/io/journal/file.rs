//! The file: `SQLite`, one row for each block of changes, and a few facts.
//!
//! What came within a second is one small row (`is_open`). Once enough of them stand, they are
//! sealed: taken apart and put together into one block, which compresses far better. No row of one
//! change each, and no index on an id, as both cost several times more (the row's key is the number
//! of its first change).

mod writing;

use std::fmt::{self, Write};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, TransactionBehavior};

use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

use super::place;
use crate::domain::{Hole, Missing, NotRecording, Time};
use crate::wire::record::{self, Decoded};
pub use writing::Entry;

/// `reel`, so that a file of another program is told from ours.
const APPLICATION: u32 = 0x7265_656c;
/// Changes in a sealed block, about; …
pub(super) const BLOCK_ROWS: usize = 4096;
/// … fewer where they are large.
pub(super) const BLOCK_BYTES: usize = 4 << 20;
/// Largest part of a block that is read, in bytes, whatever the file claims.
const MAX_PART: usize = 256 << 20;
/// Level of zstd: a quick one, as the higher ones cost more than they save here.
const LEVEL: i32 = -3;

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
    /// The file itself is damaged: `SQLite` cannot go on with it.
    Corrupt(String),
    /// One block is damaged, and the file is sound.
    Damaged(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(why) => why.fmt(f),
            Self::Corrupt(why) => write!(f, "it is corrupt: {why}"),
            Self::Damaged(why) => write!(f, "a part of it is damaged: {why}"),
        }
    }
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
    /// When the last of its changes was received.
    pub until: Time,
}

/// What is noted beside the changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The last event id of the stream, every event up to it being recorded.
    pub last_event_id: Option<String>,
    /// Where the stream was found by looking for it.
    pub stream_path: Option<String>,
    /// The last sign of life of the stream, nothing being missed up to it.
    pub alive: Option<Time>,
}

/// An open journal file.
pub struct File {
    db: Connection,
    compressor: Compressor<'static>,
    next: i64,
    n_open: usize,
    open_bytes: usize,
    /// Blocks that could not be read, by the number of their first change.
    damaged: Vec<i64>,
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
            Err(error) => after_a_kill(path, flags, error)?,
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

    /// Whether the file, which is there, could be written to now; nothing is.
    pub fn check_writable(path: &Path) -> Result<(), Trouble> {
        // SQLite falls back to reading where it may not write, and says so only when it should.
        fs::OpenOptions::new().write(true).open(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(std::time::Duration::from_secs(1))?;
        Ok(db.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?)
    }

    fn with(db: Connection) -> Result<Self, Trouble> {
        let last = "SELECT first + n FROM block ORDER BY first DESC LIMIT 1";
        let next: Option<i64> = db.query_row(last, [], |row| row.get(0)).optional()?;
        let open = "SELECT coalesce(sum(n), 0), coalesce(sum(typed_size + raw_size), 0)
                    FROM block WHERE is_open";
        let (n_open, open_bytes) =
            db.query_row(open, [], |row| Ok((size_at(row, 0)?, size_at(row, 1)?)))?;
        let mut compressor = Compressor::new(LEVEL)?;
        // A damaged block is told from a sound one.
        compressor.set_parameter(CParameter::ChecksumFlag(true))?;
        Ok(Self {
            db,
            compressor,
            next: next.unwrap_or(1),
            n_open,
            open_bytes,
            damaged: Vec::new(),
        })
    }

    /// Every block, oldest first; with `since`, those that hold something received at or after it.
    pub fn blocks(&self, since: Option<Time>) -> Result<Vec<BlockInfo>, Trouble> {
        let sql = "SELECT first, n, n_events, raw_size, until FROM block WHERE until >= ?1 ORDER BY first";
        let mut statement = self.db.prepare(sql)?;
        let since = since.map_or(i64::MIN, |since| since.0);
        let rows = statement.query_map([since], |row| {
            Ok(BlockInfo {
                first: row.get(0)?,
                n: size_at(row, 1)?,
                n_events: size_at(row, 2)?,
                raw_bytes: size_at(row, 3)?,
                until: Time(row.get(4)?),
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
            return Err(Trouble::Damaged(format!("block {first} is not there")));
        };
        let part = |at: usize| -> Result<Vec<u8>, Trouble> {
            let bytes = row.get_ref(at + 1)?.as_blob().unwrap_or_default();
            unpack(bytes, size_at(row, at)?)
        };
        let typed = part(0)?;
        let raw = if with_raw { Some(part(2)?) } else { None };
        record::decode(&typed, raw.as_deref())
            .map_err(|damaged| Trouble::Damaged(damaged.to_string()))
    }

    pub fn facts(&self) -> Result<Facts, Trouble> {
        let sql = "SELECT value FROM fact WHERE name = ?1";
        let text = self.db.query_row(sql, ["last_event_id"], |row| row.get(0));
        let path = self.db.query_row(sql, ["stream_path"], |row| row.get(0));
        let alive = self.db.query_row(sql, ["alive"], |row| row.get(0));
        Ok(Facts {
            last_event_id: text.optional()?,
            stream_path: path.optional()?,
            alive: alive.optional()?.map(Time),
        })
    }

    /// What was not recorded or left the file since a time, oldest first.
    pub fn holes(&self, since: Time) -> Result<Vec<Hole>, Trouble> {
        let mut holes: Vec<Hole> = self.let_go()?.into_iter().collect();
        holes.retain(|hole| hole.until >= since);
        let has_holes = "SELECT count(*) FROM sqlite_schema WHERE name = 'hole'";
        if self
            .db
            .query_row(has_holes, [], |row| row.get::<_, i64>(0))?
            == 0
        {
            return Ok(holes);
        }
        let sql = "SELECT at, n, why FROM hole WHERE at >= ?1 ORDER BY rowid DESC LIMIT 1000";
        let mut statement = self.db.prepare(sql)?;
        let rows = statement.query_map([since.0], |row| {
            Ok(Hole {
                until: Time(row.get(0)?),
                n: size_at(row, 1)? as u64,
                why: Missing::NotRecorded(row.get(2)?),
            })
        })?;
        holes.extend(rows.collect::<Result<Vec<_>, _>>()?);
        holes.sort_by_key(|hole| hole.until);
        Ok(holes)
    }

    /// What left the file by age or size.
    fn let_go(&self) -> Result<Option<Hole>, Trouble> {
        let sql = "SELECT value FROM fact WHERE name = ?1";
        let fact = |name| {
            let value = self.db.query_row(sql, [name], |row| row.get::<_, i64>(0));
            value.optional()
        };
        let (n, until) = (fact("let_go")?, fact("let_go_until")?);
        Ok(n.zip(until).map(|(n, until)| Hole {
            until: Time(until),
            n: u64::try_from(n).unwrap_or(0),
            why: Missing::LetGo,
        }))
    }

    /// Blocks that could not be sealed since this was asked last, as they are damaged; they stay.
    pub fn take_damaged(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.damaged)
    }

    /// Whether no change was ever recorded.
    pub fn is_empty(&self) -> bool {
        self.next == 1
    }

    /// Changes that the file holds.
    pub fn n_changes(&self) -> Result<u64, Trouble> {
        let sql = "SELECT coalesce(sum(n), 0) FROM block";
        Ok(self.db.query_row(sql, [], |row| size_at(row, 0))? as u64)
    }

    /// Reads the whole file, and gives the number of changes in blocks that are damaged. Fails
    /// where `SQLite` itself finds the file corrupt.
    pub fn check(&self) -> Result<u64, Trouble> {
        let found: String = self
            .db
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if found != "ok" {
            return Err(Trouble::Corrupt(found));
        }
        let mut n_damaged = 0;
        for block in self.blocks(None)? {
            match self.read(block.first, true) {
                Err(Trouble::Damaged(_)) => n_damaged += block.n as u64,
                found => drop(found?),
            }
        }
        Ok(n_damaged)
    }

    /// Bounds the file, for the test of a full disk.
    #[cfg(test)]
    pub(super) fn bound(&self, n_pages: u32) -> Result<(), Trouble> {
        self.db.pragma_update(None, "max_page_count", n_pages)?;
        Ok(())
    }
}

fn unpack(bytes: &[u8], size: usize) -> Result<Vec<u8>, Trouble> {
    if size > MAX_PART {
        return Err(Trouble::Damaged(format!("a block of {size} bytes")));
    }
    zstd::bulk::decompress(bytes, size).map_err(|error| Trouble::Damaged(error.to_string()))
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
    if application == APPLICATION || is_being_made(path)? {
        Ok(())
    } else {
        Err(Trouble::Unusable(NotRecording::Foreign))
    }
}

/// Whether the file is ours all the same: another reeltop is making it, or had begun to.
fn is_being_made(path: &Path) -> Result<bool, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(std::time::Duration::from_secs(1))?;
    if let Err(error) = version(&db) {
        db = after_a_kill(path, flags, error)?;
    }
    let application: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let n_tables = "SELECT count(*) FROM sqlite_schema";
    let n_tables: i64 = db.query_row(n_tables, [], |row| row.get(0))?;
    Ok(application == i64::from(APPLICATION) || application == 0 && n_tables == 0)
}

/// Opens a file again that could not be read as a write to it was broken off half way, as a kill
/// does: who only reads may not take that write back, who may write does so by looking.
fn after_a_kill(
    path: &Path,
    flags: OpenFlags,
    error: rusqlite::Error,
) -> Result<Connection, Trouble> {
    if error.sqlite_error_code() != Some(ErrorCode::ReadOnly) {
        return Err(error.into());
    }
    let writing = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, writing)?;
    db.busy_timeout(std::time::Duration::from_secs(1))?;
    version(&db)?;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(std::time::Duration::from_secs(1))?;
    Ok(db)
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
    use crate::domain::{AssetId, Change, ChangeKind, Moment, Origin};

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
            blocks: vec![&record::encode(changes)],
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

    /// A file as a kill leaves it while it is being made: a page that was not committed, and what
    /// takes it back.
    fn half_made(path: &Path) {
        let made = path.with_extension("made");
        let db = Connection::open(&made).unwrap();
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")
            .unwrap();
        // A page in memory is all that it may keep, so that it writes before it commits.
        db.pragma_update(None, "cache_size", 1).unwrap();
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        for at in 0..40 {
            let table = format!("CREATE TABLE t{at} (a, b, c, d)");
            db.execute_batch(&table).unwrap();
        }
        let journal = |path: &Path| place::beside(path, "-journal");
        fs::copy(&made, path).unwrap();
        fs::copy(journal(&made), journal(path)).unwrap();
        assert!(fs::metadata(path).unwrap().len() > 0);
    }

    #[test]
    fn a_file_whose_making_was_killed_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("killed.db");
        half_made(&path);
        let reading = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let code = version(&reading).unwrap_err().sqlite_error_code();
        assert_eq!(code, Some(ErrorCode::ReadOnly), "nothing was broken off");
        drop(reading);
        let to_read = File::open_to_read(&path).unwrap();
        assert!(to_read.is_none(), "nothing was recorded in it");
        half_made(&path);
        let mut file = File::open(&path).unwrap();
        append(&mut file, &names(10)).unwrap();
        assert_eq!(all(&file), 10);
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
