//! Refusals, as JSON where the answer would have been JSON, else as text.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use engine::error::Internal;
use engine::log::LogError;
use httpkit::fault::Fault;
use serde::Serialize;

use crate::answer::REVALIDATE;

/// Why a request was not served.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The parameters make no sense, whatever the log holds.
    BadRequest(String),
    /// The newest checkpoint does not cover it.
    NotFound(&'static str),
    /// Our own failure.
    Internal(Internal),
}

/// A refusal that is rendered as text: where tiles and checkpoints are served.
#[derive(Debug)]
pub(crate) struct InText(Refusal);

#[derive(Serialize)]
struct Body {
    error: &'static str,
    detail: String,
}

impl Refusal {
    /// Status, error word and what to say of it.
    fn parts(self) -> (StatusCode, Body, Option<Fault>) {
        let (status, error, detail, fault) = match self {
            Self::BadRequest(detail) => (StatusCode::BAD_REQUEST, "bad_request", detail, None),
            Self::NotFound(what) => (StatusCode::NOT_FOUND, "not_found", what.into(), None),
            Self::Internal(internal) if internal.is_unavailable() => {
                let detail = "the directory's store does not answer; try again later".into();
                let status = StatusCode::SERVICE_UNAVAILABLE;
                (status, "unavailable", detail, Some(Fault::new(internal)))
            }
            Self::Internal(internal) => {
                let detail = "the server failed; its operator's log says more".into();
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                (status, "internal", detail, Some(Fault::new(internal)))
            }
        };
        (status, Body { error, detail }, fault)
    }
}

impl From<LogError> for Refusal {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Absent => Self::NotFound("the newest checkpoint does not cover this"),
            LogError::NoProof(why) => Self::BadRequest(why.to_string()),
            LogError::Internal(internal) => Self::Internal(internal),
        }
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Self::BadRequest(rejection.body_text())
    }
}

impl From<PathRejection> for Refusal {
    fn from(rejection: PathRejection) -> Self {
        Self::BadRequest(rejection.body_text())
    }
}

impl<E: Into<Refusal>> From<E> for InText {
    fn from(refusal: E) -> Self {
        Self(refusal.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, body, fault) = self.parts();
        let headers = [(CACHE_CONTROL, REVALIDATE)];
        attach(fault, (status, headers, axum::Json(body)).into_response())
    }
}

impl IntoResponse for InText {
    fn into_response(self) -> Response {
        let (status, body, fault) = self.0.parts();
        let headers = [(CACHE_CONTROL, REVALIDATE)];
        let text = format!("{}\n", body.detail);
        attach(fault, (status, headers, text).into_response())
    }
}

fn attach(fault: Option<Fault>, response: Response) -> Response {
    match fault {
        Some(fault) => fault.attach(response),
        None => response,
    }
}
