//! Avatars that sign, and a service they post at.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use crypto::secp256k1::{Signature, SigningKey, personal_digest, recover};
use crypto::secret::Secret;
use engine::claims::{Draft, Posting};
use engine::nextid::{decode_base64, encode_signature};
use engine::ports::checker::{
    CheckWorld, ClaimChecker, Claimed, Extra, Failure, Found, Needs, Refusal,
};
use engine::ports::dns::{DnsError, TxtResolver};
use engine::ports::fetch::{FetchError, FetchLimits, Fetched, Request, Upstream, WebFetcher};
use engine::reconcile::Reconciler;
use engine::types::{Avatar, ClaimAction, Domain};

use crate::World;

/// An avatar and its secret.
pub struct AvatarClient(SigningKey);

impl AvatarClient {
    /// The avatar of a secret key made from one byte, which must not be 0.
    ///
    /// # Panics
    /// When it is.
    #[must_use]
    pub fn new(byte: u8) -> Self {
        let key = SigningKey::from_secret(Secret::new([byte; 32]));
        Self(key.expect("the bytes are a secret key"))
    }

    /// Its public half.
    #[must_use]
    pub fn avatar(&self) -> Avatar {
        Avatar::from(*self.0.public())
    }

    /// Its account at Ethereum: `0x` and 40 lower-case digits.
    #[must_use]
    pub fn address(&self) -> String {
        address(&self.0.public().address())
    }

    /// Signs a payload; base64 of 65 bytes.
    #[must_use]
    pub fn sign(&self, payload: &str) -> String {
        encode_signature(self.0.sign_personal(payload.as_bytes()).as_bytes())
    }
}

fn address(bytes: &[u8; 20]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{digits}")
}

/// A service at which a test posts what it likes. One called `ethereum` wants wallets to sign instead.
pub struct FakeService {
    name: &'static str,
    posts: Mutex<HashMap<String, (String, String)>>,
    is_away: Mutex<bool>,
    objection: Mutex<Option<String>>,
}

impl FakeService {
    /// An empty one.
    #[must_use]
    pub fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self {
            name,
            posts: Mutex::default(),
            is_away: Mutex::new(false),
            objection: Mutex::default(),
        })
    }

    /// An account posts a signature.
    pub fn post(&self, location: &str, author: &str, signature: &str) {
        let post = (author.to_owned(), signature.to_owned());
        lock(&self.posts).insert(location.to_owned(), post);
    }

    /// A post is taken back.
    pub fn remove(&self, location: &str) {
        lock(&self.posts).remove(location);
    }

    /// From now on it answers, or does not.
    pub fn set_away(&self, is_away: bool) {
        *lock(&self.is_away) = is_away;
    }

    /// From now on it says of every post that somebody else wrote it, in these words.
    pub fn object(&self, words: &str) {
        *lock(&self.objection) = Some(words.to_owned());
    }

    fn check_wallet(claim: &Claimed<'_>) -> Result<Found, Refusal> {
        let given = claim.extra.wallet_signature.as_deref();
        let given = given.and_then(decode_base64);
        if given.and_then(|given| signer(claim, &given)).as_deref() != Some(claim.identity) {
            let said = "ETH wallet signature validation failed";
            return Err(Refusal::new(Failure::BadSignature, said));
        }
        Ok(Found {
            signatures: claim.extra.signature.clone().into_iter().collect(),
            alt_id: claim.identity.to_owned(),
            location: String::new(),
            dnssec: None,
        })
    }
}

