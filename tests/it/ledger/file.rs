//! The ledger's file by itself: one for every way to a service, taken over from older ones, and never
//! another than the one that is open.

use std::fs;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use reeltop::domain::time::SECOND;
use reeltop::domain::{
    Attempt, AttemptId, AttemptStatus, Change, ChangeKind, EndpointId, MessageId, Moment, Origin,
    Replay, ReplayState, Replays, Route, Stage, Time, Trigger,
};
use reeltop::io::config::LedgerKeeping;
use reeltop::io::ledger::{Ledger, Planned, PlannedAll, Service};
use reeltop::io::receiver::Receiver;
use rusqlite::Connection;

use crate::support::commits;

const UNIQUE: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
const DAY: i64 = 86_400 * SECOND;

fn at(seconds: i64) -> Moment {
    Moment {
        wall: Time(1_800_000_000 * SECOND + seconds * SECOND),
        mono: seconds * SECOND,
    }
}

fn pair(message: &str) -> (MessageId, EndpointId) {
    (MessageId::new(message), EndpointId::new("ep_1"))
}

fn ledger(folder: &Path, url: &str) -> Ledger {
    Ledger::in_folder(folder, Service::new(url, ""), LedgerKeeping::default())
}

fn plan(ledger: &Ledger, number: u64, message: &str, now: Moment) -> Result<String, String> {
    let planned = ledger.plan(number, &pair(message), Route::Server, now);
    match planned {
        Ok(Planned::As(id)) => Ok(id.to_string()),
        Ok(Planned::Open(open)) => Err(open.open_words()),
        Err(failure) => Err(failure.to_string()),
    }
}

fn send(ledger: &Ledger, id: &str, now: Moment) -> Result<(), String> {
    let before = [].into();
    let sent = ledger.step(id, &Stage::Sending { before }, now);
    sent.map_err(|failure| failure.to_string())
}

fn manual(id: &str, message: &str, status: AttemptStatus) -> Change {
    let (message, endpoint) = pair(message);
    Change {
        seq: 0,
        received: at(0),
        origin: Origin::Poll,
        raw: None,
        kind: ChangeKind::Attempt(Box::new(Attempt {
            id: AttemptId::new(id),
            message,
            endpoint,
            url: "http://127.0.0.1/".into(),
            started: Time::default(),
            status,
            code: 200,
            duration_ms: None,
            response: "".into(),
            trigger: Trigger::Manual,
        })),
    }
}

fn states(ledger: &Ledger) -> Vec<&'static str> {
    let rows = ledger.list(100, at(0)).unwrap();
    rows.iter().map(|row| row.state.name()).collect()
}

/// A ledger of one server, as reeltop wrote it before there was one for all.
fn older(path: &Path, rows: &[(&str, &str, &str)]) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "CREATE TABLE replay (
            n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
            message TEXT NOT NULL, endpoint TEXT NOT NULL, route TEXT NOT NULL,
            state TEXT NOT NULL, is_open INTEGER NOT NULL,
            planned INTEGER NOT NULL, since INTEGER NOT NULL, sent INTEGER,
            before TEXT, attempt TEXT, candidates TEXT, was_unknown INTEGER NOT NULL,
            reason TEXT, hint TEXT,
            owner TEXT NOT NULL, pid INTEGER NOT NULL, host TEXT NOT NULL, rev INTEGER NOT NULL);
         CREATE UNIQUE INDEX one_open ON replay (message, endpoint) WHERE is_open;
         PRAGMA application_id = 0x72656574;
         PRAGMA user_version = 1;",
    )
    .unwrap();
    for (n, (id, message, state)) in rows.iter().enumerate() {
        let is_open = matches!(*state, "sending" | "unknown");
        db.execute(
            "INSERT INTO replay (id, message, endpoint, route, state, is_open, planned, since, sent,
                                 before, attempt, was_unknown, reason, owner, pid, host, rev)
             VALUES (?1, ?2, 'ep_1', 'server', ?3, ?4, ?6, ?6, ?6, '[]',
                     iif(?3 = 'delivered', 'atmpt_1', NULL), 0, 'lost', 'nobody', 1, 'vm', ?5)",
            rusqlite::params![id, message, state, is_open, n as i64 + 1, at(0).wall.0],
        )
        .unwrap();
    }
}

