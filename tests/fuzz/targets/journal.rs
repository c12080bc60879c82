//! The journal's reader: damaged blocks are refused without a panic and in bounded memory, what is
//! read can be written and read again, and frames of any form come back as they went in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reeltop::domain::{Change, ChangeKind, Moment, Origin, Time};
use reeltop::wire::events;
use reeltop::wire::record::{Record, decode, encode};
use reeltop::wire::sse::Decoder;

fn changes(records: Vec<Record>) -> Vec<Change> {
    let change = |record: Record| Change {
        seq: 0,
        received: Moment {
            wall: record.received,
            mono: 0,
        },
        origin: record.origin,
        raw: record.raw,
        kind: record.kind,
    };
    records.into_iter().map(change).collect()
}

/// Writes changes and reads them again: as many rows as were written.
fn written(changes: &[Change]) -> Vec<Record> {
    let block = encode(changes);
    let again = decode(&block.typed, Some(&block.raw)).expect("a block of our own");
    assert_eq!((again.records.len(), again.n_unknown), (block.n_rows, 0));
    let bare = decode(&block.typed, None).expect("a block of our own");
    assert_eq!(bare.records.len(), block.n_rows);
    again.records
}

fuzz_target!(|input: (&[u8], &[u8], &[u8])| {
    let (typed, raw, stream) = input;
    let versioned = [&[encode(&[]).typed[0]], typed].concat();
    for bytes in [typed, &versioned] {
        let _ = decode(bytes, None);
        if let Ok(found) = decode(bytes, Some(raw)) {
            let once = written(&changes(found.records));
            assert_eq!(once, written(&changes(once.clone())));
        }
    }
    let mut told: Vec<Change> = Vec::new();
    let _ = Decoder::new(4096).push(stream, |frame| {
        let _ = events::decode(&frame, |kind: ChangeKind| {
            told.push(Change {
                seq: 0,
                received: Moment {
                    wall: Time(told.len() as i64),
                    mono: 0,
                },
                origin: Origin::Stream,
                raw: Some(frame.data.into()),
                kind,
            });
        });
    });
    let kept = written(&told);
    let is_event = |kind: &ChangeKind| matches!(kind, ChangeKind::Event(_));
    let events = told.iter().filter(|change| is_event(&change.kind));
    for (record, change) in kept.iter().filter(|record| is_event(&record.kind)).zip(events) {
        assert_eq!((&record.kind, &record.raw), (&change.kind, &change.raw));
    }
});
