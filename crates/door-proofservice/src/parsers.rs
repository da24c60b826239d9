//! The parsers of what strangers send, for fuzzing: functions that must not panic on any bytes.

use crate::body::{Members, Shape};
use crate::query::Query;

static EXTRA: Shape = Shape {
    texts: &["signature", "wallet_signature"],
    objects: &[],
};
static ANY: Shape = Shape {
    texts: &["action", "public_key"],
    objects: &[("extra", &EXTRA)],
};

/// Reads a body; whether it could be read.
#[must_use]
pub fn body(bytes: &[u8]) -> bool {
    Members::read(bytes, &ANY).is_ok()
}

/// Reads the parameters of an address, as number, truth value and text.
#[must_use]
pub fn query(text: &str) -> bool {
    let query = Query::parse(Some(text));
    query.integer("page").is_ok()
        && query.truth("exact").is_ok()
        && query.first("identity").is_some()
}
