//! The crate against vectors, plain recursive models, and other people's implementations.

#[cfg(test)]
mod log_model;
#[cfg(test)]
mod log_proofs;
#[cfg(test)]
mod log_tiles;
#[cfg(test)]
mod map_changes;
#[cfg(test)]
mod map_model;
#[cfg(test)]
mod map_proofs;
#[cfg(test)]
mod notes;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod rfc6962;
