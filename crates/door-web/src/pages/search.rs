//! Search results: names of this directory, and accounts elsewhere that avatars claim.

mod accounts;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use engine::limits::{SEARCH_PAGE_ROWS, SEARCH_PAGES_MAX};
use engine::names::{Found, NameError, Profile};
use engine::types::{Name, ToxId, ToxKey};
use serde::Deserialize;

use crate::State;
use crate::error::Refusal;
use crate::identicon;
use crate::layout::{Frame, render};
use crate::visit::Visit;
use crate::words::{escaped, without_home};
use accounts::{Accounts, Sought};

#[derive(Deserialize)]
pub(crate) struct Parameters {
    #[serde(default)]
    q: String,
    /// Of names, from 0.
    #[serde(default)]
    page: String,
    /// Of accounts, from 1.
    #[serde(default)]
    accounts: String,
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage<'a> {
    frame: Frame,
    q: &'a str,
    /// `None` where the question cannot be about a name, or another page of accounts is shown.
    names: Option<Names>,
    /// `None` where another page of names is shown.
    accounts: Option<Accounts>,
}

/// What is found of names.
struct Names {
    /// The record of exactly this name.
    exact: Option<Row>,
    rows: Vec<Row>,
    /// The page of another server that may know the name.
    elsewhere: Option<Elsewhere>,
    previous: Option<String>,
    next: Option<String>,
    /// From 1, as people count.
    number: u64,
}

/// A line of the results.
struct Row {
    name: String,
    path: String,
    bio: String,
    is_proven: bool,
    /// Of the exact match only: the others come without their keys.
    picture: Option<String>,
}

/// A name at another domain.
struct Elsewhere {
    address: String,
    domain: String,
    url: String,
}

/// `GET /search`
///
/// The search of the toxme API, section 2.6, as a page; above it the very name that was typed, which
/// finds private records too, and the owner of a Tox ID.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    visit: Visit,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let result = match query {
        Ok(Query(parameters)) => search(&state, &parameters).await,
        Err(_) => Err(Refusal::Query),
    };
    visit.answer(&state, result)
}

async fn search(state: &State, parameters: &Parameters) -> Result<Response, Refusal> {
    let q = parameters.q.trim();
    let number = number(&parameters.page)?;
    let accounts_number = number_from_1(&parameters.accounts)?;
    if q.is_empty() {
        return Ok(Redirect::to("/").into_response());
    }
    let sought = Sought::parse(q);
    let names = match sought.may_be_name() && accounts_number == 1 {
        true => Some(names(state, q, number).await?),
        false => None,
    };
    let accounts = match names.is_some() && number > 0 {
        true => None,
        false => Some(Accounts::find(state, q, &sought, accounts_number).await?),
    };
    let page = SearchPage {
        frame: Frame::new(state, format!("Search for {q}"))
            .unindexed()
            .without_search(),
        q,
        names,
        accounts,
    };
    Ok(render(StatusCode::OK, &page))
}

impl SearchPage<'_> {
    /// Whether there is a name on the page, or a server that may know it.
    fn has_names(&self) -> bool {
        let is_any = |names: &Names| {
            names.elsewhere.is_some() || names.exact.is_some() || !names.rows.is_empty()
        };
        self.names.as_ref().is_some_and(is_any)
    }

    /// Whether there is an account on the page.
    fn has_accounts(&self) -> bool {
        self.accounts.as_ref().is_some_and(Accounts::has_any)
    }
}

/// The number of a page of results, from 0.
fn number(digits: &str) -> Result<u64, Refusal> {
    match digits {
        "" => Ok(0),
        digits => digits.parse().map_err(|_| Refusal::Page),
    }
}

/// The same, from 1; 0 is the first page too.
pub(super) fn number_from_1(digits: &str) -> Result<u64, Refusal> {
    number(digits).map(|number| number.max(1))
}

async fn names(state: &State, q: &str, number: u64) -> Result<Names, Refusal> {
    let (name, elsewhere) = split(state, q);
    let (exact, found) = if elsewhere.is_some() {
        (None, Vec::new())
    } else {
        let found = found(state, name, number).await?;
        (exact(state, name).await?, found)
    };
    let is_full = found.len() >= SEARCH_PAGE_ROWS;
    let link = |page: u64| format!("/search?q={}&page={page}", escaped(q));
    Ok(Names {
        rows: found
            .iter()
            .filter(|found| exact.as_ref().is_none_or(|it| it.name != found.name))
            .map(Row::of)
            .collect(),
        exact: exact
            .filter(|_| number == 0)
            .map(|profile| Row::exact(&profile)),
        elsewhere,
        // From far beyond the end, back to where there may be something.
        previous: number
            .checked_sub(1)
            .map(|page| link(page.min(SEARCH_PAGES_MAX - 1))),
        next: (is_full && number < SEARCH_PAGES_MAX - 1).then(|| link(number.saturating_add(1))),
        number: number.saturating_add(1),
    })
}

/// The part of an address that is looked for here, and where to ask if that is not here.
fn split<'q>(state: &State, q: &'q str) -> (&'q str, Option<Elsewhere>) {
    let q = without_home(q, state.engine.names().home());
    match q.rsplit_once('@') {
        Some((name, domain)) if !name.is_empty() && is_domain(domain) => {
            let domain = domain.to_ascii_lowercase();
            let url = format!("https://{domain}/u/{}", escaped(name));
            let address = q.to_owned();
            let elsewhere = Elsewhere {
                address,
                domain,
                url,
            };
            (name, Some(elsewhere))
        }
        Some(_) | None => (q, None),
    }
}

/// Whether a text may be a domain of the world: letters, digits and hyphens between dots.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(is_plain)
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

/// The record of the very name, or of the name that a Tox ID or its key is bound to.
async fn exact(state: &State, q: &str) -> Result<Option<Profile>, Refusal> {
    let names = state.engine.names();
    let key = ToxId::parse(q)
        .map(|id| id.key())
        .or_else(|| ToxKey::parse(q));
    let name = if key.is_some() {
        let digits = q.get(..64).unwrap_or_default();
        names.reverse(digits).await
    } else {
        Name::parse(q).map_err(|_| NameError::Unknown)
    };
    let profile = match name {
        Ok(name) => names.profile(&name).await,
        Err(error) => Err(error),
    };
    match profile {
        Ok(profile) => Ok(Some(profile)),
        Err(NameError::Unknown | NameError::UnknownKey) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Names with this text in them; none when no name can have it.
async fn found(state: &State, q: &str, number: u64) -> Result<Vec<Found>, Refusal> {
    match state.engine.names().search(Some(q), Some(number)).await {
        Ok(found) => Ok(found),
        Err(NameError::Invalid) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

impl Row {
    fn of(found: &Found) -> Self {
        Self {
            name: found.name.to_string(),
            path: format!("/u/{}", escaped(found.name.as_str())),
            bio: found.bio.as_str().to_owned(),
            is_proven: found.is_proven,
            picture: None,
        }
    }

    fn exact(profile: &Profile) -> Self {
        Self {
            name: profile.name.to_string(),
            path: format!("/u/{}", escaped(profile.name.as_str())),
            bio: profile.bio.as_str().to_owned(),
            is_proven: profile.is_proven,
            picture: Some(identicon::svg(&profile.tox_id)),
        }
    }
}