#[test]
fn one_service_by_two_ways_has_one_open_replay_of_a_pair() {
    let folder = tempfile::tempdir().unwrap();
    let aspect = ledger(folder.path(), "https://aspect.example");
    let svix = Service::new("https://svix.example", "app_1");
    let svix = Ledger::in_folder(folder.path(), svix, LedgerKeeping::default());
    plan(&aspect, 1, UNIQUE, at(0)).unwrap();
    let refused = plan(&svix, 1, UNIQUE, at(1)).unwrap_err();
    assert!(refused.contains("another reeltop"), "{refused}");
    assert!(
        refused.contains(", at https://aspect.example is"),
        "{refused}"
    );
    assert_eq!(states(&svix), ["planned"]);
    let via = svix.list(9, at(1)).unwrap()[0].by.clone().unwrap().via;
    assert_eq!(&*via, "https://aspect.example");
    // Where an id says nothing of its service, each has its own.
    plan(&aspect, 2, "msg_1", at(2)).unwrap();
    plan(&svix, 2, "msg_1", at(2)).unwrap();
    assert_eq!(states(&svix), ["planned"; 2]);
    // And what one finds is not told of the other's message.
    send(&aspect, &id_of(&aspect, "msg_1"), at(3)).unwrap_err();
}

/// The id of another's row, as a command names it.
fn id_of(ledger: &Ledger, message: &str) -> String {
    let rows = ledger.find("", at(0)).unwrap();
    let row = rows
        .iter()
        .find(|row| row.message == MessageId::new(message));
    row.and_then(|row| row.by.as_ref())
        .map_or(String::new(), |who| who.id.to_string())
}

#[test]
fn older_ledgers_are_taken_over_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = [
        "replays-a.example-11111111.db",
        "replays-b.example-22222222.db",
    ]
    .map(|name| folder.path().join(name));
    older(
        &one,
        &[("a1", UNIQUE, "unknown"), ("a2", "msg_1", "delivered")],
    );
    older(
        &two,
        &[
            ("b1", UNIQUE, "sending"),
            ("b2", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpX", "unknown"),
            ("b3", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpY", "refused"),
        ],
    );
    let busy = "UPDATE replay SET reason = '429 from http://b.example for /resend' WHERE id = 'b3'";
    Connection::open(&two).unwrap().execute(busy, []).unwrap();
    let held = [&one, &two].map(|path| fs::read(path).unwrap());

    // Reading is enough; what belongs to another server alone is not listed.
    let ledger = ledger(folder.path(), "https://c.example");
    assert_eq!(
        states(&ledger),
        ["unknown", "given up", "unknown", "refused"]
    );
    let told = ledger.list(9, at(0)).unwrap();
    assert!(told[3].state.is_put_off(), "{told:?}");
    let refused = plan(&ledger, 1, UNIQUE, at(0)).unwrap_err();
    assert!(
        refused.contains("earlier reeltop, at a.example is open"),
        "{refused}"
    );
    let why = ledger.list(9, at(0)).unwrap()[1].words();
    assert!(why.contains("open in a second ledger"), "{why}");
    assert_eq!([&one, &two].map(|path| fs::read(path).unwrap()), held);
    let all = Connection::open(folder.path().join("replays.db")).unwrap();
    let count = "SELECT count(*) FROM replay";
    assert_eq!(all.query_row(count, [], |row| row.get::<_, i64>(0)), Ok(5));

    // An older reeltop goes on writing: how it ended is taken over before anything is planned.
    let old = Connection::open(&two).unwrap();
    let ended = "UPDATE replay SET state = 'delivered', is_open = 0, attempt = 'atmpt_9', rev = 9
                 WHERE id = 'b2'";
    old.execute(ended, []).unwrap();
    plan(&ledger, 2, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpX", at(1)).unwrap();
    assert_eq!(
        states(&ledger),
        ["unknown", "given up", "delivered", "refused", "planned"]
    );

    // One that cannot be read may hold an open replay, so that nothing is sent.
    fs::write(&one, "no ledger").unwrap();
    let refused = plan(&ledger, 3, "msg_3", at(2)).unwrap_err();
    assert!(
        refused.contains("replays-a.example-11111111.db"),
        "{refused}"
    );
}

#[test]
fn many_are_written_all_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path(), "https://a.example");
    let orders = |from: u64| -> Vec<_> {
        let numbers = from..from + 3;
        numbers
            .map(|n| (n, pair(&format!("msg_{n}"))))
            .collect::<Vec<_>>()
    };
    let planned = ledger.plan_all(&orders(1), Route::Recover, at(0));
    let Ok(PlannedAll::As(ids)) = planned else {
        panic!("{planned:?}");
    };
    // One that is open keeps the others out.
    let planned = ledger.plan_all(&orders(3), Route::Recover, at(1));
    let Ok(PlannedAll::Open { at: nth, open }) = planned else {
        panic!("{planned:?}");
    };
    assert_eq!((nth, open.number), (0, 3));
    assert_eq!(states(&ledger), ["planned"; 3]);
    // One that was taken back keeps the others from being sent.
    let why = || Stage::Cancelled("why".to_owned());
    ledger.step(&ids[1], &why(), at(2)).unwrap();
    let sending = |id: &std::sync::Arc<str>| (id.clone(), Stage::Sending { before: [].into() });
    let steps: Vec<_> = ids.iter().map(sending).collect();
    let failure = ledger.step_all(&steps, at(3)).unwrap_err().to_string();
    assert!(failure.contains("cancelled already"), "{failure}");
    assert_eq!(states(&ledger), ["planned", "cancelled", "planned"]);
    // Several stages of one are taken in their order, and one that is gone hinders nobody.
    let unknown = Stage::Unknown("why".to_owned());
    let steps = [
        sending(&ids[0]),
        (ids[0].clone(), unknown),
        (ids[0].clone(), Stage::Looked),
        (ids[2].clone(), why()),
    ];
    ledger.step_all(&steps, at(4)).unwrap();
    let steps = [("gone".into(), why()), (ids[0].clone(), why())];
    let failure = ledger.step_all(&steps, at(5)).unwrap_err().to_string();
    assert!(failure.contains("moved away"), "{failure}");
    let rows = ledger.list(9, at(6)).unwrap();
    assert_eq!(states(&ledger), ["cancelled"; 3]);
    assert!(rows[0].was_unknown && !rows[0].is_followed, "{rows:?}");
}

