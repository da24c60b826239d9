//! The avatar of a claim that was posted and never handed in.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use engine::claims::Restoring;
use engine::nextid;
use engine::types::ClaimAction;
use httpkit::limits::RawBody;
use serde::Serialize;

use crate::State;
use crate::body::{Members, Shape};
use crate::caller::Asking;
use crate::error::Refusal;
use crate::wire::json;

/// The members of the body.
pub(crate) static SHAPE: Shape = Shape {
    texts: &[
        "action",
        "platform",
        "identity",
        "uuid",
        "created_at",
        "previous",
        "signature",
        "proof_post",
    ],
    objects: &[],
};

#[derive(Serialize)]
struct Body {
    public_key: String,
}

/// `POST /v1/proof/restore_pubkey`
///
/// Specification, section 2; the API document does not have it. Reads nothing from the store.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    Asking(caller): Asking,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let members = Members::read(&body, &SHAPE).map_err(|_| Refusal::bad("Param type error"))?;
    let claim = restoring(&members)?;
    let avatar = state
        .engine
        .claims()
        .restore_avatar(&caller, &claim)
        .await?;
    let public_key = avatar.to_string();
    Ok(json(StatusCode::OK, &Body { public_key }))
}

/// What is to be restored, of the members or of a post.
pub(crate) fn restoring(members: &Members) -> Result<Restoring<'_>, Refusal> {
    let (platform, post) = (members.text("platform"), members.text("proof_post"));
    let [uuid, created_at, previous, signature] = if post.is_empty() {
        ["uuid", "created_at", "previous", "signature"].map(|name| members.text(name))
    } else if platform == "twitter" {
        let read = nextid::twitter_post(post);
        let read = read.ok_or_else(|| Refusal::bad("param missing"))?;
        [read.uuid, read.created_at, read.previous, read.signature]
    } else {
        return Err(Refusal::bad("only platform:twitter is supported"));
    };
    let (action, identity) = (members.text("action"), members.text("identity"));
    if [action, platform, identity, uuid, created_at, signature].contains(&"") {
        return Err(Refusal::bad("param missing"));
    }
    Ok(Restoring {
        action: ClaimAction::parse(action).ok_or_else(|| Refusal::bad("param invalid"))?,
        platform,
        identity,
        uuid,
        created_at,
        previous,
        signature,
    })
}
