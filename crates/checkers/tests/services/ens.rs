//! ENS: calls of the registry and of a resolver.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use checkers::Ens;
use engine::ports::checker::{CheckWorld, ClaimChecker, Failure, Found, Refusal};
use engine::ports::fetch::{FetchError, FetchLimits, Fetched, Request, Upstream, WebFetcher};
use serde_json::Value;

use crate::battery::{NO_NAMES, normalised};
use crate::fake::{NOBODY, Reply, Web};
use crate::vectors::Claim;

const ASKED: &str = "POST ethereum_rpc ";
const REGISTRY: &str = "0x00000000000c2e074ec69a0dfb2997ba6c7d2e1e";
const RESOLVER: &str = "0x231b0ee14048e9dccd1d247744d114a4eb5e8e63";
/// Questions to the registry: for the resolvers of `testcase.example.com` and of the names above it.
const OWN: &str = "0x0178b8bfa0e8045ed74df7e05c3d1474339641d7633dbd48a3b8deeeec6b1f7d37e3175a";
const PARENT: &str = "0x0178b8bff59ba973941fd531b0702df2592a8480fd9f28516c50a93626e652a8ce263832";
const TOP: &str = "0x0178b8bfac2c11ea5d4a4826f418d3befbf0537de7f13572d2a433edfe4a7314ea5dc896";
/// Those to a resolver: whether it answers for whole domains, for the text record of the name, and, as
/// an independent implementation of the ABI writes it, the second within `resolve(bytes,bytes)`.
const EXTENDED: &str = "0x01ffc9a79061b92300000000000000000000000000000000000000000000000000000000";
const TEXT: &str = "0x59d1d43ca0e8045ed74df7e05c3d1474339641d7633dbd48a3b8deeeec6b1f7d37e3175a0000000000000000000000000000000000000000000000000000000000000040000000000000000000000000000000000000000000000000000000000000000d69642e6e6578742e70726f6f6600000000000000000000000000000000000000";
const RESOLVE: &str = "0x9061b923000000000000000000000000000000000000000000000000000000000000004000000000000000000000000000000000000000000000000000000000000000800000000000000000000000000000000000000000000000000000000000000016087465737463617365076578616d706c6503636f6d0000000000000000000000000000000000000000000000000000000000000000000000000000000000008459d1d43ca0e8045ed74df7e05c3d1474339641d7633dbd48a3b8deeeec6b1f7d37e3175a0000000000000000000000000000000000000000000000000000000000000040000000000000000000000000000000000000000000000000000000000000000d69642e6e6578742e70726f6f660000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";

