//! Bundles in both their forms, whosever they are.

mod proof_file;

use axum::http::header::{CONTENT_DISPOSITION, HeaderValue};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::log::{Bundle, Opening, Present};
use engine::merkle::Hash;
use serde::{Deserialize, Serialize};

use crate::answer;
use crate::error::Refusal;
use crate::record::Record;

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

/// Whose bundle it is.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Subject {
    /// A name, normalised.
    Name(String),
    /// An avatar: `0x` and 66 lower-case digits.
    Avatar(String),
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    subject: &'a Subject,
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

/// The answer in the form that is asked for.
pub(crate) fn answer(
    subject: &Subject,
    bundle: &Bundle,
    parameters: &Parameters,
    vkey: String,
) -> Result<Response, Refusal> {
    match parameters.format {
        Format::Json => Ok(answer::json(answer::PERSONAL, body(subject, bundle, vkey))),
        Format::Tlog => {
            let mut response = answer::bytes(answer::PERSONAL, proof_file::write(bundle)?);
            response
                .headers_mut()
                .insert(CONTENT_DISPOSITION, subject.attachment());
            Ok(response)
        }
    }
}

impl Subject {
    fn attachment(&self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Name(_) => "attachment; filename=\"name.tlog-proof\"",
            Self::Avatar(_) => "attachment; filename=\"avatar.tlog-proof\"",
        })
    }
}

fn body<'a>(subject: &'a Subject, bundle: &Bundle, vkey: String) -> Body<'a> {
    let head = &bundle.head;
    Body {
        subject,
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
