//! The file: whole, cut, foreign, full, old, or another's; nothing is deleted, and all is said.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use reeltop::domain::{Missing, NotRecording, Origin, Recording, Time};
use reeltop::io::Clock;
use reeltop::io::journal::{File, Settings, open, size};

use crate::server::support::PATIENCE;

use super::{Diary, events, file_in, moment, named, records, until_records};

#[tokio::test]
async fn what_is_recorded_comes_back_in_the_same_history_marked_as_from_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    let diary = Diary::open(Settings::new(&file)).await;
    assert!(diary.restored.is_empty());
    // More than fill a block, so that some are sealed and some are not.
    let changes = events(6000);
    for batch in changes.chunks(500) {
        diary.recorder.record(batch);
    }
    diary.recorder.resumable("id-5999");
    diary.recorder.alive(Time(42));
    diary.end().await;

    let mut diary = Diary::open(Settings::new(&file)).await;
    assert_eq!(diary.restored.len(), 6000);
    assert!(
        diary
            .restored
            .iter()
            .all(|change| change.origin == Origin::Journal)
    );
    for (restored, change) in diary.restored.iter().zip(&changes) {
        assert_eq!(restored.kind, change.kind);
        assert_eq!(restored.raw, change.raw);
        assert_eq!(restored.received.wall, change.received.wall);
    }
    let history = diary.history();
    assert_eq!((history.tasks.len(), history.events.len()), (6000, 6000));
    assert_eq!(diary.start.last_event_id, "id-5999");
    assert_eq!(diary.start.gap_from, Some(Time(42)));
    assert_eq!(diary.resume.known.len(), 6000);
    let state = diary
        .until("recording", |state| state.recording == Recording::On)
        .await;
    assert_eq!((state.n_restored, state.n_missed), (6000, 0));
    // What was restored is not recorded a second time.
    diary.recorder.record(&diary.restored);
    diary.end().await;
    assert_eq!(records(&file).len(), 6000);
}

#[tokio::test]
async fn what_waits_is_in_the_file_within_a_second_without_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    let diary = Diary::open(Settings::new(&file)).await;
    let began = std::time::Instant::now();
    diary.recorder.record(&events(3));
    until_records(&file, 3).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    diary.end().await;
}

#[tokio::test]
async fn only_its_owner_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    let diary = Diary::open(Settings::new(&file)).await;
    diary.recorder.record(&events(1));
    until_records(&file, 1).await;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    for entry in fs::read_dir(file.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    diary.end().await;
}

#[tokio::test]
async fn two_at_once_one_records_and_the_other_says_so_and_takes_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    let first = Diary::open(Settings::new(&file)).await;
    first.recorder.record(&events(2));
    until_records(&file, 2).await;

    let mut second = Diary::open(Settings::new(&file)).await;
    assert_eq!(second.restored.len(), 2, "both can read");
    let another = Recording::Not(NotRecording::Another);
    second
        .until("another", |state| state.recording == another)
        .await;
    second.recorder.record(&[named("the other's")]);
    first.recorder.record(&[named("kept")]);
    // Each try is told. After two, the other still records: what came before them is its own.
    for _ in 0..3 {
        let told = tokio::time::timeout(PATIENCE, second.state.changed());
        told.await.unwrap().unwrap();
    }
    first.end().await;
    second.recorder.record(&[named("between")]);
    let state = second
        .until("taking over", |state| state.recording == Recording::On)
        .await;
    second.recorder.record(&[named("later")]);
    second.end().await;
    let names: Vec<String> = (records(&file).iter())
        .filter_map(|record| match &record.kind {
            reeltop::domain::ChangeKind::AssetNamed { name, .. } => Some(name.to_string()),
            _ => None,
        })
        .collect();
    let holes = File::open_to_read(&file).unwrap().unwrap();
    let holes = holes.holes(Time(0)).unwrap();
    // What came before the taking over was noticed is in the file, or it is said that it is not.
    if names == ["kept", "between", "later"] {
        assert_eq!((state.n_missed, holes.len()), (0, 0));
    } else {
        assert_eq!(names, ["kept", "later"]);
        assert_eq!((holes.len(), holes[0].n), (1, 1), "{holes:?}");
        assert!(holes[0].words().contains("was to record them"), "{holes:?}");
    }
}

#[tokio::test]
async fn what_another_should_have_recorded_and_did_not_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let lock = fs::File::create(file.with_extension("db.lock")).unwrap();
    lock.lock().unwrap();
    let mut diary = Diary::open(Settings::new(&file)).await;
    let another = Recording::Not(NotRecording::Another);
    diary
        .until("another", |state| state.recording == another)
        .await;
    diary.recorder.record(&[named("nobody's")]);
    diary.until("said", |state| state.n_missed == 1).await;
    drop(lock);
    diary
        .until("taking over", |state| state.recording == Recording::On)
        .await;
    diary.recorder.record(&[named("later")]);
    diary.end().await;
    let holes = File::open_to_read(&file).unwrap().unwrap();
    let holes = holes.holes(Time(0)).unwrap();
    assert_eq!((holes.len(), holes[0].n), (1, 1), "{holes:?}");
}

