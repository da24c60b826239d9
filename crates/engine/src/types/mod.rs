//! Value types of the domain: parsed once at the edge, valid from then on.

mod time;

pub use time::UnixMillis;
