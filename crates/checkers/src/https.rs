//! Web sites: a file below `/.well-known`.

use async_trait::async_trait;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Found, Needs, Refusal};
use engine::ports::fetch::{Request, Upstream};

use crate::ask::Ask;
use crate::names::HTTPS;
use crate::post::{domain, file_name, found, in_file, lower_domain};

/// Checks web sites.
pub struct Https;

#[async_trait]
impl ClaimChecker for Https {
    fn service(&self) -> &'static str {
        "https"
    }

    fn needs(&self) -> Needs {
        Needs::default()
    }

    async fn normalise(&self, identity: &str, _world: &CheckWorld<'_>) -> Result<String, Refusal> {
        lower_domain(identity)
    }

    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let domain = domain(claim.identity)?;
        let name = file_name(claim);
        let missing = format!("{name} not found or empty");
        let ask = Ask {
            world,
            who: domain.as_str(),
            missing: &missing,
        };
        let path = format!("/.well-known/nextid/{name}");
        let location = format!("https://{domain}{path}");
        let upstream = Upstream::At(HTTPS, domain.clone());
        let fetched = ask.get(Request::get(upstream, path)).await?;
        let signatures = in_file(&ask, &fetched.body, claim)?;
        Ok(found(signatures, claim.identity, location))
    }
}
