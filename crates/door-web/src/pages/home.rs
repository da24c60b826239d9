//! The first page.

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use crate::State;
use crate::done::Done;
use crate::layout::{Frame, render};
use crate::visit::Visit;
use crate::words::audit_command;

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
pub(crate) async fn handle(Shared(state): Shared<State>, visit: Visit) -> Response {
    let was_deleted = visit.done == Some(Done::Deleted);
    let page = HomePage {
        frame: Frame::new(&state, "Find people by name").without_search(),
        was_deleted,
        audit_command: audit_command(visit.origin.as_deref()),
    };
    let response = render(StatusCode::OK, &page);
    if was_deleted {
        Done::told(visit.https, response)
    } else {
        response
    }
}

/// `GET /u`, `/u/`
///
/// Toxme wire specification, section 9: the original's look-up page.
pub(crate) async fn moved(_: Visit) -> Response {
    Redirect::permanent("/").into_response()
}
