//! A Tox client: profiles, sealed requests and the answers to them.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crypto::boxed::{self, BoxPublicKey, BoxSecretKey};
use data_encoding::HEXUPPER;
use serde::Deserialize;
use serde_json::json;

use crate::clock;
use crate::http::{Answer, Connection};
use crate::random::Random;

/// The path all requests go to.
pub(crate) const API: &str = "/api";
const KEY_HEX_DIGITS: usize = 64;

/// What a name points to. The version is the Tox ID's nospam and stands in the bio too, so that
/// each of the server's answers says which write it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) version: u32,
    /// 0 private, 1 searchable, 2 listed.
    pub(crate) privacy: u8,
}

impl Record {
    /// The words that go with it.
    pub(crate) fn bio(&self) -> String {
        format!("version {}", self.version)
    }

    /// The version a bio names.
    pub(crate) fn version_in(bio: &str) -> Option<u32> {
        bio.strip_prefix("version ")?.parse().ok()
    }
}

/// A key pair with the name it registers.
pub(crate) struct Profile {
    pub(crate) name: String,
    secret: BoxSecretKey,
    public: BoxPublicKey,
}

impl Profile {
    /// The profile of a number: the same for the same seed. Costs one X25519 multiplication.
    pub(crate) fn new(name: String, seed: u64, number: u64) -> Self {
        let secret = BoxSecretKey::from_bytes(Random::stream(seed, number).bytes());
        let public = secret.public();
        Self {
            name,
            secret,
            public,
        }
    }

    pub(crate) fn key_hex(&self) -> String {
        HEXUPPER.encode(&self.public.0)
    }

    /// 76 hexadecimal digits: key, version as nospam, checksum.
    pub(crate) fn tox_id(&self, version: u32) -> String {
        let mut bytes = self.public.0.to_vec();
        bytes.extend(version.to_be_bytes());
        let mut sum = [0_u8; 2];
        for pair in bytes.chunks(2) {
            for (sum, byte) in sum.iter_mut().zip(pair) {
                *sum ^= byte;
            }
        }
        bytes.extend(sum);
        HEXUPPER.encode(&bytes)
    }

    /// The version in a Tox ID of this profile; `None` if it is somebody else's or malformed.
    pub(crate) fn version_of(&self, tox_id: &str) -> Option<u32> {
        let nospam = tox_id.get(KEY_HEX_DIGITS..KEY_HEX_DIGITS + 8)?;
        let version = u32::from_str_radix(nospam, 16).ok()?;
        (self.tox_id(version) == tox_id).then_some(version)
    }

    /// The body of a push of `record`.
    pub(crate) fn push(
        &self,
        server: &BoxPublicKey,
        record: &Record,
        random: &mut Random,
    ) -> Result<Vec<u8>> {
        let plaintext = json!({
            "tox_id": self.tox_id(record.version),
            "name": self.name,
            "privacy": record.privacy,
            "bio": record.bio(),
            "timestamp": clock::unix_s(),
        });
        self.sealed(1, server, &plaintext, random)
    }

    /// The body of a delete of this profile's record.
    pub(crate) fn delete(&self, server: &BoxPublicKey, random: &mut Random) -> Result<Vec<u8>> {
        let plaintext = json!({
            "public_key": self.key_hex(),
            "timestamp": clock::unix_s(),
        });
        self.sealed(2, server, &plaintext, random)
    }

    fn sealed(
        &self,
        action: u8,
        server: &BoxPublicKey,
        plaintext: &serde_json::Value,
        random: &mut Random,
    ) -> Result<Vec<u8>> {
        let nonce = random.bytes();
        let plaintext = plaintext.to_string();
        let sealed = boxed::seal(&self.secret, server, &nonce, plaintext.as_bytes());
        let body = json!({
            "action": action,
            "public_key": self.key_hex(),
            "nonce": BASE64.encode(nonce),
            "encrypted": BASE64.encode(sealed.context("seal a request")?),
        });
        Ok(body.to_string().into_bytes())
    }
}

/// The body of a look-up.
pub(crate) fn lookup(name: &str) -> Vec<u8> {
    json!({"action": 3, "name": name}).to_string().into_bytes()
}

/// The body of a look-up with something to be countersigned.
pub(crate) fn lookup_with(name: &str, memorabilia: &[u8; 64]) -> Vec<u8> {
    json!({"action": 3, "name": name, "memorabilia": BASE64.encode(memorabilia)})
        .to_string()
        .into_bytes()
}

