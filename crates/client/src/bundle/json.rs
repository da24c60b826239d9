//! The JSON form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use merkle::Hash;
use merkle::map::MapProof;
use merkle::note::{Note, VerifierKey};
use serde::Deserialize;

use super::{Bundle, BundleError, Kind, Opening, Said};

#[derive(Deserialize)]
struct Body {
    name: Option<String>,
    avatar: Option<String>,
    label: String,
    // Null, but never left out: a missing part must not look like an absent name.
    #[serde(deserialize_with = "Option::deserialize")]
    present: Option<Present>,
    map_proof: String,
    map_head: MapHead,
    checkpoint: String,
    vkey: String,
}

#[derive(Deserialize)]
struct Present {
    seqno: u32,
    commitment: String,
    #[serde(deserialize_with = "Option::deserialize")]
    opening: Option<OpeningBody>,
}

#[derive(Deserialize)]
struct OpeningBody {
    salt: String,
    link: String,
}

#[derive(Deserialize)]
struct MapHead {
    index: u64,
    entry: String,
    inclusion: Vec<String>,
}

pub(super) fn read(bytes: &[u8], kind: Kind) -> Result<Bundle, BundleError> {
    let body: Body = serde_json::from_slice(bytes)
        .map_err(|_| BundleError("neither the JSON form nor a proof file"))?;
    let subject = match kind {
        Kind::Name => body.name.ok_or(BundleError("name"))?,
        Kind::Avatar => body.avatar.ok_or(BundleError("avatar"))?,
    };
    let present = body.present.as_ref();
    let leaf = present.map(leaf).transpose()?;
    let opening = present.and_then(|present| present.opening.as_ref());
    let map_proof = decode(&body.map_proof, "map_proof")?;
    let path = body.map_head.inclusion.iter();
    let path = path.map(|hash| Hash::from_base64(hash));
    let key = VerifierKey::parse(&body.vkey).map_err(|_| BundleError("vkey"))?;
    let said = Said {
        subject: Some(subject),
        label: Some(Hash::from_hex(&body.label).ok_or(BundleError("label"))?),
        leaf: Some(leaf),
        key: Some(key),
    };
    Ok(Bundle {
        said,
        opening: opening.map(read_opening).transpose()?,
        map_proof: MapProof::decode(&map_proof).map_err(|_| BundleError("map_proof"))?,
        map_head: decode(&body.map_head.entry, "map_head.entry")?,
        index: body.map_head.index,
        path: path
            .collect::<Option<_>>()
            .ok_or(BundleError("map_head.inclusion"))?,
        checkpoint: Note::parse(body.checkpoint.as_bytes())
            .map_err(|_| BundleError("checkpoint"))?,
    })
}

fn leaf(present: &Present) -> Result<(u32, Hash), BundleError> {
    let commitment = Hash::from_hex(&present.commitment);
    let commitment = commitment.ok_or(BundleError("present.commitment"))?;
    Ok((present.seqno, commitment))
}

fn read_opening(body: &OpeningBody) -> Result<Opening, BundleError> {
    let salt = decode(&body.salt, "present.opening.salt")?;
    Ok(Opening {
        salt: salt
            .try_into()
            .map_err(|_| BundleError("present.opening.salt"))?,
        link: decode(&body.link, "present.opening.link")?,
    })
}

fn decode(text: &str, part: &'static str) -> Result<Vec<u8>, BundleError> {
    STANDARD.decode(text).map_err(|_| BundleError(part))
}
