//! The chain of one avatar.

use axum::extract::{RawQuery, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use engine::claims::ChainPage;
use engine::types::Avatar;
use serde::Serialize;

use crate::State;
use crate::error::Refusal;
use crate::query::Query;
use crate::wire::{ChainItem, Pagination, json};

#[derive(Serialize)]
struct Body {
    pagination: Pagination,
    proof_chain: Vec<ChainItem>,
}

/// `GET /v1/proofchain?avatar&page`, or with `public_key`
///
/// API document, "Get one single ProofChain under an Avatar"; specification, section 2. Oldest first.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::parse(query.as_deref());
    let page = query.integer("page")?;
    let key = match query.text("avatar") {
        "" => query.text("public_key"),
        avatar => avatar,
    };
    if key.is_empty() {
        return Err(Refusal::missing());
    }
    let page = u64::try_from(page).unwrap_or_default().max(1);
    let per = state.settings.page_size;
    let chain = match Avatar::parse(key) {
        Some(avatar) => state.engine.claims().chain(&avatar, page, per).await?,
        // A key that is none has no chain: the reference server answers so.
        None => ChainPage {
            per,
            current: page,
            ..ChainPage::default()
        },
    };
    let body = Body {
        pagination: Pagination::from(&chain),
        proof_chain: chain.links.iter().map(ChainItem::from).collect(),
    };
    Ok(json(StatusCode::OK, &body))
}
