//! The ledger's file: `SQLite`, a row for each replay, every commit on the disk before it returns.

mod adopting;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior,
    params,
};

use super::Pair;
use super::owner::Owner;
use super::place::Service;
use crate::domain::{
    AttemptId, Before, EndpointId, Failure, FailureKind, LedgerRow, MessageId, Moment, Replay,
    ReplayState, Reply, Route, Time, Who,
};
use crate::io::config::LedgerKeeping;
use crate::io::receiver::Receiver;

/// `reet`, so that a file of another program is told from ours.
const APPLICATION: i64 = 0x7265_6574;
/// How long another reeltop's write is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// Each step takes a file from one version to the next.
const STEPS: [&str; 7] = [
    "CREATE TABLE replay (
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        message TEXT NOT NULL, endpoint TEXT NOT NULL, route TEXT NOT NULL,
        state TEXT NOT NULL, is_open INTEGER NOT NULL,
        planned INTEGER NOT NULL, since INTEGER NOT NULL, sent INTEGER,
        before TEXT, attempt TEXT, candidates TEXT, was_unknown INTEGER NOT NULL,
        reason TEXT, hint TEXT,
        owner TEXT NOT NULL, pid INTEGER NOT NULL, host TEXT NOT NULL,
        rev INTEGER NOT NULL
     );
     CREATE UNIQUE INDEX one_open ON replay (message, endpoint) WHERE is_open;
     CREATE INDEX by_rev ON replay (rev);
     CREATE INDEX by_pair ON replay (message, endpoint);",
    // One file for all servers.
    "ALTER TABLE replay ADD COLUMN scope TEXT NOT NULL DEFAULT '';
     ALTER TABLE replay ADD COLUMN via TEXT NOT NULL DEFAULT '';
     DROP INDEX one_open;
     CREATE UNIQUE INDEX one_open ON replay (scope, message, endpoint) WHERE is_open;
     CREATE TABLE adopted (file TEXT PRIMARY KEY, stamp TEXT NOT NULL);",
    // What was there before may not have been read wholly.
    "ALTER TABLE replay ADD COLUMN before_is_partial INTEGER NOT NULL DEFAULT 0;",
    // Whether its sender is still looking.
    "ALTER TABLE replay ADD COLUMN is_followed INTEGER NOT NULL DEFAULT 0;",
    // What the receiver itself answered to what was posted from here.
    "ALTER TABLE replay ADD COLUMN code INTEGER;
     ALTER TABLE replay ADD COLUMN duration_ms INTEGER;",
    // Whether the service refused it for the time being (429), which its reason alone told.
    "ALTER TABLE replay ADD COLUMN is_put_off INTEGER NOT NULL DEFAULT 0;
     UPDATE replay SET is_put_off = 1 WHERE state = 'refused' AND (reason LIKE '429 from %'
      OR reason LIKE 'its attempts could not be read first: 429 from %');",
    // Whether whoever sent it was told an end that was found after they had ended.
    "ALTER TABLE replay ADD COLUMN is_heard INTEGER NOT NULL DEFAULT 0;
     UPDATE replay SET is_heard = 1 WHERE NOT is_open;",
];

/// Rows without a certain outcome that are told at a start, at most.
const MAX_DOUBTFUL: i64 = 5000;
const COLUMNS: &str = "n, id, message, endpoint, route, state, planned, since, sent, before, attempt, \
                       candidates, was_unknown, reason, hint, owner, pid, host, rev, scope, via, \
                       before_is_partial, is_followed, code, duration_ms, is_put_off";

/// A row, and who wrote it.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub id: Arc<str>,
    pub owner: Arc<str>,
    pub rev: i64,
    pub replay: Replay,
}

impl Held {
    pub fn pair(&self) -> Pair {
        (self.replay.message.clone(), self.replay.endpoint.clone())
    }
}

/// Why a row was not written.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A replay of the pair of one is open already.
    Open {
        at: usize,
        open: Box<Held>,
    },
    Trouble(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Trouble(error)
    }
}

/// Why the file could not be read or written.
pub(super) type Trouble = rusqlite::Error;
/// Why a file is left alone that this reeltop may misread.
const NEWER: &str = "it was written by a newer reeltop";

pub(super) struct File {
    db: Connection,
    service: Service,
}

