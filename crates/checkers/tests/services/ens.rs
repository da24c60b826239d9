//! ENS: two calls, of the registry and of the resolver.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use checkers::Ens;
use engine::ports::checker::{CheckWorld, ClaimChecker, Failure, Found, Refusal};
use engine::ports::fetch::{FetchError, FetchLimits, Fetched, Request, Upstream, WebFetcher};
use serde_json::Value;
use std::time::Duration;

use crate::battery::{NO_NAMES, normalised};
use crate::fake::{NOBODY, Reply, Web};
use crate::vectors::Claim;

const ASKED: &str = "POST ethereum_rpc ";
/// The node of `testcase.example.com`.
const REGISTRY: &str = "0x00000000000c2e074ec69a0dfb2997ba6c7d2e1e";
const RESOLVER: &str = "0x231b0ee14048e9dccd1d247744d114a4eb5e8e63";

/// Answers the first call with one, the second with the other.
struct Node {
    first: Web,
    second: Web,
    calls: AtomicUsize,
}

#[async_trait]
impl WebFetcher for Node {
    async fn fetch(&self, request: Request, limits: FetchLimits) -> Result<Fetched, FetchError> {
        match self.calls.fetch_add(1, Ordering::SeqCst) {
            0 => self.first.fetch(request, limits).await,
            _ => self.second.fetch(request, limits).await,
        }
    }

    fn locate(&self, _url: &str, _among: &[Upstream]) -> Option<(Upstream, String)> {
        None
    }
}

async fn check(first: Reply, second: Reply) -> (Result<Found, Refusal>, Node) {
    let node = Node {
        first: Web::of(&[(ASKED, first)]),
        second: Web::of(&[(ASKED, second)]),
        calls: AtomicUsize::new(0),
    };
    let world = CheckWorld {
        web: &node,
        dns: &NOBODY,
        deadline: Duration::from_secs(5),
        is_background: false,
    };
    let claim = Claim::of("dns");
    let checked = Ens.check(&claim.claimed(), &world).await;
    (checked, node)
}

fn params(web: &Web) -> Value {
    let request = web.requests().remove(0);
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["method"], "eth_call");
    body["params"].clone()
}

#[tokio::test]
async fn a_text_record_shows_the_names_avatar() {
    let (resolver, text) = (
        Reply::file("ens/resolver.json"),
        Reply::file("ens/text.json"),
    );
    let (found, node) = check(resolver, text).await;
    assert_eq!(found.unwrap().signatures, [Claim::of("dns").signature]);
    let first = params(&node.first);
    assert_eq!(
        (&first[0]["to"], &first[1]),
        (&REGISTRY.into(), &"latest".into())
    );
    let hash = first[0]["data"]
        .as_str()
        .unwrap()
        .strip_prefix("0x0178b8bf")
        .unwrap()
        .to_owned();
    let second = params(&node.second);
    assert_eq!(second[0]["to"], RESOLVER);
    let key = "69642e6e6578742e70726f6f66";
    let data = format!("0x59d1d43c{hash}{:064x}{:064x}{key:0<64}", 64, 13);
    assert_eq!(second[0]["data"], data);
}

#[tokio::test]
async fn other_answers_show_nothing() {
    let good = || Reply::file("ens/resolver.json");
    for (first, second, failure) in [
        (
            Reply::file("ens/no_resolver.json"),
            good(),
            Failure::NotFound,
        ),
        (
            Reply::file("ens/reverted.json"),
            good(),
            Failure::Unreachable,
        ),
        (Reply::new(404, ""), good(), Failure::Unreachable),
        (Reply::new(429, ""), good(), Failure::Limited),
        (Reply::new(500, ""), good(), Failure::Unreachable),
        (Reply::new(200, ""), good(), Failure::Unreachable),
        (Reply::new(200, "<html>"), good(), Failure::Unreachable),
        (
            Reply::failed(FetchError::TooLarge),
            good(),
            Failure::TooLarge,
        ),
        (good(), Reply::file("ens/no_text.json"), Failure::NotFound),
        (
            good(),
            Reply::file("ens/text_of_another_claim.json"),
            Failure::TextMissing,
        ),
        (
            good(),
            Reply::file("ens/reverted.json"),
            Failure::Unreachable,
        ),
        (
            good(),
            Reply::new(200, "{\"result\":\"0x\"}"),
            Failure::NotFound,
        ),
        (
            good(),
            Reply::new(200, "{\"result\":\"0xabc\"}"),
            Failure::Unreachable,
        ),
        (
            good(),
            Reply::new(200, "{\"result\":\"é\"}"),
            Failure::Unreachable,
        ),
        (
            good(),
            Reply::new(200, "{\"result\":[]}"),
            Failure::Unreachable,
        ),
    ] {
        let (shown, of) = (first.body.clone(), second.body.clone());
        let (refused, _) = check(first, second).await;
        let refused = refused.unwrap_err().failure;
        assert_eq!(
            refused,
            failure,
            "{:?} {:?}",
            shown.escape_ascii().to_string(),
            of.len()
        );
    }
}

#[tokio::test]
async fn a_part_of_an_answer_shows_nothing() {
    let text = Reply::file("ens/text.json");
    let whole = text.body.trim_ascii_end().len();
    for length in (0..whole - 1).step_by(7) {
        let part = Reply::new(200, &text.body[..length]);
        let (refused, _) = check(Reply::file("ens/resolver.json"), part).await;
        assert!(!refused.unwrap_err().failure.is_definite(), "{length}");
    }
}

#[tokio::test]
async fn names_are_plain_letters() {
    assert_eq!(
        normalised(&Ens, "Vitalik.ETH").await.unwrap(),
        "vitalik.eth"
    );
    for name in NO_NAMES {
        assert_eq!(normalised(&Ens, name).await, None, "{name:?}");
    }
    for name in [
        "eth",
        "a..eth",
        ".eth",
        "vitalik\u{200d}.eth",
        "vіtalik.eth",
    ] {
        assert_eq!(normalised(&Ens, name).await, None, "{name:?}");
    }
}
