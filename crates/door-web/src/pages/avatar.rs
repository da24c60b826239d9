//! One avatar: which accounts it claims, and why to believe it.

mod chain;

use askama::Template;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use engine::claims::{Described, Standing};
use engine::types::Avatar;
use serde::Deserialize;

use super::search::number_from_1;
use crate::State;
use crate::claims::{ClaimLine, Moment};
use crate::error::Refusal;
use crate::identicon;
use crate::layout::{Frame, render};
use crate::services;
use crate::visit::Visit;
use crate::words::{avatar_path, chain_command, counted, shortened};
use chain::Chain;

/// Claims on one page.
const CLAIM_ROWS: usize = 20;

#[derive(Default, Deserialize)]
pub(crate) struct Parameters {
    /// Of the chain, from 1.
    #[serde(default)]
    page: String,
    /// Of accounts, from 1.
    #[serde(default)]
    accounts: String,
}

#[derive(Template)]
#[template(path = "avatar.html")]
struct AvatarPage {
    frame: Frame,
    key: String,
    short: String,
    /// The key in eights.
    groups: Vec<String>,
    picture: String,
    claimed: String,
    signed: String,
    /// The time in its newest link; `None` when it has signed nothing.
    active: Option<Moment>,
    aliases: Vec<Alias>,
    /// `None` where another page of the chain is shown.
    claims: Option<Claims>,
    /// `None` where another page of accounts is shown.
    chain: Option<Chain>,
    command: String,
}

/// Another avatar of the same owner.
struct Alias {
    path: String,
    short: String,
}

/// A page of claims.
struct Claims {
    lines: Vec<Placed>,
    previous: Option<String>,
    next: Option<String>,
    number: u64,
}

/// A claim and its post.
struct Placed {
    claim: ClaimLine,
    post: Option<String>,
}

/// `GET /avatars/{key}[?page=N][&accounts=N]`
///
/// Ours. Every form of a key leads to the page of its canonical form.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    visit: Visit,
    key: Result<Path<String>, PathRejection>,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let key = key.map(|Path(key)| key).unwrap_or_default();
    let result = match query {
        Ok(Query(parameters)) => show(&state, &visit, &key, &parameters).await,
        Err(_) => Err(Refusal::Query),
    };
    visit.answer(&state, result)
}

async fn show(
    state: &State,
    visit: &Visit,
    key: &str,
    parameters: &Parameters,
) -> Result<Response, Refusal> {
    let avatar = Avatar::parse(&key.trim().to_ascii_lowercase());
    let avatar = avatar.ok_or(Refusal::UnknownAvatar)?;
    let page = number_from_1(&parameters.page)?;
    let accounts = number_from_1(&parameters.accounts)?;
    let canonical = avatar.to_string();
    if key != canonical {
        return Ok(Redirect::permanent(&avatar_path(&avatar)).into_response());
    }
    let found = state.engine.claims().describe(&avatar).await?;
    let found = found.ok_or(Refusal::UnknownAvatar)?;
    let chain = Chain::read(state, &avatar, page).await?;
    let view = &found.view;
    let page = AvatarPage {
        frame: Frame::new(state, format!("Avatar {}", shortened(&canonical))).unindexed(),
        short: shortened(&canonical),
        groups: in_eights(&canonical),
        key: canonical,
        picture: identicon::of(avatar.as_bytes()),
        claimed: counted(view.claims.len() as u64, "account"),
        signed: counted(chain.total, "link"),
        active: (chain.total > 0).then(|| Moment::of_seconds(state, view.activated_at)),
        aliases: view.aliases.iter().map(Alias::of).collect(),
        claims: (page == 1).then(|| Claims::of(state, &found, accounts)),
        chain: (page > 1 || accounts == 1).then_some(chain),
        command: chain_command(&avatar, visit.origin.as_deref()),
    };
    Ok(render(StatusCode::OK, &page))
}

impl Alias {
    fn of(avatar: &Avatar) -> Self {
        Self {
            path: avatar_path(avatar),
            short: shortened(&avatar.to_string()),
        }
    }
}

impl Claims {
    fn of(state: &State, found: &Described, number: u64) -> Self {
        let all = found.view.claims.iter().zip(&found.locations);
        let skipped = usize::try_from(number - 1)
            .unwrap_or(usize::MAX)
            .saturating_mul(CLAIM_ROWS);
        let lines = all.skip(skipped).take(CLAIM_ROWS);
        let lines: Vec<Placed> = lines
            .map(|(claim, location)| Placed {
                claim: ClaimLine::of(state, claim),
                post: services::post(&claim.service, &claim.identity, location),
            })
            .collect();
        let is_last = found.view.claims.len() <= skipped.saturating_add(CLAIM_ROWS);
        let last = (found.view.claims.len().div_ceil(CLAIM_ROWS) as u64).max(1);
        let path = avatar_path(&found.view.avatar);
        let link = |page: u64| format!("{path}?accounts={page}");
        Self {
            lines,
            previous: (number > 1).then(|| link((number - 1).min(last))),
            next: (!is_last).then(|| link(number.saturating_add(1))),
            number,
        }
    }
}

impl Placed {
    /// Whether the claim would be checked if the server still did that.
    fn is_left_alone(&self) -> bool {
        self.claim.standing == Standing::Unchecked && !self.claim.is_asked
    }
}

fn in_eights(digits: &str) -> Vec<String> {
    let digits: Vec<char> = digits.chars().collect();
    digits.chunks(8).map(|part| part.iter().collect()).collect()
}
