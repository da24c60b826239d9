//! The served log, believed only as far as it proves itself: checkpoints, bundles, and the whole.

use std::collections::HashMap;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crypto::ed25519::VerifyingKey;
use merkle::entry::{EntryKind, LogEntry, commit, public_label};
use merkle::map::{MapBatch, MapProof, PageId};
use merkle::note::{Checkpoint, Note, VerifierKey};
use merkle::proof::verify_inclusion;
use merkle::range::CompactRange;
use merkle::tile::{TILE_WIDTH, TileId, TilePath, decode_bundle};
use merkle::{Hash, leaf_hash};
use prost::Message;
use serde::Deserialize;

use crate::http::Connection;
use crate::tox::{Profile, Record};

/// The kind byte of names in labels (docs/LOG-FORMAT.md).
const LABEL_OF_NAME: u8 = 1;
const TOX_ID_HEX: data_encoding::Encoding = data_encoding::HEXUPPER;

/// The key that was met first; every later checkpoint must be signed by it.
pub(crate) struct Trust([VerifierKey; 1]);

/// What a verified bundle says of a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proven {
    pub(crate) record: Option<Record>,
    /// Links in the name's chain; 0 when the map proves that there is none.
    pub(crate) links: u32,
}

impl Trust {
    pub(crate) async fn first_contact(connection: &mut Connection) -> Result<Self> {
        let answer = connection.get("/log/key").await?;
        let text = String::from_utf8(answer.body).context("/log/key is not text")?;
        let key = VerifierKey::parse(text.trim_end()).context("/log/key is no verifier key")?;
        Ok(Self([key]))
    }

    /// Verifies a signed checkpoint.
    pub(crate) fn checkpoint(&self, note: &[u8]) -> Result<Checkpoint> {
        let note = Note::parse(note).context("a checkpoint")?;
        note.verify_with(&self.0, is_good).context("a checkpoint")?;
        Checkpoint::parse(&note.text).context("a checkpoint")
    }

    /// The newest checkpoint.
    pub(crate) async fn newest(&self, connection: &mut Connection) -> Result<Checkpoint> {
        let answer = connection.get("/log/checkpoint").await?;
        ensure!(
            answer.status == 200,
            "/log/checkpoint: status {}",
            answer.status
        );
        self.checkpoint(&answer.body)
    }

    /// What the log proves about a profile's name.
    pub(crate) async fn prove(
        &self,
        connection: &mut Connection,
        profile: &Profile,
    ) -> Result<Proven> {
        let path = format!("/log/names/{}", profile.name);
        let answer = connection.get(&path).await?;
        ensure!(answer.status == 200, "{path}: status {}", answer.status);
        let bundle: Bundle = serde_json::from_slice(&answer.body).context("a bundle")?;
        self.open(&bundle, profile)
    }

    fn open(&self, bundle: &Bundle, profile: &Profile) -> Result<Proven> {
        let checkpoint = self.checkpoint(bundle.checkpoint.as_bytes())?;
        let entry = decode(&bundle.map_head.entry)?;
        let path: Option<Vec<Hash>> = bundle
            .map_head
            .inclusion
            .iter()
            .map(|hash| Hash::from_base64(hash))
            .collect();
        let path = path.context("an audit path")?;
        ensure!(
            bundle.map_head.index + 1 == checkpoint.size,
            "the map head is not the last entry"
        );
        verify_inclusion(
            bundle.map_head.index,
            checkpoint.size,
            &leaf_hash(&entry),
            &path,
            &checkpoint.root,
        )
        .context("the map head is not in the log")?;
        let head = LogEntry::decode(&entry).context("the map head")?;
        ensure!(
            head.kind == EntryKind::MapHead,
            "the map head is another entry"
        );
        let label = public_label(LABEL_OF_NAME, profile.name.as_bytes());
        let proof = MapProof::decode(&decode(&bundle.map_proof)?).context("a map proof")?;
        let proven = proof
            .verify(&label, &head.commitment)
            .context("a map proof")?;
        let Some((links, commitment)) = proven else {
            return Ok(Proven::default());
        };
        let opening = bundle.present.as_ref().and_then(|it| it.opening.as_ref());
        let opening = opening.context("the newest link has no opening")?;
        let link = decode(&opening.link)?;
        let salt = decode(&opening.salt)?;
        let salt = salt.as_slice().try_into().context("a salt of 32 bytes")?;
        ensure!(
            commit(salt, &link) == commitment,
            "the opening does not fit"
        );
        let record = Link::decode(link.as_slice())
            .context("a link")?
            .record(profile)?;
        Ok(Proven { record, links })
    }
}

