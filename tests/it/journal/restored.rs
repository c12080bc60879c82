//! What is restored stands where it stood: gaps, holes, tasks that are gone, what a server offers.

use reeltop::domain::{
    Abilities, Ability, AttemptId, Change, ChangeKind, Delivery, EventRow, Failure, FailureKind,
    Heard, History, LinkState, Missing, Origin, Proof, TaskId,
};
use reeltop::io::Clock;
use reeltop::io::journal::Settings;

use super::{Diary, events, file_in, named};
use crate::client::intake::Watcher;
use crate::client::source;
use crate::scripted::{Reply, Scripted, answer, stream};
use crate::support::change;

async fn write(settings: Settings, changes: &[Change]) {
    let diary = Diary::open(settings).await;
    for batch in changes.chunks(1000) {
        diary.recorder.record(batch);
    }
    diary.end().await;
}

fn link(state: LinkState, like: &Change) -> Change {
    Change {
        received: like.received,
        ..change(0, ChangeKind::Link(Box::new(state)))
    }
}

/// The ring as letters: event, gap, hole.
fn rows(history: &History) -> String {
    let all = history.events.first_position()..history.events.next_position();
    all.filter_map(|at| history.events.row(at))
        .map(|row| match row {
            EventRow::Event(_) => 'e',
            EventRow::Gap(gap) if gap.proof.is_some() => 'G',
            EventRow::Gap(_) => 'g',
            EventRow::Hole(_) => 'h',
        })
        .collect()
}

#[tokio::test]
async fn a_gap_of_an_earlier_run_stands_where_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    let all = events(6);
    let why = Failure::new(FailureKind::Broken, "broke", "");
    let lost = LinkState::Retrying {
        at: all[2].received.wall,
        tries: 1,
        why,
    };
    let (from, to) = (all[2].received.wall, all[4].received.wall);
    let proof = Proof {
        gap: Some((from, to)),
        heard: Heard::Nothing,
        is_gap_unknown: false,
        compared: Some(1),
        repaired: Vec::new(),
        n_repaired: 0,
        found: 0,
        held: 2,
        backfilled: 2,
        caveat: None,
        at: to,
    };
    let proof = Change {
        received: all[4].received,
        ..change(0, ChangeKind::Proof(Box::new(proof)))
    };
    let mut changes = vec![link(LinkState::Live, &all[0])];
    changes.extend_from_slice(&all[..3]);
    changes.push(link(lost, &all[2]));
    changes.push(link(LinkState::CatchingUp, &all[3]));
    // They came by id, after the connection was made anew.
    changes.extend_from_slice(&all[3..5]);
    changes.push(proof);
    changes.push(link(LinkState::Live, &all[4]));
    changes.extend_from_slice(&all[5..]);
    write(Settings::new(&file), &changes).await;
    let diary = Diary::open(Settings::new(&file)).await;
    let mut history = diary.history();
    assert_eq!(rows(&history), "eeeGeee");
    // The link of then is not the link of now.
    assert_eq!(history.link, LinkState::Connecting);
    let mut now = events(7);
    history.apply(now.remove(6));
    assert_eq!(rows(&history), "eeeGeeege");
    diary.end().await;
}

#[tokio::test]
async fn a_task_that_is_gone_does_not_come_back_from_an_older_block() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    let settings = || {
        let mut settings = Settings::new(&file);
        settings.bounds.events = 10;
        settings
    };
    let changes = events(9000);
    let ChangeKind::Event(first) = &changes[0].kind else {
        panic!("an event");
    };
    let ghost: TaskId = first.task.as_ref().unwrap().task.clone();
    write(settings(), &changes).await;
    write(
        settings(),
        &[change(0, ChangeKind::TaskGone(ghost.clone()))],
    )
    .await;
    let diary = Diary::open(settings()).await;
    assert_eq!(diary.resume.known.len(), 8999);
    assert!(diary.resume.known.iter().all(|seen| seen.task != ghost));
    let history = diary.history();
    assert!(history.tasks.get(&ghost).unwrap().is_gone());
    diary.end().await;
}