#[test]
fn what_is_found_of_many_at_once_is_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let sender = ledger(folder.path(), "https://a.example");
    let file = folder.path().join("replays.db");
    for (number, message) in (1..).zip(["msg_1", "msg_2", "msg_3"]) {
        let id = plan(&sender, number, message, at(0)).unwrap();
        send(&sender, &id, at(1)).unwrap();
        let looked = Stage::Looked;
        sender.step(&id, &looked, at(2)).unwrap();
    }
    let before = commits(&file);
    let found = ["msg_1", "msg_2", "msg_3"].map(|message| {
        let name = format!("atmpt_{message}");
        manual(&name, message, AttemptStatus::Success)
    });
    sender.note(&found);
    sender.keep(at(3)).unwrap();
    assert_eq!(states(&sender), ["delivered"; 3]);
    assert_eq!(commits(&file) - before, 1);
    // And what is left behind by one that is gone.
    let ids: Vec<(u64, _)> = (7..10).map(|n| (n, pair(&format!("msg_{n}")))).collect();
    sender.plan_all(&ids, Route::Recover, at(4)).unwrap();
    drop(sender);
    let other = ledger(folder.path(), "https://a.example");
    let before = commits(&file);
    other.keep(at(5)).unwrap();
    assert_eq!(states(&other)[3..], ["cancelled"; 3]);
    assert_eq!(commits(&file) - before, 1);
}

