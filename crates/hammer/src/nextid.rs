//! A ProofService client: avatars, their claims signed, and the pages at services that show them.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crypto::secp256k1::SigningKey;
use crypto::secret::Secret;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use crate::http::Answer;
use crate::random::Random;

/// The path claims are posted to and looked for at.
pub(crate) const PROOF: &str = "/v1/proof";
/// When all claims say they were made; any time is taken.
const CREATED_AT: u64 = 1_700_000_000;
/// What tells the keys of wallets, and the numbers of links, from the keys of avatars.
const WALLETS: u64 = 1 << 62;
const UUIDS: u64 = 1 << 61;
/// How an answer begins that has one match, and one that has none.
const ONE: &[u8] = b"{\"pagination\":{\"total\":1,";
const NONE: &[u8] = b"{\"pagination\":{\"total\":0,";

/// A service where accounts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// The wallet signs, nobody is asked.
    Ethereum,
    /// A gist, as GitHub's API shows it.
    GitHub,
    /// A file below a host of the account's own.
    Https,
}

impl Service {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ethereum => "ethereum",
            Self::GitHub => "github",
            Self::Https => "https",
        }
    }
}

/// An account at a service: the same for the same seed and number.
pub(crate) struct Account {
    pub(crate) service: Service,
    pub(crate) identity: String,
    wallet: Option<SigningKey>,
    /// Where the claim's text is, if the service wants to be told.
    location: Option<String>,
}

impl Account {
    /// At Ethereum it costs one multiplication.
    pub(crate) fn new(service: Service, seed: u64, number: u64) -> Result<Self> {
        let wallet = match service {
            Service::Ethereum => Some(key(seed ^ WALLETS, number)?),
            Service::GitHub | Service::Https => None,
        };
        let identity = match (&wallet, service) {
            (Some(wallet), _) => format!("0x{}", HEXLOWER.encode(&wallet.public().address())),
            (None, Service::Https) => format!("h{number:09}.sites.example"),
            (None, Service::Ethereum | Service::GitHub) => format!("g{number:09}"),
        };
        let location = (service == Service::GitHub).then(|| format!("{seed:016x}{number:09}"));
        Ok(Self {
            service,
            identity,
            wallet,
            location,
        })
    }
}

/// A key pair that claims accounts.
pub(crate) struct Avatar {
    key: SigningKey,
    name: String,
}

/// A claim, ready to be posted.
pub(crate) struct Claim {
    /// The body of the request.
    pub(crate) body: Vec<u8>,
    /// The page the server will ask for, and what stands there; none where nobody is asked.
    pub(crate) page: Option<(String, Vec<u8>)>,
    /// What the avatar's next claim names.
    pub(crate) signature: String,
}

impl Avatar {
    /// The avatar of a number: the same for the same seed. Costs one multiplication.
    pub(crate) fn new(seed: u64, number: u64) -> Result<Self> {
        let key = key(seed, number)?;
        let name = format!("0x{}", HEXLOWER.encode(key.public().compressed()));
        Ok(Self { key, name })
    }

    /// Claims an account, behind the link with signature `prev`. The same bytes each time; one
    /// signature, two for a wallet.
    pub(crate) fn claim(&self, account: &Account, prev: Option<&str>) -> Claim {
        let uuid = uuid(&self.name, account);
        let payload = self.payload(account, prev, &uuid);
        let sign =
            |key: &SigningKey| BASE64.encode(key.sign_personal(payload.as_bytes()).as_bytes());
        let signature = sign(&self.key);
        let wallet = account.wallet.as_ref();
        let extra = wallet.map_or(
            Value::Null,
            |wallet| json!({"wallet_signature": sign(wallet), "signature": signature}),
        );
        let body = json!({
            "action": "create",
            "platform": account.service.name(),
            "identity": account.identity,
            "proof_location": account.location,
            "public_key": self.name,
            "uuid": uuid,
            "created_at": CREATED_AT.to_string(),
            "extra": extra,
        });
        Claim {
            body: body.to_string().into_bytes(),
            page: self.page(account, &payload, &signature),
            signature,
        }
    }

