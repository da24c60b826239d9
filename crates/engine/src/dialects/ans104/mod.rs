//! Archived links: signed data items in bundles, as Arweave's bundlers take them (ANS-104 1.1), and the
//! document of a link inside (ProofService spec, section 7).
//!
//! ```text
//! item    signature type (u16) ‖ signature ‖ owner ‖ target ‖ anchor ‖ tag count (u64)
//!         ‖ length of the tags (u64) ‖ tags (Avro) ‖ data
//! target  00, or 01 ‖ 32 bytes; anchor likewise
//! bundle  item count (u256) ‖ for each item its length (u256) ‖ id (32 bytes) ‖ the items
//! ```
//!
//! Numbers are little-endian. An item's id is the SHA-256 of its signature.

mod bundle;
mod deep_hash;
mod document;
mod item;
mod signer;
mod tags;

pub use bundle::{BundleFault, bundle_tags, read_bundle, write_bundle};
pub use deep_hash::{Deep, deep_hash};
pub use document::{LinkDocument, Previous, link_tags};
pub use item::{Item, ItemFault, ItemId, SignedItem};
pub use signer::{ItemSigner, SignatureKind, SigningFailed};
pub use tags::{Tag, TagFault, read_tags, write_tags};