impl World {
    /// Has an avatar claim an account, or give it up: it posts at the service under location 1, and the
    /// link has its place in the log.
    ///
    /// # Panics
    /// When the directory refuses.
    pub async fn claim(
        &self,
        key: &AvatarClient,
        service: &FakeService,
        (action, identity): (ClaimAction, &str),
    ) {
        let (caller, claims) = (Self::caller(1), self.engine.claims());
        let draft = Draft {
            action,
            service: service.name.into(),
            identity: identity.into(),
            avatar: key.avatar(),
        };
        let prepared = claims.prepare(&caller, &draft).await;
        let prepared = prepared.expect("an avatar may claim it");
        let signature = key.sign(&prepared.payload);
        service.post("1", identity, &signature);
        let posting = Posting {
            action,
            service: draft.service,
            identity: draft.identity,
            location: "1".into(),
            avatar: draft.avatar,
            uuid: prepared.uuid,
            created_at: prepared.created_at,
            extra: Extra {
                signature: decode_base64(&signature),
                ..Extra::default()
            },
        };
        let posted = claims.post(&caller, &posting);
        tokio::pin!(posted);
        loop {
            tokio::select! {
                biased;
                done = &mut posted => { done.expect("the post is accepted"); return },
                ticked = Reconciler::Sequence.tick(&self.engine) => {
                    ticked.expect("the log is sequenced");
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

/// The Ethereum account that signed a claim's payload.
fn signer(claim: &Claimed<'_>, signature: &[u8]) -> Option<String> {
    let signature = Signature::parse(signature).ok()?;
    let key = recover(&signature, &personal_digest(claim.payload.as_bytes())).ok()?;
    Some(address(&key.address()))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("no test panics while it holds this")
}

#[async_trait]
impl ClaimChecker for FakeService {
    fn service(&self) -> &str {
        self.name
    }

    fn needs(&self) -> Needs {
        let is_wallet = self.name == "ethereum";
        Needs {
            persona: is_wallet,
            location: !is_wallet,
            wallet_delete: is_wallet,
        }
    }

    async fn normalise(&self, identity: &str, _: &CheckWorld<'_>) -> Result<String, Refusal> {
        if identity.contains(' ') {
            let said = "an account has no blanks";
            return Err(Refusal::new(Failure::Malformed, said));
        }
        Ok(identity.to_lowercase())
    }

    async fn check(&self, claim: &Claimed<'_>, _: &CheckWorld<'_>) -> Result<Found, Refusal> {
        if *lock(&self.is_away) {
            let said = "the service does not answer";
            return Err(Refusal::new(Failure::Unreachable, said));
        }
        if self.name == "ethereum" {
            return Self::check_wallet(claim);
        }
        if let Some(words) = lock(&self.objection).clone() {
            return Err(Refusal::new(Failure::WrongAuthor, words));
        }
        let location = claim.location.unwrap_or_default();
        let post = lock(&self.posts).get(location).cloned();
        let missing = || Refusal::new(Failure::NotFound, "there is no such post");
        let (author, signature) = post.ok_or_else(missing)?;
        if author.to_lowercase() != claim.identity {
            let said = "tweet is not sent by this account.";
            return Err(Refusal::new(Failure::WrongAuthor, said));
        }
        let none = || Refusal::new(Failure::TextMissing, "Signature not found in tweet text.");
        Ok(Found {
            signatures: vec![decode_base64(&signature).ok_or_else(none)?],
            alt_id: format!("id-of-{author}"),
            location: location.to_owned(),
            dnssec: None,
        })
    }

    fn delete_by_wallet(&self, claim: &Claimed<'_>) -> Option<Result<Vec<u8>, Refusal>> {
        let is_delete = self.name == "ethereum" && claim.action == ClaimAction::Delete;
        let given = claim
            .extra
            .wallet_signature
            .as_deref()
            .filter(|_| is_delete)?;
        let bad = || {
            Refusal::new(
                Failure::BadSignature,
                "ETH wallet signature validation failed",
            )
        };
        let bytes = decode_base64(given)
            .filter(|bytes| signer(claim, bytes).as_deref() == Some(claim.identity));
        Some(bytes.ok_or_else(bad))
    }
}

/// A network that nothing answers on.
pub struct Nowhere;

#[async_trait]
impl WebFetcher for Nowhere {
    fn locate(&self, _: &str, _: &[Upstream]) -> Option<(Upstream, String)> {
        None
    }

    async fn fetch(&self, _: Request, _: FetchLimits) -> Result<Fetched, FetchError> {
        Err(FetchError::Unreachable)
    }
}

#[async_trait]
impl TxtResolver for Nowhere {
    async fn txt(&self, _: &Domain) -> Result<Vec<String>, DnsError> {
        Err(DnsError::Unreachable)
    }
}