impl File {
    /// The file, as one service has to do with it.
    pub fn open(path: &Path, service: &Service) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::with(Connection::open_with_flags(path, flags)?, service)
    }

    /// One that nobody shares and that ends with the program.
    pub fn in_memory(service: &Service) -> rusqlite::Result<Self> {
        Self::with(Connection::open_in_memory()?, service)
    }

    fn with(mut db: Connection, service: &Service) -> rusqlite::Result<Self> {
        db.busy_timeout(BUSY)?;
        // A power cut must not lose what was written before a request.
        db.pragma_update(None, "synchronous", "EXTRA")?;
        migrate(&mut db)?;
        let service = service.clone();
        Ok(Self { db, service })
    }

    /// Rows written after this revision, oldest first.
    pub fn after(&self, rev: i64) -> rusqlite::Result<Vec<Held>> {
        let sql =
            format!("SELECT {COLUMNS} FROM replay WHERE rev > ?1 AND scope IN ('', ?2) ORDER BY n");
        rows(&self.db, &sql, params![rev, self.service.name()])
    }

    /// The newest rows and all that are open, oldest first.
    pub fn newest(&self, limit: usize) -> rusqlite::Result<Vec<Held>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM replay WHERE scope IN ('', ?2) AND (is_open OR n IN
             (SELECT n FROM replay WHERE scope IN ('', ?2) ORDER BY n DESC LIMIT ?1)) ORDER BY n"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        rows(&self.db, &sql, params![limit, self.service.name()])
    }

    /// The same, and the newest of those that were closed without a certain outcome: a plan for their
    /// pair warns of them, however many came since.
    pub fn worth_telling(&self, limit: usize) -> rusqlite::Result<Vec<Held>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM replay WHERE scope IN ('', ?2) AND (is_open OR n IN
             (SELECT n FROM replay WHERE scope IN ('', ?2) ORDER BY n DESC LIMIT ?1) OR n IN
             (SELECT n FROM replay WHERE scope IN ('', ?2) AND (state IN ('ambiguous', 'given up')
              OR was_unknown AND attempt IS NOT NULL) ORDER BY n DESC LIMIT ?3)) ORDER BY n"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        rows(
            &self.db,
            &sql,
            params![limit, self.service.name(), MAX_DOUBTFUL],
        )
    }

    /// Rows that wait for their reeltop to go on.
    pub fn unsettled(&self) -> rusqlite::Result<Vec<Held>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM replay WHERE state IN ('planned', 'sending', 'accepted') OR is_followed"
        );
        rows(&self.db, &sql, params![])
    }

    /// Rows whose ids begin so, oldest first.
    pub fn beginning(&self, id: &str) -> rusqlite::Result<Vec<Held>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM replay
             WHERE substr(id, 1, length(?1)) = ?1 AND scope IN ('', ?2) ORDER BY n"
        );
        rows(&self.db, &sql, params![id, self.service.name()])
    }

    /// The rows of a pair, oldest first.
    pub fn pair(&self, message: &MessageId, endpoint: &EndpointId) -> rusqlite::Result<Vec<Held>> {
        pair(&self.db, self.service.scope(message), message, endpoint)
    }

    /// The rows of a message, oldest first.
    pub fn message(&self, message: &MessageId) -> rusqlite::Result<Vec<Held>> {
        of_message(&self.db, self.service.scope(message), message)
    }

    /// The pairs of rows whose end, found after whoever sent them had ended, was told to nobody who
    /// would send another.
    pub fn unheard(&self) -> rusqlite::Result<Vec<Pair>> {
        let sql = "SELECT message, endpoint FROM replay
                   WHERE (was_unknown OR state = 'ambiguous') AND NOT is_open AND NOT is_heard
                     AND scope IN ('', ?1)";
        let mut statement = self.db.prepare(sql)?;
        let pair = |row: &Row<'_>| {
            let (message, endpoint): (String, String) = (row.get(0)?, row.get(1)?);
            Ok((MessageId::new(&message), EndpointId::new(&endpoint)))
        };
        statement.query_map([self.service.name()], pair)?.collect()
    }

    /// Takes note that the ends of these pairs' rows were told. It changes nothing for anybody who
    /// looks, so that the rows keep their revision.
    pub fn hear(&mut self, pairs: &[Pair]) -> rusqlite::Result<()> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.db.transaction_with_behavior(behavior)?;
        for (message, endpoint) in pairs {
            transaction.execute(
                "UPDATE replay SET is_heard = 1
                 WHERE message = ?1 AND endpoint = ?2 AND scope IN ('', ?3) AND NOT is_open",
                params![
                    message.to_string(),
                    endpoint.to_string(),
                    self.service.scope(message)
                ],
            )?;
        }
        transaction.commit()
    }

    /// The latest revision of a row, of whatever service; 0 if there is none.
    pub fn latest(&self) -> rusqlite::Result<i64> {
        let sql = "SELECT coalesce(max(rev), 0) FROM replay";
        self.db.query_row(sql, [], |row| row.get(0))
    }

    /// Writes the rows of new replays, unless one of a pair is open, or another of its message may
    /// arrive at the receiver or has, since it was decided to post there: all of them or none.
    pub fn insert_all(
        &mut self,
        rows: &[(Arc<str>, Replay)],
        owner: &Owner,
        receiver: Option<&Receiver>,
    ) -> Result<(), Refusal> {
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.db.transaction_with_behavior(behavior)?;
        for (at, (id, replay)) in rows.iter().enumerate() {
            let scope = self.service.scope(&replay.message);
            let is_rival = |other: &Replay| Receiver::is_rival(other, &replay.endpoint, receiver);
            let has_got = |held: &Held| {
                *held.owner != *owner.id
                    && receiver.is_some_and(|it| it.has_got(&held.replay, &replay.endpoint))
            };
            let mut known = of_message(&transaction, scope, &replay.message)?.into_iter();
            if let Some(open) = known.find(|held| is_rival(&held.replay) || has_got(held)) {
                let open = Box::new(open);
                return Err(Refusal::Open { at, open });
            }
            insert(&transaction, id, replay, owner, (scope, &self.service.via))?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Changes rows if all of them are still as they were read. Whether they were.
    pub fn update_all(&mut self, rows: &[Held]) -> rusqlite::Result<bool> {
        if rows.is_empty() {
            return Ok(true);
        }
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.db.transaction_with_behavior(behavior)?;
        for held in rows {
            let rev = next_rev(&transaction)?;
            if write(&transaction, held, rev)? != 1 {
                return Ok(false);
            }
        }
        transaction.commit()?;
        Ok(true)
    }

    /// Lets rows go that have ended, and did so long ago or are too many. Never the newest revision,
    /// which the next is counted from, and never what nobody knows the outcome of.
    pub fn prune(&mut self, keeping: LedgerKeeping, now: Moment) -> rusqlite::Result<usize> {
        let age = i64::try_from(keeping.max_age.as_micros()).unwrap_or(i64::MAX);
        self.db.execute(
            "DELETE FROM replay WHERE NOT is_open AND state <> 'unknown'
             AND rev < (SELECT max(rev) FROM replay)
             AND (since < ?1 OR n <= (SELECT n FROM replay ORDER BY n DESC LIMIT 1 OFFSET ?2))",
            params![now.wall.0.saturating_sub(age), keeping.max_rows],
        )
    }

    /// Writes without changing anything. Fails where nothing can be written.
    pub fn probe(&mut self) -> rusqlite::Result<()> {
        self.db
            .pragma_update(None, "user_version", STEPS.len() as i64)
    }

    /// The row of an id.
    pub fn get(&self, id: &str) -> rusqlite::Result<Option<Held>> {
        get(&self.db, id)
    }
}

fn get(db: &Connection, id: &str) -> rusqlite::Result<Option<Held>> {
    let sql = format!("SELECT {COLUMNS} FROM replay WHERE id = ?1");
    db.query_row(&sql, [id], held).optional()
}

fn insert(
    db: &Transaction<'_>,
    id: &str,
    replay: &Replay,
    owner: &Owner,
    (scope, via): (&str, &str),
) -> rusqlite::Result<()> {
    let rev = next_rev(db)?;
    db.execute(
        "INSERT INTO replay (id, message, endpoint, route, state, is_open, planned, since,
                             was_unknown, owner, pid, host, scope, via, rev)
         VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?6, 0, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            id,
            replay.message.to_string(),
            replay.endpoint.to_string(),
            replay.route.name(),
            replay.state.name(),
            replay.planned.wall.0,
            &*owner.id,
            owner.pid,
            &*owner.host,
            scope,
            via,
            rev,
        ],
    )?;
    Ok(())
}

