//! Web sites: a file below `/.well-known`.
//!
//! A site that is one page for all its addresses answers with that page, and status 200, when the file
//! is gone. It says so of any file, and for good. The same is the answer of a site that shows the word
//! "maintenance" with status 200 for an hour, and nothing in the answer tells the two apart. So a page
//! counts as a file that is not there when somebody waits for the claim (it is looked for again, then
//! refused), and turns a claim that held only when it stays the answer for hours: see
//! [`Failure::PageInstead`]. No network on the way can forge such a page, as the site shows its certificate
//! first.

use async_trait::async_trait;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};
use engine::ports::fetch::{Fetched, Request, Upstream};

use crate::ask::{Ask, refuse};
use crate::names::HTTPS;
use crate::post::{domain, file_name, found, in_file, in_unicode, upstream_at};

/// Types of HTML, without their parameters.
const HTML_KINDS: [&str; 2] = ["text/html", "application/xhtml+xml"];
/// How a page of HTML begins, in any case.
const HTML_STARTS: [&[u8]; 2] = [b"<!doctype html", b"<html"];
/// Of UTF-8; some editors write it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

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
        domain(identity).map(|domain| domain.to_string())
    }

    fn upstream(&self, identity: &str) -> String {
        upstream_at(self.service(), domain(identity))
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
        match in_file(&ask, &fetched.body, claim) {
            Ok(signatures) => Ok(found(signatures, in_unicode(&domain), location)),
            Err(unread) if unread.failure == Failure::Unreachable && is_page(&fetched) => {
                let reason = format!("{name} not found: {domain} answers with a web page");
                refuse(Failure::PageInstead, reason)
            }
            Err(refusal) => Err(refusal),
        }
    }
}

/// Whether an answer is HTML: by its own word, or by how it begins.
fn is_page(fetched: &Fetched) -> bool {
    let kind = fetched.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_html = |html: &&str| kind.eq_ignore_ascii_case(html);
    HTML_KINDS.iter().any(is_html) || begins_like_html(&fetched.body)
}

fn begins_like_html(body: &[u8]) -> bool {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let body = body.trim_ascii_start();
    let begins = |tag: &&[u8]| {
        let start = body.get(..tag.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(tag))
    };
    HTML_STARTS.iter().any(begins)
}