async fn written(folder: &std::path::Path, n: usize) -> std::path::PathBuf {
    let file = file_in(folder);
    let diary = Diary::open(Settings::new(&file)).await;
    for batch in events(n).chunks(1000) {
        diary.recorder.record(batch);
    }
    diary.end().await;
    file
}

#[tokio::test]
async fn a_file_that_is_none_of_ours_in_form_is_set_aside_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let junk = b"this was never a journal, but somebody may want it".repeat(10);
    fs::write(&file, &junk).unwrap();
    let mut diary = Diary::open(Settings::new(&file)).await;
    let state = diary
        .until("recording", |state| state.recording == Recording::On)
        .await;
    let name = state.set_aside.unwrap();
    assert_eq!(fs::read(file.with_file_name(&name)).unwrap(), junk);
    diary.recorder.record(&events(2));
    diary.end().await;
    assert_eq!(records(&file).len(), 2);
}

#[tokio::test]
async fn a_truncated_file_opens_as_far_as_it_is_sound_and_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), 20_000).await;
    let length = fs::metadata(&file).unwrap().len();
    let cut = fs::OpenOptions::new().write(true).open(&file).unwrap();
    cut.set_len(length / 2).unwrap();
    drop(cut);
    let mut diary = Diary::open(Settings::new(&file)).await;
    let state = diary
        .until("recording", |state| state.recording == Recording::On)
        .await;
    let name = state.set_aside.unwrap();
    assert_eq!(
        fs::metadata(file.with_file_name(name)).unwrap().len(),
        length / 2
    );
    assert!(diary.restored.len() < 20_000);
    diary.recorder.record(&events(1));
    diary.end().await;
    assert_eq!(records(&file).len(), 1);
}

#[tokio::test]
async fn a_damaged_block_hides_no_other_and_the_file_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), 20_000).await;
    let mut bytes = fs::read(&file).unwrap();
    // Well inside the content of a block, where SQLite itself sees nothing.
    let middle = bytes.len() / 2 / 4096 * 4096 + 1000;
    bytes[middle..middle + 64].fill(0xaa);
    fs::write(&file, &bytes).unwrap();
    let mut diary = Diary::open(Settings::new(&file)).await;
    let n = diary.restored.len();
    assert!((10_000..20_000).contains(&n), "{n}");
    let state = diary
        .until("recording", |state| state.recording == Recording::On)
        .await;
    assert_eq!((state.n_damaged, &state.set_aside), (1, &None));
    assert!(state.is_amiss());
    diary.recorder.record(&[named("later")]);
    diary.end().await;
    let diary = Diary::open(Settings::new(&file)).await;
    // One more, and each time a row that says what is missing.
    assert_eq!(diary.restored.len(), n + 1);
    diary.end().await;
}

#[tokio::test]
async fn a_damaged_piece_is_passed_over_when_others_are_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), 10).await;
    let db = rusqlite::Connection::open(&file).unwrap();
    let sql = "UPDATE block SET typed = zeroblob(length(typed))";
    assert_eq!(db.execute(sql, []).unwrap(), 1);
    drop(db);
    let diary = Diary::open(Settings::new(&file)).await;
    for batch in events(5000).chunks(500) {
        diary.recorder.record(batch);
    }
    let state = diary.state.clone();
    diary.end().await;
    let state = state.borrow().clone();
    assert_eq!(
        (state.n_recorded, state.n_damaged, state.n_missed),
        (5000, 1, 0)
    );
    assert_eq!(records(&file).len(), 5000);
    let db = rusqlite::Connection::open(&file).unwrap();
    let sql = "SELECT count(*) FROM block WHERE typed = zeroblob(length(typed))";
    let n: i64 = db.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(n, 1, "what cannot be read is not deleted");
}

#[tokio::test]
async fn when_it_was_last_alive_follows_a_clock_that_is_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    let diary = Diary::open(Settings::new(&file)).await;
    diary.recorder.alive(Time(9_000_000));
    diary.recorder.record(&events(1));
    until_records(&file, 1).await;
    diary.recorder.alive(Time(5_000_000));
    diary.recorder.record(&events(1));
    diary.end().await;
    let diary = Diary::open(Settings::new(&file)).await;
    assert_eq!(diary.start.gap_from, Some(Time(5_000_000)));
    assert_eq!(diary.start.unknown, None);
    // A time that is yet to come says nothing of how long reeltop was away.
    diary.recorder.alive(Time(i64::MAX));
    diary.recorder.record(&events(1));
    diary.end().await;
    let diary = Diary::open(Settings::new(&file)).await;
    assert_eq!(diary.start.gap_from, None);
    assert!(diary.start.unknown.is_some());
    diary.end().await;
}

