//! Binds a key to an avatar.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use engine::claims::SubkeyPosting;
use engine::nextid;
use httpkit::limits::RawBody;

use super::{Signable, draft};
use crate::State;
use crate::body::{Members, Shape};
use crate::caller::Asking;
use crate::error::Refusal;
use crate::wire::json;

/// The members of the body.
pub(crate) static SHAPE: Shape = Shape {
    texts: &[
        "avatar",
        "algorithm",
        "public_key",
        "rp_id",
        "name",
        "signature",
    ],
    objects: &[],
};

/// `POST /v1/subkey`
///
/// Specification, section 2; the API document does not have it.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    Asking(caller): Asking,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let members = Members::read(&body, &SHAPE)?;
    let draft = draft(&members)?;
    let signature = nextid::decode_base64(members.text("signature"))
        .ok_or_else(|| Refusal::bad("when decoding signature: illegal base64 data"))?;
    let posting = SubkeyPosting {
        draft,
        name: members.text("name").to_owned(),
        signature,
    };
    let sign_payload = state.engine.claims().add_subkey(&caller, &posting).await?;
    Ok(json(StatusCode::OK, &Signable { sign_payload }))
}
