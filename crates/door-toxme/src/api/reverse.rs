//! Action 5: the name of a key.

use engine::names::Names;
use serde_json::{Map, Value};

use super::text;
use crate::error::Refusal;
use crate::wire::Named;

/// `POST /api`, action 5
///
/// The API document, "reverse lookup (5)"; toxme wire specification, section 2.5.
pub(super) async fn handle(
    names: &Names<'_>,
    fields: &Map<String, Value>,
) -> Result<Named, Refusal> {
    let id = text(fields, "id").ok_or(Refusal::Payload("id must be a string"))?;
    let name = names.reverse(id).await?.to_string();
    Ok(Named { name })
}