#[tokio::test]
async fn the_facts_for_the_link_come_before_the_rest_and_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    let diary = Diary::open(Settings::new(&file)).await;
    diary.recorder.alive(Time(42));
    diary.recorder.resumable("place");
    for batch in events(20_000).chunks(1000) {
        diary.recorder.record(batch);
    }
    diary.end().await;
    // Nobody takes what is restored, so that reading it cannot end.
    let opening = open(Settings::new(&file), Clock::new());
    let start = tokio::time::timeout(PATIENCE, opening.start);
    let start = start.await.unwrap().unwrap();
    assert_eq!(
        (&*start.last_event_id, start.gap_from),
        ("place", Some(Time(42)))
    );
}

#[tokio::test]
async fn a_file_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = file_in(folder.path());
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    other
        .execute_batch("CREATE TABLE bookmarks (url TEXT)")
        .unwrap();
    drop(other);
    let before = fs::read(&file).unwrap();
    let mut diary = Diary::open(Settings::new(&file)).await;
    let foreign = Recording::Not(NotRecording::Foreign);
    diary
        .until("foreign", |state| state.recording == foreign)
        .await;
    diary.recorder.record(&events(1));
    diary.end().await;
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn a_file_of_a_newer_reeltop_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), 3).await;
    let newer = rusqlite::Connection::open(&file).unwrap();
    newer.pragma_update(None, "user_version", 999).unwrap();
    drop(newer);
    let mut diary = Diary::open(Settings::new(&file)).await;
    let newer = Recording::Not(NotRecording::Newer);
    diary.until("newer", |state| state.recording == newer).await;
    diary.end().await;
}

#[tokio::test]
async fn an_older_file_is_taken_over_with_all_that_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), 3).await;
    let older = rusqlite::Connection::open(&file).unwrap();
    older
        .execute_batch("DROP TABLE hole; PRAGMA user_version = 1")
        .unwrap();
    drop(older);
    let diary = Diary::open(Settings::new(&file)).await;
    assert_eq!(diary.restored.len(), 3);
    diary.recorder.record(&events(2));
    diary.end().await;
    assert_eq!(records(&file).len(), 5);
    let now = rusqlite::Connection::open(&file).unwrap();
    let version: i64 = now
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 2);
    now.prepare("SELECT n FROM hole").unwrap();
}

#[tokio::test]
async fn the_bound_holds_while_it_is_written_to_and_not_only_now_and_then() {
    let folder = tempfile::tempdir().unwrap();
    let most = 8 << 20;
    let settings = Settings {
        max_age: Duration::from_hours(24 * 365 * 100),
        max_bytes: most,
        ..Settings::new(folder.path().join("journal.db"))
    };
    let file = settings.file.clone();
    let mut diary = Diary::open(settings).await;
    let (mut n_recorded, mut largest) = (0, 0);
    // Bytes that cannot be made smaller, more than four times what fits.
    let mut random = fastrand::Rng::with_seed(7);
    while n_recorded < 150_000 {
        let mut batch = events(15_000);
        for change in &mut batch {
            let raw: Vec<u8> = (0..256).map(|_| random.u8(..)).collect();
            change.raw = Some(raw.into());
        }
        diary.recorder.record(&batch);
        n_recorded += 15_000;
        diary
            .until("all written", |state| state.n_recorded >= n_recorded)
            .await;
        largest = largest.max(size(&file));
    }
    assert!((most / 2..=most).contains(&largest), "{largest} bytes");
    diary.end().await;
    let (last, n) = (fs::metadata(&file).unwrap().len(), records(&file).len());
    assert!((most / 2..=most).contains(&last), "{last} bytes");
    assert!((10_000..50_000).contains(&n), "{n} of them are left");
}

#[tokio::test]
async fn what_is_too_old_or_too_much_leaves_the_file_oldest_first() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), 20_000).await;
    let all = fs::metadata(&file).unwrap().len();
    let settings = Settings {
        max_age: Duration::from_hours(24 * 365 * 100),
        max_bytes: all / 2,
        ..Settings::new(&file)
    };
    Diary::open(settings).await.end().await;
    let diary = Diary::open(Settings::new(&file)).await;
    let state = diary.state.clone();
    diary.end().await;
    let left = records(&file);
    let let_go = state.borrow().holes[0].clone();
    assert_eq!(
        (let_go.why, let_go.n),
        (Missing::LetGo, 20_000 - left.len() as u64)
    );
    assert!((4000..16_000).contains(&left.len()), "{}", left.len());
    assert_eq!(
        left.last().unwrap().received,
        moment(crate::support::now()).wall
    );
    assert!(fs::metadata(&file).unwrap().len() < all * 6 / 10);
    // The world of the tests lies in the past: all is too old, and the newest block stays.
    let settings = Settings {
        max_age: Duration::from_mins(1),
        ..Settings::new(&file)
    };
    Diary::open(settings).await.end().await;
    assert!(records(&file).len() <= 4096);
}
