//! The SSE decoder: the same bytes cut anywhere give the same events, and its memory is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reeltop::wire::sse::Decoder;

const MAX_EVENT: usize = 64;

type Seen = (String, Vec<u8>, String, bool);

fn read(chunks: &[&[u8]]) -> (Vec<Seen>, String, Option<u64>, bool) {
    let mut decoder = Decoder::new(MAX_EVENT);
    let mut seen = Vec::new();
    for chunk in chunks {
        let outcome = decoder.push(chunk, |frame| {
            assert!(frame.data.len() <= MAX_EVENT);
            seen.push((frame.event.to_owned(), frame.data.to_vec(), frame.id.to_owned(), frame.has_id));
        });
        if outcome.is_err() {
            return (Vec::new(), String::new(), None, true);
        }
    }
    (seen, decoder.last_event_id().to_owned(), decoder.retry_ms(), false)
}

fuzz_target!(|input: (usize, &[u8])| {
    let (cut, bytes) = input;
    let (first, second) = bytes.split_at(cut % (bytes.len() + 1));
    let whole = read(&[bytes]);
    let in_two = read(&[first, second]);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    let by_byte = read(&single);
    // Where a line has no end, it shows earlier the smaller the pieces are.
    if !by_byte.3 && !in_two.3 && !whole.3 {
        assert_eq!(whole, in_two);
        assert_eq!(whole, by_byte);
    }
});
