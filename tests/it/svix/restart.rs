//! A restart on a journal while an endpoint's log is not read: what failed there before may have been
//! delivered since, and no count of it is a lower bound.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::APP;
use super::recover::failed;
use crate::pty::Pty;
use crate::scripted::{Reply, Scripted, answer};

/// How the log of an endpoint answers.
#[derive(Clone, Copy, PartialEq)]
enum Answers {
    Well,
    Never,
    Refused,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_before_a_restart_is_as_read_until_the_log_is_read_again() {
    let failed = failed().await;
    let (behind, key) = (failed.server.url(), failed.server.api_key().to_owned());
    let how = Arc::new(Mutex::new(Answers::Well));
    let n_asked = Arc::new(AtomicUsize::new(0));
    let service = {
        let (how, n_asked) = (Arc::clone(&how), Arc::clone(&n_asked));
        Scripted::start(move |_, request| {
            let pass = || Reply::Pass(behind.clone());
            if !request.contains("/attempt/endpoint/") {
                return pass();
            }
            n_asked.fetch_add(1, Ordering::SeqCst);
            match *how.lock().unwrap() {
                Answers::Well => pass(),
                Answers::Never => Reply::Hold(Vec::new()),
                Answers::Refused => answer("500 Oops", "", r#"{"detail":"out of order"}"#),
            }
        })
        .await
    };
    let url = service.url.clone();
    let watched = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().to_str().unwrap();
        for (answers, mark) in [
            (Answers::Well, ""),
            (Answers::Never, "?"),
            (Answers::Refused, "?"),
            (Answers::Well, ""),
        ] {
            *how.lock().unwrap() = answers;
            n_asked.store(0, Ordering::SeqCst);
            let args = ["--svix-url", &url, "--svix-app", APP];
            let environment = [("SVIX_TOKEN", &*key), ("XDG_STATE_HOME", state)];
            let mut pty = Pty::start(&args, &environment, 140, 40);
            pty.keys("3");
            pty.wait("what the log's answer leaves of the counts", |screen| {
                n_asked.load(Ordering::SeqCst) > 0
                    && screen.contains(&format!("✗ 3{mark} still broken"))
                    && (screen.contains("cannot be read") || answers != Answers::Refused)
            });
            pty.wait("each row with its mark, or without", |screen| {
                let n_marked = screen.matches("✗ test 500 ?").count();
                screen.matches("✗ test 500").count() == 3 && n_marked == 3 * mark.len()
            });
            pty.keys("4");
            pty.wait("the count of the endpoint", |screen| {
                screen.contains("LAST ATTEMPT") && screen.contains(&format!(" 3{mark} "))
            });
            pty.keys("\r");
            let words = format!("0{mark} delivered, 3{mark} failing");
            pty.wait("the counts of its page, and since when", |screen| {
                let of_before = screen.contains("what stands here was read before");
                screen.contains("LATEST ATTEMPTS")
                    && screen.contains(&words)
                    && of_before != mark.is_empty()
            });
            pty.keys("\x03");
            assert_eq!(pty.end().exit_code(), 0);
        }
    });
    watched.await.unwrap();
    failed.server.stop().await;
}
