//! Taking over the ledgers of single servers, of before all replays were in one file. They stay as
//! they are, and are read again where they changed: an older reeltop may still write there.

use std::path::Path;
use std::time::UNIX_EPOCH;

use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};

use super::{APPLICATION, BUSY, COLUMNS, File, Held, NEWER, STEPS};
use super::{foreign, get, next_rev, pair, rows, write};
use crate::domain::Moment;
use crate::io::ledger::place::is_unique;

impl File {
    /// Takes in what an older ledger holds and this one does not, or knows less of.
    pub fn adopt(&mut self, older: &Path, now: Moment) -> rusqlite::Result<()> {
        let name = older.file_name().unwrap_or_default().to_string_lossy();
        let stamp = stamp(older);
        let sql = "SELECT stamp FROM adopted WHERE file = ?1";
        let known: Option<String> = self
            .db
            .query_row(sql, [&name], |row| row.get(0))
            .optional()?;
        if known.as_ref() == Some(&stamp) {
            return Ok(());
        }
        let found = read(older).map_err(|error| {
            let what = format!("the older ledger {}: {error}", older.display());
            foreign(&what)
        })?;
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.db.transaction_with_behavior(behavior)?;
        for held in found {
            take(&transaction, held, &name, now)?;
        }
        let sql = "INSERT OR REPLACE INTO adopted (file, stamp) VALUES (?1, ?2)";
        transaction.execute(sql, params![name, stamp])?;
        transaction.commit()
    }
}

/// Changes whenever the file does.
fn stamp(path: &Path) -> String {
    let meta = std::fs::metadata(path).ok();
    let size = meta.as_ref().map_or(0, std::fs::Metadata::len);
    let since = meta
        .and_then(|meta| meta.modified().ok())
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    format!("{size} {}", since.unwrap_or_default().as_nanos())
}

fn read(path: &Path) -> rusqlite::Result<Vec<Held>> {
    // Writable, so that what a reeltop that was killed left half written there can be taken back.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY)?;
    let application: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if (application, version) == (0, 0) {
        // It was about to be made.
        return Ok(Vec::new());
    }
    if application != APPLICATION {
        return Err(foreign("it is not a ledger of reeltop"));
    }
    if !usize::try_from(version).is_ok_and(|n| n <= STEPS.len()) {
        return Err(foreign(NEWER));
    }
    // What was added since has no column there.
    let since = "scope, via, before_is_partial, is_followed, code, duration_ms, is_put_off";
    let none = "'' AS scope, '' AS via, 0 AS before_is_partial, 0 AS is_followed, \
                NULL AS code, NULL AS duration_ms, \
                state = 'refused' AND coalesce(reason, '') LIKE '429 from %' AS is_put_off";
    let columns = COLUMNS.replace(since, none);
    let sql = format!("SELECT {columns} FROM replay ORDER BY n");
    rows(&db, &sql, params![])
}

fn take(db: &Transaction<'_>, mut held: Held, name: &str, now: Moment) -> rusqlite::Result<()> {
    let message = held.replay.message.clone();
    let scope = if is_unique(&message.to_string()) {
        ""
    } else {
        name
    };
    match get(db, &held.id)? {
        None => held.rev = insert(db, &held, scope, name)?,
        // Only what has ended there tells more than is known here.
        Some(known) if known.replay.state.is_open() && !held.replay.state.is_open() => {
            held.rev = known.rev;
        }
        Some(_) => return Ok(()),
    }
    let others = pair(db, scope, &message, &held.replay.endpoint)?;
    let is_taken = others
        .iter()
        .any(|other| other.id != held.id && other.replay.state.is_open());
    if is_taken && held.replay.state.is_open() {
        // Both may have been sent, which nobody can tell any more; one of them holds the pair.
        held.replay.orphan(now);
        let who = "nobody, as another replay of the pair was open in a second ledger";
        let _ = held.replay.give_up(who, now);
    }
    let rev = next_rev(db)?;
    write(db, &held, rev)?;
    Ok(())
}

/// The row as it must be there to be written. Gives its revision.
fn insert(db: &Transaction<'_>, held: &Held, scope: &str, name: &str) -> rusqlite::Result<i64> {
    let replay = &held.replay;
    let who = replay.by.as_ref();
    let rev = next_rev(db)?;
    db.execute(
        "INSERT INTO replay (id, message, endpoint, route, state, is_open, planned, since,
                             was_unknown, owner, pid, host, scope, via, rev)
         VALUES (?1, ?2, ?3, ?4, 'planned', 0, ?5, ?5, 0, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            &*held.id,
            replay.message.to_string(),
            replay.endpoint.to_string(),
            replay.route.name(),
            replay.planned.wall.0,
            &*held.owner,
            who.map_or(0, |who| who.pid),
            who.map_or("", |who| &*who.host),
            scope,
            via(name),
            rev,
        ],
    )?;
    Ok(rev)
}

/// `replays-HOST-1a2b3c4d.db` says how it was reached.
fn via(name: &str) -> &str {
    let name = name.strip_prefix("replays-").unwrap_or(name);
    name.rsplit_once('-').map_or(name, |(host, _)| host)
}