/// A node with its answers, by question.
struct Node {
    replies: Vec<(&'static str, Reply)>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl WebFetcher for Node {
    async fn fetch(&self, request: Request, limits: FetchLimits) -> Result<Fetched, FetchError> {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(
            (&body["method"], &body["params"][1]),
            (&"eth_call".into(), &"latest".into())
        );
        let call = &body["params"][0];
        let data = call["data"].as_str().unwrap();
        let to = if data.starts_with("0x0178b8bf") {
            REGISTRY
        } else {
            RESOLVER
        };
        assert_eq!(call["to"], to);
        self.asked.lock().unwrap().push(data.to_owned());
        let reply = self.replies.iter().find(|(asked, _)| *asked == data);
        let (_, reply) = reply.unwrap_or_else(|| unreachable!("nobody expected {data}"));
        Web::of(&[(ASKED, reply.clone())])
            .fetch(request, limits)
            .await
    }

    fn locate(&self, _url: &str, _among: &[Upstream]) -> Option<(Upstream, String)> {
        None
    }
}

/// What is found at a node, and what it was asked.
async fn ask(replies: Vec<(&'static str, Reply)>) -> (Result<Found, Refusal>, Vec<String>) {
    let node = Node {
        replies,
        asked: Mutex::default(),
    };
    let world = CheckWorld {
        web: &node,
        dns: &NOBODY,
        deadline: Duration::from_secs(5),
        is_background: false,
    };
    let claim = Claim::of("dns");
    let checked = Ens.check(&claim.claimed(), &world).await;
    (checked, node.asked.into_inner().unwrap())
}

fn file(name: &str) -> Reply {
    Reply::file(&format!("ens/{name}.json"))
}

/// A name with a resolver of its own, for itself only.
async fn check(resolver: Reply, text: Reply) -> Result<Found, Refusal> {
    let replies = vec![
        (OWN, resolver),
        (EXTENDED, file("supports_not")),
        (TEXT, text),
    ];
    ask(replies).await.0
}

#[tokio::test]
async fn a_text_record_shows_the_names_avatar() {
    // Resolvers of old know nothing of interfaces, and revert or say nothing.
    let silent = Reply::new(200, "{\"result\":\"0x\"}");
    for none in [file("supports_not"), file("reverted"), silent] {
        let replies = vec![
            (OWN, file("resolver")),
            (EXTENDED, none),
            (TEXT, file("text")),
        ];
        let (found, asked) = ask(replies).await;
        assert_eq!(found.unwrap().signatures, [Claim::of("dns").signature]);
        assert_eq!(asked, [OWN, EXTENDED, TEXT]);
    }
}

#[tokio::test]
async fn a_resolver_for_whole_domains_is_asked_for_the_name_below() {
    // Its own, that of the name above, and that of the name above that.
    let own = vec![(OWN, file("resolver"))];
    let parents = vec![(OWN, file("no_resolver")), (PARENT, file("resolver"))];
    let top = vec![
        (OWN, file("no_resolver")),
        (PARENT, file("no_resolver")),
        (TOP, file("resolver")),
    ];
    for mut replies in [own, parents, top] {
        let mut walk: Vec<&str> = replies.iter().map(|(asked, _)| *asked).collect();
        walk.extend([EXTENDED, RESOLVE]);
        replies.extend([(EXTENDED, file("supports")), (RESOLVE, file("resolved"))]);
        let (found, asked) = ask(replies).await;
        assert_eq!(found.unwrap().signatures, [Claim::of("dns").signature]);
        assert_eq!(asked, walk);
    }
}

#[tokio::test]
async fn a_resolver_above_that_answers_for_itself_shows_nothing() {
    let above = || vec![(OWN, file("no_resolver")), (PARENT, file("resolver"))];
    let mut replies = above();
    replies.push((EXTENDED, file("supports_not")));
    let (refused, asked) = ask(replies).await;
    assert_eq!(refused.unwrap_err().failure, Failure::NotFound);
    assert_eq!(asked, [OWN, PARENT, EXTENDED]);
    for (reply, failure) in [
        (file("resolved_nothing"), Failure::NotFound),
        (Reply::new(200, "{\"result\":\"0x\"}"), Failure::NotFound),
        // The record, but not within bytes.
        (file("text"), Failure::NotFound),
        (file("reverted"), Failure::Unreachable),
        (Reply::new(500, ""), Failure::Unreachable),
    ] {
        let mut replies = above();
        replies.extend([(EXTENDED, file("supports")), (RESOLVE, reply)]);
        assert_eq!(ask(replies).await.0.unwrap_err().failure, failure);
    }
    // Whether it does is not known.
    let mut replies = above();
    replies.push((EXTENDED, Reply::new(429, "")));
    assert_eq!(ask(replies).await.0.unwrap_err().failure, Failure::Limited);
}

#[tokio::test]
async fn a_resolver_that_sends_elsewhere_is_not_followed() {
    let said = "testcase.example.com keeps its records off Ethereum (EIP-3668), where this server does \
                not look";
    let own = check(file("resolver"), file("offchain_lookup")).await;
    let replies = vec![
        (OWN, file("no_resolver")),
        (PARENT, file("resolver")),
        (EXTENDED, file("supports")),
        (RESOLVE, file("offchain_lookup")),
    ];
    for refused in [own, ask(replies).await.0] {
        let refusal = refused.unwrap_err();
        // It is no silence of the node, and contradicts no claim.
        assert_eq!(refusal.failure, Failure::ForbiddenAddress);
        assert_eq!(refusal.reason, said);
    }
}

#[tokio::test]
async fn other_answers_show_nothing() {
    let good = || Reply::file("ens/resolver.json");
    for (first, second, failure) in [
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
        let refused = check(first, second).await;
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
        let refused = check(file("resolver"), part).await;
        assert!(!refused.unwrap_err().failure.is_definite(), "{length}");
    }
}

#[tokio::test]
async fn a_name_of_which_no_part_has_a_resolver_shows_nothing() {
    let parts = [OWN, PARENT, TOP];
    let (refused, asked) = ask(parts.map(|part| (part, file("no_resolver"))).to_vec()).await;
    assert_eq!(refused.unwrap_err().failure, Failure::NotFound);
    assert_eq!(asked, parts);
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
    let deep = "a.b.c.d.e.f.g.eth";
    assert_eq!(normalised(&Ens, deep).await.unwrap(), deep);
    for name in [
        "eth",
        "a.b.c.d.e.f.g.h.eth",
        "a..eth",
        ".eth",
        "vitalik\u{200d}.eth",
        "vіtalik.eth",
    ] {
        assert_eq!(normalised(&Ens, name).await, None, "{name:?}");
    }
}
