//! A signal in the middle of a change, or an output that nobody takes: what is not known is said, and
//! what is.

use std::process::{Child, Command, Stdio};

use super::told;
use crate::scripted::{Reply, Scripted, answer};
use crate::server::support::{PATIENCE, eventually};

const ENDPOINT: &str = r#"{"id":"ep_1","url":"http://127.0.0.1:9/","createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-01T00:00:00Z"}"#;

fn json(status: &str, body: &str) -> Reply {
    answer(status, "content-type: application/json\r\n", body)
}

/// A Svix server with one endpoint, or an Aspect API with its list. `own` answers what it wants to.
async fn service(own: impl Fn(&str) -> Option<Reply> + Send + Sync + 'static) -> Scripted {
    Scripted::start(move |_, head| {
        own(head).unwrap_or_else(|| {
            if head.starts_with("get /api/v1/app/me/endpoint/ep_1 ") {
                json("200 OK", ENDPOINT)
            } else if head.starts_with("post /api/v1/app/me/endpoint ") {
                json("201 Created", ENDPOINT)
            } else {
                json("404 x", r#"{"code":"not_found","detail":"no such thing"}"#)
            }
        })
    })
    .await
}

fn command(service: &Scripted, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("SVIX_TOKEN", "a-token-of-svix")
        .env("ASPECT_API_KEY", "sk_test")
        .env("ASPECT_BASE_URL", &service.url)
        .arg("endpoints")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The same at the Svix server.
fn at_svix(service: &Scripted, arguments: &[&str]) -> Command {
    let mut command = command(service, arguments);
    command.args(["--svix-url", &service.url, "--svix-app", "me"]);
    command
}

async fn end(child: Child) -> (i32, String, String) {
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    told(
        tokio::time::timeout(PATIENCE, ended)
            .await
            .unwrap()
            .unwrap(),
    )
}

/// Ends it by a signal once a request that begins so has come, which is never answered.
async fn interrupted(
    service: &Scripted,
    mut command: Command,
    at: &str,
    signal: &str,
) -> (i32, String, String) {
    let child = command.spawn().unwrap();
    eventually("the request", async || {
        let requests = service.requests();
        requests.iter().any(|it| it.starts_with(at)).then_some(())
    })
    .await;
    let pid = child.id().to_string();
    let killed = Command::new("kill").args([signal, &pid]).status();
    assert!(killed.unwrap().success());
    end(child).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_a_change_was_made_is_said_to_be_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let headers = folder.path().join("headers");
    std::fs::write(&headers, "x-a: b\n").unwrap();
    let headers = headers.to_str().unwrap();
    let own = "/api/v1/app/me/endpoint";
    for (words, at, how) in [
        (
            "create http://127.0.0.1:9/",
            format!("post {own} "),
            "look for its URL",
        ),
        (
            "delete ep_1 --yes",
            format!("delete {own}/ep_1 "),
            "still lists it",
        ),
        (
            "rotate ep_1 --yes",
            format!("post {own}/ep_1/secret/rotate "),
            "do not rotate it again",
        ),
        (
            "disable ep_1",
            format!("patch {own}/ep_1 "),
            "same change again",
        ),
        (
            "update ep_1 --description x",
            format!("patch {own}/ep_1 "),
            "same change again",
        ),
        (
            &format!("headers ep_1 --yes --from {headers}"),
            format!("put {own}/ep_1/headers "),
            "same headers again",
        ),
        (
            "example ep_1",
            format!("post {own}/ep_1/send-example "),
            "reeltop attempts --endpoint ep_1",
        ),
    ] {
        for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
            let held = at.clone();
            let service =
                service(move |head| (head.starts_with(&held)).then(|| Reply::Hold(Vec::new())))
                    .await;
            let arguments: Vec<&str> = words.split(' ').collect();
            let asked = at_svix(&service, &arguments);
            let (ended, out, said) = interrupted(&service, asked, &at, signal).await;
            assert_eq!((ended, out.as_str()), (code, ""), "{words}: {said}");
            assert!(said.contains("not known whether it was done"), "{said}");
            assert!(said.contains(how), "{words}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_made_is_named_where_its_secret_was_not_read() {
    let at = "get /api/v1/app/me/endpoint/ep_1/secret ";
    let service = service(move |head| head.starts_with(at).then(|| Reply::Hold(Vec::new()))).await;
    let asked = at_svix(&service, &["create", "http://127.0.0.1:9/"]);
    let (code, out, said) = interrupted(&service, asked, at, "-INT").await;
    assert_eq!((code, out.as_str()), (130, ""), "{said}");
    assert!(said.contains("endpoint ep_1 is made"), "{said}");
    assert!(said.contains("reeltop endpoints secret ep_1"), "{said}");
}

/// Of an Aspect API the whole object is sent, so that it is read first.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_sent_yet_is_said_to_be_unchanged() {
    let at = "get /webhooks/endpoints ";
    for words in ["disable ep_1", "update ep_1 --description x"] {
        let service = service(move |head| head.starts_with(at).then(|| Reply::Hold(Vec::new())));
        let service = service.await;
        let arguments: Vec<&str> = words.split(' ').collect();
        let asked = command(&service, &arguments);
        let (code, _, said) = interrupted(&service, asked, at, "-INT").await;
        assert_eq!(code, 130, "{said}");
        assert_eq!(said, "reeltop: ended before anything was changed\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_secret_could_not_be_read_is_said() {
    let service = service(|head| {
        let is_asked = head.starts_with("get /api/v1/app/me/endpoint/ep_1/secret ");
        is_asked.then(|| json("500 x", r#"{"code":"x","detail":"db down"}"#))
    })
    .await;
    let asked = at_svix(&service, &["create", "http://127.0.0.1:9/"]).spawn();
    let (code, out, said) = end(asked.unwrap()).await;
    assert_eq!((code, out.as_str()), (0, "ep_1\n"), "{said}");
    assert!(said.contains("500") && said.contains("db down"), "{said}");
    assert!(said.contains("reeltop endpoints secret ep_1"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_printed_is_named_beside() {
    let service = service(|head| {
        let is_asked = head.starts_with("get /api/v1/app/me/endpoint/ep_1/secret ");
        is_asked.then(|| {
            json(
                "200 OK",
                r#"{"key":"whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldY"}"#,
            )
        })
    })
    .await;
    let mut closed = at_svix(&service, &["create", "http://127.0.0.1:9/"])
        .spawn()
        .unwrap();
    drop(closed.stdout.take());
    let (code, _, said) = end(closed).await;
    let named = |said: &str| {
        assert!(said.contains("endpoint ep_1 is made"), "{said}");
        assert!(said.contains("reeltop endpoints secret ep_1"), "{said}");
        assert!(!said.contains("shown this once"), "{said}");
        assert!(!said.contains("whsec_"), "{said}");
    };
    assert_eq!(code, 0, "{said}");
    named(&said);
    if cfg!(target_os = "linux") {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let mut asked = at_svix(&service, &["create", "http://127.0.0.1:9/"]);
        let (code, _, said) = end(asked.stdout(full.unwrap()).spawn().unwrap()).await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("cannot write the output"), "{said}");
        named(&said);
    }
}
