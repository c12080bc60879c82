//! The one integration binary.

mod server;
