//! What a receiver should bear and what it should refuse, tried on one under development.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Url;
use serde_json::json;

use super::causes::{Expected, Row, causes};
use super::{event, message_id, millis};
use crate::cli::output::{Outcome, Output, Stop, note};
use crate::domain::time::SECOND;
use crate::domain::{FailureClass, Time};
use crate::io::Clock;
use crate::io::post::{Headers, Outgoing, Poster, headers_of, signed};
use crate::wire::signature::key::Key;
use crate::wire::signature::{Secret, TOLERANCE_S};

/// Between the halves of the slow body.
const PAUSE: Duration = Duration::from_secs(1);
/// Size of the large body, in bytes.
const LARGE: usize = 2 << 20;

/// One thing that is tried: requests, one after the other, and what each should be answered.
struct Check {
    name: &'static str,
    expected: Expected,
    /// What to do where it fails.
    hint: &'static str,
    requests: Vec<Outgoing>,
}

/// Tries all of it and prints a table. 0 if all passed, else 1.
pub async fn run(poster: &Poster, url: &Url, key: &Key, is_json: bool) -> Outcome {
    let now = Clock::new().now().wall;
    let mut out = Output::new();
    let mut cells = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    for check in checks(url, key, now)? {
        let tried = try_out(poster, &check, rows.is_empty()).await?;
        let advice = advice(&check, tried.code);
        let Tried {
            answer,
            took,
            passed,
            ..
        } = tried;
        if is_json {
            let line = json!({
                "check": check.name.replace(' ', "_"),
                "expected": check.expected.words(),
                "answer": answer,
                "response_duration_ms": took,
                "passed": passed,
                "advice": if passed { "" } else { advice },
            });
            out.line(&line.to_string())?;
            out.flush()?;
        }
        cells.push(vec![
            check.name.to_owned(),
            check.expected.words().to_owned(),
            answer.clone(),
            format!("{took} ms"),
            if passed { "pass" } else { "FAIL" }.to_owned(),
        ]);
        rows.push(Row {
            name: check.name,
            expected: check.expected,
            answer,
            passed,
            advice,
        });
    }
    if !is_json {
        out.table(
            &["CHECK", "EXPECTED", "ANSWER", "TOOK", "RESULT"],
            &cells,
            "",
        )?;
    }
    out.flush()?;
    for line in causes(&rows) {
        note(&line);
    }
    Ok(u8::from(rows.iter().any(|row| !row.passed)))
}

/// How a check went.
struct Tried {
    /// The last answer in words.
    answer: String,
    /// Its status; none where the connection broke.
    code: Option<u16>,
    /// Milliseconds until it came.
    took: u64,
    /// Whether all answers were as they should be.
    passed: bool,
}

/// Makes the requests of a check up to the first that fails it. Where not even the first check has a
/// connection, there is nothing to check.
async fn try_out(poster: &Poster, check: &Check, is_first: bool) -> Result<Tried, Stop> {
    let mut last = Tried {
        answer: String::new(),
        code: None,
        took: 0,
        passed: true,
    };
    for request in &check.requests {
        last = match poster.send(request.clone()).await {
            Ok(answer) => Tried {
                answer: answer.code.to_string(),
                code: Some(answer.code),
                took: millis(answer.took),
                passed: check.expected.holds(answer.code),
            },
            Err(failure) if is_first => return Err(failure.into()),
            Err(failure) => Tried {
                answer: failure.what,
                code: None,
                took: 0,
                passed: false,
            },
        };
        if !last.passed {
            break;
        }
    }
    Ok(last)
}

/// What to do where a check failed. What it tries can only be at fault where the answer may come of
/// it: a path that is not there, or a receiver that broke, was not asked at all.
fn advice(check: &Check, code: Option<u16>) -> &'static str {
    match code {
        None | Some(200..=299) => check.hint,
        Some(code) => match FailureClass::of(code, "") {
            FailureClass::Unauthorized
            | FailureClass::NotUnderstood
            | FailureClass::TooLarge
            | FailureClass::ClientError => check.hint,
            class => class.hint(),
        },
    }
}

