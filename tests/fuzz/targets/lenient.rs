//! Everything that reads JSON from outside: no panic, and the quick reading of an envelope gives
//! what the general parser gives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reeltop::domain::{ChangeKind, EndpointId, History, MessageId};
use reeltop::wire::sse::Frame;
use reeltop::wire::{events, lenient, normal, openapi, rest};

fn frame(data: &[u8]) -> Frame<'_> {
    Frame {
        event: "message",
        data,
        id: "7",
        has_id: true,
    }
}

/// What a frame holds; an error is told apart by nothing.
fn decoded(data: &[u8]) -> Option<Vec<ChangeKind>> {
    let mut kinds = Vec::new();
    events::decode(&frame(data), |kind| kinds.push(kind)).ok()?;
    Some(kinds)
}

fuzz_target!(|data: &[u8]| {
    if events::is_documented(data) {
        // White space before it is no documented form, so that serde reads it.
        let spaced = [b" ".as_slice(), data].concat();
        assert!(!events::is_documented(&spaced));
        assert_eq!(decoded(data), decoded(&spaced));
    }
    let mut history = History::default();
    for kind in decoded(data).into_iter().flatten() {
        history.apply(reeltop::domain::Change {
            seq: 1,
            received: Default::default(),
            origin: Default::default(),
            raw: None,
            kind,
        });
    }
    let (message, endpoint) = (MessageId::new("m"), EndpointId::new("e"));
    for row in rest::tasks(data).iter().flat_map(|page| &page.rows) {
        normal::task(row, None);
    }
    let _ = rest::task(data);
    for row in rest::messages(data).iter().flat_map(|page| &page.rows) {
        normal::message(row, None);
    }
    let attempts = rest::attempts(data, Some(&message), Some(&endpoint));
    for row in attempts.iter().flat_map(|page| &page.rows) {
        normal::attempt(row, Some(1));
    }
    for row in rest::endpoints(data).iter().flat_map(|page| &page.rows) {
        normal::endpoint(&row.value, Some(&row.raw));
    }
    let _ = rest::asset_name(data);
    let _ = openapi::read(data);
    assert!(lenient::error_text(data).chars().count() <= 201);
    assert!(lenient::excerpt(data).len() <= 4096);
});
