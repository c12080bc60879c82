//! Writing: changes are appended in small pieces, sealed into blocks as they fill, and let go when
//! they are too old or too many.

use rusqlite::{Transaction, TransactionBehavior, params};
use zstd::bulk::Compressor;

use super::{BLOCK_BYTES, BLOCK_ROWS, File, Trouble, size_at};
use crate::domain::{Change, Moment, Time};
use crate::wire::record::{Encoded, Encoder};

impl File {
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
        let n_rows: usize = entry.blocks.iter().map(|block| block.n_rows).sum();
        let bytes: usize = entry.blocks.iter().map(|block| size(block)).sum();
        let last_whole = entry.blocks.iter().rposition(|block| is_whole(block));
        let n_sealed = last_whole.map_or(0, |last| last + 1);
        let is_full = n_sealed > 0
            || self.n_open + n_rows >= BLOCK_ROWS
            || self.open_bytes + bytes >= BLOCK_BYTES;
        let (mut before, mut damaged) = (Encoded::default(), Vec::new());
        if is_full && self.n_open > 0 {
            let first;
            (before, first, damaged) = self.take_open()?;
            // A damaged one stays where it is, and nothing takes a number of its.
            *next = if damaged.is_empty() { first } else { *next };
        }
        let transaction = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !damaged.is_empty() || before.n_rows > 0 {
            for first in &damaged {
                let sql = "UPDATE block SET is_open = 0 WHERE first = ?1";
                transaction.execute(sql, [first])?;
            }
            transaction.execute("DELETE FROM block WHERE is_open", [])?;
            (self.n_open, self.open_bytes) = (0, 0);
        }
        let sealed = (before.n_rows > 0).then_some((&before, true));
        let new = entry.blocks.iter().enumerate();
        let new = new.map(|(at, block)| (*block, at < n_sealed));
        for (block, is_sealed) in sealed.into_iter().chain(new) {
            insert(&transaction, &mut self.compressor, *next, block, !is_sealed)?;
            *next += block.n_rows as i64;
            if !is_sealed {
                self.n_open += block.n_rows;
                self.open_bytes += size(block);
            }
        }
        entry.facts(&transaction)?;
        transaction.commit()?;
        self.damaged.append(&mut damaged);
        Ok(())
    }

    /// The rows that are not sealed as one block, the number of the first, and the rows that are
    /// damaged.
    fn take_open(&self) -> Result<(Encoded, i64, Vec<i64>), Trouble> {
        let mut statement = self
            .db
            .prepare("SELECT first FROM block WHERE is_open ORDER BY first")?;
        let firsts: Vec<i64> = statement
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut encoder = Encoder::default();
        let mut damaged = Vec::new();
        for first in &firsts {
            let found = match self.read(*first, true) {
                Err(Trouble::Damaged(_)) => {
                    damaged.push(*first);
                    continue;
                }
                found => found?,
            };
            for record in found.records {
                encoder.push(&Change {
                    seq: 0,
                    received: Moment {
                        wall: record.received,
                        mono: 0,
                    },
                    origin: record.origin,
                    raw: record.raw,
                    kind: record.kind,
                });
            }
        }
        let first = firsts.first().copied().unwrap_or(self.next);
        Ok((encoder.finish(Encoded::default()), first, damaged))
    }

    /// Bounds what `SQLite` keeps beside a file that is to be no larger than this with it. Where
    /// that cannot be set, it stays as it is.
    pub fn keep_within(&self, max_bytes: u64) {
        const PAGE: u64 = 4096;
        let most = (max_bytes / 16).min(8 << 20);
        let _ = self
            .db
            .pragma_update(None, "journal_size_limit", most as i64);
        let n_pages = (most / PAGE / 2).max(1);
        let _ = self
            .db
            .pragma_update(None, "wal_autocheckpoint", n_pages as i64);
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
        note_let_go(&transaction, last, n_gone)?;
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
}

/// What is appended at once.
#[derive(Debug, Clone, Default)]
pub struct Entry<'a> {
    /// Oldest first. Whole ones, and what comes before them, are sealed as they are.
    pub blocks: Vec<&'a Encoded>,
    pub last_event_id: Option<&'a str>,
    pub stream_path: Option<&'a str>,
    pub alive: Option<Time>,
    /// Changes that were not recorded before this: when that was noted, their number, and why.
    pub hole: Option<(Time, u64, &'a str)>,
}

impl Entry<'_> {
    fn facts(&self, to: &Transaction<'_>) -> Result<(), Trouble> {
        let sql = "INSERT OR REPLACE INTO fact (name, value) VALUES (?1, ?2)";
        if let Some(id) = self.last_event_id {
            to.prepare(sql)?.execute(params!["last_event_id", id])?;
        }
        if let Some(path) = self.stream_path {
            to.prepare(sql)?.execute(params!["stream_path", path])?;
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

/// Notes how many changes left the file in all, and until when they reached.
fn note_let_go(to: &Transaction<'_>, last: i64, n_gone: usize) -> Result<(), Trouble> {
    if n_gone == 0 {
        return Ok(());
    }
    let n = "INSERT INTO fact (name, value) VALUES ('let_go', ?1)
             ON CONFLICT DO UPDATE SET value = value + excluded.value";
    to.execute(n, [n_gone as i64])?;
    let until = "INSERT OR REPLACE INTO fact (name, value) SELECT 'let_go_until', max(until)
                 FROM block WHERE first <= ?1 AND NOT is_open";
    to.execute(until, [last])?;
    Ok(())
}

/// Bytes of a block before it is compressed.
fn size(block: &Encoded) -> usize {
    block.typed.len() + block.raw.len()
}

/// Whether a block is large enough to be sealed as it is.
fn is_whole(block: &Encoded) -> bool {
    block.n_rows >= BLOCK_ROWS || size(block) >= BLOCK_BYTES
}

fn insert(
    to: &Transaction<'_>,
    compressor: &mut Compressor<'_>,
    first: i64,
    block: &Encoded,
    is_open: bool,
) -> Result<(), Trouble> {
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
        compressor.compress(&block.typed)?,
        compressor.compress(&block.raw)?,
    ])?;
    Ok(())
}
