//! The only crate that names cryptographic primitives.
//!
//! Callers hand in keys and bytes as types and get a `Result` or a value back. There is no I/O and
//! no async here, and no random source: whoever needs randomness draws it first and passes it in,
//! so that every function gives the same answer for the same input. The salt of an Arweave signature is
//! the exception: the library that signs draws it.
//!
//! Secret material is kept in [`secret::Secret`] or in a key type that behaves alike: it cannot be
//! printed, cloned or serialised, and it is wiped when dropped. Everything that compares a secret
//! does so in constant time.

pub mod arweave_key;
pub mod base58;
pub mod boxed;
pub mod digest;
pub mod ed25519;
mod key_text;
pub mod password;
pub mod secp256k1;
pub mod secret;
pub mod token;

pub use key_text::KeyError;