fn is_good(key: &VerifierKey, text: &[u8], signature: &[u8]) -> bool {
    let (Ok(public), Ok(signature)) = (key.public().try_into(), signature.try_into()) else {
        return false;
    };
    VerifyingKey::from_bytes(public).is_ok_and(|key| key.verify_strict(text, signature).is_ok())
}

fn decode(text: &str) -> Result<Vec<u8>> {
    BASE64.decode(text).context("base64 in a bundle")
}

#[derive(Deserialize)]
struct Bundle {
    present: Option<Present>,
    map_proof: String,
    map_head: MapHead,
    checkpoint: String,
}

#[derive(Deserialize)]
struct Present {
    opening: Option<Opening>,
}

#[derive(Deserialize)]
struct Opening {
    salt: String,
    link: String,
}

#[derive(Deserialize)]
struct MapHead {
    index: u64,
    entry: String,
    inclusion: Vec<String>,
}

/// The fields of a link that are compared: a record's, or none for a released name.
#[derive(Clone, PartialEq, Message)]
struct Link {
    #[prost(message, optional, tag = "10")]
    set_record: Option<SetRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct SetRecord {
    #[prost(bytes = "vec", tag = "1")]
    tox_id: Vec<u8>,
    #[prost(uint32, tag = "3")]
    visibility: u32,
}

impl Link {
    fn record(self, profile: &Profile) -> Result<Option<Record>> {
        let Some(record) = self.set_record else {
            return Ok(None);
        };
        let version = profile.version_of(&TOX_ID_HEX.encode(&record.tox_id));
        Ok(Some(Record {
            version: version.context("the proven Tox ID is somebody else's")?,
            privacy: u8::try_from(record.visibility).context("a visibility")?,
        }))
    }
}

/// Reads the whole log of a checkpoint, recomputes its root and every map root in it. Answers the
/// number of links.
pub(crate) async fn audit(connection: &mut Connection, newest: &Checkpoint) -> Result<u64> {
    let mut range = CompactRange::new();
    let mut map = Map::default();
    let mut links = 0;
    for index in 0..newest.size.div_ceil(TILE_WIDTH.into()) {
        let width = TileId { level: 0, index }.width(newest.size);
        let path = format!("/log/{}", TilePath::Entries { index, width });
        let answer = connection.get(&path).await?;
        let entries = decode_bundle(&answer.body).with_context(|| path.clone())?;
        ensure!(entries.len() == usize::from(width), "{path} is too short");
        for bytes in entries {
            range.push(leaf_hash(bytes));
            let entry = LogEntry::decode(bytes).with_context(|| path.clone())?;
            match entry.kind {
                EntryKind::Link => {
                    links += 1;
                    map.changed
                        .insert(entry.label, (entry.seqno, entry.commitment));
                }
                EntryKind::MapHead => map.check(&entry.commitment)?,
                EntryKind::KeybaseRoot => {}
            }
        }
    }
    ensure!(
        range.root() == newest.root,
        "the entries do not give the checkpoint's root"
    );
    ensure!(map.changed.is_empty(), "the last entry is no map head");
    Ok(links)
}

/// The map as the log's entries make it.
#[derive(Default)]
struct Map {
    pages: HashMap<PageId, Vec<u8>>,
    changed: HashMap<Hash, (u32, Hash)>,
    root: Hash,
}

impl Map {
    /// Applies what changed since the last map head and compares roots.
    fn check(&mut self, root: &Hash) -> Result<()> {
        if !self.changed.is_empty() {
            let changed = std::mem::take(&mut self.changed);
            let mut batch = MapBatch::load(changed.keys().copied().collect());
            loop {
                let wanted = batch.wanted();
                if wanted.is_empty() {
                    break;
                }
                for id in wanted {
                    batch.supply(id, self.pages.get(&id).map(Vec::as_slice))?;
                }
            }
            for (label, (seqno, commitment)) in changed {
                let before = batch.current(&label).map_or(0, |leaf| leaf.seqno);
                ensure!(
                    before < seqno,
                    "link {seqno} of {label} follows link {before}"
                );
                batch.set(&label, seqno, commitment)?;
            }
            let change = batch.finish()?;
            self.root = change.root;
            self.pages.extend(change.pages);
        }
        ensure!(
            self.root == *root,
            "a map head differs from the map the entries make"
        );
        Ok(())
    }
}
