//! The one integration binary: what needs more than one room, a socket or a terminal.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod advice;
mod bulk;
mod cli;
mod client;
mod convergence;
mod dashboard;
mod doctor;
mod endpoints;
mod hostile;
mod journal;
#[cfg(unix)]
mod key_command;
mod ledger;
mod limits;
mod log;
mod manage;
mod planted;
mod prompts;
mod proxy;
mod pty;
mod readonly;
mod receiving;
mod record;
mod replay;
mod screens;
mod scripted;
mod secrets;
mod server;
mod sse;
mod support;
mod svix;
mod tapes;
mod terminal;
mod tidy;
