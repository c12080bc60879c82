//! `reeltop` is *top* for media-processing tasks and their webhooks.
//!
//! This library is the program's inside; it makes no promise of a stable API.
//!
//! # The house
//!
//! ```text
//! floor 5   cli                        arguments, headless commands, wiring
//! floor 4   runtime                    the loop: one mailbox, drain, update, run effects, draw
//! floor 3   view                       State -> cells; plain row models
//! floor 2   app      | io     | server app: update(&mut State, Msg) -> Vec<Effect> · io: adapters · server: embedded service
//! floor 1            | wire            pure codecs: SSE, JSON bodies, signatures
//! floor 0   domain                     nouns, Change, History, queries, plans: no I/O, no clock, no async
//! ```
//!
//! A room names only rooms below it; rooms on one floor never name each other; only `runtime`
//! joins `app` and `io`; only `cli` may name every room. `tests/it/tidy.rs` reads the sources and
//! holds these rules.
//!
//! Everything that happens becomes a [`domain::Change`] and is folded into a [`domain::History`].
//! Every screen, list and headless command shows a pure function of (History, query, time).
//!
//! **Trip in:** bytes → [`wire::sse`] frame → `Change` → intake → `Msg` → `update` → `History` →
//! row model → cells.
//! **Trip out:** key → `Action` → `Effect` → HTTP → `Change`; the attempt that a replay caused
//! comes back by the first trip.

pub mod app;
pub mod cli;
pub mod domain;
pub mod io;
pub mod runtime;
pub mod server;
pub mod view;
pub mod wire;
