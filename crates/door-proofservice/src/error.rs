//! Refusals, and the status and words of each (ProofService specification, sections 2, 3 and 5). No
//! status of a refusal stands anywhere else.
//!
//! No known client parses the words; they are shown to people. What a handler refuses before it asks
//! the engine has its words there, beside the order of the checks.

use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::claims::ClaimError;
use engine::error::Internal;
use httpkit::fault::Fault;
use httpkit::limits::BodyProblem;

use crate::body::BodyFault;
use crate::query::ParamFault;
use crate::wire::{Refused, json};

/// Why a request gets no other answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The body could not be read.
    Body(BodyProblem),
    /// The request makes no sense; says why.
    Bad(String),
    /// There is nothing of the kind.
    NotFound(String),
    /// The engine refused.
    Claim(ClaimError),
}

impl Refusal {
    /// The request makes no sense.
    pub(crate) fn bad(said: impl Into<String>) -> Self {
        Self::Bad(said.into())
    }

    /// A parameter that is needed is not there.
    pub(crate) fn missing() -> Self {
        Self::bad("Param missing")
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Body(BodyProblem::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyProblem::TooSlow) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(BodyProblem::Broken) | Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Claim(error) => status(error),
        }
    }

    /// What is wrong, for people.
    fn message(&self) -> String {
        match self {
            Self::Body(problem) => problem.to_string(),
            Self::Bad(said) | Self::NotFound(said) => said.clone(),
            Self::Claim(error) => message(error),
        }
    }
}

impl From<ClaimError> for Refusal {
    fn from(error: ClaimError) -> Self {
        Self::Claim(error)
    }
}

impl From<BodyFault> for Refusal {
    fn from(BodyFault(said): BodyFault) -> Self {
        Self::Bad(format!("when parsing body: {said}"))
    }
}

impl From<ParamFault> for Refusal {
    fn from(ParamFault: ParamFault) -> Self {
        Self::bad("Param error")
    }
}

impl IntoResponse for Refusal {
    /// Our own failures are attached for the log, and not shown.
    fn into_response(self) -> Response {
        let message = self.message();
        let refused = Refused { message: &message };
        let mut response = json(self.status(), &refused);
        if let Self::Claim(ClaimError::Limited(limited)) = &self {
            let wait = seconds(limited.retry_after);
            response.headers_mut().insert(RETRY_AFTER, wait);
        }
        match self {
            Self::Claim(ClaimError::Internal(internal)) => Fault::new(internal).attach(response),
            Self::Body(_) | Self::Bad(_) | Self::NotFound(_) | Self::Claim(_) => response,
        }
    }
}

/// Everything that is the client's to mend is 400, as in the reference server.
fn status(error: &ClaimError) -> StatusCode {
    match error {
        ClaimError::UnknownService(_)
        | ClaimError::Malformed(_)
        | ClaimError::Stale { .. }
        | ClaimError::SignedOver(_)
        | ClaimError::BadSignature
        | ClaimError::UuidUsed(_)
        | ClaimError::NotBound
        | ClaimError::Refused(_)
        | ClaimError::TooMany(_)
        | ClaimError::AlreadyBound
        | ClaimError::Unrestored(_) => StatusCode::BAD_REQUEST,
        ClaimError::Limited(_) => StatusCode::TOO_MANY_REQUESTS,
        ClaimError::Loading => StatusCode::SERVICE_UNAVAILABLE,
        ClaimError::Internal(internal) if internal.is_unavailable() => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        ClaimError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn message(error: &ClaimError) -> String {
    match error {
        ClaimError::UnknownService(_)
        | ClaimError::Malformed(_)
        | ClaimError::Stale { .. }
        | ClaimError::SignedOver(_)
        | ClaimError::BadSignature
        | ClaimError::UuidUsed(_)
        | ClaimError::NotBound
        | ClaimError::Refused(_)
        | ClaimError::TooMany(_)
        | ClaimError::AlreadyBound
        | ClaimError::Unrestored(_) => error.to_string(),
        ClaimError::Limited(_) => {
            "too many requests of this kind from your address: try again later".to_owned()
        }
        ClaimError::Loading => "search is not ready yet: try again in a minute".to_owned(),
        ClaimError::Internal(internal) => ours(internal).to_owned(),
    }
}

fn ours(internal: &Internal) -> &'static str {
    if internal.is_unavailable() {
        "the directory cannot be reached at the moment: try again in a minute"
    } else {
        "internal error: the server's operator finds it in the log"
    }
}

/// Whole seconds, rounded up, so that who waits that long has waited long enough.
fn seconds(wait: Duration) -> HeaderValue {
    let rest = u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(wait.as_secs().saturating_add(rest))
}
