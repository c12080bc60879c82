//! What is posted beyond this machine: the plan is shown, and the host's name asked for.

use reeltop::domain::{EndpointId, MessageId, Reply, Route, Stage};
use reeltop::io::Clock;
use reeltop::io::config::LedgerKeeping;
use reeltop::io::ledger::{Ledger, Planned, Service};
use serde_json::json;

use super::{run, states};
use crate::pty::Pty;
use crate::receiving::{BODY, ID, SECRET, file, http, signed};

const ELSEWHERE: &str = "http://hooks.invalid/x?token=t0ken";
const PLANNED: &str = " → http://hooks.invalid/x?token=***: planned; the body as captured in ";

#[tokio::test(flavor = "multi_thread")]
async fn another_host_is_asked_for_by_its_name_below_the_plan() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let saved = http(1_700_000_000, &signed(SECRET, 1_700_000_000, BODY), BODY);
    let saved = file(&folder, "1.http", saved.as_bytes());
    let to = |to, more| {
        let captured = ["--captured", &saved, "--secret-file", &secret];
        [&["replay", ID, "--to", to][..], &captured, more].concat()
    };
    let asks = "hooks.invalid is not this machine: sent in earnest, this asks on a terminal";
    for (url, more, is_said) in [
        (ELSEWHERE, &["--dry-run"][..], true),
        (ELSEWHERE, &["--dry-run", "--json"], true),
        (ELSEWHERE, &["--dry-run", "--yes"], false),
        // What is not sent anyway is not asked about.
        (ELSEWHERE, &["--dry-run", "--read-only"], false),
        ("http://[::1]:1/x", &["--dry-run"], false),
    ] {
        let ran = run(&state, &to(url, more), &[]).await;
        let code = i32::from(more.contains(&"--read-only"));
        assert_eq!(ran.code, code, "{more:?}: {}", ran.stderr);
        assert_eq!(
            ran.stderr.contains(asks),
            is_said,
            "{more:?}: {}",
            ran.stderr
        );
        if more.contains(&"--json") {
            assert_eq!(states(&ran).pop().unwrap()["state"], "planned");
        }
    }
    // Nobody can be asked: the plan is told all the same, and is no line of what was done.
    let ran = run(&state, &to(ELSEWHERE, &["--json"]), &[]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    for said in [
        PLANNED,
        "hooks.invalid is not this machine: confirm with --yes",
    ] {
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    let ran = run(&state, &to(ELSEWHERE, &["--read-only"]), &[]).await;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("read-only mode"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("confirm"), "{}", ran.stderr);

    let home = state.path().to_str().unwrap().to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        for (typed, words) in [
            ("yes\r", "nothing was sent"),
            ("hooks.invalid\r", "could not be resolved"),
        ] {
            let captured = ["--captured", &saved, "--secret-file", &secret];
            let arguments = [&["replay", ID, "--to", ELSEWHERE][..], &captured].concat();
            let mut pty = Pty::start(&arguments, &[("XDG_STATE_HOME", &home)], 200, 20);
            let screen = pty.sees("hooks.invalid is not this machine. Type its name");
            assert!(screen.contains(PLANNED), "{screen}");
            pty.keys(typed);
            pty.sees(words);
            assert_eq!(pty.end().exit_code(), 1, "{typed}");
        }
    });
    asked.await.unwrap();
}

/// Where the endpoints' addresses cannot be read, a warning may be missing, and that is said.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_warn_of_is_said() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let saved = http(1_700_000_000, &signed(SECRET, 1_700_000_000, BODY), BODY);
    let saved = file(&folder, "1.http", saved.as_bytes());
    let ledger = Ledger::in_folder(
        &state.path().join("reeltop"),
        Service::default(),
        LedgerKeeping::default(),
    );
    let pair = (MessageId::new(ID), EndpointId::new("ep_1"));
    let now = Clock::new().now();
    let Ok(Planned::As(row)) = ledger.plan(1, &pair, Route::Local, now) else {
        panic!("it was not planned");
    };
    let taken = Stage::Answered(Reply {
        code: 204,
        duration_ms: 1,
    });
    for stage in [Stage::Sending { before: [].into() }, taken] {
        ledger.step(&row, &stage, now).unwrap();
    }
    let nowhere = [
        ("ASPECT_BASE_URL", "http://127.0.0.1:1".to_owned()),
        ("ASPECT_API_KEY", "sk_test".to_owned()),
    ];
    let arguments = [
        "replay",
        ID,
        "--to",
        "http://127.0.0.1:1/x",
        "--captured",
        &saved,
        "--secret-file",
        &secret,
        "--dry-run",
        "--json",
    ];
    let ran = run(&state, &arguments, &nowhere).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(states(&ran).pop().unwrap()["warnings"], json!([]));
    assert!(
        ran.stderr
            .contains("the list of endpoints cannot be read: ")
            && ran
                .stderr
                .contains("may have gone to this URL without a warning"),
        "{}",
        ran.stderr
    );
}
