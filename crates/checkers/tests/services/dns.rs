//! DNS, asked directly and over HTTPS.

use checkers::Dns;
use engine::ports::checker::{ClaimChecker, Failure, Found, Refusal};
use engine::ports::dns::DnsError;

use crate::battery::{Case, NO_NAMES, normalised};
use crate::fake::{Records, Reply, Web, world};
use crate::vectors::Claim;

const ASKED: &str = "GET dns_over_https ?type=TXT&name=testcase.example.com";
const DIRECTLY: Dns = Dns { over_https: false };
const OVER_HTTPS: Dns = Dns { over_https: true };

fn record() -> String {
    let claim = Claim::of("dns");
    let signature =
        "NJc0RpFWELWR9YmcmuBCYEDi3PMSXnB+84xgU3614H1xinlTSh24WNnWpeL+9RItGhyxGkSTJMo1yH46ypcsbgA=";
    let (uuid, at) = (claim.uuid, claim.created_at);
    format!("ps:true;v:1;sig:{signature};ca:{at};uuid:{uuid};prev:null")
}

async fn directly(records: Result<Vec<String>, DnsError>) -> Result<Found, Refusal> {
    let (web, records) = (Web::default(), Records(records));
    let claim = Claim::of("dns");
    DIRECTLY
        .check(&claim.claimed(), &world(&web, &records))
        .await
}

fn case() -> Case<'static> {
    Case {
        checker: &OVER_HTTPS,
        claim: Claim::of("dns"),
        replies: vec![(ASKED, Reply::file("dns/answer.json"))],
        bases: Vec::new(),
        asked: ASKED,
        empty: Failure::Unreachable,
    }
}

#[tokio::test]
async fn a_record_shows_the_domains_avatar() {
    let others = vec!["v=spf1 -all".to_owned(), record(), "ps:true".to_owned()];
    let found = directly(Ok(others)).await.unwrap();
    assert_eq!(found.signatures, [Claim::of("dns").signature]);
    assert_eq!(found.alt_id, "testcase.example.com");
    assert_eq!(found.location, "");
}

#[tokio::test]
async fn a_domain_is_also_found_as_people_write_it() {
    let (web, records) = (Web::default(), Records(Ok(vec![record()])));
    let claim = Claim {
        identity: "xn--bcher-kva.example".into(),
        ..Claim::of("dns")
    };
    let world = world(&web, &records);
    let found = DIRECTLY.check(&claim.claimed(), &world).await.unwrap();
    assert_eq!(found.alt_id, "bücher.example");
}

#[tokio::test]
async fn that_there_is_no_record_may_change() {
    for none in [Err(DnsError::NotFound), Ok(Vec::new())] {
        let refusal = directly(none).await.unwrap_err();
        assert_eq!(refusal.failure, Failure::NotFound);
        assert_eq!(
            refusal.reason,
            "No TXT result found for domain testcase.example.com ."
        );
    }
    let other = record().replace("0121", "0122");
    let damaged = format!("{};x", record());
    let refusal = directly(Ok(vec![other, damaged])).await.unwrap_err();
    assert_eq!(refusal.failure, Failure::NotFound);
    assert_eq!(refusal.reason, "matched TXT record not found.");
    let refusal = directly(Err(DnsError::Unreachable)).await.unwrap_err();
    assert_eq!(refusal.failure, Failure::Unreachable);
}

#[tokio::test]
async fn a_signature_that_is_none_is_told() {
    let refusal = directly(Ok(vec![record().replace("NJc0", "*no*")]))
        .await
        .unwrap_err();
    assert_eq!(refusal.failure, Failure::BadSignature);
    assert_eq!(refusal.reason, "sig in TXT record cannot be recognized.");
}

#[tokio::test]
async fn a_resolver_over_https_is_asked_instead() {
    let case = Case {
        claim: Claim::of("dns"),
        ..case()
    };
    for file in [
        "dns/answer.json",
        "dns/answer_in_two_strings.json",
        "dns/answer_without_quotes.json",
    ] {
        let found = case.with(ASKED, Reply::file(file)).await.unwrap();
        assert_eq!(
            found.signatures,
            std::slice::from_ref(&case.claim.signature),
            "{file}"
        );
    }
    for (file, failure) in [
        ("dns/answer_without_claim.json", Failure::NotFound),
        ("dns/no_such_domain.json", Failure::NotFound),
        ("dns/no_records.json", Failure::NotFound),
        ("dns/failed.json", Failure::Unreachable),
    ] {
        assert_eq!(case.failure(Reply::file(file)).await, failure, "{file}");
    }
}

#[tokio::test]
async fn a_resolver_over_https_says_whether_dnssec_covers_the_record() {
    let case = case();
    let file = || Reply::file("dns/answer.json");
    for (reply, dnssec) in [
        (file(), Some(false)),
        (file().replaced("\"AD\": false", "\"AD\": true"), Some(true)),
        (file().replaced("\"AD\": false,", ""), None),
    ] {
        assert_eq!(case.with(ASKED, reply).await.unwrap().dnssec, dnssec);
    }
    // The system's name servers are not asked for it.
    assert_eq!(directly(Ok(vec![record()])).await.unwrap().dnssec, None);
}

#[tokio::test]
async fn what_a_resolver_over_https_may_also_say() {
    let case = case();
    for (reply, failure) in [
        // It is the resolver that is not there.
        (Reply::new(404, ""), Failure::Unreachable),
        (Reply::new(429, "").retry_after(9), Failure::Limited),
        (Reply::new(500, ""), Failure::Unreachable),
        (Reply::new(200, ""), Failure::Unreachable),
        (Reply::new(200, "<html>"), Failure::Unreachable),
        (Reply::new(200, "{}"), Failure::Unreachable),
        (
            Reply::new(200, "{\"Status\":0,\"Answer\":[{}]}"),
            Failure::Unreachable,
        ),
        (Reply::new(200, "{\"Status\":65536}"), Failure::Unreachable),
    ] {
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(case.failure(reply).await, failure, "{text}");
    }
    let accept = {
        let web = Web::of(&[(ASKED, Reply::file("dns/answer.json"))]);
        let nobody = Records(Err(DnsError::Unreachable));
        let world = world(&web, &nobody);
        OVER_HTTPS
            .check(&case.claim.claimed(), &world)
            .await
            .unwrap();
        web.requests()[0].headers.clone()
    };
    assert_eq!(accept, [("accept".into(), "application/dns-json".into())]);
}

#[tokio::test]
async fn a_domain_is_one_however_it_is_written() {
    for text in [
        "TestCase.Example.COM",
        "testcase.example.com.",
        "testcase。example。com。",
    ] {
        let normal = normalised(&DIRECTLY, text).await;
        assert_eq!(normal.as_deref(), Some("testcase.example.com"), "{text}");
    }
    for text in ["Bücher.example", "XN--Bcher-KVA.example", "BÜCHER.example."] {
        let normal = normalised(&DIRECTLY, text).await;
        assert_eq!(normal.as_deref(), Some("xn--bcher-kva.example"), "{text}");
    }
    for name in NO_NAMES {
        assert_eq!(normalised(&DIRECTLY, name).await, None, "{name:?}");
    }
    for name in [
        "localhost",
        "127.0.0.1",
        "[::1]",
        "a.example..",
        "a..example",
    ] {
        assert_eq!(normalised(&DIRECTLY, name).await, None, "{name}");
    }
}
