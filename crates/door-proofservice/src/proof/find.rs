//! Avatars by the accounts they control.

use axum::extract::{RawQuery, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use engine::claims::{self, Order, Sort};
use serde::Serialize;

use crate::State;
use crate::error::Refusal;
use crate::query::Query;
use crate::wire::{Id, Pagination, json};

#[derive(Serialize)]
struct Body<'v> {
    pagination: Pagination,
    ids: Vec<Id<'v>>,
}

/// `GET /v1/proof?platform&identity&page&exact&sort&order`
///
/// API document, "Query an existed binding"; specification, section 2. Claims of the page whose last
/// check is too old are looked at again, behind the answer.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::parse(query.as_deref());
    let (page, exact) = (query.integer("page")?, query.truth("exact")?);
    let identities = query.text("identity").split(',');
    let identities: Vec<String> = identities
        .filter(|identity| !identity.is_empty())
        .map(str::to_owned)
        .collect();
    if identities.is_empty() {
        return Err(Refusal::missing());
    }
    let service = Some(query.text("platform")).filter(|service| !service.is_empty());
    let wanted = claims::Query {
        service: service.map(str::to_owned),
        identities,
        exact,
        page: u64::try_from(page).unwrap_or_default(),
        per: state.settings.page_size,
        sort: sort(query.text("sort")),
        order: order(query.text("order")),
    };
    let found = state.engine.claims().find(&wanted).await?;
    let body = Body {
        pagination: Pagination::from(&found),
        ids: found.avatars.iter().map(Id::from).collect(),
    };
    Ok(json(StatusCode::OK, &body))
}

/// What is not known changes nothing.
fn sort(text: &str) -> Sort {
    match text {
        "activated_at" => Sort::ActivatedAt,
        "created_at" => Sort::CreatedAt,
        "last_checked_at" => Sort::LastCheckedAt,
        "proof_chain_id" => Sort::ProofChainId,
        "platform" => Sort::Platform,
        "identity" => Sort::Identity,
        "alt_id" => Sort::AltId,
        _ => Sort::Default,
    }
}

fn order(text: &str) -> Order {
    match text {
        "asc" => Order::Asc,
        _ => Order::Desc,
    }
}
