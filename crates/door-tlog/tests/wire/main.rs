//! The door as clients see it: exchanges as text, checked against this project's own verifiers and
//! against independent ones.

mod exchanges;
mod independent;
mod replay;
mod story;