fn write(db: &Transaction<'_>, held: &Held, rev: i64) -> rusqlite::Result<usize> {
    let replay = &held.replay;
    let (reason, hint) = match &replay.state {
        ReplayState::Unknown(why) | ReplayState::Cancelled(why) | ReplayState::GivenUp(why) => {
            (Some(why.as_str()), None)
        }
        ReplayState::Refused(why) => (Some(why.what.as_str()), Some(why.hint.as_str())),
        _ => (None, None),
    };
    let candidates = match &replay.state {
        ReplayState::Ambiguous(candidates) => Some(id_list(candidates)),
        _ => None,
    };
    let answer = match &replay.state {
        ReplayState::Answered(answer) => Some(answer),
        _ => None,
    };
    db.execute(
        "UPDATE replay SET state = ?1, is_open = ?2, since = ?3, sent = ?4, before = ?5,
                attempt = ?6, candidates = ?7, was_unknown = ?8, reason = ?9, hint = ?10, rev = ?11,
                before_is_partial = ?12, is_followed = ?15,
                code = ?16, duration_ms = ?17, is_put_off = ?18
         WHERE id = ?13 AND rev = ?14",
        params![
            replay.state.name(),
            replay.state.is_open(),
            replay.since.wall.0,
            replay.sent.map(|sent| sent.wall.0),
            replay.before.as_ref().map(|before| id_list(&before.ids)),
            replay.state.attempt().map(ToString::to_string),
            candidates,
            replay.was_unknown,
            reason,
            hint,
            rev,
            replay
                .before
                .as_ref()
                .is_some_and(|before| !before.is_whole),
            &*held.id,
            held.rev,
            replay.is_followed,
            answer.map(|it| it.code),
            answer.map(|it| it.duration_ms),
            replay.state.is_put_off(),
        ],
    )
}

