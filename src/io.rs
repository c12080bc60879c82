//! The hands: each file is one adapter to the world outside.

pub mod attempts;
pub mod client;
pub mod clock;
pub mod compare;
pub mod config;
pub mod discover;
pub mod ended;
pub mod here;
pub mod intake;
pub mod journal;
pub mod keeper;
pub mod known;
pub mod ledger;
pub mod link;
pub mod listen;
pub mod log;
pub mod names;
pub mod nexts;
pub mod opinion;
pub mod outlet;
pub mod poller;
pub mod post;
pub mod proxy;
pub mod publisher;
pub mod reach;
pub mod receiver;
pub mod sender;
pub mod stream;
pub mod terminal;

pub use clock::Clock;
