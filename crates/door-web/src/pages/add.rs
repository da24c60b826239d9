//! The form that adds a name.

use askama::Template;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::response::Response;
use engine::names::AddForm;
use engine::types::Name;
use httpkit::csrf::Token;
use httpkit::log::Change;
use httpkit::page::NEVER_STORED;

use super::problem::{Problem, is_mendable};
use crate::State;
use crate::error::Refusal;
use crate::layout::{Frame, render};
use crate::posted::Posted;
use crate::visit::{FormToken, Visit};
use crate::words::{escaped, verify_command};

#[derive(Template)]
#[template(path = "add.html")]
struct AddPage<'a> {
    frame: Frame,
    token: &'a str,
    problem: Option<Problem>,
    name: &'a str,
    tox_id: &'a str,
    bio: &'a str,
    is_private: bool,
    is_unlisted: bool,
}

impl AddPage<'_> {
    /// Whether the problem is about this field.
    fn is_wrong(&self, field: &str) -> bool {
        self.problem
            .as_ref()
            .is_some_and(|problem| problem.field == field)
    }
}

#[derive(Template)]
#[template(path = "added.html")]
struct AddedPage<'a> {
    frame: Frame,
    name: &'a str,
    escaped: String,
    password: &'a str,
    command: String,
}

/// `GET /add_ui`
///
/// Toxme wire specification, section 9; private by default.
pub(crate) async fn show(
    Shared(state): Shared<State>,
    _: Visit,
    FormToken(token): FormToken,
) -> Response {
    let page = AddPage {
        frame: frame(&state),
        token: token.as_str(),
        problem: None,
        name: "",
        tox_id: "",
        bio: "",
        is_private: true,
        is_unlisted: false,
    };
    with_token(render(StatusCode::OK, &page), &token)
}

/// `POST /add_ui`
///
/// Toxme wire specification, section 9: 200 with the password, or 400 and the form again.
pub(crate) async fn submit(Shared(state): Shared<State>, posted: Posted) -> Response {
    Change::mark(match add(&state, &posted).await {
        Ok(response) => response,
        Err(refusal) if is_mendable(&refusal) => again(&state, &posted, refusal),
        Err(refusal) => refusal.page(&state, &posted.visit.id),
    })
}

async fn add(state: &State, posted: &Posted) -> Result<Response, Refusal> {
    let form = AddForm {
        name: posted.text("name").trim(),
        tox_id: posted.text("tox_id"),
        bio: posted.text("bio"),
        visibility: posted.visibility()?,
    };
    let added = state.engine.names().add(&posted.visit.caller, form).await;
    let added = added.map_err(|error| Refusal::of_form(error, form.tox_id, form.bio))?;
    // The engine has taken it for a name, so this only says how it is written.
    let name = Name::parse(form.name).map_err(|_| Refusal::NotFound)?;
    let password = added
        .password
        .as_ref()
        .map(|password| password.expose().as_str());
    let page = AddedPage {
        frame: Frame::new(state, "Your name is registered").unindexed(),
        name: name.as_str(),
        escaped: escaped(name.as_str()),
        password: password.unwrap_or_default(),
        command: verify_command(name.as_str(), posted.visit.origin.as_deref()),
    };
    let mut response = render(StatusCode::OK, &page);
    response.headers_mut().insert(CACHE_CONTROL, NEVER_STORED);
    Ok(response)
}

/// The form again, as it was filled in, with what is wrong at its top.
fn again(state: &State, posted: &Posted, refusal: Refusal) -> Response {
    let page = AddPage {
        frame: frame(state),
        token: posted.token.as_str(),
        problem: Some(Problem::of(&refusal)),
        name: posted.text("name"),
        tox_id: posted.text("tox_id"),
        bio: posted.text("bio"),
        is_private: !posted.text("privacy").is_empty(),
        is_unlisted: !posted.text("unlisted").is_empty(),
    };
    let response = render(refusal.status(), &page);
    refusal.finish(response)
}

fn frame(state: &State) -> Frame {
    Frame::new(state, "Add yourself").unindexed().at("add")
}

/// A page with a form: kept nowhere, and with the cookie of its token.
pub(super) fn with_token(mut response: Response, token: &Token) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, NEVER_STORED);
    if let Some(cookie) = token.cookie() {
        headers.insert(SET_COOKIE, cookie.clone());
    }
    response
}