fn checks(url: &Url, key: &Key, now: Time) -> Result<Vec<Check>, Stop> {
    let body = event::body("task.failed", None, now)?;
    let outgoing = |headers: Headers, body: &str| Outgoing {
        url: url.clone(),
        headers,
        body: Bytes::copy_from_slice(body.as_bytes()),
        pause: None,
    };
    let signed_at = |at: Time| {
        let id = message_id();
        outgoing(signed(key, &id, at, body.as_bytes()), &body)
    };
    let mut all = accepted(key, now, &outgoing)?;
    let seconds = now.0.div_euclid(SECOND);
    let stranger = Secret::from_key(uuid::Uuid::new_v4().as_bytes());
    let stranger = stranger.map_err(|error| Stop::Usage(error.to_string()))?;
    let id = message_id();
    let wrong = crate::wire::signature::sign(&stranger, &id, seconds, body.as_bytes());
    let plain = vec![("content-type".to_owned(), "application/json".to_owned())];
    let far = (TOLERANCE_S + 300) * SECOND;
    // The beginning of the right signature: none of it, and half.
    let cut = |part: fn(&str) -> usize| {
        let mut request = signed_at(now);
        resign(&mut request, |right| {
            let (version, value) = right.split_once(',').unwrap_or(("v1", right));
            format!("{version},{}", &value[..part(value)])
        });
        request
    };
    let mut altered = signed_at(now);
    altered.body = Bytes::from(body.replacen("failed", "foiled", 1));
    let stale = "refuse a timestamp more than 5 minutes from now: otherwise whoever records a request can send it again for ever";
    let refused = [
        (
            "no headers",
            "refuse what has no signature: otherwise anybody can send events",
            vec![outgoing(plain, &body)],
        ),
        (
            "wrong signature",
            "compare the signature, and refuse with 400 or 401 where none fits",
            vec![outgoing(headers_of(&id, seconds, &wrong), &body)],
        ),
        (
            "cut signature",
            "compare the whole signature: what only begins like it, or has nothing of it, proves nothing",
            vec![cut(|_| 0), cut(|value| value.len() / 2)],
        ),
        ("old timestamp", stale, vec![signed_at(now.plus(-far))]),
        ("future timestamp", stale, vec![signed_at(now.plus(far))]),
        (
            "altered byte",
            "check the signature over the raw body",
            vec![altered],
        ),
    ];
    all.extend(refused.map(|(name, hint, requests)| Check {
        name,
        expected: Expected::Refused,
        hint,
        requests,
    }));
    Ok(all)
}

/// What is no signature of anything here, in the form of one.
const OTHER: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Gives a request another list of signatures, made of the right one.
fn resign(request: &mut Outgoing, list: impl Fn(&str) -> String) {
    for (name, value) in &mut request.headers {
        if name == "svix-signature" {
            *value = list(value);
        }
    }
}

/// What a receiver should take.
fn accepted(
    key: &Key,
    now: Time,
    outgoing: &dyn Fn(Headers, &str) -> Outgoing,
) -> Result<Vec<Check>, Stop> {
    let made = |id: &str, body: &str| outgoing(signed(key, id, now, body.as_bytes()), body);
    let body = event::body("task.failed", None, now)?;
    let id = message_id();
    let spaced = body.replace("\":", "\": ").replace(",\"", ", \"");
    let listed = |list: fn(&str) -> String| {
        let mut request = made(&message_id(), &body);
        resign(&mut request, list);
        request
    };
    let mut worldly = event::task("{}")?;
    worldly.insert("note".to_owned(), "Füße – 映画 🎬".into());
    let worldly = event::body("task.failed", Some(&worldly), now)?;
    let task = event::task(r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057"}"#)?;
    let newer = event::body("task.completed", Some(&task), now)?;
    let older = event::body("task.progress", Some(&task), now.plus(-30 * SECOND))?;
    let mut slow = made(&message_id(), &body);
    slow.pause = Some(PAUSE);
    let mut large = event::task("{}")?;
    large.insert("note".to_owned(), "x".repeat(LARGE).into());
    let large = event::body("task.failed", Some(&large), now)?;
    let checks: [(&'static str, &'static str, Vec<Outgoing>); 9] = [
        (
            "signed",
            "the secret is another one, or the body was parsed before the check: reeltop listen and reeltop verify say which",
            vec![made(&id, &body)],
        ),
        (
            "duplicate id",
            "answer a message that you know with 2xx and do nothing: each is delivered at least once",
            vec![made(&id, &body), made(&id, &body)],
        ),
        (
            "out of order",
            "take the state with the later updated, and answer 2xx to the earlier one",
            vec![made(&message_id(), &newer), made(&message_id(), &older)],
        ),
        (
            "two signatures",
            "the header is a list, and one signature that fits is enough, wherever it stands: after a rotation there are two",
            vec![
                listed(|right| format!("v1,{OTHER} {right}")),
                listed(|right| format!("{right} v1,{OTHER}")),
            ],
        ),
        (
            "unknown version",
            "pass over a version that you do not know, wherever it stands in the list",
            vec![
                listed(|right| format!("v9,{OTHER} {right}")),
                listed(|right| format!("{right} v9,{OTHER}")),
            ],
        ),
        (
            "blanks in the JSON",
            "check the signature over the raw body: writing it again loses its blanks",
            vec![made(&message_id(), &spaced)],
        ),
        (
            "letters beyond ASCII",
            "check the signature over the bytes as they came: read as another encoding than UTF-8, or written again with escapes, they are others",
            vec![made(&message_id(), &worldly)],
        ),
        (
            "slow body",
            "wait for the whole body: a sender may be slow",
            vec![slow],
        ),
        (
            "2 MB body",
            "take it, or refuse it with 413 instead of breaking the connection",
            vec![made(&message_id(), &large)],
        ),
    ];
    Ok(checks
        .map(|(name, hint, requests)| Check {
            name,
            expected: if name == "2 MB body" {
                Expected::TakenOrTooLarge
            } else {
                Expected::Taken
            },
            hint,
            requests,
        })
        .into())
}