#[test]
fn what_is_posted_is_refused_where_something_open_may_arrive_at_its_receiver() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path(), "https://a.example");
    let url = |text: &str| text.parse::<reqwest::Url>().unwrap();
    let post = |message: &str, to: &str, receiver: &Receiver| {
        let pair = (MessageId::new(message), EndpointId::new(to));
        match ledger.plan_beside(&[(7, pair)], Route::Local, Some(receiver), at(1)) {
            Ok(PlannedAll::As(ids)) => Ok(ids[0].clone()),
            Ok(PlannedAll::Open { open, .. }) => Err(open.endpoint.to_string()),
            Err(failure) => Err(failure.to_string()),
        }
    };
    // A resend that began after the endpoints were asked for.
    let resend = plan(&ledger, 1, "msg_1", at(0)).unwrap();
    let (here, there) = (
        "http://127.0.0.1:3000/hooks",
        "http://localhost:3000/hooks?x=1",
    );
    let unasked = Receiver::beside(url(here), [].into());
    assert_eq!(post("msg_1", here, &unasked), Err("ep_1".to_owned()));
    assert_eq!(states(&ledger), ["planned"]);
    // Of another message it is none, nor at an endpoint that leads elsewhere.
    assert!(post("msg_2", here, &unasked).is_ok());
    let elsewhere = Receiver::beside(url(here), [EndpointId::new("ep_1")].into());
    let posted = post("msg_1", here, &elsewhere).unwrap();
    // Its receiver by another name.
    for receiver in [
        Receiver::weighed(url(there)),
        Receiver::beside(url(there), [EndpointId::new("ep_1")].into()),
    ] {
        assert_eq!(post("msg_1", there, &receiver), Err(here.to_owned()));
    }
    // The same by its own address in the network, if it is in one.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    if socket.connect("192.0.2.1:9").is_ok() {
        let own = socket.local_addr().unwrap().ip();
        let there = format!("http://{own}:3000/hooks");
        let receiver = Receiver::weighed(url(&there));
        assert_eq!(post("msg_1", &there, &receiver), Err(here.to_owned()));
    }
    let why = || Stage::Cancelled("why".to_owned());
    ledger.step(&posted, &why(), at(2)).unwrap();
    assert!(post("msg_1", there, &Receiver::weighed(url(there))).is_ok());
    ledger.step(&resend, &why(), at(3)).unwrap();
    assert_eq!(states(&ledger)[0], "cancelled");
}

#[test]
fn a_ledger_that_was_moved_or_replaced_lets_nothing_be_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replays.db");
    let ours = ledger(folder.path(), "https://a.example");
    let other = ledger(folder.path(), "https://a.example");
    for (number, is_replaced) in [(1, false), (2, true)] {
        let message = format!("msg_{number}");
        let id = plan(&ours, number, &message, at(0)).unwrap();
        ours.keep(at(0)).unwrap();
        fs::rename(&path, folder.path().join("moved")).unwrap();
        if is_replaced {
            plan(&other, 1, "msg_9", at(1)).unwrap();
        }
        let refused = send(&ours, &id, at(2)).unwrap_err();
        assert!(refused.contains("moved away or replaced"), "{refused}");
        // Nor does a second try find a way.
        send(&ours, &id, at(3)).unwrap_err();
        // What stands in the new file is told from its beginning.
        let told = ours.keep(at(4)).unwrap();
        let messages: Vec<String> = told.iter().map(|row| row.message.to_string()).collect();
        assert_eq!(messages, if is_replaced { vec!["msg_9"] } else { vec![] });
    }
}

#[test]
fn noting_an_attempt_waits_for_no_disk() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path(), "https://a.example");
    plan(&ledger, 1, "msg_1", at(0)).unwrap();
    let other = Connection::open(folder.path().join("replays.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let (kept, noted) = (ledger.clone(), ledger.clone());
    let keeping = std::thread::spawn(move || kept.keep(at(1)).is_ok());
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        for n in 0..1000 {
            noted.note(&[manual(&format!("a{n}"), "msg_1", AttemptStatus::Success)]);
        }
        let _ = done.send(());
    });
    // The file is locked until this ends.
    let in_time = is_done.recv_timeout(Duration::from_secs(4));
    other.execute_batch("ROLLBACK").unwrap();
    assert!(in_time.is_ok(), "it waited for the file");
    keeping.join().unwrap();
}

#[test]
fn what_cannot_be_written_is_looked_at_again() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path(), "https://a.example");
    let id = plan(&ledger, 1, "msg_1", at(0)).unwrap();
    send(&ledger, &id, at(0)).unwrap();
    ledger.step(&id, &Stage::Accepted, at(0)).unwrap();
    ledger.step(&id, &Stage::Looked, at(0)).unwrap();
    ledger.note(&[manual("a1", "msg_1", AttemptStatus::Success)]);
    let other = Connection::open(folder.path().join("replays.db")).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER full BEFORE UPDATE ON replay
             BEGIN SELECT raise(ABORT, 'the disk is full'); END",
        )
        .unwrap();
    let failed = ledger.keep(at(1)).unwrap_err().to_string();
    assert!(failed.contains("the disk is full"), "{failed}");
    assert_eq!(states(&ledger), ["accepted"]);
    other.execute_batch("DROP TRIGGER full").unwrap();
    // Without being told of the attempt a second time.
    ledger.keep(at(2)).unwrap();
    assert_eq!(states(&ledger), ["delivered"]);
}

