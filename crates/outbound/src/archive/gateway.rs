//! Arweave itself, by a gateway or a node: bundles in transactions of our own.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use crypto::arweave_key::ArweaveKey;
use data_encoding::BASE64URL_NOPAD;
use engine::ans104::{SignedItem, write_bundle};
use engine::ports::archive::{Archive, ArchiveError, ArchiveItem, Parcel, Sent};
use engine::ports::fetch::{Fetched, WebFetcher};
use serde::Deserialize;

use super::WINSTON_PER_AR;
use super::transaction::{Transaction, Wrapping, bytes_of};
use super::upstream::{Upstream, refused, unexpected};

/// Blocks on top of a transaction's, after which it is there for good: half an hour's.
const CONFIRMATIONS: u64 = 10;
/// Blocks after which a transaction that is in none cannot come into one any more. The network takes
/// 50 from its anchor on; the rest is for gateways that lag.
const BLOCKS_TO_VOID: u64 = 100;
/// Longest anchor: the hash of a block.
const ANCHOR_BYTES_MAX: usize = 48;

/// Pays for what it sends, out of the wallet of its key.
pub struct Gateway {
    upstream: Upstream,
    fee_max_winston: u64,
}

/// What a gateway knows of a transaction.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Status {
    Unknown,
    /// In this many blocks and on top of them; 0 while it waits for one.
    Known(u64),
}

#[derive(Deserialize)]
struct Confirmed {
    /// Some gateways count below 0 while their blocks come in.
    number_of_confirmations: i64,
}

#[derive(Deserialize)]
struct Info {
    height: u64,
}

impl Gateway {
    /// Over a fetcher that has the upstream [`UPSTREAM`](super::UPSTREAM). A transaction for which the
    /// network asks more than `fee_max_winston` is not made.
    #[must_use]
    pub fn new(web: Arc<dyn WebFetcher>, key: ArweaveKey, fee_max_winston: u64) -> Self {
        Self {
            upstream: Upstream::new(web, key),
            fee_max_winston,
        }
    }

    async fn wrap(&self, items: &[SignedItem]) -> Result<Bytes, ArchiveError> {
        let data = bundle(items)?;
        let anchor = self.anchor().await?;
        // Asked after the anchor, so that the anchor is no younger.
        let height = self.height().await?;
        let mut wrapping = Wrapping {
            owner: BASE64URL_NOPAD.encode(self.upstream.owner()),
            anchor,
            reward: self.price(data.len()).await?,
            height,
            signature: String::new(),
        };
        let hash = Transaction::new(&wrapping, &data).hash();
        let signature = self.upstream.sign(hash).await?;
        wrapping.signature = BASE64URL_NOPAD.encode(&signature);
        Ok(wrapping.to_json().into())
    }

    async fn send_or_look(&self, parcel: &Parcel) -> Result<Sent, ArchiveError> {
        // Items that went another way so far have none.
        let Some(wrapping) = Wrapping::read(&parcel.wrapping) else {
            return Ok(Sent::Void);
        };
        let data = bundle(&parcel.items)?;
        let transaction = Transaction::new(&wrapping, &data);
        match self.status(&transaction.id()).await? {
            Status::Known(CONFIRMATIONS..) => return Ok(Sent::Kept),
            Status::Known(_) => {}
            Status::Unknown => {
                let age = self.height().await?.saturating_sub(wrapping.height);
                if age > BLOCKS_TO_VOID {
                    return Ok(Sent::Void);
                }
                self.post(&transaction).await?;
            }
        }
        // Whether all came the last time is not known, and a chunk may come twice.
        for chunk in transaction.chunks() {
            let json = transaction.chunk_json(chunk).to_string();
            let fetched = self.upstream.post("/chunk", "application/json", json);
            accepted("a chunk", &fetched.await?)?;
        }
        Ok(Sent::Pending)
    }

    async fn post(&self, transaction: &Transaction<'_>) -> Result<(), ArchiveError> {
        let json = transaction.to_json();
        let fetched = self.upstream.post("/tx", "application/json", json).await?;
        let Err(refusal) = accepted("a transaction", &fetched) else {
            return Ok(());
        };
        // Another worker may have been faster.
        match self.status(&transaction.id()).await? {
            Status::Known(_) => Ok(()),
            Status::Unknown => Err(refusal),
        }
    }

