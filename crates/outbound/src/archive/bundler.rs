//! A bundler, such as Turbo or Irys: it takes single items, and sees to the rest.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use crypto::arweave_key::ArweaveKey;
use engine::ans104::SignedItem;
use engine::ports::archive::{Archive, ArchiveError, ArchiveItem, Parcel, Sent};
use engine::ports::fetch::{Fetched, WebFetcher};
use serde::Deserialize;

use super::upstream::{Upstream, refused, unexpected};

/// Where items go whose owner has an Arweave key.
const PATH: &str = "/tx/arweave";

/// Pays nothing itself: the owner of its key has an account there.
pub struct Bundler {
    upstream: Upstream,
}

/// What a bundler says of an item it took. What else it says is a receipt of its own.
#[derive(Deserialize)]
struct Receipt {
    id: String,
}

impl Bundler {
    /// Over a fetcher that has the upstream [`UPSTREAM`](super::UPSTREAM).
    #[must_use]
    pub fn new(web: Arc<dyn WebFetcher>, key: ArweaveKey) -> Self {
        Self {
            upstream: Upstream::new(web, key),
        }
    }

    /// Sends all; one that was sent before has its name already, and nothing is paid for it.
    async fn send_all(&self, items: &[SignedItem]) -> Result<Sent, ArchiveError> {
        for item in items {
            let body = item.bytes.clone();
            let fetched = self.upstream.post(PATH, "application/octet-stream", body);
            taken(&fetched.await?, &item.id.to_string())?;
        }
        Ok(Sent::Kept)
    }
}

/// Whether an answer says that the item of this name was taken.
pub(super) fn taken(fetched: &Fetched, id: &str) -> Result<(), ArchiveError> {
    match fetched.status {
        200..=299 => {}
        402 => return Err(refused("the account of the key has too little credit")),
        _ => return Err(unexpected("an item", fetched)),
    }
    // One that it has already may be answered with words.
    let receipt = serde_json::from_slice(&fetched.body).ok();
    if receipt.is_some_and(|receipt: Receipt| receipt.id != id) {
        return Err(unexpected("an item", fetched));
    }
    Ok(())
}

#[async_trait]
impl Archive for Bundler {
    async fn sign(&self, item: &ArchiveItem) -> Result<SignedItem, ArchiveError> {
        self.upstream.sign_item(item).await
    }

    async fn pack(&self, _: &[SignedItem]) -> Result<Bytes, ArchiveError> {
        Ok(Bytes::new())
    }

    async fn send(&self, parcel: &Parcel) -> Result<Sent, ArchiveError> {
        self.upstream.exchange(self.send_all(&parcel.items)).await
    }
}
