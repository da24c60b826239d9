//! What both ways to Arweave have in common: the key, requests, and saying once what is wrong.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use crypto::arweave_key::{ArweaveKey, OWNER_BYTES};
use engine::ans104::SignedItem;
use engine::limits::ARCHIVE_TIME;
use engine::ports::archive::{ArchiveError, ArchiveItem};
use engine::ports::fetch::{
    FetchError, FetchLimits, Fetched, Method, Purpose, Request, Upstream as Asked, WebFetcher,
};
use tokio::time::timeout;

/// The service in `[upstreams]`: a gateway, or a bundler.
pub const UPSTREAM: &str = "arweave";

/// Some gateways answer a transaction with itself.
const LIMITS: FetchLimits = FetchLimits {
    timeout: Duration::from_secs(20),
    body_bytes_max: 1 << 20,
    redirects_max: 3,
};
/// Characters of an answer that are shown to the operator.
pub(super) const SAID_CHARS_MAX: usize = 200;

/// Asks the upstream, and signs.
pub(super) struct Upstream {
    web: Arc<dyn WebFetcher>,
    key: Arc<ArweaveKey>,
    /// What went wrong last, and has been said.
    trouble: Mutex<Option<String>>,
}

impl Upstream {
    pub(super) fn new(web: Arc<dyn WebFetcher>, key: ArweaveKey) -> Self {
        Self {
            web,
            key: Arc::new(key),
            trouble: Mutex::default(),
        }
    }

    pub(super) fn owner(&self) -> &[u8; OWNER_BYTES] {
        self.key.owner()
    }

    pub(super) async fn sign_item(&self, item: &ArchiveItem) -> Result<SignedItem, ArchiveError> {
        let (key, item) = (self.key.clone(), item.clone());
        let signing = move || SignedItem::make(key.as_ref(), &item.tags, &item.data);
        let signed = tokio::task::spawn_blocking(signing).await;
        let signed = signed.map_err(|error| refused(error.to_string()))?;
        signed.map_err(|fault| refused(fault.to_string()))
    }

    /// Signs the hash of a transaction.
    pub(super) async fn sign(&self, hash: [u8; 48]) -> Result<[u8; OWNER_BYTES], ArchiveError> {
        let key = self.key.clone();
        let signed = tokio::task::spawn_blocking(move || key.sign(&hash)).await;
        let signed = signed.map_err(|error| refused(error.to_string()))?;
        signed.map_err(|error| refused(error.to_string()))
    }

    pub(super) async fn get(&self, path: String) -> Result<Fetched, ArchiveError> {
        self.ask(Request::get(Asked::Named(UPSTREAM), path)).await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Result<Fetched, ArchiveError> {
        let request = Request {
            method: Method::Post,
            body: body.into(),
            ..Request::get(Asked::Named(UPSTREAM), path)
        };
        self.ask(request.with_header("content-type", content_type))
            .await
    }

    /// An answer, unless it says to come again later.
    async fn ask(&self, request: Request) -> Result<Fetched, ArchiveError> {
        let request = Request {
            purpose: Purpose::Background,
            ..request
        };
        let fetched = self.web.fetch(request, LIMITS).await.map_err(fault)?;
        match fetched.status {
            408 | 425 | 429 | 500.. => Err(ArchiveError::Unreachable),
            _ => Ok(fetched),
        }
    }

    /// Ends an exchange in time, warns when exchanges begin to fail, and says when they work again.
    pub(super) async fn exchange<T>(
        &self,
        exchange: impl Future<Output = Result<T, ArchiveError>> + Send,
    ) -> Result<T, ArchiveError> {
        let done = timeout(ARCHIVE_TIME, Box::pin(exchange)).await;
        let done = done.unwrap_or(Err(ArchiveError::Unreachable));
        let said = done.as_ref().err().map(ToString::to_string);
        // Nothing that holds it can leave it half changed.
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match (&said, &*trouble) {
            (Some(error), old) if old.as_ref() != Some(error) => {
                tracing::warn!(error, "no copies of links are made; trying again later");
            }
            (None, Some(_)) => tracing::info!("copies of links are made again"),
            (Some(_), _) | (None, None) => {}
        }
        *trouble = said;
        done
    }
}

pub(super) fn refused(why: impl Into<String>) -> ArchiveError {
    ArchiveError::Refused(why.into())
}

/// What an answer says that was not asked for: its status, and the beginning of its text.
pub(super) fn unexpected(what: &str, fetched: &Fetched) -> ArchiveError {
    let text = String::from_utf8_lossy(&fetched.body);
    let text: String = text.chars().take(SAID_CHARS_MAX).collect();
    refused(format!(
        "{what} was answered with status {}: {text:?}",
        fetched.status
    ))
}

fn fault(error: FetchError) -> ArchiveError {
    match error {
        FetchError::Unreachable | FetchError::Busy | FetchError::Resting(_) => {
            ArchiveError::Unreachable
        }
        FetchError::ForbiddenAddress
        | FetchError::TooLarge
        | FetchError::TooManyRedirects
        | FetchError::Encoded
        | FetchError::Unsendable(_) => refused(error.to_string()),
    }
}
