//! The parsers that are this crate's own, as plain functions of bytes: each parses, and panics if
//! what it accepted breaks a promise. For the fuzz targets, and of no use to anybody else.

/// Reads an answer: lines of headers, an empty line, then the body, which comes in parts of so many
/// bytes. True when it is taken.
///
/// # Panics
/// When a body is longer than its bound, or depends on where it was cut.
#[must_use]
pub fn answer(bytes: &[u8], part: usize) -> bool {
    crate::fetch::answer::parsers::answer(bytes, part)
}

/// Follows a redirect from strange and from own upstreams, and looks for a URL that an answer names;
/// true when one of them leads somewhere.
///
/// # Panics
/// When it leads to an address, to plain text, or out of the upstreams.
#[must_use]
pub fn location(text: &str) -> bool {
    crate::fetch::target::parsers::location(text)
}

/// Reads the URL of an upstream, and fills its place; true when it is taken.
///
/// # Panics
/// When an account changes who is asked.
#[must_use]
pub fn upstream_url(text: &str, identity: &str) -> bool {
    crate::fetch::upstream_url::parsers::upstream_url(text, identity)
}

/// Reads an answer of a gateway to Arweave, or of a bundler, as each of the questions put to them does;
/// how many of the questions it answers.
///
/// # Panics
/// When what is taken of it could not be signed, shown or told.
#[must_use]
pub fn archive_answer(status: u16, body: &[u8]) -> usize {
    crate::archive::parsers::archive_answer(status, body)
}
