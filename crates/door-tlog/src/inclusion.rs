//! Proofs that an entry stands in the log.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use engine::merkle::Hash;
use serde::{Deserialize, Serialize};

use crate::answer;
use crate::error::Refusal;

#[derive(Deserialize)]
pub(crate) struct Parameters {
    leaf: u64,
    size: Option<u64>,
}

#[derive(Serialize)]
struct Body {
    leaf_index: u64,
    tree_size: u64,
    audit_path: Vec<String>,
}

/// `GET /log/inclusion?leaf=N[&size=N]`
///
/// RFC 6962, section 4.5, but by index; the newest size when none is given. One read of a few tiles.
pub(crate) async fn handle(
    State(state): State<crate::State>,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(Parameters { leaf, size }) = query?;
    let newest = state.engine.log().head().size;
    if size.is_none() && leaf >= newest {
        return Err(Refusal::NotFound("the log has no such entry yet"));
    }
    let tree_size = size.unwrap_or(newest);
    let path = state.engine.log().inclusion(leaf, tree_size).await?;
    let body = Body {
        leaf_index: leaf,
        tree_size,
        audit_path: path.iter().map(Hash::to_base64).collect(),
    };
    Ok(answer::json(cache(size), body))
}

/// A proof between given sizes never changes; one for the newest size is old at once.
pub(crate) fn cache(size: Option<u64>) -> &'static str {
    size.map_or(answer::REVALIDATE, |_| answer::IMMUTABLE)
}
