//! Pure codecs, used by the client and by the embedded server: bytes in, values out, and back.

pub mod events;
pub mod sse;
mod task;

pub use task::{decode_task, lenient_task};
