//! Refusals, and the code, status and words of each (the API document, "Return values"; toxme wire
//! specification, section 8). No code stands anywhere else.

use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use engine::names::NameError;
use httpkit::fault::Fault;

use crate::memorabilia::Signed;
use crate::wire::{Refused, Reply, json};

/// Why a request gets no other answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Not a method of this path.
    Method,
    /// Others could have read the request.
    Insecure,
    /// The request cannot be read; says why.
    Payload(&'static str),
    /// The engine refused.
    Name(NameError),
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}

impl Refusal {
    /// Renders the refusal. Our own failures are attached for the log, and not shown.
    pub(crate) fn answer(self, signed_memorabilia: Option<Signed>) -> Response {
        let status = self.status();
        let reply = Reply {
            c: self.code(),
            fields: Refused {
                detail: self.detail(),
            },
            signed_memorabilia,
        };
        let mut response = json(status, &reply);
        if let Self::Name(NameError::Limited(limited)) = &self {
            let wait = seconds(limited.retry_after);
            response.headers_mut().insert(RETRY_AFTER, wait);
        }
        match self {
            Self::Name(NameError::Internal(internal)) => Fault::new(internal).attach(response),
            Self::Method | Self::Insecure | Self::Payload(_) | Self::Name(_) => response,
        }
    }

    fn code(&self) -> i8 {
        match self {
            Self::Method => -1,     // ERROR_METHOD_UNSUPPORTED
            Self::Insecure => -2,   // ERROR_NOTSECURE
            Self::Payload(_) => -3, // ERROR_BAD_PAYLOAD
            Self::Name(error) => code(error),
        }
    }

    /// 200 is for `c` 0 alone; the original answers 400 to everything else.
    fn status(&self) -> StatusCode {
        match self {
            Self::Name(NameError::Loading) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Name(NameError::Internal(internal)) if internal.is_unavailable() => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Name(NameError::Internal(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Method | Self::Insecure | Self::Payload(_) | Self::Name(_) => {
                StatusCode::BAD_REQUEST
            }
        }
    }

    /// What is wrong and what to do, for people. Repeats nothing of the request.
    fn detail(&self) -> &'static str {
        match self {
            Self::Method => "send a POST request with a JSON object to /api",
            Self::Insecure => "this server answers over HTTPS only: use an https address",
            Self::Payload(what) => what,
            Self::Name(error) => detail(error),
        }
    }
}

fn code(error: &NameError) -> i8 {
    match error {
        NameError::Malformed(_) => -3,                 // ERROR_BAD_PAYLOAD
        NameError::Limited(_) => -4,                   // ERROR_RATE_LIMIT
        NameError::Taken => -25,                       // ERROR_NAME_TAKEN
        NameError::KeyBoundElsewhere => -26,           // ERROR_DUPE_ID
        NameError::Character | NameError::Page => -27, // ERROR_INVALID_CHAR
        NameError::WrongPassword => -28,               // original server, edit form
        NameError::Invalid => -29,                     // ERROR_INVALID_NAME
        NameError::UnknownKey => -30,                  // ERROR_UNKNOWN_NAME
        NameError::InvalidId => -31,                   // ERROR_INVALID_ID
        NameError::Elsewhere => -41,                   // ERROR_LOOKUP_FAILED
        NameError::Unknown => -42,                     // ERROR_NO_USER
        NameError::Loading | NameError::Internal(_) => -43, // ERROR_LOOKUP_INTERNAL
    }
}

fn detail(error: &NameError) -> &'static str {
    match error {
        NameError::Malformed(what) => what,
        NameError::Limited(_) => "too many changes from your address: try again later",
        NameError::Taken => {
            "this name is in use, or was given up lately: choose another, or use the key that \
             registered it"
        }
        NameError::KeyBoundElsewhere => {
            "this Tox ID is registered under another name: delete that name first"
        }
        NameError::Character => {
            "the name has a character that is not allowed: no white space, no invisible \
             characters, no quotation marks, and none of @ / : ; ( )"
        }
        NameError::Page => "page must be a whole number from 0 on",
        NameError::WrongPassword => "wrong password, or no such name",
        NameError::Invalid => "the name must have 1 to 63 characters and must not be reserved",
        NameError::UnknownKey => "no name is known for this key, or its owner does not tell it",
        NameError::InvalidId => {
            "id must be the public key of a Tox ID: its first 64 hexadecimal digits"
        }
        NameError::Elsewhere => {
            "this server knows names of its own domain only: ask the server of that domain"
        }
        NameError::Unknown => "no such name here",
        NameError::Loading => "search is not ready yet: try again in a minute",
        NameError::Internal(internal) if internal.is_unavailable() => {
            "the directory cannot be reached at the moment: try again in a minute"
        }
        NameError::Internal(_) => "internal error: the server's operator finds it in the log",
    }
}

/// Whole seconds, rounded up, so that who waits that long has waited long enough.
fn seconds(wait: Duration) -> HeaderValue {
    let rest = u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(wait.as_secs().saturating_add(rest))
}
