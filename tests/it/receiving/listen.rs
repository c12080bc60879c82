mod passed;

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::send::{receiver, strict};
use super::{BODY, ID, OTHER, SECRET, command, ended, file, http, now, run, signed};
use crate::pty::Pty;
use crate::scripted::{Reply, Scripted, answer};
use crate::server::support::{PATIENCE, create_endpoint, start_fast};

/// `reeltop listen` that runs; dropping it ends it.
struct Listening {
    child: Child,
    url: String,
    lines: BufReader<ChildStdout>,
    words: BufReader<ChildStderr>,
    /// What it said before it listened.
    said: String,
}

impl Listening {
    fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    fn start_with(arguments: &[&str], environment: &[(&str, String)]) -> Self {
        let mut all = vec!["listen"];
        all.extend(arguments);
        let mut child = command(&all)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut words = BufReader::new(child.stderr.take().unwrap());
        let (mut line, mut said) = (String::new(), String::new());
        while !line.contains("listening on ") {
            said.push_str(&line);
            line.clear();
            assert!(words.read_line(&mut line).unwrap() > 0, "it ended");
        }
        let (_, rest) = line.split_once("listening on ").unwrap();
        let url = rest.split([';', '\n']).next().unwrap().to_owned();
        Self {
            child,
            url,
            lines,
            words,
            said,
        }
    }

