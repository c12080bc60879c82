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
            let failure = if mark.is_empty() { "500  " } else { "500 ?" };
            let listed = pty.sees(&format!("✗ test {failure}"));
            assert_eq!(listed.matches("✗ test 500 ?").count(), 3 * mark.len());
            pty.keys("4");
            let listed = pty.sees("LAST ATTEMPT");
            assert!(listed.contains(&format!(" 3{mark} ")), "{listed}");
            pty.keys("\r");
            let page = pty.sees("LATEST ATTEMPTS");
            let words = format!("0{mark} delivered, 3{mark} failing");
            assert!(page.contains(&words), "{page}");
            let of_before = page.contains("what stands here was read before");
            assert_eq!(of_before, !mark.is_empty(), "{page}");
            pty.keys("\x03");
            assert_eq!(pty.end().exit_code(), 0);
        }
    });
    watched.await.unwrap();
    failed.server.stop().await;
}
