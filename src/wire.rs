//! Pure codecs.

pub mod bodies;
pub mod signature;