    /// The next delivery that it prints.
    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect(&line)
    }

    fn end(&mut self, signal: &str) -> i32 {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Delivers as a service does, and gives the answer's status.
pub async fn deliver(url: &str, at: i64, signature: &str, body: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .post(url)
        .header("svix-id", ID)
        .header("svix-timestamp", at)
        .header("svix-signature", signature)
        .header("authorization", "Bearer of-the-receiver")
        .body(body.to_owned())
        .timeout(Duration::from_secs(20))
        .send()
        .await
        .unwrap();
    answer.status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_query_holds_is_not_printed_and_is_saved_as_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let save = folder.path().join("saved");
    let mut listening = Listening::start(&["--save", save.to_str().unwrap()]);
    let (url, at) = (format!("{}hooks?token=s3cret", listening.url), now());
    let good = signed(SECRET, at, BODY);
    assert_eq!(deliver(&url, at, &good, BODY).await, 204);
    let line = listening.line();
    assert_eq!(line["path"], "/hooks?token=***");
    assert!(!line.to_string().contains("s3cret"), "{line}");
    let saved = std::fs::read_to_string(line["saved_as"].as_str().unwrap()).unwrap();
    assert!(saved.starts_with("POST /hooks?token=s3cret "), "{saved}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_signatures_are_checked_with_is_said_where_the_service_tells_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(&folder, "secret", SECRET.as_bytes());
    for (arguments, words) in [
        (&["--register"][..], "signatures are not checked"),
        (
            &["--register", "--secret-file", &secret],
            "signatures are checked with the secret that was given alone",
        ),
    ] {
        let service = Scripted::start(|_, head| {
            if head.starts_with("post /webhooks/endpoints ") {
                let made = r#"{"endpoint":{"id":"ep_1","url":"http://127.0.0.1:9/"}}"#;
                return answer("201 x", "content-type: application/json\r\n", made);
            }
            answer("404 x", "", r#"{"detail":"Not Found"}"#)
        })
        .await;
        let environment = [
            ("ASPECT_API_KEY", "sk_test".to_owned()),
            ("ASPECT_BASE_URL", service.url.clone()),
        ];
        let listening = Listening::start_with(arguments, &environment);
        let said = &listening.said;
        assert!(said.contains("does not offer reading a secret"), "{said}");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_folder_that_nothing_can_be_saved_in_is_named_before_anything_comes() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let within = format!("{secret}/x");
    let mut wrong = vec![(secret.as_str(), "it is no folder"), (&within, "")];
    if cfg!(target_os = "linux") {
        wrong.push(("/dev/null", "it is no folder"));
        // It is there, and takes no file of anybody.
        wrong.push(("/proc", ""));
    }
    for (save, why) in wrong {
        let ran = run(&["listen", "--save", save, "--limit", "1"]);
        assert_eq!(ran.code, 2, "{save}: {}", ran.stderr);
        let words = format!("--save: {save}: {why}");
        assert!(ran.stderr.contains(&words), "{}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_judged_counted_and_kept_as_they_came() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let save = folder.path().join("saved");
    let mut listening =
        Listening::start(&["--secret-file", &secret, "--save", save.to_str().unwrap()]);
    let (url, at) = (listening.url.clone(), now());
    let good = signed(SECRET, at, BODY);
    let spaced = BODY.replace("\":", "\": ");
    assert_eq!(deliver(&url, at, &good, BODY).await, 204);
    assert_eq!(deliver(&url, at, &good, BODY).await, 204);
    assert_eq!(deliver(&url, at, &good, &spaced).await, 401);
    let first = listening.line();
    assert_eq!(
        (
            &first["message_id"],
            &first["event_type"],
            &first["task_id"]
        ),
        (&ID.into(), &"task.failed".into(), &"t".into())
    );
    assert_eq!(
        (&first["verified"], &first["delivery"]),
        (&true.into(), &1.into())
    );
    assert_eq!(first["body"], BODY);
    assert!(!first.to_string().contains("of-the-receiver"));
    // Its own line can be handed to the doctor.
    let saved = file(&folder, "line", first.to_string().as_bytes());
    assert_eq!(run(&["verify", &saved, "--secret-file", &secret]).code, 0);
    assert_eq!(listening.line()["delivery"], 2);
    let third = listening.line();
    assert_eq!(
        (&third["cause"], &third["delivery"], &third["is_other_body"]),
        (&"body_rewritten".into(), &3.into(), &true.into())
    );
    assert_eq!(listening.end("-INT"), 130);

    let mut names: Vec<_> = std::fs::read_dir(&save)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(names[0], first["saved_as"]);
    assert!(
        names
            .iter()
            .all(|name| name.ends_with(&format!("{ID}.http")))
    );
    let doctor = |name: &String| run(&["verify", name, "--secret-file", &secret]).code;
    let codes: Vec<i32> = names.iter().map(doctor).collect();
    assert_eq!(codes, [0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_anew_satisfies_another_receiver() {
    let folder = tempfile::tempdir().unwrap();
    let (mine, theirs) = (
        file(&folder, "mine", OTHER.as_bytes()),
        file(&folder, "theirs", SECRET.as_bytes()),
    );
    let app = receiver(strict).await;
    let mut listening = Listening::start(&[
        "--secret-file",
        &mine,
        "--forward",
        &app,
        "--resign",
        &theirs,
    ]);
    let (url, at) = (listening.url.clone(), now());
    let signature = signed(OTHER, at, BODY);
    assert_eq!(deliver(&url, at, &signature, BODY).await, 204);
    assert_eq!(listening.line()["forwarded"]["response_status_code"], 204);
    // What does not verify here must not look as if it did there.
    assert_eq!(
        deliver(&url, at, &signed(SECRET, at, BODY), BODY).await,
        401
    );
    assert_eq!(listening.line()["forwarded"], Value::Null);

    // As it came, the other receiver judges it itself.
    let mut listening = Listening::start(&["--forward", &app]);
    let url = listening.url.clone();
    assert_eq!(deliver(&url, at, &signature, BODY).await, 401);
    assert_eq!(
        deliver(&url, at, &signed(SECRET, at, BODY), BODY).await,
        204
    );
    let line = listening.line();
    assert_eq!(
        (&line["verified"], &line["response_status_code"]),
        (&Value::Null, &401.into())
    );

    let mut listening = Listening::start(&["--forward", "http://127.0.0.1:1/"]);
    let url = listening.url.clone();
    assert_eq!(deliver(&url, at, &signature, BODY).await, 502);
    let forwarded = listening.line()["forwarded"].clone();
    let error = forwarded["error"].to_string();
    assert!(error.contains("nothing listens"), "{error}");
    assert_eq!(forwarded["may_have_arrived"], false);
}

/// What was written to the forward URL and cut off there may have arrived.
#[tokio::test(flavor = "multi_thread")]
async fn a_forward_that_was_cut_off_may_have_arrived() {
    let app = Scripted::start(|_, _| Reply::Close(Vec::new())).await;
    let mut pty = Pty::start(&["listen", "--forward", &app.url], &[], 160, 24);
    let screen = pty.sees("listening on http");
    let (_, rest) = screen.split_once("listening on ").unwrap();
    let url = rest.split([';', ' ', '\n']).next().unwrap().to_owned();
    assert_eq!(deliver(&url, now(), "v1,x", BODY).await, 502);
    let shown = pty.sees("forwarded, may have arrived: ");
    assert!(!shown.contains("not forwarded"), "{shown}");
    pty.keys("\x03");
    assert_eq!(pty.end().exit_code(), 130);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_as_asked_and_what_is_no_webhook_is_refused() {
    let mut listening = Listening::start(&["--status", "503", "--limit", "1"]);
    let (url, at) = (listening.url.clone(), now());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let seen = client.get(&url).send().await.unwrap();
    assert_eq!(seen.status(), 405);
    let seen = client
        .post(&url)
        .body(vec![b'x'; (16 << 20) + 1])
        .send()
        .await;
    // The rest of the body may meet a closed connection.
    assert!(seen.is_err() || seen.unwrap().status() == 413);
    let line = listening.line();
    assert_eq!(
        (&line["method"], &line["response_status_code"]),
        (&"GET".into(), &405.into())
    );
    assert!(line["turned_away"].as_str().unwrap().contains("no webhook"));
    let line = listening.line();
    assert_eq!(line["turned_away"], "the body is larger than 16 MiB");
    // A body that ends before the length that it declares.
    let at_once = url.trim_start_matches("http://").trim_end_matches('/');
    let mut broken = TcpStream::connect(at_once).unwrap();
    broken
        .write_all(b"POST /x?key=s3cret HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
        .unwrap();
    broken.shutdown(std::net::Shutdown::Write).unwrap();
    let line = listening.line();
    assert_eq!(
        (&line["path"], &line["response_status_code"]),
        (&"/x?key=***".into(), &400.into())
    );
    // They are no deliveries, and count as none.
    assert_eq!(deliver(&url, at, "v1,x", BODY).await, 503);
    let line = listening.line();
    assert_eq!(
        (&line["response_status_code"], &line["turned_away"]),
        (&503.into(), &Value::Null)
    );
    assert_eq!(listening.child.wait().unwrap().code(), Some(0));
}

/// Sends a delivery with this body, and gives the connection on which it is to be answered.
fn send(url: &str, body: &str) -> TcpStream {
    let at = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(at.trim_end_matches('/')).unwrap();
    let (length, signature) = (body.len(), signed(SECRET, now(), body));
    let head = http(now(), &signature, "");
    let (head, _) = head.split_once("\r\n\r\n").unwrap();
    let request = format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Waits until it holds.
fn until(is_so: impl Fn() -> bool) {
    let end = std::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(std::time::Instant::now() < end, "it never was");
        std::thread::yield_now();
    }
}

/// It is taken once it is saved.
fn until_taken(save: &str) {
    until(|| std::fs::read_dir(save).unwrap().next().is_some());
}

#[test]
fn whoever_hangs_up_before_the_answer_was_not_answered() {
    let folder = tempfile::tempdir().unwrap();
    let save = folder.path().to_str().unwrap();
    let mut listening = Listening::start(&["--delay", "1h", "--json", "--save", save]);
    let stream = send(&listening.url, BODY);
    until_taken(save);
    drop(stream);
    let line = listening.line();
    assert_eq!(line["message_id"], ID);
    assert_eq!(line["response_status_code"], Value::Null);
    assert_eq!(line["cut_short"], false);
}

/// The end of the connection may be read together with the request.
#[test]
fn whoever_hangs_up_with_its_last_byte_is_told_of() {
    let mut listening = Listening::start(&["--limit", "60"]);
    for _ in 0..30 {
        for body in ["", BODY] {
            send(&listening.url, body);
        }
    }
    for _ in 0..60 {
        let line = listening.line();
        assert_eq!(line["message_id"], ID);
        let code = &line["response_status_code"];
        assert!(*code == Value::Null || *code == 204, "{code}");
    }
    assert_eq!(listening.child.wait().unwrap().code(), Some(0));
}

/// Its sender is told so, and it is a line like any other.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_answered_yet_as_it_is_ended_is_told_of() {
    let silent = Scripted::start(|_, _| Reply::Hold(Vec::new())).await;
    for (option, value, end, code) in [
        ("--delay", "1h", "-INT", 130),
        ("--forward", &silent.url, "-TERM", 143),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let save = folder.path().to_str().unwrap();
        let mut listening = Listening::start(&[option, value, "--save", save]);
        let mut stream = send(&listening.url, BODY);
        until_taken(save);
        let is_forwarded = option == "--forward";
        until(|| !is_forwarded || !silent.requests().is_empty());
        assert_eq!(listening.end(end), code);
        let line = listening.line();
        assert_eq!(line["message_id"], ID);
        assert_eq!(line["response_status_code"], 503);
        assert_eq!(line["cut_short"], true);
        let may_have_arrived = &line["forwarded"]["may_have_arrived"];
        assert_eq!(may_have_arrived.as_bool(), is_forwarded.then_some(true));
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("was ended before its answer"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_servers_retries_are_one_message() {
    let server = start_fast().await;
    let mut listening = Listening::start(&["--status", "500"]);
    create_endpoint(&server, &listening.url, &["task.*"]).await;
    server.backend().create_task("asset", &["proxy"]).unwrap();
    let (first, second) = (listening.line(), listening.line());
    assert_eq!(first["message_id"], second["message_id"]);
    assert_eq!(
        (&first["delivery"], &second["delivery"]),
        (&1.into(), &2.into())
    );
    assert_eq!(
        (&first["body"], &second["is_other_body"]),
        (&second["body"], &false.into())
    );
    server.stop().await;
}

/// The endpoint is there while it listens, and gone afterwards, however it ends.
#[tokio::test(flavor = "multi_thread")]
async fn it_registers_itself_and_takes_itself_away() {
    let server = start_fast().await;
    for (end, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let more = [
            ("ASPECT_BASE_URL", server.url()),
            ("ASPECT_API_KEY", server.api_key().to_owned()),
        ];
        let mut listening = Listening::start_with(&["--register"], &more);
        server.backend().create_task("asset", &["proxy"]).unwrap();
        let line = listening.line();
        assert_eq!(
            (&line["verified"], &line["delivery"]),
            (&true.into(), &1.into())
        );
        assert_eq!(listening.end(end), code);
        let mut words = String::new();
        std::io::Read::read_to_string(&mut listening.words, &mut words).unwrap();
        assert!(words.contains("is deleted"), "{words}");
        let left = crate::server::support::get(&server, "/webhooks/endpoints").await;
        assert_eq!(left["data"], serde_json::json!([]));
    }
    server.stop().await;
}

/// One that could not take its endpoint away, and the next at the same address.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_was_left_behind_is_named() {
    let server = start_fast().await;
    let more = [
        ("ASPECT_BASE_URL", server.url()),
        ("ASPECT_API_KEY", server.api_key().to_owned()),
    ];
    let mut killed = Listening::start_with(&["--register"], &more);
    killed.end("-KILL");
    let at = killed.url.trim_start_matches("http://").replace('/', "");
    let left = crate::server::support::get(&server, "/webhooks/endpoints").await;
    let left = left["data"][0]["id"].as_str().unwrap().to_owned();
    create_endpoint(&server, "http://127.0.0.1:9/", &["task.*"]).await;
    let mut listening = Listening::start_with(&["--register", "--addr", &at], &more);
    let said = &listening.said;
    assert_eq!(said.matches("is there already").count(), 1, "{said}");
    let delete = format!("reeltop endpoints delete {left}");
    assert!(said.contains(&delete), "{said}");
    listening.end("-INT");
    server.stop().await;
}

#[test]
fn what_cannot_be_is_said_before_it_listens() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    for (arguments, code, words) in [
        (vec!["--addr", &at], 1, "in use"),
        (
            vec!["--forward", "http://hooks.invalid/"],
            2,
            "is not this machine",
        ),
        (
            vec!["--forward", "http://127.0.0.1:1/", "--read-only"],
            2,
            "read-only",
        ),
        (vec!["--resign", "x"], 2, "--forward"),
        (vec!["--status", "99"], 2, "99"),
        (vec!["--secret-file", "/nonexistent/s"], 2, "/nonexistent/s"),
    ] {
        let mut all = vec!["listen"];
        all.extend(&arguments);
        let ran = run(&all);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
}

/// Every delivery would seem forged.
#[test]
fn a_secret_that_checks_nothing_is_refused_by_its_option() {
    let folder = tempfile::tempdir().unwrap();
    // An address that is taken ends it where no secret does.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap().to_string();
    for (text, fault) in [
        ("", "is empty"),
        ("whsec_", "is empty"),
        ("whsec_not*base64", "is not base64"),
        ("whsec_ MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "white space"),
    ] {
        let path = file(&folder, "secret", text.as_bytes());
        let by_file = command(&["listen", "--addr", &at, "--secret-file", &path]);
        let mut by_variable = command(&["listen", "--addr", &at, "--secret-env", "HOOK"]);
        by_variable.env("HOOK", text);
        let mut beside = command(&[&format!("--listen={at}"), "--profile", "dev"]);
        let config = folder.path().join("config.toml");
        let profile = format!(
            "[profiles.dev]\nurl = \"http://127.0.0.1:9\"\nkey_env = \"ASPECT_API_KEY\"\nwebhook_secret_file = \"{path}\"\n"
        );
        std::fs::write(&config, profile).unwrap();
        beside
            .arg("--config")
            .arg(&config)
            .env("ASPECT_API_KEY", "sk_test");
        for (option, command) in [
            ("--secret-file", by_file),
            ("--secret-env", by_variable),
            ("webhook_secret_file", beside),
        ] {
            let ran = ended(command);
            assert_eq!(ran.code, 2, "{option} {text:?}: {}", ran.stderr);
            let said = &ran.stderr;
            assert!(said.contains(option) && said.contains(fault), "{said}");
            assert!(text.is_empty() || !said.contains(text), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_sender_cannot_act_on_the_terminal() {
    let mut pty = Pty::start(
        &["listen", "--secret-env", "HOOK"],
        &[("HOOK", SECRET)],
        160,
        24,
    );
    let screen = pty.wait("the address", |screen| screen.contains("listening on http"));
    let (_, rest) = screen.split_once("listening on ").unwrap();
    let url = rest.split_whitespace().next().unwrap().to_owned();
    let hostile = BODY.replace("task.failed", "\\u001b]0;owned\\u0007\\u202e");
    let at = now();
    assert_eq!(
        deliver(&url, at, &signed(SECRET, at, &hostile), &hostile).await,
        204
    );
    pty.sees("verified");
    pty.sees("␛]0;owned");
    assert!(!pty.bytes().windows(3).any(|bytes| bytes == b"\x1b]0"));
    pty.keys("\x03");
    assert_eq!(pty.end().exit_code(), 130);
}
