//! The public list.

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use engine::names::Profile;

use crate::State;
use crate::error::Refusal;
use crate::identicon;
use crate::layout::{Frame, render};
use crate::visit::Visit;
use crate::words::{ago, escaped};

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    frame: Frame,
    entries: Vec<Entry>,
    previous: Option<String>,
    next: Option<String>,
    /// From 1, as people count.
    number: u64,
}

struct Entry {
    name: String,
    path: String,
    bio: String,
    is_proven: bool,
    picture: String,
    changed: String,
    changed_at: String,
}

/// `GET /friends/{page}`
///
/// Toxme wire specification, section 9: 30 a page, newest change first; 404 where nobody is.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    visit: Visit,
    page: Result<Path<String>, PathRejection>,
) -> Response {
    let digits = page.map(|Path(page)| page).unwrap_or_default();
    let result = show(&state, &digits).await;
    visit.answer(&state, result)
}

/// `GET /friends`, `/friends/`
///
/// Not on the original; the address people type.
pub(crate) async fn moved(Shared(state): Shared<State>, visit: Visit) -> Response {
    if state.settings.has_people {
        Redirect::permanent("/friends/0").into_response()
    } else {
        Refusal::NotFound.page(&state, &visit.id)
    }
}

async fn show(state: &State, digits: &str) -> Result<Response, Refusal> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !state.settings.has_people || !is_number {
        return Err(Refusal::NotFound);
    }
    // A number beyond 64 bits is a page where nobody is.
    let number: u64 = digits.parse().map_err(|_| Refusal::NobodyListed)?;
    let people = state.engine.names().people(number).await?;
    if people.entries.is_empty() {
        return Err(Refusal::NobodyListed);
    }
    let link = |page: u64| format!("/friends/{page}");
    let page = PeoplePage {
        frame: Frame::new(state, "People").unindexed().at("people"),
        entries: people.entries.iter().map(|it| entry(state, it)).collect(),
        previous: number.checked_sub(1).map(link),
        next: people.has_more.then(|| link(number.saturating_add(1))),
        number: number.saturating_add(1),
    };
    Ok(render(StatusCode::OK, &page))
}

fn entry(state: &State, profile: &Profile) -> Entry {
    Entry {
        name: profile.name.to_string(),
        path: format!("/u/{}", escaped(profile.name.as_str())),
        bio: profile.bio.as_str().to_owned(),
        is_proven: profile.is_proven,
        picture: identicon::svg(&profile.tox_id),
        changed: ago(state.engine.now().since(profile.changed_at)),
        changed_at: profile.changed_at.to_string(),
    }
}