#[tokio::test]
async fn what_the_journal_lacks_is_a_row_where_it_falls_and_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    let changes = events(9);
    write(Settings::new(&file), &changes).await;
    let db = rusqlite::Connection::open(&file).unwrap();
    let at = changes[3].received.wall.0 + 1;
    let sql = "INSERT INTO hole (at, n, why) VALUES (?1, 7, 'the disk is full')";
    db.execute(sql, [at]).unwrap();
    db.execute_batch("INSERT INTO fact VALUES ('let_go', 12), ('let_go_until', 5)")
        .unwrap();
    drop(db);
    let mut diary = Diary::open(Settings::new(&file)).await;
    assert_eq!(rows(&diary.history()), "heeeeheeeee");
    let state = diary.until("holes", |state| state.holes.len() == 2).await;
    assert_eq!(state.holes[0].why, Missing::LetGo);
    assert!(state.holes[1].words().contains("7 changes not recorded"));
    assert!(state.is_amiss());
    diary.end().await;
}

#[tokio::test]
async fn what_the_server_offered_is_known_again_and_marked_until_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    let offered = |route: &str| Ability::Offered(route.to_owned());
    let told = |abilities| change(0, ChangeKind::Abilities(Box::new(abilities)));
    let then = Abilities {
        stream: offered("then"),
        resend: offered("/resend"),
        ..Abilities::default()
    };
    write(Settings::new(&file), &[told(then), named("a")]).await;
    let diary = Diary::open(Settings::new(&file)).await;
    let mut history = diary.history();
    assert_eq!(history.abilities.resend, offered("/resend"));
    let marks = |history: &History| history.restored_abilities.0;
    assert_eq!(marks(&history), [true, true, false, false, false]);
    let now = Abilities {
        stream: offered("now"),
        ..Abilities::default()
    };
    history.apply(Change {
        origin: Origin::Inference,
        ..told(now)
    });
    assert_eq!(history.abilities.stream, offered("now"));
    assert_eq!(history.abilities.resend, offered("/resend"));
    assert_eq!(marks(&history), [false, true, false, false, false]);
    history.apply(Change {
        origin: Origin::Inference,
        ..told(Abilities {
            resend: Ability::Absent("no".to_owned()),
            ..Abilities::default()
        })
    });
    assert_eq!(marks(&history), [false; 5]);
    assert_eq!(history.abilities.resend, Ability::Absent("no".to_owned()));
    diary.end().await;
}

#[tokio::test]
async fn attempts_made_while_away_are_read_past_the_first_page() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    let now = Clock::new().now().wall;
    let diary = Diary::open(Settings::new(&file)).await;
    diary.recorder.alive(now.plus(-3_600_000_000));
    diary.recorder.record(&[named("a")]);
    diary.end().await;
    let row = move |n: i64| {
        let at = now.plus(-n * 60_000_000).rfc3339();
        format!(
            r#"{{"id":"atmpt_{n}","msgId":"msg_{n}","endpointId":"ep_1","url":"http://a/","response":"","responseStatusCode":200,"status":0,"triggerType":0,"timestamp":"{at}"}}"#
        )
    };
    let server = Scripted::start(move |_, head| {
        let ok = |body: String| answer("200 OK", "content-type: application/json\r\n", &body);
        if head.contains("get /events") {
            Reply::Hold(stream(": hello\n\n"))
        } else if head.contains("get /webhooks/endpoints") {
            ok(r#"{"data":[{"id":"ep_1","url":"http://a/","description":"","version":1,"createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-01T00:00:00Z"}],"iterator":null,"done":true}"#.to_owned())
        } else if head.contains("delivery-attempts") && head.contains("iterator=second") {
            ok(format!(r#"{{"data":[{}],"iterator":null,"done":true}}"#, row(30)))
        } else if head.contains("delivery-attempts") {
            ok(format!(r#"{{"data":[{}],"iterator":"second","done":false}}"#, row(1)))
        } else if head.contains("get /webhooks/messages") {
            ok(r#"{"data":[],"iterator":null,"done":true}"#.to_owned())
        } else {
            ok("[]".to_owned())
        }
    })
    .await;
    let source = source(&server.url);
    let mut watcher = Watcher::recording(source, Some(Settings::new(&file)));
    watcher
        .until("the older attempt", |history| {
            let mut all = history.deliveries.newest().flat_map(Delivery::attempts);
            all.any(|attempt| attempt.id == AttemptId::new("atmpt_30"))
        })
        .await;
    watcher.hose.close().await;
}
