//! The toxme API, from the side of its clients.
//!
//! Requests that change something are sealed: only the holder of the profile's secret can have made
//! them. Replies are not, but a server can be asked to sign 64 bytes of the caller's with each one
//! ([`ToxmeClient::countersigned`]), which proves that the reply came by way of that server.

mod code;
mod wire;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::boxed::{self, BoxError, BoxPublicKey, NONCE_BYTES};
use crypto::ed25519::VerifyingKey;
use crypto::secret::Secret;
use data_encoding::HEXUPPER;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::http::{Http, HttpError, HttpOptions};
use crate::link::Visibility;
use crate::profile::Profile;
use crate::tox_id::ToxId;

pub use code::Code;

/// Bytes a caller can have signed with a reply.
pub const MEMORABILIA_BYTES: usize = 64;

/// A toxme server.
#[derive(Clone, Debug)]
pub struct ToxmeClient {
    http: Http,
    countersign: Option<Countersign>,
}

#[derive(Clone, Debug)]
struct Countersign {
    memorabilia: [u8; MEMORABILIA_BYTES],
    key: VerifyingKey,
}

/// A server's public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerKeys {
    /// Requests are sealed to it.
    pub seal_to: BoxPublicKey,
    /// Signs memorabilia; `None` for a server of the old kind, whose key nobody can learn.
    pub sign_key: Option<VerifyingKey>,
}

/// What makes a sealed request unlike any other. The server refuses one that it has seen, and one
/// that is more than 300 s away from its clock.
#[derive(Clone, Copy, Debug)]
pub struct Freshness {
    /// 24 random bytes, never used twice with one profile.
    pub nonce: [u8; NONCE_BYTES],
    /// Seconds since 1970.
    pub unix_s: u64,
}

/// What a profile wants to be known as.
#[derive(Clone, Copy, Debug)]
pub struct Registration<'a> {
    /// At most 63 characters.
    pub name: &'a str,
    /// Who may find it.
    pub visibility: Visibility,
    /// At most 1372 characters.
    pub bio: &'a str,
}

/// What a name points to, as the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The name, without its domain.
    pub name: String,
    /// The domain it is registered at.
    pub domain: String,
    /// Where it points.
    pub tox_id: ToxId,
    /// Whether the server vouches for it. Not for a name whose Tox ID nobody proved to hold; other
    /// servers may have other reasons.
    pub is_vouched_for: bool,
}

/// One match of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The name, without its domain.
    pub name: String,
    /// Its bio.
    pub bio: String,
}

