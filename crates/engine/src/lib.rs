//! The rules of the directory.
//!
//! One idea: *somebody proved something about an identity, and others may check it.* A subject (a
//! name, a uid, a phone number, an avatar key) has one sigchain; every change is one link, a
//! statement with the evidence that made the server believe it; every link becomes one entry of one
//! append-only log, and moves the subject's place in one map. A signed checkpoint covers both.
//!
//! - [`types`]: values, parsed once at the edge
//! - [`ports`]: what the engine needs of the world
//! - `tx`, `table`, `tables`: the unit of work and the catalog of what is stored
//! - [`processes`]: the processes over one store, their roles and their clock
//! - [`names`], [`claims`], [`chain`], [`log`]: the verbs doors call
//! - [`outbox`], [`jobs`], [`reconcile`]: what happens after the answer
//! - [`moving`], [`statistics`], [`marks`]: a store as a whole, when it moves and what it holds
//! - [`figures`]: what this process counts, for whoever watches it
//!
//! The engine has no runtime, no socket and no clock of its own.

pub mod chain;
pub mod claims;
mod dialects;
pub mod engine;
pub mod error;
pub mod figures;
pub mod jobs;
pub mod limits;
pub mod log;
pub mod marks;
pub mod moving;
pub mod names;
mod open;
pub mod outbox;
mod pages;
pub mod parsers;
pub mod ports;
pub mod processes;
pub mod rate;
pub mod reconcile;
pub mod statistics;
mod table;
mod tables;
mod tx;
pub mod types;

/// The log's verbs speak this crate's types: hashes, tiles, proofs, notes.
pub use merkle;

/// What others sign, post and archive, in its own bytes: for doors, checkers and the command line.
pub use dialects::{ans104, nextid};
pub use engine::{Engine, Settings};
pub use open::OpenError;
