//! The first page.

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use crate::State;
use crate::done::Done;
use crate::layout::{Frame, render};
use crate::visit::Visit;
use crate::words::{audit_command, prove_command};

/// The service of the example, where its claims are checked.
const EXAMPLE: &str = "github";

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    frame: Frame,
    was_deleted: bool,
    audit_command: String,
    /// How to prove an account; `None` where no claim is checked.
    proving: Option<Proving>,
}

/// How to prove that an account elsewhere is one's own.
struct Proving {
    command: String,
    /// The services whose claims are checked now, as commands and searches call them.
    services: Vec<String>,
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
        proving: Proving::here(&state, visit.origin.as_deref()),
    };
    let response = render(StatusCode::OK, &page);
    if was_deleted {
        Done::told(visit.https, response)
    } else {
        response
    }
}

impl Proving {
    fn here(state: &State, origin: Option<&str>) -> Option<Self> {
        let claims = state.engine.claims();
        let mut services = claims.services();
        services.sort_unstable();
        let is_known = |service: &&&str| **service == EXAMPLE;
        let example = services.iter().find(is_known).or(services.first())?;
        Some(Self {
            command: prove_command(example, origin),
            services: services.iter().map(|&service| service.to_owned()).collect(),
        })
    }
}

/// `GET /u`, `/u/`
///
/// Toxme wire specification, section 9: the original's look-up page.
pub(crate) async fn moved(_: Visit) -> Response {
    Redirect::permanent("/").into_response()
}