/// How a server is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerStatus {
    /// Seconds since it was started.
    pub uptime_s: u64,
    /// Look-ups it served, blurred.
    pub lookups: u64,
    /// Names it holds, blurred.
    pub names: u64,
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ToxmeError {
    /// The server was not reached, or did not answer as a toxme server.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The server refused.
    #[error("{code}{}", shown(.detail.as_deref()))]
    Refused {
        /// Its code.
        code: Code,
        /// What the server says of it, for people; old servers say nothing.
        detail: Option<String>,
    },
    /// The server's key cannot be sealed to.
    #[error("the server's key is unusable")]
    ServerKey(#[from] BoxError),
    /// The reply lacks the signature that was asked for, or it does not verify.
    #[error("the reply is not signed by the server's key")]
    Countersignature,
}

impl ToxmeClient {
    /// A client of the server at `base_url`, such as `https://example.org`. Connects to nothing yet.
    ///
    /// # Errors
    /// When the address is none, or the authorities cannot be read.
    pub fn new(base_url: &str, options: &HttpOptions) -> Result<Self, HttpError> {
        Ok(Self {
            http: Http::new(base_url, options)?,
            countersign: None,
        })
    }

    /// The same client, whose next call asks the server to sign these bytes and fails unless it
    /// does. They are to be random and of one use: a signature over old ones proves nothing.
    #[must_use]
    pub fn countersigned(&self, memorabilia: [u8; MEMORABILIA_BYTES], key: VerifyingKey) -> Self {
        Self {
            http: self.http.clone(),
            countersign: Some(Countersign { memorabilia, key }),
        }
    }

    /// Asks for the server's keys. Who asks over a connection that others control learns nothing.
    ///
    /// # Errors
    /// See [`ToxmeError`].
    pub async fn server_keys(&self) -> Result<ServerKeys, ToxmeError> {
        let body = self.http.get(self.http.below(&["pk"])).await?;
        let keys: wire::Keys = read(&body)?;
        keys.read().ok_or_else(|| nonsense("keys").into())
    }

    /// Registers a name for a profile, or changes what is registered. Answers the edit password of
    /// a new record, and of one that somebody had added by the web form; `None` for another change.
    ///
    /// # Errors
    /// See [`ToxmeError`].
    pub async fn push(
        &self,
        server: &ServerKeys,
        profile: &Profile,
        wanted: Registration<'_>,
        fresh: Freshness,
    ) -> Result<Option<Secret<String>>, ToxmeError> {
        let payload = json!({
            "tox_id": profile.tox_id().to_string(),
            "name": wanted.name,
            "privacy": wanted.visibility.number(),
            "bio": wanted.bio,
            "timestamp": fresh.unix_s,
        });
        let request = sealed(1, server, profile, &payload, fresh)?;
        let reply: wire::Pushed = self.call(request).await?;
        Ok(reply.password.map(Secret::new))
    }

    /// Deletes a profile's record.
    ///
    /// # Errors
    /// See [`ToxmeError`].
    pub async fn delete(
        &self,
        server: &ServerKeys,
        profile: &Profile,
        fresh: Freshness,
    ) -> Result<(), ToxmeError> {
        let request = order(2, server, profile, fresh)?;
        let wire::Done {} = self.call(request).await?;
        Ok(())
    }

    /// Gives a profile's record a new edit password, and answers it: the old one is void. A record
    /// that somebody added by the web form becomes the profile's own. Servers of the old kind refuse
    /// this as unreadable.
    ///
    /// # Errors
    /// See [`ToxmeError`]; [`Code::UNKNOWN_NAME`] when the profile has no record.
    pub async fn reset_password(
        &self,
        server: &ServerKeys,
        profile: &Profile,
        fresh: Freshness,
    ) -> Result<Secret<String>, ToxmeError> {
        let request = order(7, server, profile, fresh)?;
        let reply: wire::Reset = self.call(request).await?;
        Ok(Secret::new(reply.password))
    }

    /// Looks up `name` or `name@domain`. The server is believed; to check it see [`crate::bundle`].
    ///
    /// # Errors
    /// See [`ToxmeError`]; an unknown name is [`Code::NO_USER`].
    pub async fn lookup(&self, name: &str) -> Result<Record, ToxmeError> {
        let reply: wire::Record = self.call(json!({"action": 3, "name": name})).await?;
        reply.read().ok_or_else(|| nonsense("tox_id").into())
    }

    /// Asks for the name of a key.
    ///
    /// # Errors
    /// See [`ToxmeError`]; [`Code::UNKNOWN_NAME`] also for a private record.
    pub async fn reverse(&self, key: &[u8; 32]) -> Result<String, ToxmeError> {
        let id = HEXUPPER.encode(key);
        let reply: wire::Named = self.call(json!({"action": 5, "id": id})).await?;
        Ok(reply.name)
    }

    /// One page, from 0, of the names that contain a fragment: at most 30, in their order.
    ///
    /// # Errors
    /// See [`ToxmeError`].
    pub async fn search(&self, fragment: &str, page: u32) -> Result<Vec<Found>, ToxmeError> {
        let request = json!({"action": 6, "name": fragment, "page": page});
        let reply: wire::Matches = self.call(request).await?;
        Ok(reply.users.into_iter().map(wire::Match::read).collect())
    }

    /// Asks how the server is doing.
    ///
    /// # Errors
    /// See [`ToxmeError`].
    pub async fn status(&self) -> Result<ServerStatus, ToxmeError> {
        let reply: wire::Status = self.call(json!({"action": 4})).await?;
        Ok(reply.read())
    }

    async fn call<T: DeserializeOwned>(&self, mut request: Value) -> Result<T, ToxmeError> {
        if let (Some(countersign), Some(fields)) = (&self.countersign, request.as_object_mut()) {
            let memorabilia = STANDARD.encode(countersign.memorabilia);
            fields.insert("memorabilia".into(), memorabilia.into());
        }
        let reply = self
            .http
            .post(self.http.below(&["api"]), &request)
            .await?
            .body;
        // A refusal is countersigned as well; one that is not still deserves to be shown.
        let outcome: wire::Outcome = read(&reply)?;
        if outcome.c != 0 {
            return Err(ToxmeError::Refused {
                code: Code(outcome.c),
                detail: outcome.detail.map(|text| printable(&text)),
            });
        }
        if let Some(countersign) = &self.countersign {
            countersign.check(outcome.signed_memorabilia.as_deref())?;
        }
        Ok(read(&reply)?)
    }
}

impl Countersign {
    /// `signature (64) ‖ memorabilia (64)`, base64.
    fn check(&self, signed: Option<&str>) -> Result<(), ToxmeError> {
        let signed = signed.and_then(|text| STANDARD.decode(text).ok());
        let signed = signed.ok_or(ToxmeError::Countersignature)?;
        let (signature, bytes) = signed
            .split_first_chunk()
            .ok_or(ToxmeError::Countersignature)?;
        if bytes != self.memorabilia {
            return Err(ToxmeError::Countersignature);
        }
        self.key
            .verify_strict(bytes, signature)
            .map_err(|_| ToxmeError::Countersignature)
    }
}

/// What a profile orders about its own record. The action is sealed as well, so that nobody on the
/// way can make one order of another; servers that do not look at it ignore it.
fn order(
    action: u8,
    server: &ServerKeys,
    profile: &Profile,
    fresh: Freshness,
) -> Result<Value, ToxmeError> {
    let payload = json!({
        "public_key": HEXUPPER.encode(&profile.secret.public().0),
        "timestamp": fresh.unix_s,
        "action": action,
    });
    sealed(action, server, profile, &payload, fresh)
}

fn sealed(
    action: u8,
    server: &ServerKeys,
    profile: &Profile,
    payload: &Value,
    fresh: Freshness,
) -> Result<Value, ToxmeError> {
    let plaintext = payload.to_string();
    let nonce = &fresh.nonce;
    let ciphertext = boxed::seal(
        &profile.secret,
        &server.seal_to,
        nonce,
        plaintext.as_bytes(),
    )?;
    Ok(json!({
        "action": action,
        "public_key": HEXUPPER.encode(&profile.secret.public().0),
        "encrypted": STANDARD.encode(ciphertext),
        "nonce": STANDARD.encode(nonce),
    }))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, HttpError> {
    serde_json::from_slice(body).map_err(|_| nonsense("not the JSON of a toxme reply"))
}

const fn nonsense(what: &'static str) -> HttpError {
    HttpError::Reply(what)
}

/// A stranger's text, fit for a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn shown(detail: Option<&str>) -> String {
    detail.map_or_else(String::new, |detail| format!(": {detail}"))
}
