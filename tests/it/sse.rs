//! The decoder against cases derived from the specification, at every chunking.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reeltop::wire::sse::Decoder;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    chunks_b64: Vec<String>,
    start_last_event_id: String,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    events: Vec<Dispatched>,
    events_after_chunk: Vec<usize>,
    last_event_id: String,
    retry_ms: Option<u64>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Dispatched {
    r#type: String,
    data: String,
    id: String,
}

fn cases() -> Vec<Case> {
    let text = include_str!("../data/sse-conformance.jsonl");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn chunks(case: &Case) -> Vec<Vec<u8>> {
    case.chunks_b64
        .iter()
        .map(|chunk| STANDARD.decode(chunk).unwrap())
        .collect()
}

fn push(decoder: &mut Decoder, chunk: &[u8], events: &mut Vec<Dispatched>) {
    decoder
        .push(chunk, |frame| {
            events.push(Dispatched {
                r#type: frame.event.into(),
                data: frame.text().into(),
                id: frame.id.into(),
            });
        })
        .unwrap();
}

#[test]
fn every_case_passes_and_is_delivered_as_soon_as_the_bytes_allow() {
    let cases = cases();
    assert_eq!(cases.len(), 110);
    for case in cases {
        let mut decoder = Decoder::new(64 << 20).resuming(&case.start_last_event_id);
        let mut events = Vec::new();
        for (chunk, n_expected) in chunks(&case).iter().zip(&case.expected.events_after_chunk) {
            push(&mut decoder, chunk, &mut events);
            assert_eq!(events.len(), *n_expected, "{}", case.name);
        }
        assert_eq!(events, case.expected.events, "{}", case.name);
        assert_eq!(
            decoder.last_event_id(),
            case.expected.last_event_id,
            "{}",
            case.name
        );
        assert_eq!(decoder.retry_ms(), case.expected.retry_ms, "{}", case.name);
    }
}

#[test]
fn every_case_passes_at_other_chunkings() {
    for case in cases() {
        let bytes = chunks(&case).concat();
        if bytes.len() > 100_000 {
            continue;
        }
        for size in [1, 2, 3, 5, 7, 16, 61, bytes.len().max(1)] {
            let mut decoder = Decoder::new(64 << 20).resuming(&case.start_last_event_id);
            let mut events = Vec::new();
            for chunk in bytes.chunks(size) {
                push(&mut decoder, chunk, &mut events);
            }
            assert_eq!(events, case.expected.events, "{} by {size}", case.name);
            assert_eq!(
                decoder.last_event_id(),
                case.expected.last_event_id,
                "{} by {size}",
                case.name
            );
        }
    }
}

#[test]
fn every_case_passes_when_cut_in_two_at_every_byte() {
    for case in cases() {
        let bytes = chunks(&case).concat();
        if bytes.len() > 4000 {
            continue;
        }
        for cut in 0..=bytes.len() {
            let mut decoder = Decoder::new(64 << 20).resuming(&case.start_last_event_id);
            let mut events = Vec::new();
            push(&mut decoder, &bytes[..cut], &mut events);
            push(&mut decoder, &bytes[cut..], &mut events);
            assert_eq!(events, case.expected.events, "{} cut at {cut}", case.name);
        }
    }
}
