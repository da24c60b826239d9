//! A whole world for tests: an engine over a store, a clock that moves by hand, seeded randomness,
//! and exchanges as text. The store is in memory unless `STORE_URL` names another; nothing sleeps,
//! and but for such a store nothing leaves the process.

mod adapters;
mod audit;
mod avatars;
mod exchange;
mod fleet;
mod place;
mod remote;
mod stores;
mod tox;
mod world;

pub use adapters::{FixedBoxKey, FixedClock, FixedSigner, SeededRng};
pub use audit::{Audit, audit, check_bundle, read_checkpoint};
pub use avatars::{AvatarClient, FakeService, Nowhere};
pub use exchange::{Exchange, exchange};
pub use fleet::Fleet;
pub use place::{empty_shared_store, empty_store, is_in_memory};
pub use remote::FakeNames;
pub use store::faulty::{Faults, Faulty, Mode};
pub use store::memory::MemoryStore;
pub use stores::{LaggingStore, SwapStore, copy_of, memory, shared_memory};
pub use tox::{ToxClient, tox_id};
pub use world::{World, default_settings};
