//! Bytes a client has signed to see that it talks to the right server (the API document, "Signing
//! API for verification"; toxme wire specification, section 3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::names::{NameError, Names};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::sealed::decode;

/// Bytes of memorabilia that are signed.
const MEMORABILIA_BYTES: usize = 64;

/// The value of `signed_memorabilia`: base64 of the signature (64 bytes) and the bytes signed (64).
#[derive(Serialize)]
pub(crate) struct Signed(String);

/// Signs the request's memorabilia. `None` when there are none: anything but a base64 string of
/// exactly 64 bytes counts as absent.
///
/// # Errors
/// `Internal` when the key cannot be reached.
pub(crate) fn sign(
    names: &Names<'_>,
    fields: &Map<String, Value>,
) -> Result<Option<Signed>, NameError> {
    find(fields)
        .map(|bytes| Ok(Signed(STANDARD.encode(names.countersign(&bytes)?))))
        .transpose()
}

/// The bytes to sign.
pub(crate) fn find(fields: &Map<String, Value>) -> Option<[u8; MEMORABILIA_BYTES]> {
    let text = fields.get("memorabilia").and_then(Value::as_str)?;
    decode(text)?.try_into().ok()
}
