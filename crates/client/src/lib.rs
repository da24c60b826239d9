//! What a user of a directory needs on their own side: to talk to it, and not to have to trust it.
//!
//! - [`toxme`]: the toxme API, with [`profile`]s that seal requests
//! - [`bundle`]: checks the proof that comes with a look-up of a name or an avatar, offline
//! - [`remembered`]: keeps the newest checkpoint seen, so that the log cannot be rolled back or forked
//! - [`audit`]: reads a whole log and recomputes every root it ever signed
//! - [`proofs`]: the ProofService API, with [`avatar`] keys that sign links
//! - [`signature_text`]: the forms in which such signatures are handed in
//! - [`chain`]: checks what an avatar signed, all of it, offline and against the log
//! - [`tlog`]: reads a log over HTTP; [`audit`] takes any other source too
//!
//! docs/LOG-FORMAT.md has the bytes. Nothing here draws randomness or asks a clock: nonces and times
//! are the caller's, so that the same call gives the same bytes.

pub mod audit;
pub mod avatar;
pub mod bundle;
pub mod chain;
pub mod checkpoint;
pub mod claim;
pub mod http;
pub mod link;
pub mod name;
pub mod parsers;
pub mod profile;
pub mod proofs;
pub mod remembered;
pub mod signature_text;
pub mod tlog;
pub mod tox_id;
pub mod toxme;
