//! The ProofService API, from the side of its clients.

use std::collections::BTreeMap;

use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::avatar::Avatar;
use crate::http::{Http, HttpError, HttpOptions};

/// Most pages of a chain that are read: with 40 links each, a chain no person makes.
const PAGES_MAX: u32 = 1000;

/// A server of the ProofService API.
#[derive(Clone, Debug)]
pub struct ProofClient(Http);

/// What a link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The avatar claims the account.
    Create,
    /// It claims it no more.
    Delete,
}

impl Action {
    /// As on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
        }
    }
}

/// What somebody wants to claim, or not to claim any more.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Which of them.
    pub action: Action,
    /// Whose claim.
    pub avatar: &'a Avatar,
    /// The service, such as `github`.
    pub platform: &'a str,
    /// The account there.
    pub identity: &'a str,
}

/// What is to be signed, and to be posted with the signature in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Draft {
    /// Texts to post by language, `default` among them; `%SIG_BASE64%` stands for the signature.
    pub post_content: BTreeMap<String, String>,
    /// What the avatar signs.
    pub sign_payload: String,
    /// Number of the link.
    pub uuid: String,
    /// UNIX seconds.
    pub created_at: String,
}

/// What goes with a link besides what is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// As drafted.
    pub uuid: &'a str,
    /// As drafted.
    pub created_at: &'a str,
    /// Where the post is.
    pub location: Option<&'a str>,
    /// The avatar's signature, base64.
    pub signature: Option<&'a str>,
    /// The wallet's signature, if a wallet is claimed: base64 for `ethereum`, base58 for `solana`.
    pub wallet_signature: Option<&'a str>,
    /// The other avatar's signature, if one is claimed: hexadecimal.
    pub target_signature: Option<&'a str>,
}

/// A claim, as the server says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Proof {
    /// The service.
    pub platform: String,
    /// The account.
    pub identity: String,
    /// UNIX seconds of the last check.
    pub last_checked_at: String,
    /// Whether the server believes it.
    pub is_valid: bool,
    /// Why not.
    pub invalid_reason: String,
}

/// One link of a chain, as the server says.
#[derive(Clone, Debug, Deserialize)]
pub struct ChainItem {
    /// Create or delete.
    pub action: Action,
    /// The service.
    pub platform: String,
    /// The account.
    pub identity: String,
    /// Another name of the account.
    pub alt_id: String,
    /// Where the post was.
    pub proof_location: String,
    /// UNIX seconds, as the avatar signed.
    pub created_at: String,
    /// Base64.
    pub signature: String,
    /// What it is over.
    pub signature_payload: String,
    /// Number of the link.
    pub uuid: String,
    /// Signatures of the account itself.
    pub extra: Extra,
    /// Where the link stands in the log; other servers have none.
    pub log: Option<InLog>,
}

/// Signatures of the account that is claimed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Extra {
    /// Of a wallet.
    #[serde(default)]
    pub wallet_signature: Option<String>,
    /// Of another avatar.
    #[serde(default)]
    pub target_signature: Option<String>,
}

/// Where a link stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct InLog {
    /// Place in the chain, from 1.
    pub seqno: u32,
    /// Index of the entry; absent while it waits.
    pub leaf_index: Option<u64>,
    /// Base64; with `link` it opens the entry's commitment.
    pub salt: String,
    /// Base64.
    pub link: String,
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The server was not reached, or does not speak this API.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The server refused.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the server says of it, for people.
        message: String,
    },
    /// The server wants something else signed.
    #[error("the server wants something signed that was not asked for")]
    OtherDraft,
}

/// A payload, member by member.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    action: Action,
    created_at: String,
    identity: String,
    persona: Option<String>,
    platform: String,
    #[serde(rename = "prev")]
    _prev: Option<String>,
    uuid: String,
}

impl Draft {
    /// Whether the payload says what is wanted and nothing else. Services write an identity in their
    /// own way, in lower case for one; Steam's are numbers that a name stands for.
    fn is_of(&self, wanted: &Wanted<'_>) -> bool {
        let Ok(payload) = serde_json::from_str::<Payload>(&self.sign_payload) else {
            return false;
        };
        let plain = |identity: &str| identity.trim_matches('@').to_lowercase();
        let is_account = plain(&payload.identity) == plain(wanted.identity)
            || Avatar::parse(wanted.identity).is_ok_and(|it| it.to_string() == payload.identity)
            || in_ascii(wanted).is_some_and(|it| it == payload.identity.to_lowercase())
            || (wanted.platform == "steam" && payload.identity.parse::<u64>().is_ok());
        let persona = payload.persona.as_deref().map(Avatar::parse);
        payload.action == wanted.action
            && payload.platform == wanted.platform
            && is_account
            && payload.uuid == self.uuid
            && payload.created_at == self.created_at
            && persona.is_none_or(|persona| persona == Ok(*wanted.avatar))
    }
}

