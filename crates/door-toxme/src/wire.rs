//! Replies, in the field order and the bytes that clients in the field rely on (toxme wire
//! specification, section 1): some of them search the text instead of parsing it.
//!
//! - `c` comes first.
//! - No field whose name ends in `password` or `key` comes before that field.
//! - `": "` and `", "` separate, and everything outside ASCII is escaped.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::error::Refusal;
use crate::memorabilia::Signed;

/// Any reply to an action.
#[derive(Serialize)]
pub(crate) struct Reply<T> {
    pub(crate) c: i8,
    #[serde(flatten)]
    pub(crate) fields: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signed_memorabilia: Option<Signed>,
}

/// What else a refusal says.
#[derive(Serialize)]
pub(crate) struct Refused {
    pub(crate) detail: &'static str,
}

/// A push was accepted.
#[derive(Serialize)]
pub(crate) struct Pushed {
    /// Of a new record, or of one that this push has proven; null for any other update, which keeps
    /// the one it has.
    pub(crate) password: Option<String>,
}

/// The edit password was reset.
#[derive(Serialize)]
pub(crate) struct Reset {
    /// The new one.
    pub(crate) password: String,
}

/// A delete was accepted.
#[derive(Serialize)]
pub(crate) struct Deleted {}

/// The record of a name.
#[derive(Serialize)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) regdomain: String,
    /// 76 upper-case hex digits.
    pub(crate) tox_id: String,
    pub(crate) url: String,
    pub(crate) verify: Verify,
    /// 1: this server's own; 2 would be another domain's.
    pub(crate) source: u8,
    pub(crate) version: &'static str,
}

/// Whether the record can be trusted.
#[derive(Serialize)]
pub(crate) struct Verify {
    /// 1: good; 3: undecided, as nobody proved to hold the key.
    pub(crate) status: u8,
    pub(crate) detail: &'static str,
}

/// How the server is doing.
#[derive(Serialize)]
pub(crate) struct Status {
    /// Uptime in seconds.
    pub(crate) ut: u64,
    /// Look-ups served, blurred.
    pub(crate) rs: u64,
    /// Names, blurred.
    pub(crate) uc: u64,
}

/// The name of a key.
#[derive(Serialize)]
pub(crate) struct Named {
    pub(crate) name: String,
}

/// One page of matches.
#[derive(Serialize)]
pub(crate) struct Matches {
    pub(crate) users: Vec<Match>,
}

/// One match.
#[derive(Serialize)]
pub(crate) struct Match {
    /// Without the domain.
    pub(crate) name: String,
    pub(crate) bio: String,
}

/// The server's public keys, each 64 upper-case hex digits.
#[derive(Serialize)]
pub(crate) struct Keys {
    /// X25519: requests are sealed to it.
    pub(crate) key: String,
    /// Ed25519: memorabilia are signed with it.
    pub(crate) sign_key: String,
}

/// Renders what an action came to.
pub(crate) fn answer<T: Serialize>(
    result: Result<T, Refusal>,
    signed_memorabilia: Option<Signed>,
) -> Response {
    match result {
        Ok(fields) => json(
            StatusCode::OK,
            &Reply {
                c: 0,
                fields,
                signed_memorabilia,
            },
        ),
        Err(refusal) => refusal.answer(signed_memorabilia),
    }
}

/// A reply with its content type, letter for letter that of the original server.
pub(crate) fn json(status: StatusCode, reply: &impl Serialize) -> Response {
    let kind = HeaderValue::from_static("application/json; charset=UTF-8");
    let body = httpkit::json::pythonic(reply);
    (status, [(CONTENT_TYPE, kind)], body).into_response()
}
