//! Pure parsers of sealed or signed payloads into what they mean. The only place in the engine that
//! knows field names of a protocol: what a key has sealed or signed is domain data.

pub mod ans104;
pub mod nextid;
pub(crate) mod toxme;