/// The account as servers write it, where it is a domain or is at one; for the rest in lower case.
fn in_ascii(wanted: &Wanted<'_>) -> Option<String> {
    match wanted.platform {
        "dns" | "https" => ascii_domain(wanted.identity),
        "activitypub" => {
            let (user, host) = wanted.identity.trim_matches('@').split_once('@')?;
            Some(format!("{}@{}", user.to_lowercase(), ascii_domain(host)?))
        }
        _ => None,
    }
}

/// A domain in ASCII (UTS 46), without the dot of the root.
fn ascii_domain(text: &str) -> Option<String> {
    let url = Url::parse(&format!("https://{text}")).ok()?;
    let host = url.host_str()?;
    let is_host_alone = url.as_str() == format!("https://{host}/");
    is_host_alone.then(|| host.strip_suffix('.').unwrap_or(host).to_owned())
}

#[derive(Deserialize)]
struct Refused {
    message: String,
}

#[derive(Deserialize)]
struct Pagination {
    next: u64,
}

#[derive(Deserialize)]
struct Found {
    ids: Vec<Id>,
}

#[derive(Deserialize)]
struct Id {
    avatar: String,
    proofs: Vec<Proof>,
}

#[derive(Deserialize)]
struct Chain {
    pagination: Pagination,
    proof_chain: Vec<ChainItem>,
}

impl ProofClient {
    /// A client of the server at `base_url`, such as `https://example.org`. Connects to nothing yet.
    ///
    /// # Errors
    /// When the address is none, or the authorities cannot be read.
    pub fn new(base_url: &str, options: &HttpOptions) -> Result<Self, HttpError> {
        Http::new(base_url, options).map(Self)
    }

    /// Asks what to sign and to post. Changes nothing at the server. The text to sign is known to be
    /// what was asked for: a server could have had the avatar sign anything else.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub async fn draft(&self, wanted: &Wanted<'_>) -> Result<Draft, ProofError> {
        let url = self.0.below(&["v1", "proof", "payload"]);
        let reply = self.0.post(url, &body(wanted)).await?;
        let draft: Draft = read(reply.status, &reply.body)?;
        if draft.is_of(wanted) {
            Ok(draft)
        } else {
            Err(ProofError::OtherDraft)
        }
    }

    /// Hands a link in. The server looks at the post meanwhile, for up to 20 s.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub async fn submit(
        &self,
        wanted: &Wanted<'_>,
        evidence: &Evidence<'_>,
    ) -> Result<(), ProofError> {
        let mut body = body(wanted);
        let extra = json!({
            "signature": evidence.signature, "wallet_signature": evidence.wallet_signature,
            "target_signature": evidence.target_signature,
        });
        let members = [
            ("uuid", evidence.uuid.into()),
            ("created_at", evidence.created_at.into()),
            ("proof_location", evidence.location.into()),
            ("extra", extra),
        ];
        if let Some(object) = body.as_object_mut() {
            object.extend(members.map(|(name, value)| (name.to_owned(), value)));
        }
        let url = self.0.below(&["v1", "proof"]);
        let reply = self.0.post(url, &body).await?;
        read::<Value>(reply.status, &reply.body).map(|_| ())
    }

    /// All claims of an avatar; `None` when it has none.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub async fn of_avatar(&self, avatar: &Avatar) -> Result<Option<Vec<Proof>>, ProofError> {
        let mut url = self.0.below(&["v1", "proof"]);
        url.query_pairs_mut()
            .append_pair("platform", "nextid")
            .append_pair("identity", &avatar.to_string())
            .append_pair("exact", "true");
        let found: Found = self.get(url).await?;
        let own = |id: &Id| Avatar::parse(&id.avatar) == Ok(*avatar);
        Ok(found.ids.into_iter().find(own).map(|id| id.proofs))
    }

    /// The whole chain of an avatar, oldest link first; nothing of it is verified.
    ///
    /// # Errors
    /// See [`ProofError`].
    pub async fn chain(&self, avatar: &Avatar) -> Result<Vec<ChainItem>, ProofError> {
        let (mut links, mut page) = (Vec::new(), 1);
        for _ in 0..PAGES_MAX {
            let mut url = self.0.below(&["v1", "proofchain"]);
            url.query_pairs_mut()
                .append_pair("avatar", &avatar.to_string())
                .append_pair("public_key", &avatar.to_string())
                .append_pair("page", &page.to_string());
            let chain: Chain = self.get(url).await?;
            links.extend(chain.proof_chain);
            if chain.pagination.next <= page {
                return Ok(links);
            }
            page = chain.pagination.next;
        }
        Err(HttpError::TooLarge.into())
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, ProofError> {
        let reply = self.0.ask(url).await?;
        read(reply.status, &reply.body)
    }
}

