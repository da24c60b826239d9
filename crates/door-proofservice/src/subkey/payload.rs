//! What an avatar is to sign.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use httpkit::limits::RawBody;

use super::{Signable, draft};
use crate::State;
use crate::body::{Members, Shape};
use crate::error::Refusal;
use crate::wire::json;

/// The members of the body.
pub(crate) static SHAPE: Shape = Shape {
    texts: &["avatar", "algorithm", "public_key", "rp_id"],
    objects: &[],
};

/// `POST /v1/subkey/payload`
///
/// Specification, section 2; the API document does not have it. Writes nothing.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let members = Members::read(&body, &SHAPE)?;
    let sign_payload = state.engine.claims().prepare_subkey(&draft(&members)?)?;
    Ok(json(StatusCode::OK, &Signable { sign_payload }))
}