fn next_rev(db: &Transaction<'_>) -> rusqlite::Result<i64> {
    let sql = "SELECT coalesce(max(rev), 0) + 1 FROM replay";
    db.query_row(sql, [], |row| row.get(0))
}

fn pair(
    db: &Connection,
    scope: &str,
    message: &MessageId,
    endpoint: &EndpointId,
) -> rusqlite::Result<Vec<Held>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM replay WHERE message = ?1 AND endpoint = ?2 AND scope = ?3
         ORDER BY n"
    );
    let (message, endpoint) = (message.to_string(), endpoint.to_string());
    rows(db, &sql, params![message, endpoint, scope])
}

fn of_message(db: &Connection, scope: &str, message: &MessageId) -> rusqlite::Result<Vec<Held>> {
    let sql = format!("SELECT {COLUMNS} FROM replay WHERE message = ?1 AND scope = ?2 ORDER BY n");
    rows(db, &sql, params![message.to_string(), scope])
}

fn rows(db: &Connection, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<Vec<Held>> {
    let mut statement = db.prepare(sql)?;
    statement.query_map(params, held)?.collect()
}

fn held(row: &Row<'_>) -> rusqlite::Result<Held> {
    let id: Arc<str> = row.get("id")?;
    let moment = |wall: i64| Moment {
        wall: Time(wall),
        mono: 0,
    };
    let attempt: Option<String> = row.get("attempt")?;
    let reason: Option<String> = row.get("reason")?;
    let was_unknown: bool = row.get("was_unknown")?;
    let state = state(
        row,
        attempt.as_deref(),
        reason.unwrap_or_default(),
        was_unknown,
    )?;
    let before: Option<String> = row.get("before")?;
    let is_partial: bool = row.get("before_is_partial")?;
    let sent: Option<i64> = row.get("sent")?;
    let who = Who {
        id: id.clone(),
        pid: row.get("pid")?,
        host: row.get("host")?,
        via: row.get("via")?,
        is_running: false,
    };
    let replay = Replay {
        number: 0,
        message: MessageId::new(&row.get::<_, String>("message")?),
        endpoint: EndpointId::new(&row.get::<_, String>("endpoint")?),
        route: Route::named(&row.get::<_, String>("route")?).unwrap_or_default(),
        state,
        planned: moment(row.get("planned")?),
        since: moment(row.get("since")?),
        sent: sent.map(moment),
        before: before.map(|before| {
            let known = ids(&before);
            Before {
                is_whole: !is_partial && known.is_some(),
                ids: known.unwrap_or_default().into(),
            }
        }),
        was_unknown,
        is_followed: row.get("is_followed")?,
        row: Some(LedgerRow {
            file: 0,
            n: row.get("n")?,
            rev: row.get("rev")?,
        }),
        by: Some(who),
    };
    Ok(Held {
        id,
        owner: row.get("owner")?,
        rev: row.get("rev")?,
        replay,
    })
}

fn state(
    row: &Row<'_>,
    attempt: Option<&str>,
    reason: String,
    found_later: bool,
) -> rusqlite::Result<ReplayState> {
    let name: String = row.get("state")?;
    let attempt = attempt.map(AttemptId::new);
    Ok(match (name.as_str(), attempt) {
        ("planned", _) => ReplayState::Planned,
        ("sending", _) => ReplayState::Sending,
        ("accepted", _) => ReplayState::Accepted,
        ("attempt seen", Some(attempt)) => ReplayState::AttemptSeen(attempt),
        ("delivered", Some(attempt)) => ReplayState::Delivered {
            attempt,
            found_later,
        },
        ("failed", Some(attempt)) => ReplayState::Failed {
            attempt,
            found_later,
        },
        ("delivered" | "failed", None) => match (row.get("code")?, row.get("duration_ms")?) {
            (Some(code), Some(duration_ms)) => ReplayState::Answered(Reply { code, duration_ms }),
            _ => unreadable(&name),
        },
        ("refused", _) => {
            let hint: Option<String> = row.get("hint")?;
            let hint = hint.unwrap_or_default();
            let kind = if row.get("is_put_off")? {
                FailureKind::RateLimited
            } else {
                FailureKind::Local
            };
            ReplayState::Refused(Failure::new(kind, reason, hint))
        }
        ("ambiguous", _) => {
            let candidates: Option<String> = row.get("candidates")?;
            ReplayState::Ambiguous(ids(&candidates.unwrap_or_default()).unwrap_or_default())
        }
        ("cancelled", _) => ReplayState::Cancelled(reason),
        ("given up", _) => ReplayState::GivenUp(reason),
        ("unknown", _) => ReplayState::Unknown(reason),
        (other, _) => unreadable(other),
    })
}

/// What cannot be read may have been sent.
fn unreadable(state: &str) -> ReplayState {
    ReplayState::Unknown(format!("its state is {state:?} in the ledger"))
}

fn id_list(ids: &[AttemptId]) -> String {
    serde_json::Value::from(ids.iter().map(ToString::to_string).collect::<Vec<_>>()).to_string()
}

/// `None` where the list is damaged.
fn ids(list: &str) -> Option<Vec<AttemptId>> {
    let ids: Vec<String> = serde_json::from_str(list).ok()?;
    Some(ids.iter().map(|id| AttemptId::new(id)).collect())
}

fn migrate(db: &mut Connection) -> rusqlite::Result<()> {
    let version = |db: &Connection| -> rusqlite::Result<(usize, i64)> {
        let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let application = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
        Ok((usize::try_from(version).unwrap_or(usize::MAX), application))
    };
    let is_ours =
        |(version, application): (usize, i64)| version == STEPS.len() && application == APPLICATION;
    if is_ours(version(db)?) {
        return Ok(());
    }
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another reeltop may have made it meanwhile.
    let found = version(&transaction)?;
    if is_ours(found) {
        return Ok(());
    }
    let n_tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_new = found == (0, 0) && n_tables == 0;
    if !is_new && (found.1 != APPLICATION || found.0 > STEPS.len()) {
        let what = if found.1 == APPLICATION {
            NEWER
        } else {
            "it is not a ledger of reeltop"
        };
        return Err(foreign(what));
    }
    for step in &STEPS[found.0..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", STEPS.len() as i64)?;
    transaction.commit()
}

/// Whether nothing is wrong with the file but that a newer reeltop made it.
pub(super) fn is_newer(trouble: &Trouble) -> bool {
    matches!(trouble, rusqlite::Error::SqliteFailure(_, Some(what)) if what.ends_with(NEWER))
}

fn foreign(what: &str) -> rusqlite::Error {
    let code = rusqlite::ffi::Error {
        code: ErrorCode::NotADatabase,
        extended_code: rusqlite::ffi::SQLITE_NOTADB,
    };
    rusqlite::Error::SqliteFailure(code, Some(what.to_owned()))
}