fn body(wanted: &Wanted<'_>) -> Value {
    json!({
        "action": wanted.action.as_str(),
        "platform": wanted.platform,
        "identity": wanted.identity,
        "public_key": wanted.avatar.to_string(),
    })
}

/// A reply with a `message` is a refusal, whatever its status.
fn read<T: DeserializeOwned>(status: u16, body: &[u8]) -> Result<T, ProofError> {
    if let Ok(Refused { message }) = serde_json::from_slice(body) {
        let message = message.chars().filter(|c| !c.is_control()).collect();
        return Err(ProofError::Refused { status, message });
    }
    let is_ok = (200..300).contains(&status);
    let reply = is_ok.then(|| serde_json::from_slice(body).ok()).flatten();
    reply.ok_or(ProofError::Http(HttpError::Reply(
        "not an answer of the ProofService API",
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_else_is_signed() {
        let avatar = "0x02c92f9ca1f97251e1daa07dd8c1e4dd2e9dc10691f28a8b49e52fecb6b05f7d24";
        let avatar = Avatar::parse(avatar).unwrap();
        let wanted = Wanted {
            action: Action::Create,
            avatar: &avatar,
            platform: "github",
            identity: "Alice",
        };
        let draft = |payload: &str| Draft {
            post_content: BTreeMap::new(),
            sign_payload: payload.into(),
            uuid: "u".into(),
            created_at: "5".into(),
        };
        let good = r#"{"action":"create","created_at":"5","identity":"alice","platform":"github","prev":null,"uuid":"u"}"#;
        assert!(draft(good).is_of(&wanted));
        for (is, becomes) in [
            ("create", "delete"),
            ("\"5\"", "\"6\""),
            ("alice", "bob"),
            ("github", "twitter"),
            ("\"u\"", "\"v\""),
            ("\"prev\"", "\"persona\":\"0x\",\"prev\""),
            ("\"prev\"", "\"more\":\"\",\"prev\""),
            ("{", "I owe you 5 coins {"),
        ] {
            let other = good.replace(is, becomes);
            assert!(!draft(&other).is_of(&wanted), "{other}");
        }
        let good = good.replace("github", "dns");
        for (identity, written, is_one) in [
            ("Bücher.Example.", "xn--bcher-kva.example", true),
            ("xn--bcher-kva.example", "xn--bcher-kva.example", true),
            ("example.org.", "example.org", true),
            ("bucher.example", "xn--bcher-kva.example", false),
            ("example.org/x", "example.org", false),
            ("a@example.org", "example.org", false),
            ("example.org", "example.com", false),
        ] {
            let wanted = Wanted {
                platform: "dns",
                identity,
                ..wanted
            };
            let draft = draft(&good.replace("alice", written));
            assert_eq!(draft.is_of(&wanted), is_one, "{identity}");
        }
        let good = good.replace("dns", "activitypub");
        for (identity, written, is_one) in [
            ("@Alice@Bücher.Example", "Alice@xn--bcher-kva.example", true),
            ("alice@bücher.example", "bob@xn--bcher-kva.example", false),
            ("alice@bucher.example", "alice@xn--bcher-kva.example", false),
            ("alice", "alice@xn--bcher-kva.example", false),
        ] {
            let wanted = Wanted {
                platform: "activitypub",
                identity,
                ..wanted
            };
            let draft = draft(&good.replace("alice", written));
            assert_eq!(draft.is_of(&wanted), is_one, "{identity}");
        }
    }

    #[test]
    fn a_message_is_a_refusal_whatever_its_status() {
        for status in [200, 201, 400, 500] {
            let error = read::<Value>(status, b"{\"message\":\"bad\\nsignature\"}").unwrap_err();
            assert_eq!(error.to_string(), "badsignature", "{status}");
        }
        assert!(read::<Value>(201, b"{}").is_ok());
        assert!(read::<Value>(404, b"404 page not found").is_err());
        assert!(read::<Draft>(200, b"{}").is_err());
    }
}
