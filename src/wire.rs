//! Pure codecs, used by the client and by the embedded server: bytes in, values out, and back.

pub mod bodies;
pub mod endpoints;
mod envelope;
pub mod events;
pub mod fields;
pub mod form;
mod hide;
pub mod lenient;
pub mod normal;
pub mod openapi;
pub mod record;
pub mod recorded;
pub mod rest;
pub mod saved;
pub mod shape;
pub mod signature;
pub mod sse;
pub mod svix;
mod task;

pub use task::{decode_task, lenient_task};
