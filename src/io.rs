//! The hands: each file is one adapter to the world outside.

pub mod clock;
pub mod config;
