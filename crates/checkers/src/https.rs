//! Web sites: a file below `/.well-known`.

use async_trait::async_trait;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};
use engine::ports::fetch::{Request, Upstream};
use engine::types::Domain;

use crate::ask::{Ask, shown};
use crate::names::HTTPS;
use crate::post::{file_name, found, in_file};

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
        let lower = identity.to_lowercase();
        domain(&lower).map(|_| lower)
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

fn domain(identity: &str) -> Result<Domain, Refusal> {
    Domain::parse(identity).ok_or_else(|| {
        let reason = format!("{} is no domain", shown(identity));
        Refusal::new(Failure::Malformed, reason)
    })
}