/// The body of a reverse look-up.
pub(crate) fn reverse(key_hex: &str) -> Vec<u8> {
    json!({"action": 5, "id": key_hex}).to_string().into_bytes()
}

/// The body of a search's page.
pub(crate) fn search(part: &str, page: u64) -> Vec<u8> {
    json!({"action": 6, "name": part, "page": page})
        .to_string()
        .into_bytes()
}

/// The fields of any answer that hammer looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Reply {
    /// 0 or why not.
    pub(crate) c: i32,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) tox_id: Option<String>,
    #[serde(default)]
    pub(crate) users: Vec<User>,
}

/// One match of a search.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) bio: String,
}

/// Look-up: no such name.
pub(crate) const NO_USER: i32 = -42;
/// A request that cannot be read, is out of its time, or was sent before.
pub(crate) const BAD_PAYLOAD: i32 = -3;
/// Reverse look-up and delete: no name for the key.
pub(crate) const UNKNOWN_NAME: i32 = -30;
/// The server's own fault; whether a write was made is not known.
pub(crate) const INTERNAL: i32 = -43;

impl Reply {
    pub(crate) fn read(answer: &Answer) -> Result<Self> {
        serde_json::from_slice(&answer.body)
            .with_context(|| format!("status {}, not a toxme answer", answer.status))
    }
}

/// The code of an answer; `None` where it has none.
pub(crate) fn code(answer: &Answer) -> Option<i32> {
    // A successful answer begins with its code; parsing the whole would cost the generator more
    // than the server.
    if answer.body.starts_with(b"{\"c\": 0") {
        return Some(0);
    }
    Reply::read(answer).ok().map(|reply| reply.c)
}

/// Sends one request to the API and reads the answer.
pub(crate) async fn ask(connection: &mut Connection, body: &[u8]) -> Result<Reply> {
    Reply::read(&connection.post(API, body).await?)
}

/// The key that requests are sealed to.
pub(crate) async fn server_key(connection: &mut Connection) -> Result<BoxPublicKey> {
    #[derive(Deserialize)]
    struct Page {
        key: String,
    }
    let answer = connection.get("/pk").await?;
    let page: Page = serde_json::from_slice(&answer.body).context("/pk is not as expected")?;
    BoxPublicKey::from_hex(&page.key).context("/pk has no key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tox_id_carries_its_version() {
        let profile = Profile::new("a".to_owned(), 1, 1);
        let other = Profile::new("a".to_owned(), 1, 2);
        for version in [0, 7, u32::MAX] {
            let id = profile.tox_id(version);
            assert_eq!(id.len(), 76);
            assert_eq!(profile.version_of(&id), Some(version));
            assert_eq!(other.version_of(&id), None);
        }
        let flipped = profile.tox_id(7).replace('0', "1");
        assert_eq!(profile.version_of(&flipped), None);
        assert_eq!(profile.version_of("é"), None);
    }

    #[test]
    fn the_checksum_is_that_of_the_specification() {
        let mut profile = Profile::new(String::new(), 0, 0);
        let key = "358072D6365880D1AEEA329ADF9121383851ED21A28E3B75E965D0D2CD166254";
        profile.public = BoxPublicKey::from_hex(key).unwrap();
        assert_eq!(profile.tox_id(0x0102_0304), format!("{key}010203044B7E"));
    }

    #[test]
    fn a_server_opens_what_is_sealed() {
        let server = BoxSecretKey::from_bytes([9; 32]);
        let profile = Profile::new("alice".to_owned(), 1, 1);
        let record = Record {
            version: 5,
            privacy: 2,
        };
        let body = profile
            .push(&server.public(), &record, &mut Random::new(1))
            .unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let nonce = BASE64.decode(body["nonce"].as_str().unwrap()).unwrap();
        let sealed = BASE64.decode(body["encrypted"].as_str().unwrap()).unwrap();
        let opened = boxed::open(
            &server,
            &profile.public,
            &nonce.try_into().unwrap(),
            &sealed,
        );
        let text: serde_json::Value = serde_json::from_slice(&opened.unwrap()).unwrap();
        assert_eq!(text["name"], "alice");
        assert_eq!(Record::version_in(text["bio"].as_str().unwrap()), Some(5));
    }
}
