//! The rules of the directory.

pub mod ports;
pub mod types;
