//! The hands: each file is one adapter to the world outside.

pub mod client;
pub mod clock;
pub mod config;
pub mod discover;
pub mod stream;
