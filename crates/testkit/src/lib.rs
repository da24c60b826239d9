//! A whole world for tests: an engine over a store in memory, a clock that moves by hand, seeded
//! randomness, and exchanges as text. Nothing sleeps, nothing leaves the process.

mod adapters;
mod exchange;
mod tox;
mod world;

pub use adapters::{FixedBoxKey, FixedClock, FixedSigner, SeededRng};
pub use exchange::{Exchange, exchange};
pub use tox::{ToxClient, tox_id};
pub use world::{World, default_settings};
