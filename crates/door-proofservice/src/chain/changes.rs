//! All links of the server, in the order in which they came into its log.

use axum::extract::{RawQuery, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::State;
use crate::error::Refusal;
use crate::query::Query;
use crate::wire::{ChangeItem, json};

/// Links of an answer when nobody says, and at most.
const COUNT: u32 = 10;
const COUNT_MAX: u32 = 100;

#[derive(Serialize)]
struct Body {
    links: Vec<ChangeItem>,
}

/// `GET /v1/proofchain/changes?last_id&count`
///
/// API document, "Get separated ProofChain link", whose example calls the first parameter `id`;
/// specification, section 2. Ids are dense from 1: what a reader has seen the end of, it has whole.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::parse(query.as_deref());
    let after = match query.text("last_id") {
        "" => query.integer("id")?,
        _ => query.integer("last_id")?,
    };
    let count = match query.integer("count")? {
        ..=0 => COUNT,
        count => u32::try_from(count).unwrap_or(COUNT_MAX).min(COUNT_MAX),
    };
    let after = u64::try_from(after).unwrap_or_default();
    let changes = state.engine.claims().changes(after, count).await?;
    let body = Body {
        links: changes.iter().map(ChangeItem::from).collect(),
    };
    Ok(json(StatusCode::OK, &body))
}