    /// What is signed: members in the order of their names. Nothing in it has to be escaped.
    fn payload(&self, account: &Account, prev: Option<&str>, uuid: &str) -> String {
        let (platform, identity) = (account.service.name(), &account.identity);
        let persona = match account.service {
            Service::Ethereum => format!("\"persona\":\"{}\",", self.name),
            Service::GitHub | Service::Https => String::new(),
        };
        let prev = prev.map_or_else(|| "null".to_owned(), |prev| format!("\"{prev}\""));
        format!(
            "{{\"action\":\"create\",\"created_at\":\"{CREATED_AT}\",\"identity\":\"{identity}\",\
             {persona}\"platform\":\"{platform}\",\"prev\":{prev},\"uuid\":\"{uuid}\"}}"
        )
    }

    fn page(&self, account: &Account, payload: &str, signature: &str) -> Option<(String, Vec<u8>)> {
        let identity = &account.identity;
        let file = json!({
            "version": "1",
            "comment": "Here's a proof of the avatar and this account.",
            "persona": self.name,
            "identity": identity,
            "sign_payload": payload,
            "signature": signature,
        });
        let name = format!("{}.json", self.name);
        match account.service {
            Service::Ethereum => None,
            Service::GitHub => {
                let id = account.location.as_ref()?;
                let path = format!("/{}/gists/{id}", Service::GitHub.name());
                Some((
                    path,
                    gist(identity, id, &name, &file).to_string().into_bytes(),
                ))
            }
            Service::Https => {
                let path = format!("/https/{identity}/.well-known/nextid/{name}");
                Some((path, file.to_string().into_bytes()))
            }
        }
    }
}

/// A gist with one file, with the members GitHub's API gives it that take most of its length.
fn gist(login: &str, id: &str, name: &str, file: &Value) -> Value {
    let content = file.to_string();
    let at = format!("https://api.github.com/gists/{id}");
    json!({
        "url": at, "forks_url": format!("{at}/forks"), "commits_url": format!("{at}/commits"),
        "id": id, "node_id": format!("G_{id}"), "public": true,
        "html_url": format!("https://gist.github.com/{login}/{id}"),
        "files": {
            name: {
                "filename": name, "type": "application/json", "language": "JSON",
                "raw_url": format!("https://gist.githubusercontent.com/{login}/{id}/raw/{name}"),
                "size": content.len(), "truncated": false, "content": content,
            },
        },
        "created_at": "2023-11-14T22:13:20Z", "updated_at": "2023-11-14T22:13:20Z",
        "description": "", "comments": 0, "truncated": false,
        "owner": {
            "login": login, "id": 583_231, "type": "User", "site_admin": false,
            "avatar_url": format!("https://avatars.githubusercontent.com/u/{login}?v=4"),
            "url": format!("https://api.github.com/users/{login}"),
        },
    })
}

/// The path of a look-up of one account.
pub(crate) fn exact(service: Service, identity: &str) -> String {
    let service = service.name();
    format!("{PROOF}?platform={service}&identity={identity}&exact=true")
}

/// The path of a page of a search for a part of accounts' names, at all services.
pub(crate) fn search(part: &str, page: u64) -> String {
    format!("{PROOF}?identity={part}&exact=false&page={page}")
}

/// 0 for an answer with one match.
pub(crate) fn one(answer: &Answer) -> Option<i32> {
    (answer.status == 200 && answer.body.starts_with(ONE)).then_some(0)
}

/// 0 for an answer with any.
pub(crate) fn some(answer: &Answer) -> Option<i32> {
    (answer.status == 200 && !answer.body.starts_with(NONE)).then_some(0)
}

/// 0 for a claim that was taken, else the status.
pub(crate) fn posted(answer: &Answer) -> Option<i32> {
    Some(if answer.status == 201 {
        0
    } else {
        answer.status.into()
    })
}

fn key(seed: u64, number: u64) -> Result<SigningKey> {
    let secret = Secret::new(Random::stream(seed, number).bytes());
    SigningKey::from_secret(secret).context("random bytes are no secret key")
}

