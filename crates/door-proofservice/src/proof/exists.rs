//! Whether an avatar controls an account.

use axum::extract::{RawQuery, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use engine::types::Avatar;

use crate::State;
use crate::error::Refusal;
use crate::query::Query;
use crate::wire::{Standing, json};

/// `GET /v1/proof/exists?platform&identity&public_key`
///
/// API document, "Check if a proof exists"; specification, section 2. A claim whose last check is too
/// old is looked at again, behind the answer.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::parse(query.as_deref());
    let (service, identity) = (query.text("platform"), query.text("identity"));
    let key = query.text("public_key");
    if [service, identity, key].contains(&"") {
        return Err(Refusal::missing());
    }
    let avatar = Avatar::parse(key).ok_or_else(|| Refusal::bad("Public key unmarshal error"))?;
    let claims = state.engine.claims();
    match claims.exists(service, identity, &avatar).await? {
        Some(claim) => Ok(json(StatusCode::OK, &Standing::from(&claim))),
        None => Err(Refusal::NotFound(format!(
            "Record not found for {service}: {identity}"
        ))),
    }
}
