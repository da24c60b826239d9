//! The form that changes or removes a record by its password.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use engine::names::{Edit, NameError, Profile};
use engine::types::{Name, Visibility};
use httpkit::csrf::Token;
use httpkit::log::Change;
use serde::Deserialize;

use super::add::with_token;
use super::problem::{Problem, is_mendable};
use crate::State;
use crate::done::Done;
use crate::error::Refusal;
use crate::layout::{Frame, render};
use crate::posted::Posted;
use crate::visit::{FormToken, Visit};
use crate::words::{escaped, lasting, without_home};

#[derive(Deserialize)]
pub(crate) struct Parameters {
    /// Whose record; asked for first.
    #[serde(default)]
    name: String,
}

#[derive(Template)]
#[template(path = "edit.html")]
struct EditPage<'a> {
    frame: Frame,
    token: &'a str,
    problem: Option<Problem>,
    /// Empty while the page still asks for it.
    name: &'a str,
    tox_id: &'a str,
    bio: &'a str,
    is_private: bool,
    is_unlisted: bool,
    /// Whether the record is known, so that there is something to change.
    is_found: bool,
    /// What becomes of a deleted name.
    kept: String,
}

impl EditPage<'_> {
    /// Whether the problem is about this field.
    fn is_wrong(&self, field: &str) -> bool {
        self.problem
            .as_ref()
            .is_some_and(|problem| problem.field == field)
    }
}

/// What the form is filled in with.
struct Filled<'a> {
    name: &'a str,
    tox_id: &'a str,
    bio: &'a str,
    visibility: Visibility,
}

/// `GET /edit_ui`
///
/// Toxme wire specification, section 9; with a name the form shows the record's state, without one it
/// asks for the name first.
pub(crate) async fn show(
    Shared(state): Shared<State>,
    visit: Visit,
    FormToken(token): FormToken,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let result = match query {
        Ok(Query(Parameters { name })) => open(&state, &token, name.trim()).await,
        Err(_) => Err(Refusal::Query),
    };
    visit.answer(&state, result)
}

/// `POST /edit_ui`
///
/// Toxme wire specification, section 9: back to the record, or 400 and the form again.
pub(crate) async fn submit(Shared(state): Shared<State>, posted: Posted) -> Response {
    Change::mark(match perform(&state, &posted).await {
        Ok(response) => response,
        Err(refusal) if is_mendable(&refusal) => again(&state, &posted, refusal),
        Err(refusal) => refusal.page(&state, &posted.visit.id),
    })
}

async fn open(state: &State, token: &Token, name: &str) -> Result<Response, Refusal> {
    let page = |problem, filled: Option<Filled<'_>>| page(state, token, problem, filled);
    if name.is_empty() {
        return Ok(page(None, None));
    }
    match find(state, name).await {
        Ok(profile) => {
            let tox_id = profile.tox_id.to_string();
            let filled = Filled {
                name: profile.name.as_str(),
                tox_id: &tox_id,
                bio: profile.bio.as_str(),
                visibility: profile.visibility,
            };
            Ok(page(None, Some(filled)))
        }
        Err(error @ NameError::Unknown) => {
            let refusal = Refusal::Name(error);
            Ok(page(Some(refusal), None))
        }
        Err(error) => Err(error.into()),
    }
}

async fn find(state: &State, name: &str) -> Result<Profile, NameError> {
    let name = without_home(name, state.engine.names().home());
    let name = Name::parse(name).map_err(|_| NameError::Unknown)?;
    state.engine.names().profile(&name).await
}

async fn perform(state: &State, posted: &Posted) -> Result<Response, Refusal> {
    let names = state.engine.names();
    let (name, password) = (posted.text("name").trim(), posted.text("password").trim());
    let caller = &posted.visit.caller;
    match posted.text("edit_action") {
        "Update" => {
            let edit = Edit {
                tox_id: posted.given("tox_id"),
                bio: posted.given("bio"),
                visibility: posted.visibility()?,
            };
            let (tox_id, bio) = (edit.tox_id, edit.bio);
            let edited = names.edit(caller, name, password, edit).await;
            let head = edited.map_err(|error| {
                Refusal::of_form(error, tox_id.unwrap_or_default(), bio.unwrap_or_default())
            })?;
            // The engine has found it, so this only says how it is written.
            let name = Name::parse(name).map_err(|_| Refusal::NotFound)?;
            let place = format!("/u/{}", escaped(name.as_str()));
            let done = Done::saved(&name, head.seqno);
            Ok(done.tell(posted.visit.https, Redirect::to(&place).into_response()))
        }
        "Delete" => {
            names.remove(caller, name, password).await?;
            let home = Redirect::to("/").into_response();
            Ok(Done::Deleted.tell(posted.visit.https, home))
        }
        _ => Err(Refusal::EditAction),
    }
}

/// The form again, as it was filled in but for the password, with what is wrong at its top. It says
/// nothing of the record.
fn again(state: &State, posted: &Posted, refusal: Refusal) -> Response {
    let filled = Filled {
        name: posted.text("name"),
        tox_id: posted.text("tox_id"),
        bio: posted.text("bio"),
        visibility: posted.visibility().unwrap_or(Visibility::Private),
    };
    page(state, &posted.token, Some(refusal), Some(filled))
}

fn page(
    state: &State,
    token: &Token,
    refusal: Option<Refusal>,
    filled: Option<Filled<'_>>,
) -> Response {
    let is_found = filled.is_some();
    let filled = filled.unwrap_or(Filled {
        name: "",
        tox_id: "",
        bio: "",
        visibility: Visibility::Private,
    });
    let page = EditPage {
        frame: Frame::new(state, "Edit a record").unindexed().at("edit"),
        token: token.as_str(),
        problem: refusal.as_ref().map(Problem::of),
        name: filled.name,
        tox_id: filled.tox_id,
        bio: filled.bio,
        is_private: filled.visibility == Visibility::Private,
        is_unlisted: filled.visibility == Visibility::Searchable,
        is_found,
        kept: kept(state),
    };
    let status = refusal.as_ref().map_or(StatusCode::OK, Refusal::status);
    let response = with_token(render(status, &page), token);
    match refusal {
        Some(refusal) => refusal.finish(response),
        None => response,
    }
}

/// What becomes of a deleted name, as a sentence.
fn kept(state: &State) -> String {
    match state.settings.release_after {
        None => "The name is kept for ever, for the key that held it.".to_owned(),
        Some(wait) if wait.is_zero() => "The name is free for anybody at once.".to_owned(),
        Some(wait) => {
            let wait = lasting(wait);
            format!(
                "The name is kept for {wait} for the key that held it, and is anybody\u{2019}s after \
                 that."
            )
        }
    }
}
