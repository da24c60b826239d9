//! Action 1: register a name, or update its record.

use engine::names::{Caller, Names};
use serde_json::{Map, Value};

use crate::error::Refusal;
use crate::sealed::Envelope;
use crate::wire::Pushed;

/// `POST /api`, action 1
///
/// The API document, "push (1)"; toxme wire specification, section 2.2.
pub(super) async fn handle(
    names: &Names<'_>,
    caller: &Caller,
    fields: &Map<String, Value>,
) -> Result<Pushed, Refusal> {
    let envelope = Envelope::read(fields);
    let pushed = names
        .push(caller, envelope.sealed())
        .await
        .map_err(|error| envelope.refusal(error))?;
    let password = pushed.password.map(|password| password.expose().clone());
    Ok(Pushed { password })
}
