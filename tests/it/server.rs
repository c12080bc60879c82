//! The embedded server over real HTTP.

mod api;
mod bounds;
mod chaos;
mod command;
mod deliveries;
mod endpoints;
mod stage;
mod stream;
pub mod support;
