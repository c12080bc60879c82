//! The one integration binary.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod server;
