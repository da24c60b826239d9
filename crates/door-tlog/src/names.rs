//! The bundle that proves a look-up.

mod proof_file;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, HeaderValue};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::log::{NameBundle, Opening, Present};
use engine::merkle::Hash;
use engine::types::Name;
use serde::{Deserialize, Serialize};

use crate::answer;
use crate::error::Refusal;
use crate::record::Record;

/// Longest name in bytes of UTF-8, before it is normalised: 63 characters with all their marks.
const NAME_BYTES_MAX: usize = 1024;

const ATTACHMENT: HeaderValue =
    HeaderValue::from_static("attachment; filename=\"name.tlog-proof\"");

#[derive(Deserialize)]
pub(crate) struct Parameters {
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Tlog,
}

#[derive(Serialize)]
struct Body<'a> {
    name: &'a str,
    label: String,
    present: Option<PresentBody>,
    map_proof: String,
    map_head: MapHead,
    checkpoint: String,
    vkey: String,
}

#[derive(Serialize)]
struct PresentBody {
    seqno: u32,
    commitment: String,
    index: u64,
    opening: Option<OpeningBody>,
    record: Option<Record>,
}

#[derive(Serialize)]
struct OpeningBody {
    salt: String,
    link: String,
}

#[derive(Serialize)]
struct MapHead {
    index: u64,
    entry: String,
    inclusion: Vec<String>,
}

/// `GET /log/names/{name}[?format=tlog]`
///
/// Ours; docs/LOG-FORMAT.md has both forms. Four reads. A name that nobody holds has a bundle too,
/// which proves that.
pub(crate) async fn handle(
    State(state): State<crate::State>,
    path: Result<Path<String>, PathRejection>,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Path(text) = path?;
    let Query(parameters) = query?;
    let name = parse(&text)?;
    let log = state.engine.log();
    let bundle = log.name_bundle(&name).await?;
    Ok(match parameters.format {
        Format::Json => answer::json(answer::PERSONAL, body(&name, &bundle, log.verifier_key())),
        Format::Tlog => {
            let mut response = answer::bytes(answer::PERSONAL, proof_file::write(&bundle)?);
            response
                .headers_mut()
                .insert(CONTENT_DISPOSITION, ATTACHMENT);
            response
        }
    })
}

fn parse(text: &str) -> Result<Name, Refusal> {
    if text.len() > NAME_BYTES_MAX {
        let detail = format!("a name has at most {NAME_BYTES_MAX} bytes");
        return Err(Refusal::BadRequest(detail));
    }
    Name::parse(text).map_err(|fault| Refusal::BadRequest(fault.to_string()))
}

fn body<'a>(name: &'a Name, bundle: &NameBundle, vkey: String) -> Body<'a> {
    let head = &bundle.head;
    Body {
        name: name.as_str(),
        label: bundle.label.0.to_hex(),
        present: bundle.present.as_ref().map(present),
        map_proof: STANDARD.encode(bundle.map_proof.encode()),
        map_head: MapHead {
            index: head.size.saturating_sub(1),
            entry: STANDARD.encode(head.map_entry().encode()),
            inclusion: bundle.inclusion.iter().map(Hash::to_base64).collect(),
        },
        // Notes are signed as UTF-8 text, so nothing is ever replaced here.
        checkpoint: String::from_utf8_lossy(&head.note).into_owned(),
        vkey,
    }
}

fn present(present: &Present) -> PresentBody {
    let opening = present.opening.as_ref();
    PresentBody {
        seqno: present.seqno,
        commitment: present.commitment.to_hex(),
        index: present.index,
        opening: opening.map(|opening| OpeningBody {
            salt: STANDARD.encode(&opening.salt),
            link: STANDARD.encode(&opening.link),
        }),
        record: opening.and_then(|opening: &Opening| Record::of(&opening.link)),
    }
}
