//! Adds a link to an avatar's chain.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use engine::claims::Posting;
use engine::nextid;
use engine::ports::checker::Extra;
use engine::types::{Avatar, ClaimAction, Uuid};
use httpkit::limits::RawBody;

use crate::State;
use crate::body::{Members, Shape};
use crate::caller::Asking;
use crate::error::Refusal;
use crate::wire::{Empty, json};

static EXTRA: Shape = Shape {
    texts: &["signature", "wallet_signature", "target_signature"],
    objects: &[],
};
/// The members of the body.
pub(crate) static SHAPE: Shape = Shape {
    texts: &[
        "action",
        "platform",
        "identity",
        "proof_location",
        "public_key",
        "uuid",
        "created_at",
    ],
    objects: &[("extra", &EXTRA)],
};

/// `POST /v1/proof`
///
/// API document, "Add a proof modification into Proof chain"; specification, section 2. Answers when
/// the link has its place among the changes; what it reads and writes is said at the verb.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    Asking(caller): Asking,
    RawBody(body): RawBody,
) -> Result<Response, Refusal> {
    let members = Members::read(&body, &SHAPE)
        .map_err(|fault| Refusal::bad(format!("parse request failed: {}", fault.0)))?;
    let avatar = Avatar::parse(members.text("public_key"))
        .ok_or_else(|| Refusal::bad("invalid public key"))?;
    let claims = state.engine.claims();
    let service = members.text("platform");
    if !claims.services().contains(&service) {
        let said = format!("platform not supported: {service}");
        return Err(Refusal::bad(said));
    }
    let (created_at, uuid) = number(&members)?;
    let extra = extra(&members)?;
    let posting = Posting {
        action: ClaimAction::parse(members.text("action"))
            .ok_or_else(|| Refusal::bad(format!("unknown action: {}", members.text("action"))))?,
        service: service.to_owned(),
        identity: members.text("identity").to_owned(),
        location: members.text("proof_location").to_owned(),
        avatar,
        uuid,
        created_at,
        extra,
    };
    claims.post(&caller, &posting).await?;
    Ok(json(StatusCode::CREATED, &Empty {}))
}

/// What tells this link from others.
pub(crate) fn number(members: &Members) -> Result<(i64, Uuid), Refusal> {
    let text = members.text("created_at");
    let created_at = nextid::parse_created_at(text).ok_or_else(|| {
        Refusal::bad(format!(
            "error when parsing created_at: {text} not recognized"
        ))
    })?;
    let text = members.text("uuid");
    let uuid = Uuid::parse(text)
        .ok_or_else(|| Refusal::bad(format!("error when parsing uuid: {text} not recognized")))?;
    Ok((created_at, uuid))
}

/// The signatures that came with a link.
pub(crate) fn extra(members: &Members) -> Result<Extra, Refusal> {
    let given = |name| Some(members.text_in("extra", name)).filter(|text| !text.is_empty());
    let signature = given("signature").map(|text| {
        nextid::decode_base64(text).ok_or_else(|| {
            Refusal::bad("error when decoding persona signature: illegal base64 data")
        })
    });
    Ok(Extra {
        signature: signature.transpose()?,
        wallet_signature: given("wallet_signature").map(str::to_owned),
        target_signature: given("target_signature").map(str::to_owned),
    })
}
