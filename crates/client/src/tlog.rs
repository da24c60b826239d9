//! A log over HTTP: C2SP tlog-tiles, and the proofs and bundles that go with them.

use merkle::Hash;
use merkle::note::VerifierKey;
use merkle::tile::{TileId, TilePath, decode_bundle};
use serde::Deserialize;

use crate::audit::{CheckpointPage, LogSource};
use crate::avatar::Avatar;
use crate::bundle::{AvatarBundle, NameBundle};
use crate::chain::LoggedEntry;
use crate::http::{Http, HttpError, HttpOptions};
use crate::remembered::ConsistencySource;

/// The last path segment of a log's address.
const LOG: &str = "log";
/// Entries of a full bundle.
const BUNDLE: u64 = 256;

/// A log that a directory serves.
#[derive(Clone, Debug)]
pub struct LogClient(Http);

#[derive(Deserialize)]
struct Page {
    notes: Vec<String>,
    next: Option<u64>,
}

#[derive(Deserialize)]
struct Consistency {
    consistency: Vec<String>,
}

#[derive(Deserialize)]
struct Inclusion {
    audit_path: Vec<String>,
}

impl LogClient {
    /// A client of the directory at `base_url`; `https://example.org` and `https://example.org/log`
    /// are the same log. Connects to nothing yet.
    ///
    /// # Errors
    /// When the address is none, or the authorities cannot be read.
    pub fn new(base_url: &str, options: &HttpOptions) -> Result<Self, HttpError> {
        let trimmed = base_url.trim_end_matches('/');
        let base_url = trimmed.strip_suffix("/log").unwrap_or(trimmed);
        Ok(Self(Http::new(base_url, options)?))
    }

    /// The address without `/log`.
    #[must_use]
    pub fn address(&self) -> &str {
        self.0.base().as_str()
    }

    /// The key the server says the log signs with: for a first contact only.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn key(&self) -> Result<VerifierKey, HttpError> {
        let body = self.get(&["key"]).await?;
        let text = std::str::from_utf8(&body).ok().map(str::trim_end);
        text.and_then(|text| VerifierKey::parse(text).ok())
            .ok_or(HttpError::Reply("not a verifier key"))
    }

    /// The newest signed checkpoint, not verified.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn checkpoint(&self) -> Result<Vec<u8>, HttpError> {
        self.get(&["checkpoint"]).await
    }

    /// The bundle of a name, read but not verified.
    ///
    /// # Errors
    /// See [`HttpError`]; a name no one may have is refused with 400.
    pub async fn name_bundle(&self, name: &str) -> Result<NameBundle, HttpError> {
        let body = self.get(&["names", name]).await?;
        NameBundle::parse(&body).map_err(|_| HttpError::Reply("not a bundle"))
    }

    /// The bundle of an avatar, read but not verified.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn avatar_bundle(&self, avatar: &Avatar) -> Result<AvatarBundle, HttpError> {
        let body = self.get(&["avatars", &avatar.to_string()]).await?;
        AvatarBundle::parse(&body).map_err(|_| HttpError::Reply("not a bundle"))
    }

    /// The bundle of a name as a `.tlog-proof` file, to be kept and verified at any time.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn proof_file(&self, name: &str) -> Result<Vec<u8>, HttpError> {
        let mut url = self.0.below(&[LOG, "names", name]);
        url.set_query(Some("format=tlog"));
        self.0.get(url).await
    }

    /// An entry and the proof that the log of `size` entries has it at this index; neither verified.
    ///
    /// # Errors
    /// See [`HttpError`].
    pub async fn entry(&self, index: u64, size: u64) -> Result<LoggedEntry, HttpError> {
        let mut url = self.0.below(&[LOG, "inclusion"]);
        url.set_query(Some(&format!("leaf={index}&size={size}")));
        let body = self.0.get(url).await?;
        let proof: Inclusion = serde_json::from_slice(&body)
            .map_err(|_| HttpError::Reply("not an inclusion proof"))?;
        let path = proof.audit_path.iter().map(|text| Hash::from_base64(text));
        let path = path.collect::<Option<_>>();
        let (bundle, at) = (index / BUNDLE, index % BUNDLE);
        let id = TileId {
            level: 0,
            index: bundle,
        };
        let bytes = self.entries(bundle, id.width(size)).await?;
        let entries =
            decode_bundle(&bytes).map_err(|_| HttpError::Reply("not a bundle of entries"))?;
        let entry = usize::try_from(at).ok().and_then(|at| entries.get(at));
        Ok(LoggedEntry {
            entry: entry
                .ok_or(HttpError::Reply("not the bundle of the entry"))?
                .to_vec(),
            path: path.ok_or(HttpError::Reply("not an inclusion proof"))?,
        })
    }

    async fn get(&self, segments: &[&str]) -> Result<Vec<u8>, HttpError> {
        let segments = [&[LOG], segments].concat();
        self.0.get(self.0.below(&segments)).await
    }

    async fn tile_path(&self, path: TilePath) -> Result<Vec<u8>, HttpError> {
        let path = path.to_string();
        let segments: Vec<&str> = path.split('/').collect();
        self.get(&segments).await
    }
}

impl LogSource for LogClient {
    type Error = HttpError;

    async fn checkpoints(&self, from: u64) -> Result<CheckpointPage, HttpError> {
        let mut url = self.0.below(&[LOG, "checkpoints"]);
        url.set_query(Some(&format!("from={from}")));
        let body = self.0.get(url).await?;
        let page: Page = serde_json::from_slice(&body)
            .map_err(|_| HttpError::Reply("not a page of checkpoints"))?;
        Ok(CheckpointPage {
            notes: page.notes.into_iter().map(String::into_bytes).collect(),
            next: page.next,
        })
    }

    async fn tile(&self, id: TileId, width: u16) -> Result<Vec<u8>, HttpError> {
        self.tile_path(TilePath::Tile { id, width }).await
    }

    async fn entries(&self, index: u64, width: u16) -> Result<Vec<u8>, HttpError> {
        self.tile_path(TilePath::Entries { index, width }).await
    }
}

impl ConsistencySource for LogClient {
    type Error = HttpError;

    async fn consistency(&self, first: u64, second: u64) -> Result<Vec<Hash>, HttpError> {
        let mut url = self.0.below(&[LOG, "consistency"]);
        url.set_query(Some(&format!("first={first}&second={second}")));
        let body = self.0.get(url).await?;
        let proof: Consistency = serde_json::from_slice(&body)
            .map_err(|_| HttpError::Reply("not a consistency proof"))?;
        let hashes = proof.consistency.iter();
        let hashes = hashes.map(|text| Hash::from_base64(text));
        hashes
            .collect::<Option<_>>()
            .ok_or(HttpError::Reply("not a consistency proof"))
    }
}
