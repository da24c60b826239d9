//! The parsers that are this crate's own, as plain functions of bytes: each parses, and panics if
//! what it accepted breaks a promise. For the fuzz targets, and of no use to anybody else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use httpkit::limits::{JSON_DEPTH_MAX, json_depth_ok};

use crate::api::Request;
use crate::memorabilia;
use crate::sealed::{Envelope, decode};

/// What a request came to, as far as it can be told without the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// Whether its sealed part can be read.
    pub sealed: bool,
    /// Whether its memorabilia would be signed.
    pub memorabilia: bool,
}

/// Reads the body of a request to the toxme API; `None` when it would be refused unread.
///
/// # Panics
/// When a body is accepted that is nested too deeply, or a sealed part of no length.
#[must_use]
pub fn request(body: &[u8]) -> Option<Read> {
    let request = Request::parse(body).ok()?;
    assert!(json_depth_ok(body, JSON_DEPTH_MAX));
    let sealed = Envelope::read(request.fields()).sealed();
    if let Some(sealed) = &sealed {
        assert!(sealed.ciphertext.len() <= body.len());
    }
    Some(Read {
        sealed: sealed.is_some(),
        memorabilia: memorabilia::find(request.fields()).is_some(),
    })
}

/// Reads a base64 field.
///
/// # Panics
/// When what it accepts is not the one spelling of the bytes, white space aside.
#[must_use]
pub fn base64_field(text: &str) -> Option<Vec<u8>> {
    let bytes = decode(text)?;
    let solid: String = text.split_ascii_whitespace().collect();
    assert_eq!(STANDARD.encode(&bytes), solid);
    Some(bytes)
}
