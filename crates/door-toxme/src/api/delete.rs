//! Action 2: give a name up.

use engine::names::Names;
use serde_json::{Map, Value};

use crate::error::Refusal;
use crate::sealed::Envelope;
use crate::wire::Deleted;

/// `POST /api`, action 2
///
/// The API document, "delete (2)"; toxme wire specification, section 2.3.
pub(super) async fn handle(
    names: &Names<'_>,
    fields: &Map<String, Value>,
) -> Result<Deleted, Refusal> {
    let envelope = Envelope::read(fields);
    names
        .release(envelope.sealed())
        .await
        .map_err(|error| envelope.refusal(error))?;
    Ok(Deleted {})
}
