//! Proofs that the log only grew.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use engine::merkle::Hash;
use serde::{Deserialize, Serialize};

use crate::answer;
use crate::error::Refusal;
use crate::inclusion::cache;

#[derive(Deserialize)]
pub(crate) struct Parameters {
    first: u64,
    second: Option<u64>,
}

#[derive(Serialize)]
struct Body {
    first: u64,
    second: u64,
    consistency: Vec<String>,
}

/// `GET /log/consistency?first=N[&second=N]`
///
/// RFC 6962, section 4.4; the newest size when no second is given. One read of a few tiles.
pub(crate) async fn handle(
    State(state): State<crate::State>,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(parameters) = query?;
    let (first, newest) = (parameters.first, state.engine.log().head().size);
    if parameters.second.is_none() && first > newest {
        return Err(Refusal::NotFound("the log is not that large yet"));
    }
    let second = parameters.second.unwrap_or(newest);
    let proof = state.engine.log().consistency(first, second).await?;
    let body = Body {
        first,
        second,
        consistency: proof.iter().map(Hash::to_base64).collect(),
    };
    Ok(answer::json(cache(parameters.second), body))
}