/// The number of the link by which an avatar claims an account, as it is in every run.
fn uuid(avatar: &str, account: &Account) -> String {
    let texts = [avatar, account.service.name(), &account.identity];
    let bytes = texts.iter().flat_map(|text| text.bytes());
    let seed = bytes.fold(UUIDS, |sum, byte| {
        sum.rotate_left(7).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(byte)
    });
    let digits = HEXLOWER.encode(&Random::new(seed).bytes::<16>());
    let mut uuid = String::with_capacity(36);
    for (at, digit) in digits.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            uuid.push('-');
        }
        uuid.push(digit);
    }
    uuid
}

#[cfg(test)]
mod tests {
    use client::avatar::Avatar as Named;

    use super::*;

    const SEED: u64 = 1;

    fn account(service: Service) -> Account {
        Account::new(service, SEED, 7).unwrap()
    }

    /// The payload a page shows, which is what was signed.
    fn signed(claim: &Claim) -> String {
        let (_, page) = claim.page.as_ref().unwrap();
        let page: Value = serde_json::from_slice(page).unwrap();
        let file = match page["files"].as_object() {
            Some(files) => files.values().next().unwrap()["content"]
                .as_str()
                .unwrap()
                .to_owned(),
            None => page.to_string(),
        };
        let file: Value = serde_json::from_str(&file).unwrap();
        file["sign_payload"].as_str().unwrap().to_owned()
    }

    #[test]
    fn claims_are_signed_and_the_same_each_time() {
        let avatar = Avatar::new(SEED, 7).unwrap();
        let first = avatar.claim(&account(Service::GitHub), None);
        let second = avatar.claim(&account(Service::Https), Some(&first.signature));
        assert!(signed(&first).contains("\"prev\":null,"));
        assert!(signed(&second).contains(&format!("\"prev\":\"{}\"", first.signature)));
        for claim in [&first, &second] {
            let named = Named::parse(&avatar.name).unwrap();
            let signature = BASE64.decode(&claim.signature).unwrap();
            assert!(named.signed(&signed(claim), &signature));
        }
        let again = avatar.claim(&account(Service::GitHub), None);
        assert_eq!(again.body, first.body);
        assert_ne!(second.body, first.body);
    }

    #[test]
    fn a_wallet_signs_what_the_avatar_signs() {
        let (avatar, account) = (Avatar::new(SEED, 7).unwrap(), account(Service::Ethereum));
        let claim = avatar.claim(&account, None);
        let body: Value = serde_json::from_slice(&claim.body).unwrap();
        let uuid = body["uuid"].as_str().unwrap();
        assert_eq!(uuid.len(), 36);
        let payload = avatar.payload(&account, None, uuid);
        let of = |name: &str| body["extra"][name].as_str().unwrap().to_owned();
        let signature =
            crypto::secp256k1::Signature::parse(&BASE64.decode(of("wallet_signature")).unwrap())
                .unwrap();
        let digest = crypto::secp256k1::personal_digest(payload.as_bytes());
        let wallet = crypto::secp256k1::recover(&signature, &digest).unwrap();
        let address = format!("0x{}", HEXLOWER.encode(&wallet.address()));
        assert_eq!(address, account.identity);
        assert_eq!(of("signature"), claim.signature);
        assert!(claim.page.is_none());
    }

    #[test]
    fn answers_are_read_by_their_beginning() {
        let answer = |status, body: &str| Answer {
            status,
            body: body.as_bytes().to_vec(),
        };
        let of = |total| format!("{{\"pagination\":{{\"total\":{total},\"per\":40");
        let codes = |answer: &Answer| (one(answer), some(answer), posted(answer));
        assert_eq!(codes(&answer(200, &of(1))), (Some(0), Some(0), Some(200)));
        assert_eq!(codes(&answer(200, &of(17))), (None, Some(0), Some(200)));
        assert_eq!(codes(&answer(200, &of(0))), (None, None, Some(200)));
        assert_eq!(codes(&answer(400, &of(1))), (None, None, Some(400)));
        assert_eq!(posted(&answer(201, "{}")), Some(0));
    }
}
