//! Adapters of the engine's ports that reach the machine: its clock and random generator, the key
//! directory, and the highest checkpoint remembered outside the store.

mod files;
pub mod remembered;
pub mod signer_file;
pub mod system;
