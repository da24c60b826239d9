//! Adapters of the engine's ports that reach the machine and the world: its clock and random
//! generator, the key directory, the highest checkpoint remembered outside the store, and requests to
//! other servers.

pub mod archive;
pub mod dns;
pub mod fetch;
mod files;
pub mod parsers;
pub mod remembered;
pub mod remote_names;
pub mod resolve;
pub mod signer_file;
mod special_ranges;
pub mod system;
