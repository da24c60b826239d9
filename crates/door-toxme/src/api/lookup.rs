//! Action 3: the record of a name.

use engine::names::Names;
use serde_json::{Map, Value};

use super::text;
use crate::error::Refusal;
use crate::wire::{Found, Verify};

/// `POST /api`, action 3
///
/// The API document, "lookup (3)"; toxme wire specification, section 2.4. `host` is what the client
/// called this server: qTox and Toxygen send it behind the `@` of every name.
pub(super) async fn handle(
    names: &Names<'_>,
    host: Option<&str>,
    fields: &Map<String, Value>,
) -> Result<Found, Refusal> {
    let address = text(fields, "name").ok_or(Refusal::Payload("name must be a string"))?;
    let record = names.lookup(address, host).await?;
    let home = names.home();
    Ok(Found {
        name: record.name.to_string(),
        regdomain: home.to_owned(),
        tox_id: record.tox_id.to_string(),
        url: format!("tox:{}@{home}", record.name),
        verify: verify(record.is_proven),
        source: 1,
        version: "Tox V3 (local)",
    })
}

/// A name added by the web form is not vouched for.
const fn verify(is_proven: bool) -> Verify {
    if is_proven {
        Verify {
            status: 1,
            detail: "Good (signed by local authority)",
        }
    } else {
        Verify {
            status: 3,
            detail: "? (added by a form: nobody proved to hold this Tox ID)",
        }
    }
}
