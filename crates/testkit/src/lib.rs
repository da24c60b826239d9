//! A whole world for tests: an engine over a store, a clock that moves by hand, seeded randomness,
//! and exchanges as text. The store is in memory unless `STORE_URL` names another; nothing sleeps,
//! and but for such a store nothing leaves the process.

mod adapters;
mod audit;
mod avatars;
mod exchange;
mod faulty;
mod fleet;
mod hooked;
mod place;
mod remote;
mod stores;
mod tox;
mod world;

pub use adapters::{FixedBoxKey, FixedClock, FixedSigner, SeededRng};
pub use audit::{Audit, audit, check_bundle, read_checkpoint};
pub use avatars::{AvatarClient, FakeService, Nowhere};
pub use exchange::{Exchange, exchange};
pub use faulty::{Faults, Mode, faulty};
pub use fleet::Fleet;
pub use hooked::{Call, Hooked, Step};
pub use place::{empty_shared_store, empty_store, is_in_memory};
pub use remote::FakeNames;
pub use store::memory::MemoryStore;
pub use stores::{Swap, copy_of, lagging, memory, shared_memory, swappable};
pub use tox::{ToxClient, tox_id};
pub use world::{World, default_settings};
