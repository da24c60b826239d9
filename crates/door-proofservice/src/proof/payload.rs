//! What an avatar is to sign, and what its owner is to post.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use engine::claims::Draft;
use engine::types::{Avatar, ClaimAction};
use httpkit::limits::RawBody;
use serde::Serialize;

use crate::State;
use crate::body::{Members, Shape};
use crate::caller::Asking;
use crate::error::Refusal;
use crate::post_text::{self, Texts};
use crate::wire::json;

/// The members of the body.
pub(crate) static SHAPE: Shape = Shape {
    texts: &["action", "platform", "identity", "public_key"],
    objects: &[],
};

#[derive(Serialize)]
struct Body {
    post_content: Texts,
    sign_payload: String,
    uuid: String,
    created_at: String,
}

/// `POST /v1/proof/payload`
///
/// API document, "Query a proof payload to signature and to post"; specification, section 2. Writes
/// nothing.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    Asking(caller): Asking,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let members = Members::read(&body, &SHAPE)?;
    if SHAPE.texts.iter().any(|name| members.text(name).is_empty()) {
        return Err(Refusal::bad("param invalid"));
    }
    let action =
        ClaimAction::parse(members.text("action")).ok_or_else(|| Refusal::bad("param invalid"))?;
    let avatar = Avatar::parse(members.text("public_key"))
        .ok_or_else(|| Refusal::bad("public key not recognized"))?;
    let (service, given) = (members.text("platform"), members.text("identity"));
    let claims = state.engine.claims();
    if !claims.services().contains(&service) {
        return Err(Refusal::bad("unknown platform"));
    }
    let draft = Draft {
        action,
        service: service.to_owned(),
        identity: given.to_owned(),
        avatar,
    };
    let prepared = claims.prepare(&caller, &draft).await?;
    let uuid = prepared.uuid.to_string();
    let texts = post_text::texts(&post_text::Draft {
        service,
        given,
        identity: &prepared.identity,
        avatar: &draft.avatar.to_string(),
        payload: &prepared.payload,
        uuid: &uuid,
        created_at: prepared.created_at,
        prev: prepared.prev.as_deref(),
    });
    let body = Body {
        post_content: texts,
        sign_payload: prepared.payload,
        uuid,
        created_at: prepared.created_at.to_string(),
    };
    Ok(json(StatusCode::OK, &body))
}
