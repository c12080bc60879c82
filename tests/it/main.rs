//! The one integration binary: what needs more than one room, a socket or a terminal.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod sse;
mod tidy;