#[test]
fn a_clock_that_was_set_back_does_not_make_an_older_replay_the_latest() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path(), "https://a.example");
    for (number, attempt, now) in [(1, "a1", at(7200)), (2, "a2", at(0))] {
        let id = plan(&ledger, number, "msg_1", now).unwrap();
        let before: Vec<AttemptId> = (1..number)
            .map(|n| AttemptId::new(&format!("a{n}")))
            .collect();
        let before = before.into();
        ledger.step(&id, &Stage::Sending { before }, now).unwrap();
        ledger.step(&id, &Stage::Accepted, now).unwrap();
        ledger.step(&id, &Stage::Looked, now).unwrap();
        ledger.note(&[manual(attempt, "msg_1", AttemptStatus::Success)]);
        ledger.keep(now).unwrap();
    }
    let rows = ledger.list(9, at(0)).unwrap();
    let found: Vec<_> = rows
        .iter()
        .map(|row| row.state.attempt().map(ToString::to_string))
        .collect();
    assert_eq!(found, [Some("a1".to_owned()), Some("a2".to_owned())]);
    assert!(
        rows.iter()
            .all(|row| matches!(row.state, ReplayState::Delivered { .. }))
    );
    // So it is for whoever reads the file, in whatever order it is told of the rows.
    let (message, endpoint) = pair("msg_1");
    for reader in [self::ledger(folder.path(), "https://a.example"), ledger] {
        let mut told = reader.keep(at(0)).unwrap();
        if told.is_empty() {
            told = reader.list(9, at(0)).unwrap();
        }
        let latest = told[1].number;
        let in_memory: Replays = told.into_iter().rev().collect();
        assert_eq!(in_memory.latest_of(&message, &endpoint), Some(latest));
    }
}

#[test]
fn what_is_in_doubt_is_told_however_many_came_since() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path(), "https://a.example");
    let id = plan(&ledger, 1, "msg_1", at(0)).unwrap();
    send(&ledger, &id, at(0)).unwrap();
    let cut = Stage::Unknown("no answer".to_owned());
    ledger.step(&id, &cut, at(0)).unwrap();
    ledger.give_up(1, at(0)).unwrap();
    for number in 2..600 {
        let id = plan(&ledger, number, &format!("msg_{number}"), at(0)).unwrap();
        let taken_back = Stage::Cancelled("taken back".to_owned());
        ledger.step(&id, &taken_back, at(0)).unwrap();
    }
    let (message, endpoint) = pair("msg_1");
    let reader = self::ledger(folder.path(), "https://a.example");
    let told: Replays = reader.keep(at(0)).unwrap().into_iter().collect();
    assert_eq!(told.len(), 501);
    assert!(told.doubtful_of(&message, &endpoint).is_some());
}

#[test]
fn rows_of_a_file_that_took_the_place_of_another_come_after_those_of_that_one() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path(), "https://a.example");
    let end = |id: &str| {
        let why = Stage::Unknown("no answer".to_owned());
        send(&ledger, id, at(0)).unwrap();
        ledger.step(id, &why, at(0)).unwrap();
    };
    plan(&ledger, 1, "msg_0", at(0)).unwrap();
    end(&plan(&ledger, 2, "msg_1", at(0)).unwrap());
    let mut known: Vec<Replay> = ledger.keep(at(0)).unwrap();
    fs::remove_file(folder.path().join("replays.db")).unwrap();
    end(&plan(&ledger, 3, "msg_1", at(0)).unwrap());
    known.extend(ledger.keep(at(0)).unwrap());
    let (message, endpoint) = pair("msg_1");
    let in_memory: Replays = known.into_iter().rev().collect();
    assert_eq!(in_memory.of(&message, &endpoint).count(), 2);
    assert_eq!(in_memory.latest_of(&message, &endpoint), Some(3));
}

