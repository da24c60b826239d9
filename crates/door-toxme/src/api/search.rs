//! Action 6: names that contain a text.

use engine::names::Names;
use serde_json::{Map, Value};

use super::text;
use crate::error::Refusal;
use crate::wire::{Match, Matches};

/// `POST /api`, action 6
///
/// The API document, "search (6)"; toxme wire specification, section 2.6.
pub(super) async fn handle(
    names: &Names<'_>,
    fields: &Map<String, Value>,
) -> Result<Matches, Refusal> {
    let page = fields.get("page").and_then(Value::as_u64);
    let found = names.search(text(fields, "name"), page).await?;
    let users = found.into_iter().map(|found| Match {
        name: found.name.to_string(),
        bio: found.bio.as_str().to_owned(),
    });
    Ok(Matches {
        users: users.collect(),
    })
}
