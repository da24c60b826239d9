//! Subkeys: keys of other kinds that an avatar lends its word to, each at one relying party.

pub(crate) mod add;
pub(crate) mod find;
pub(crate) mod payload;

use engine::claims::SubkeyDraft;
use engine::nextid::{SubkeyAlgorithm, SubkeyKey};
use engine::types::Avatar;
use serde::Serialize;

use crate::body::Members;
use crate::error::Refusal;

/// What the avatar signs.
#[derive(Serialize)]
struct Signable {
    sign_payload: String,
}

/// What both requests say of a subkey, checked in the order of the reference server.
pub(crate) fn draft(members: &Members) -> Result<SubkeyDraft, Refusal> {
    let rp_id = members.text("rp_id");
    if rp_id.is_empty() {
        return Err(Refusal::bad("rp_id is empty"));
    }
    let avatar = Avatar::parse(members.text("avatar")).ok_or_else(|| {
        Refusal::bad("when parsing avatar public key: not a secp256k1 key in hexadecimal")
    })?;
    let (algorithm, key) = (members.text("algorithm"), members.text("public_key"));
    let algorithm = algorithm_of(algorithm)?;
    if SubkeyKey::parse(algorithm, key).is_none() {
        let kind = algorithm.as_str();
        let said = format!("when parsing subkey public key: not a {kind} key in hexadecimal");
        return Err(Refusal::Bad(said));
    }
    Ok(SubkeyDraft {
        avatar,
        algorithm,
        public_key: key.to_owned(),
        rp_id: rp_id.to_owned(),
    })
}

fn algorithm_of(text: &str) -> Result<SubkeyAlgorithm, Refusal> {
    SubkeyAlgorithm::parse(text).ok_or_else(|| {
        Refusal::bad("when parsing subkey public key: the algorithm is neither es256 nor secp256k1")
    })
}
