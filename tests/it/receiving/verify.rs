use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use super::{BODY, ID, OTHER, SECRET, command, ended, file, http, now, run, signed};

#[test]
fn what_another_implementation_signed_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(&folder, "secret", format!("{SECRET}\n").as_bytes());
    let at = now();
    let request = http(at, &signed(SECRET, at, BODY), BODY);
    let saved = file(&folder, "request", request.as_bytes());
    let body = file(&folder, "body", BODY.as_bytes());
    let (at, signature) = (at.to_string(), signed(SECRET, at, BODY));
    for arguments in [
        vec!["verify", &saved, "--secret-file", &secret],
        vec![
            "verify",
            &body,
            "--secret-file",
            &secret,
            "--id",
            ID,
            "--timestamp",
            &at,
            "--signature",
            &signature,
        ],
        vec![
            "verify",
            &body,
            "--secret-file",
            &secret,
            "--header",
            &format!("Webhook-Id: {ID}"),
            "--header",
            &format!("webhook-timestamp:{at}"),
            "--header",
            &format!("webhook-signature: v1,AAAA {signature}"),
        ],
    ] {
        let ran = run(&arguments);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        assert_eq!(
            ran.stdout,
            format!("verified: the v1 signature was made with {secret}\n")
        );
    }
}

#[test]
fn secrets_come_from_variables_profiles_and_standard_input_gives_requests() {
    let folder = tempfile::tempdir().unwrap();
    let at = now();
    let request = http(at, &signed(SECRET, at, BODY), BODY);
    let saved = file(&folder, "request", request.as_bytes());
    let mut asked = command(&["verify", &saved, "--secret-env", "HOOK"]);
    asked.env("HOOK", SECRET);
    assert_eq!(ended(asked).code, 0);

    let secret = file(&folder, "secret", SECRET.as_bytes());
    let text = format!("[profiles.p]\nwebhook_secret_file = \"{secret}\"\n");
    let config = file(&folder, "config.toml", text.as_bytes());
    let mut child = command(&["verify", "-", "--config", &config, "--profile", "p"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(request.as_bytes()).unwrap();
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn causes_are_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let other = file(&folder, "other", OTHER.as_bytes());
    let quoted = file(&folder, "quoted", format!("\"{SECRET}\"").as_bytes());
    let at = now();
    let good = signed(SECRET, at, BODY);
    let spaced = BODY.replace("\":", "\": ").replace(",\"", ", \"");
    for (case, request, more, cause) in [
        (
            "old",
            http(at - 900, &signed(SECRET, at - 900, BODY), BODY),
            vec![],
            "too_old",
        ),
        (
            "new",
            http(at + 900, &signed(SECRET, at + 900, BODY), BODY),
            vec![],
            "in_the_future",
        ),
        (
            "rewritten",
            http(at, &good, &spaced),
            vec![],
            "body_rewritten",
        ),
        (
            "pretty",
            http(at, &good, &BODY.replace('{', "{\n ").replace(',', ",\n ")),
            vec![],
            "body_pretty_printed",
        ),
        ("empty", http(at, &good, ""), vec![], "body_empty"),
        (
            "cut",
            http(at, &good, &BODY[..BODY.len() / 2]),
            vec![],
            "body_cut",
        ),
        (
            "line end",
            http(at, &good, &format!("{BODY}\r\n")),
            vec![],
            "line_ends",
        ),
        (
            "altered",
            http(at, &good, &BODY.replace("failed", "fooled")),
            vec![],
            "altered",
        ),
        (
            "one byte",
            http(at, &good, &BODY.replacen("failed", "failer", 1)),
            vec![],
            "altered_byte",
        ),
        (
            "missing",
            "POST / HTTP/1.1\r\nhost: x\r\n\r\n{}".to_owned(),
            vec![],
            "header_missing",
        ),
        (
            "other",
            http(at, &signed(OTHER, at, BODY), BODY),
            vec!["--other-secret-file", &other],
            "other_secret",
        ),
        (
            "rotated",
            http(at, &signed(OTHER, at, BODY), BODY),
            vec!["--old-secret-file", &other],
            "old_secret",
        ),
    ] {
        let saved = file(&folder, "request", request.as_bytes());
        let mut arguments = vec!["verify", &saved, "--json", "--secret-file", &secret];
        arguments.extend(more);
        let ran = run(&arguments);
        assert_eq!(ran.code, 1, "{case}: {}", ran.stderr);
        let line: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(line["cause"], cause, "{case}");
        assert_eq!(line["verified"], false, "{case}");
        assert!(!line["advice"].as_str().unwrap().is_empty(), "{case}");
        assert!(!ran.stdout.contains("whsec_C2"), "{case}");
    }
    let saved = file(&folder, "request", http(at, &good, BODY).as_bytes());
    let ran = run(&["verify", &saved, "--secret-file", &quoted]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stdout
            .contains("has quotes around it; the secret inside it is the right one")
    );
}

/// As some editors and shells save it.
#[test]
fn a_byte_order_mark_before_the_secret_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = now();
    let request = http(at, &signed(SECRET, at, BODY), BODY);
    let saved = file(&folder, "request", request.as_bytes());
    let marked = file(&folder, "marked", format!("\u{feff}{SECRET}\n").as_bytes());
    let ran = run(&["verify", &saved, "--secret-file", &marked]);
    assert_eq!(ran.code, 1);
    let words = "begins with a byte order mark (U+FEFF), which no editor shows; the secret inside";
    assert!(ran.stdout.contains(words), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("without a byte order mark"),
        "{}",
        ran.stdout
    );
    let to = "http://127.0.0.1:9/";
    let ran = run(&["send", "task.failed", "--to", to, "--secret-file", &marked]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("byte order mark"), "{}", ran.stderr);
}

#[test]
fn saved_secrets_of_other_endpoints_explain() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let config = file(&folder, "config.toml", b"");
    let saved = folder.path().join("secrets").join("local");
    std::fs::create_dir_all(&saved).unwrap();
    std::fs::write(saved.join("ep_other"), OTHER).unwrap();
    let at = now();
    let request = http(at, &signed(OTHER, at, BODY), BODY);
    let request = file(&folder, "request", request.as_bytes());
    let ran = run(&[
        "verify",
        &request,
        "--secret-file",
        &secret,
        "--config",
        &config,
    ]);
    assert_eq!(ran.code, 1);
    let words = "another endpoint's secret: the saved secret of ep_other";
    assert!(ran.stdout.contains(words), "{}", ran.stdout);
}

