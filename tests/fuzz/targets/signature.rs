//! Saved requests and the signature doctor: no panic, a diagnosis for anything, and no altered
//! request is verified.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reeltop::wire::saved::Saved;
use reeltop::wire::signature::doctor::{Held, Holder, Request, diagnose};
use reeltop::wire::signature::key::Key;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn held(text: &str) -> Held {
    Held {
        name: "s".to_owned(),
        text: text.to_owned(),
        holder: Holder::Receiver,
    }
}

fuzz_target!(|data: &[u8]| {
    let key = Key::parse(SECRET).expect("the secret is one");
    // A secret of any form, before the request.
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (secret, rest) = data.split_at(at);
    let secrets = [held(SECRET), held(&String::from_utf8_lossy(secret))];
    for saved in Saved::read_all(rest).into_iter().flatten() {
        let request = Request {
            headers: saved.signature(),
            body: &saved.body,
            declared: saved.declared(),
        };
        for now in [None, Some(0), Some(i64::MAX), Some(1_700_000_000)] {
            let found = diagnose(&request, &secrets, now);
            assert_eq!(found.cause.is_none(), found.by.is_some());
            let _ = format!("{found:?}");
        }
        saved.shown_headers();
        let _ = saved.json();
        if rest.trim_ascii_start().starts_with(b"{") {
            continue;
        }
        // What it is written as is read as the same.
        let again = Saved::read_all(&saved.http()).expect("what was written is read");
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].body, saved.body);
    }
    let good = key.sign("msg_1", 1_700_000_000, data);
    let altered = [data, b"x"].concat();
    assert_ne!(good, key.sign("msg_1", 1_700_000_000, &altered));
});
