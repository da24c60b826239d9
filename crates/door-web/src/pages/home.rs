//! The first page.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::State;
use crate::layout::{Frame, render};
use crate::visit::Visit;
use crate::words::audit_command;

#[derive(Default, Deserialize)]
pub(crate) struct Parameters {
    /// What was done just before: `deleted`.
    #[serde(default)]
    done: String,
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    frame: Frame,
    was_deleted: bool,
    audit_command: String,
}

/// `GET /`
///
/// Toxme wire specification, section 9. The same path takes the API's requests by POST.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    visit: Visit,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let Parameters { done } = query.map(|Query(it)| it).unwrap_or_default();
    let page = HomePage {
        frame: Frame::new(&state, "Find people by name").without_search(),
        was_deleted: done == "deleted",
        audit_command: audit_command(visit.origin.as_deref()),
    };
    render(StatusCode::OK, &page)
}

/// `GET /u`, `/u/`
///
/// Toxme wire specification, section 9: the original's look-up page.
pub(crate) async fn moved(_: Visit) -> Response {
    Redirect::permanent("/").into_response()
}
