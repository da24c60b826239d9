//! Answers: media types and how long a cache may keep them.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What will never change: a full tile, a proof between given sizes.
pub(crate) const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// A partial tile: its bytes never change, but it is of no use once the log has grown.
pub(crate) const SHORT: &str = "public, max-age=60";
/// The newest checkpoint: stale for a second at most.
pub(crate) const NEWEST: &str = "public, max-age=1";
/// The log's key: fixed, unless an operator starts another log under the same address.
pub(crate) const FIXED: &str = "public, max-age=300";
/// An answer about the newest head.
pub(crate) const REVALIDATE: &str = "no-cache";
/// An answer about a name or an avatar: not for a shared cache to keep.
pub(crate) const PERSONAL: &str = "no-store";

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// Text.
pub(crate) fn text(cache: &'static str, body: impl IntoResponse) -> Response {
    ([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, cache)], body).into_response()
}

/// Bytes.
pub(crate) fn bytes(cache: &'static str, body: impl IntoResponse) -> Response {
    ([(CONTENT_TYPE, BYTES), (CACHE_CONTROL, cache)], body).into_response()
}

/// JSON.
pub(crate) fn json(cache: &'static str, body: impl Serialize) -> Response {
    ([(CACHE_CONTROL, cache)], axum::Json(body)).into_response()
}
