//! Action 7: a new edit password.

use engine::names::{Caller, Names};
use serde_json::{Map, Value};

use crate::error::Refusal;
use crate::sealed::Envelope;
use crate::wire::Reset;

/// `POST /api`, action 7
///
/// Not in the API document, and no server had it: users of toxme.io asked for it (toxme wire
/// specification, sections 2 and 13). The payload is that of a delete.
pub(super) async fn handle(
    names: &Names<'_>,
    caller: &Caller,
    fields: &Map<String, Value>,
) -> Result<Reset, Refusal> {
    let envelope = Envelope::read(fields);
    let password = names
        .reset_password(caller, envelope.sealed())
        .await
        .map_err(|error| envelope.refusal(error))?;
    Ok(Reset {
        password: password.expose().clone(),
    })
}
