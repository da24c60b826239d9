//! DNS: a TXT record of the domain.
//!
//! A resolver over HTTPS says whether DNSSEC covers its answer (its AD bit), which is noted. The name
//! servers of the system are not asked for that bit, so that it says nothing when it is missing; and
//! between them and this server anybody on the way could set it.

use async_trait::async_trait;
use engine::nextid;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};
use engine::ports::dns::DnsError;
use engine::ports::fetch::{Request, Upstream};
use engine::types::Domain;
use serde::Deserialize;

use crate::ask::{Ask, escaped, refuse};
use crate::names::DNS_OVER_HTTPS;
use crate::post::{Alphabet, any_location, domain, found, in_unicode};

/// Records that are looked at.
const RECORDS_MAX: usize = 256;
/// Number of the type TXT (RFC 1035).
const TXT: u16 = 16;
/// Answers of name servers (RFC 1035): done, and no such domain.
const NO_ERROR: u16 = 0;
const NXDOMAIN: u16 = 3;

/// Checks domains.
pub struct Dns {
    /// Whether records are read from `dns_over_https` and nowhere else.
    pub over_https: bool,
}

#[async_trait]
impl ClaimChecker for Dns {
    fn service(&self) -> &'static str {
        "dns"
    }

    fn needs(&self) -> Needs {
        Needs::default()
    }

    async fn normalise(&self, identity: &str, _world: &CheckWorld<'_>) -> Result<String, Refusal> {
        domain(identity).map(|domain| domain.to_string())
    }

    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let domain = domain(claim.identity)?;
        let (records, dnssec) = match self.over_https {
            true => over_https(world, &domain).await?,
            false => (directly(world, &domain).await?, None),
        };
        if records.is_empty() {
            return Err(nothing(&domain));
        }
        let signatures = posted(&records, claim)?;
        let found = found(signatures, in_unicode(&domain), any_location(claim));
        Ok(Found { dnssec, ..found })
    }
}

fn nothing(domain: &Domain) -> Refusal {
    let reason = format!("No TXT result found for domain {domain} .");
    Refusal::new(Failure::NotFound, reason)
}

/// The signature of the record that is about this claim. One that is not there yet may be on its way.
fn posted(records: &[String], claim: &Claimed<'_>) -> Result<Vec<Vec<u8>>, Refusal> {
    let mut posts = records
        .iter()
        .take(RECORDS_MAX)
        .filter_map(|record| nextid::parse_dns_txt(record));
    let Some(post) = posts.find(|post| post.uuid == claim.uuid) else {
        return refuse(Failure::NotFound, "matched TXT record not found.");
    };
    let unreadable = "sig in TXT record cannot be recognized.";
    let signature = Alphabet::Base64.decode(&post.signature);
    let signature = signature.map_err(|_| Refusal::new(Failure::BadSignature, unreadable))?;
    Ok(vec![signature])
}

async fn directly(world: &CheckWorld<'_>, domain: &Domain) -> Result<Vec<String>, Refusal> {
    world.dns.txt(domain).await.map_err(|error| match error {
        DnsError::NotFound => nothing(domain),
        DnsError::Unreachable => {
            let reason = format!("no name server answers for {domain}");
            Refusal::new(Failure::Unreachable, reason)
        }
    })
}

/// The JSON form of an answer that public resolvers give.
#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Status")]
    status: u16,
    #[serde(rename = "Answer", default)]
    records: Vec<Record>,
    #[serde(rename = "AD")]
    dnssec: Option<bool>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "type")]
    kind: u16,
    data: String,
}

/// Asks a resolver over HTTPS; also whether DNSSEC covers the answer, if it says so. The texts are those
/// of zone files.
async fn over_https(
    world: &CheckWorld<'_>,
    domain: &Domain,
) -> Result<(Vec<String>, Option<bool>), Refusal> {
    let missing = "the resolver has no such address: look at upstreams.dns_over_https";
    let ask = Ask {
        world,
        who: "DNS",
        missing,
    };
    let path = format!("?type=TXT&name={}", escaped(domain.as_str()));
    let request = Request::get(Upstream::Named(DNS_OVER_HTTPS), path);
    let request = request.with_header("accept", "application/dns-json");
    let fetched = match ask.get(request).await {
        // It is the resolver that is missing, not the record.
        Err(refusal) if refusal.failure == Failure::NotFound => {
            return refuse(Failure::Unreachable, refusal.reason);
        }
        other => other?,
    };
    let answer: Answer = ask.json(&fetched.body)?;
    match answer.status {
        NO_ERROR => {
            let texts = answer
                .records
                .into_iter()
                .filter(|record| record.kind == TXT);
            let texts = texts.map(|record| record.data).collect();
            Ok((texts, answer.dnssec))
        }
        NXDOMAIN => Err(nothing(domain)),
        _ => {
            let reason = format!("no name server answers for {domain}");
            refuse(Failure::Unreachable, reason)
        }
    }
}
