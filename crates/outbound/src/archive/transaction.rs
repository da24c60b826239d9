//! Transactions of Arweave's second format that carry a bundle and send nothing to anybody.

use crypto::arweave_key::OWNER_BYTES;
use crypto::token::sha256;
use data_encoding::BASE64URL_NOPAD;
use engine::ans104::{Deep, bundle_tags, deep_hash};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chunks::{CHUNK_BYTES_MAX, Chunk, Chunks};

/// What makes a transaction of data, in the order of the fields in JSON: it is kept beside the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wrapping {
    /// Modulus of the wallet's key; in base64url, as all bytes here.
    pub(super) owner: String,
    /// A recent block.
    pub(super) anchor: String,
    /// Winston.
    pub(super) reward: u64,
    /// Blocks there were then.
    pub(super) height: u64,
    /// Empty until it is signed.
    pub(super) signature: String,
}

/// A transaction, with its data.
pub(super) struct Transaction<'a> {
    wrapping: &'a Wrapping,
    data: &'a [u8],
    chunks: Chunks,
}

impl Wrapping {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let wrapping: Self = serde_json::from_slice(bytes).ok()?;
        let has = |text: &str, length| bytes_of(text).is_some_and(|bytes| bytes.len() == length);
        let is_whole = has(&wrapping.owner, OWNER_BYTES) && has(&wrapping.signature, OWNER_BYTES);
        is_whole.then_some(wrapping)
    }

    pub(super) fn to_json(&self) -> String {
        json!(self).to_string()
    }
}

impl<'a> Transaction<'a> {
    pub(super) fn new(wrapping: &'a Wrapping, data: &'a [u8]) -> Self {
        let chunks = Chunks::of(data);
        Self {
            wrapping,
            data,
            chunks,
        }
    }

    /// What its owner signs: format, owner, target, quantity, reward, anchor, tags, length of the data
    /// and its root. Numbers are decimal text.
    pub(super) fn hash(&self) -> [u8; 48] {
        let owner = bytes_of(&self.wrapping.owner).unwrap_or_default();
        let anchor = bytes_of(&self.wrapping.anchor).unwrap_or_default();
        let (reward, size) = (
            self.wrapping.reward.to_string(),
            self.data.len().to_string(),
        );
        let tags = bundle_tags();
        let pairs = tags
            .each_ref()
            .map(|tag| [&tag.name, &tag.value].map(|text| Deep::Blob(text.as_bytes())));
        let lists = pairs.each_ref().map(|pair| Deep::List(pair));
        deep_hash(Deep::List(&[
            Deep::Blob(b"2"),
            Deep::Blob(&owner),
            Deep::Blob(b""),
            Deep::Blob(b"0"),
            Deep::Blob(reward.as_bytes()),
            Deep::Blob(&anchor),
            Deep::List(&lists),
            Deep::Blob(size.as_bytes()),
            Deep::Blob(&self.chunks.root),
        ]))
    }

    /// What it is found by: the SHA-256 of its signature.
    pub(super) fn id(&self) -> String {
        let signature = bytes_of(&self.wrapping.signature).unwrap_or_default();
        BASE64URL_NOPAD.encode(&sha256(&signature))
    }

    /// The transaction for `POST /tx`. Data that fits one chunk is in it; otherwise all of
    /// [`Transaction::chunks`] follow.
    pub(super) fn to_json(&self) -> String {
        let data = if self.chunks().is_empty() {
            BASE64URL_NOPAD.encode(self.data)
        } else {
            String::new()
        };
        let text = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        let tags =
            bundle_tags().map(|tag| json!({"name": text(&tag.name), "value": text(&tag.value)}));
        json!({
            "format": 2,
            "id": self.id(),
            "last_tx": self.wrapping.anchor,
            "owner": self.wrapping.owner,
            "tags": tags,
            "target": "",
            "quantity": "0",
            "data": data,
            "data_size": self.data.len().to_string(),
            "data_root": BASE64URL_NOPAD.encode(&self.chunks.root),
            "reward": self.wrapping.reward.to_string(),
            "signature": self.wrapping.signature,
        })
        .to_string()
    }

    /// The chunks that are sent on their own.
    pub(super) fn chunks(&self) -> &[Chunk] {
        if self.data.len() <= CHUNK_BYTES_MAX {
            &[]
        } else {
            &self.chunks.chunks
        }
    }

    /// A chunk for `POST /chunk`.
    pub(super) fn chunk_json(&self, chunk: &Chunk) -> Value {
        let bytes = self.data.get(chunk.range.clone()).unwrap_or_default();
        json!({
            "data_root": BASE64URL_NOPAD.encode(&self.chunks.root),
            "data_size": self.data.len().to_string(),
            "data_path": BASE64URL_NOPAD.encode(&chunk.path),
            // Of its last byte.
            "offset": chunk.range.end.saturating_sub(1).to_string(),
            "chunk": BASE64URL_NOPAD.encode(bytes),
        })
    }
}

/// Bytes in base64url; `None` for anything else.
pub(super) fn bytes_of(text: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()
}
