//! The bundle that proves which link of an avatar's chain is the newest.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use engine::types::Avatar;

use crate::bundle::{self, Parameters, Subject};
use crate::error::Refusal;

/// `GET /log/avatars/{avatar}[?format=tlog]`
///
/// Ours; docs/LOG-FORMAT.md has both forms. Four reads. An avatar that has signed nothing has a bundle
/// too, which proves that.
pub(crate) async fn handle(
    State(state): State<crate::State>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Path(text) = path?;
    let Query(parameters) = query?;
    let avatar = parse(&text)?;
    let log = state.engine.log();
    let bundle = log.avatar_bundle(&avatar).await?;
    let subject = Subject::Avatar(avatar.to_string());
    bundle::answer(&subject, &bundle, &parameters, log.verifier_key())
}

fn parse(text: &str) -> Result<Avatar, Refusal> {
    Avatar::parse(text).ok_or_else(|| {
        let detail = "an avatar is a secp256k1 key: 0x and 66 hexadecimal digits";
        Refusal::BadRequest(detail.into())
    })
}