#[test]
fn what_ended_long_ago_leaves_and_what_nobody_knows_stays() {
    let folder = tempfile::tempdir().unwrap();
    let keeping = LedgerKeeping {
        max_rows: 3,
        ..LedgerKeeping::default()
    };
    let later = |days: i64| Moment {
        wall: at(0).wall.plus(days * DAY),
        mono: days * DAY,
    };
    let run = |days: i64, message: &str, stage: Option<Stage>| {
        let service = Service::new("https://a.example", "");
        let ledger = Ledger::in_folder(folder.path(), service, keeping);
        let id = plan(&ledger, 1, message, later(days)).unwrap();
        if let Some(stage) = stage {
            send(&ledger, &id, later(days)).unwrap();
            ledger.step(&id, &stage, later(days)).unwrap();
        }
        let rows = ledger.list(100, later(days)).unwrap();
        rows.iter()
            .map(|row| row.message.to_string())
            .collect::<Vec<_>>()
    };
    let unknown = || Some(Stage::Unknown("lost".into()));
    let ended = || Some(Stage::Cancelled("taken back".into()));
    run(0, "msg_0", unknown());
    run(0, "msg_1", ended());
    assert_eq!(run(80, "msg_2", ended()), ["msg_0", "msg_1", "msg_2"]);
    assert_eq!(run(91, "msg_3", ended()), ["msg_0", "msg_2", "msg_3"]);
    // Beyond the number the oldest that have ended go.
    run(91, "msg_4", ended());
    run(91, "msg_5", ended());
    let left = ["msg_0", "msg_3", "msg_4", "msg_5", "msg_6"];
    assert_eq!(run(91, "msg_6", ended()), left);
}

/// What each version of the file added to the one before.
const ADDED: [&str; 5] = [
    "",
    "ALTER TABLE replay ADD COLUMN scope TEXT NOT NULL DEFAULT '';
     ALTER TABLE replay ADD COLUMN via TEXT NOT NULL DEFAULT '';
     DROP INDEX one_open;
     CREATE UNIQUE INDEX one_open ON replay (scope, message, endpoint) WHERE is_open;
     CREATE TABLE adopted (file TEXT PRIMARY KEY, stamp TEXT NOT NULL);",
    "ALTER TABLE replay ADD COLUMN before_is_partial INTEGER NOT NULL DEFAULT 0;",
    "ALTER TABLE replay ADD COLUMN is_followed INTEGER NOT NULL DEFAULT 0;",
    "ALTER TABLE replay ADD COLUMN code INTEGER;
     ALTER TABLE replay ADD COLUMN duration_ms INTEGER;",
];

#[test]
fn a_ledger_of_every_version_is_read_and_holds_what_it_held() {
    for version in 2..=ADDED.len() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("replays.db");
        older(
            &path,
            &[
                ("a1", UNIQUE, "unknown"),
                ("a2", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpX", "delivered"),
                ("a3", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpY", "refused"),
                ("a4", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpZ", "refused"),
            ],
        );
        let db = Connection::open(&path).unwrap();
        // What was refused for the time being told so by its reason alone.
        let busy = "429 from http://c.example for /resend: slow down";
        db.execute("UPDATE replay SET reason = ?1 WHERE id = 'a3'", [busy])
            .unwrap();
        db.execute_batch("CREATE INDEX by_rev ON replay (rev); CREATE INDEX by_pair ON replay (message, endpoint);")
            .unwrap();
        ADDED[..version]
            .iter()
            .for_each(|step| db.execute_batch(step).unwrap());
        db.pragma_update(None, "user_version", version as i64)
            .unwrap();
        drop(db);
        let ledger = ledger(folder.path(), "https://c.example");
        let held = ["unknown", "delivered", "refused", "refused"];
        assert_eq!(states(&ledger), held, "{version}");
        let put_off = ledger.list(9, at(0)).unwrap();
        let put_off: Vec<bool> = put_off.iter().map(|it| it.state.is_put_off()).collect();
        assert_eq!(put_off, [false, false, true, false], "{version}");
        let refused = plan(&ledger, 1, UNIQUE, at(0)).unwrap_err();
        assert!(refused.contains("open"), "{version}: {refused}");
        // What only the newest version knows can be written beside it.
        let id = plan(&ledger, 2, "msg_new", at(0)).unwrap();
        send(&ledger, &id, at(0)).unwrap();
        let reply = reeltop::domain::Reply {
            code: 204,
            duration_ms: 7,
        };
        ledger.step(&id, &Stage::Answered(reply), at(1)).unwrap();
        assert!(states(&ledger).contains(&"delivered"), "{version}");
        let told = ledger.list(9, at(1)).unwrap();
        let ours = told
            .iter()
            .find(|row| row.message == MessageId::new("msg_new"));
        assert_eq!(
            ours.unwrap().state,
            ReplayState::Answered(reply),
            "{version}"
        );
    }
}
