//! A generated stream: envelopes of 611 bytes a frame, random ids, some with another key order.

use std::fmt::Write;

use fastrand::Rng;

pub const N_EVENTS: usize = 330_000;

const STATES: [&str; 6] = [
    "queued",
    "processing",
    "completed",
    "failed",
    "cancelled",
    "na",
];

/// A stream of frames and where each frame's data lies in it.
pub struct Corpus {
    pub bytes: Vec<u8>,
    pub data: Vec<(usize, usize)>,
}

/// Events about random tasks of the first `n_tasks`.
pub fn stream(n_events: usize, n_tasks: u64, seed: u64) -> Corpus {
    let mut rng = Rng::with_seed(seed);
    let mut text = String::with_capacity(n_events * 620);
    let mut data = Vec::with_capacity(n_events);
    for number in 0..n_events {
        let event = uuid_of(rng.u128(..));
        let _ = write!(text, "id: {event}\nevent: task.progress\ndata: ");
        let start = text.len();
        write_envelope(&mut text, &mut rng, &event, number, n_tasks);
        data.push((start, text.len()));
        text.push_str("\n\n");
    }
    Corpus {
        bytes: text.into_bytes(),
        data,
    }
}

/// The id of the task with a number, the same in every corpus.
pub fn task_uuid(number: u64) -> String {
    uuid_of(Rng::with_seed(number ^ 0x7a5c).u128(..))
}

fn write_envelope(text: &mut String, rng: &mut Rng, event: &str, number: usize, n_tasks: u64) {
    let number_of_task = rng.u64(..n_tasks);
    let (task, asset) = (task_uuid(number_of_task), uuid_of(rng.u128(..)));
    // A task's creation never changes, so that it is the one it was preloaded with.
    let created = format!("2026-11-22T09:00:00.{number_of_task:06}Z");
    let user = "5f0c1c1e-93a1-4a55-8a3b-6a2f0a8c7e11";
    let (second, micros) = (number / 10_000 % 60, rng.u32(..1_000_000));
    let hour = 10 + number / 60_000 % 10;
    let updated = if rng.bool() {
        format!("2026-11-22T{hour}:20:{second:02}.{micros:06}Z")
    } else {
        format!("2026-11-22T{hour}:20:{second:02}Z")
    };
    let mut state = || STATES[rng.usize(..STATES.len())];
    let features = format!(
        r#"{{"proxy":{{"state":"{}"}},"preview":{{"state":"{}"}},"visual":{{"state":"{}"}},"transcription":{{"state":"{}"}}}}"#,
        state(),
        state(),
        state(),
        state()
    );
    let _ = if number % 10 == 9 {
        write!(
            text,
            r#"{{"event_id":"{event}","event_type":"task.progress","user_id":"{user}","timestamp":"{updated}","data":{{"task":{{"created":"{created}","updated":"{updated}","id":"{task}","asset_id":"{asset}","user_id":"{user}","features":{features}}}}}}}"#
        )
    } else {
        write!(
            text,
            r#"{{"timestamp":"{updated}","user_id":"{user}","event_id":"{event}","event_type":"task.progress","data":{{"task":{{"id":"{task}","asset_id":"{asset}","features":{features},"user_id":"{user}","created":"{created}","updated":"{updated}"}}}}}}"#
        )
    };
}

fn uuid_of(bits: u128) -> String {
    uuid::Builder::from_random_bytes(bits.to_le_bytes())
        .into_uuid()
        .to_string()
}
