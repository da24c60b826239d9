//! Proofs, which the engine calls claims.

pub(crate) mod exists;
pub(crate) mod find;
pub(crate) mod payload;
pub(crate) mod restore;
pub(crate) mod submit;
