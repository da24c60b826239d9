//! Chains: what avatars signed, in order.

pub(crate) mod changes;
pub(crate) mod read;