    async fn anchor(&self) -> Result<String, ArchiveError> {
        let fetched = self.upstream.get("/tx_anchor".to_owned()).await?;
        let anchor = read_anchor(&fetched);
        let anchor = anchor.ok_or_else(|| unexpected("the question for an anchor", &fetched))?;
        Ok(anchor.to_owned())
    }

    async fn height(&self) -> Result<u64, ArchiveError> {
        let fetched = self.upstream.get("/info".to_owned()).await?;
        read_height(&fetched).ok_or_else(|| unexpected("the question for blocks", &fetched))
    }

    async fn price(&self, data_bytes: usize) -> Result<u64, ArchiveError> {
        let fetched = self.upstream.get(format!("/price/{data_bytes}")).await?;
        let price = read_price(&fetched);
        let price = price.ok_or_else(|| unexpected("the question for a price", &fetched))?;
        if price > self.fee_max_winston {
            let (price, most) = (ar(price), ar(self.fee_max_winston));
            return Err(refused(format!(
                "{data_bytes} bytes cost {price} AR, arweave.fee_max is {most}"
            )));
        }
        Ok(price)
    }

    async fn status(&self, id: &str) -> Result<Status, ArchiveError> {
        let fetched = self.upstream.get(format!("/tx/{id}/status")).await?;
        read_status(&fetched).ok_or_else(|| unexpected("the question for a transaction", &fetched))
    }
}

pub(super) fn read_anchor(fetched: &Fetched) -> Option<&str> {
    text(fetched).filter(|text| {
        bytes_of(text).is_some_and(|bytes| (1..=ANCHOR_BYTES_MAX).contains(&bytes.len()))
    })
}

pub(super) fn read_height(fetched: &Fetched) -> Option<u64> {
    let body = (fetched.status == 200).then_some(&fetched.body)?;
    let info: Info = serde_json::from_slice(body).ok()?;
    Some(info.height)
}

/// In winston.
pub(super) fn read_price(fetched: &Fetched) -> Option<u64> {
    text(fetched)?.parse().ok()
}

pub(super) fn read_status(fetched: &Fetched) -> Option<Status> {
    match fetched.status {
        // Some say the status of this one otherwise.
        200 if text(fetched) == Some("Pending") => Some(Status::Known(0)),
        200 => {
            let confirmed: Confirmed = serde_json::from_slice(&fetched.body).ok()?;
            let blocks = u64::try_from(confirmed.number_of_confirmations);
            Some(Status::Known(blocks.unwrap_or_default()))
        }
        202 => Some(Status::Known(0)),
        404 => Some(Status::Unknown),
        _ => None,
    }
}

#[async_trait]
impl Archive for Gateway {
    async fn sign(&self, item: &ArchiveItem) -> Result<SignedItem, ArchiveError> {
        self.upstream.sign_item(item).await
    }

    async fn pack(&self, items: &[SignedItem]) -> Result<Bytes, ArchiveError> {
        self.upstream.exchange(self.wrap(items)).await
    }

    async fn send(&self, parcel: &Parcel) -> Result<Sent, ArchiveError> {
        self.upstream.exchange(self.send_or_look(parcel)).await
    }
}

fn bundle(items: &[SignedItem]) -> Result<Vec<u8>, ArchiveError> {
    write_bundle(items).map_err(|fault| refused(fault.to_string()))
}

/// 208 is for what the network has already.
pub(super) fn accepted(what: &str, fetched: &Fetched) -> Result<(), ArchiveError> {
    match fetched.status {
        200..=299 => Ok(()),
        _ => Err(unexpected(what, fetched)),
    }
}

fn text(fetched: &Fetched) -> Option<&str> {
    let text = str::from_utf8(&fetched.body).ok()?;
    (fetched.status == 200).then_some(text.trim())
}

pub(super) fn ar(winston: u64) -> String {
    let (whole, rest) = (winston / WINSTON_PER_AR, winston % WINSTON_PER_AR);
    let text = format!("{whole}.{rest:012}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