#[test]
fn an_old_request_is_checked_as_of_then() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let at = 1_700_000_000;
    let request = http(at, &signed(SECRET, at, BODY), BODY);
    let saved = file(&folder, "request", request.as_bytes());
    for (more, code) in [
        (vec!["--ignore-time"], 0),
        (vec!["--at", "1700000300"], 0),
        (vec!["--at", "2023-11-14T22:18:21Z"], 1),
        (vec!["--at", "noon"], 2),
        (vec![], 1),
    ] {
        let mut arguments = vec!["verify", &saved, "--secret-file", &secret];
        arguments.extend(more);
        let ran = run(&arguments);
        assert_eq!(
            ran.code, code,
            "{arguments:?}: {}{}",
            ran.stdout, ran.stderr
        );
    }
}

#[test]
fn usage_is_told_and_nothing_else_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let secret = file(&folder, "secret", SECRET.as_bytes());
    let body = file(&folder, "body", b"{}");
    let long = file(&folder, "long", &vec![b'x'; 20_000]);
    for (arguments, expected) in [
        (vec!["verify"], "<FILE>"),
        (vec!["verify", &body], "a webhook secret is needed"),
        (
            vec!["verify", &body, "--secret-file", &secret],
            "no saved request",
        ),
        (
            vec!["verify", "/nonexistent/x", "--secret-file", &secret],
            "/nonexistent/x",
        ),
        (
            vec!["verify", &body, "--secret-file", "/nonexistent/s"],
            "--secret-file: /nonexistent/s",
        ),
        (
            vec!["verify", &body, "--secret-file", &long],
            "holds no secret",
        ),
        (vec!["verify", &body, "--secret-env", "NOT_SET"], "NOT_SET"),
        (
            vec!["verify", &body, "--secret-file", &secret, "--header", "x"],
            "name: value",
        ),
    ] {
        let ran = run(&arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("FILE: "), "{}", ran.stderr);
        assert!(
            ran.stderr.contains(expected),
            "{arguments:?}: {}",
            ran.stderr
        );
        assert_eq!(ran.stdout, "");
    }
}
