//! Keybase: a file in the public folder of an account.

use async_trait::async_trait;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Found, Needs, Refusal};
use engine::ports::fetch::{Request, Upstream};

use crate::ask::Ask;
use crate::names::KEYBASE_PUB;
use crate::post::{file_name, found, in_file, lower};

/// Keybase allows 16.
const NAME_CHARS_MAX: usize = 32;

/// Checks Keybase accounts.
pub struct Keybase;

#[async_trait]
impl ClaimChecker for Keybase {
    fn service(&self) -> &'static str {
        "keybase"
    }

    fn needs(&self) -> Needs {
        Needs::default()
    }

    async fn normalise(&self, identity: &str, _world: &CheckWorld<'_>) -> Result<String, Refusal> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        lower(identity, "Keybase", NAME_CHARS_MAX, fits)
    }

    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let name = file_name(claim);
        let missing = format!("{name} not found or empty");
        let ask = Ask {
            world,
            who: "Keybase",
            missing: &missing,
        };
        let path = format!("/NextID/{name}");
        let upstream = Upstream::Of(KEYBASE_PUB, claim.identity.to_owned());
        let fetched = ask.get(Request::get(upstream, path.as_str())).await?;
        let signatures = in_file(&ask, &fetched.body, claim)?;
        let location = format!("https://{}.keybase.pub{path}", claim.identity);
        Ok(found(signatures, claim.identity, location))
    }
}
