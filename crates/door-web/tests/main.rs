//! Wire tests: whole exchanges through the router, one program.
#![expect(clippy::unwrap_used, reason = "a broken exchange fails its test")]

mod accounts;
mod door;
mod exchanges;
mod failures;
mod forms;
mod rules;
