//! Subkeys of an avatar, or avatars of a subkey.

use axum::extract::{RawQuery, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use engine::claims::Subkey;
use engine::nextid::SubkeyKey;
use engine::types::Avatar;
use serde::Serialize;

use super::algorithm_of;
use crate::State;
use crate::error::Refusal;
use crate::query::Query;
use crate::wire::json;

#[derive(Serialize)]
struct Body {
    subkeys: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    avatar: String,
    algorithm: &'static str,
    public_key: String,
    name: String,
    rp_id: String,
    /// Seconds since 1970: a number here, unlike everywhere else.
    created_at: u64,
}

impl From<&Subkey> for Item {
    fn from(subkey: &Subkey) -> Self {
        Self {
            avatar: subkey.avatar.to_string(),
            algorithm: subkey.algorithm.as_str(),
            public_key: subkey.public_key.clone(),
            name: subkey.name.clone(),
            rp_id: subkey.rp_id.clone(),
            created_at: subkey.created_at.seconds(),
        }
    }
}

/// `GET /v1/subkey?avatar`, or with `algorithm` and `public_key`
///
/// Specification, section 2; the API document does not have it.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::parse(query.as_deref());
    let (avatar, key) = (query.text("avatar"), query.text("public_key"));
    let algorithm = query.text("algorithm");
    let claims = state.engine.claims();
    let found = if !avatar.is_empty() {
        let avatar = Avatar::parse(avatar).ok_or_else(|| Refusal::bad("avatar is no key"))?;
        claims.subkeys_of(&avatar).await?
    } else if key.is_empty() {
        return Err(Refusal::bad("Avatar or public_key should be given"));
    } else if algorithm.is_empty() {
        // Spelled as in the reference server.
        return Err(Refusal::bad("One of avatar or algorighm should be given."));
    } else {
        let algorithm = algorithm_of(algorithm)?;
        if SubkeyKey::parse(algorithm, key).is_none() {
            return Err(Refusal::bad("public_key is no key of that algorithm"));
        }
        claims.subkeys_with(algorithm, key).await?
    };
    let subkeys = found.iter().map(Item::from).collect();
    Ok(json(StatusCode::OK, &Body { subkeys }))
}
