//! Action 3: the record of a name.

use std::borrow::Cow;

use engine::names::{Caller, Names, RemoteRecord, Resolved};
use engine::types::ToxRecord;
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
    caller: &Caller,
    host: Option<&str>,
    fields: &Map<String, Value>,
) -> Result<Found, Refusal> {
    let address = text(fields, "name").ok_or(Refusal::Payload("name must be a string"))?;
    Ok(match names.resolve(caller, address, host).await? {
        Resolved::Home(record) => home(&record, names.home()),
        Resolved::Remote(record) => remote(&record),
    })
}

fn home(record: &ToxRecord, home: &str) -> Found {
    Found {
        name: record.name.to_string(),
        regdomain: home.to_owned(),
        tox_id: record.tox_id.to_string(),
        url: format!("tox:{}@{home}", record.name),
        verify: verify(record.is_proven),
        source: 1,
        version: "Tox V3 (local)",
    }
}

/// What another domain's server says is passed on undecided: this server has no key to check it with.
fn remote(record: &RemoteRecord) -> Found {
    let domain = record.domain.as_str();
    Found {
        name: record.name.to_string(),
        regdomain: domain.to_owned(),
        tox_id: record.tox_id.to_string(),
        url: format!("tox:{}@{domain}", record.name),
        verify: Verify {
            status: 3,
            detail: Cow::Owned(format!("? (no authority key found for {domain})")),
        },
        source: 2,
        version: "Tox V3",
    }
}

/// A name that somebody else than its key gave is not vouched for: by the web form, or by a push.
const fn verify(is_proven: bool) -> Verify {
    if is_proven {
        Verify {
            status: 1,
            detail: Cow::Borrowed("Good (signed by local authority)"),
        }
    } else {
        Verify {
            status: 3,
            detail: Cow::Borrowed("? (nobody proved to hold this Tox ID)"),
        }
    }
}
