//! What is read in posts.

use crypto::token::sha256;
use engine::nextid::{
    SteamId, SteamIdFault, decode_base64, decode_base1024, decode_signature, encode_base1024,
    line_signature, parse_dns_txt, steam_signatures, text_of_html, title_signature,
};

use crate::{entries, hex, is_signed, list, public_key, section, text};

#[test]
fn base1024() {
    let members = [
        "alphabet",
        "alphabet_sha256_utf8",
        "tail",
        "rule",
        "cases",
        "rejected",
    ];
    let base1024 = section("base1024", &members);
    let alphabet = text(&base1024["alphabet"]);
    assert_eq!(alphabet.chars().count(), 1024);
    assert_eq!(
        sha256(alphabet.as_bytes())[..],
        hex(&base1024["alphabet_sha256_utf8"])
    );
    // Every symbol but the first of a group of five bytes is reached by a number of its own.
    for (at, symbol) in (0_u64..).zip(alphabet.chars()) {
        let [_, _, _, group @ ..] = (at << 30 | at << 20 | at << 10 | at).to_be_bytes();
        let written = encode_base1024(&group);
        assert_eq!(written, symbol.to_string().repeat(4));
        assert_eq!(decode_base1024(&written).unwrap(), group);
    }
    for case in entries(&base1024["cases"], 12) {
        let (bytes, written) = (hex(&case["hex"]), text(&case["text"]));
        assert_eq!(encode_base1024(&bytes), written, "{case}");
        assert_eq!(decode_base1024(written).unwrap(), bytes, "{case}");
        let has_tail = bytes.len() % 5 == 4;
        assert_eq!(
            has_tail && written.ends_with(text(&base1024["tail"])),
            has_tail
        );
    }
    for case in entries(&base1024["rejected"], 3) {
        assert!(decode_base1024(text(case)).is_err(), "{case}");
    }
}

#[test]
fn proof_post_signature() {
    let members = ["note", "sign_payload", "public_key", "base64", "base1024"];
    let case = section("proof_post_signature", &members);
    let (base64, base1024) = (text(&case["base64"]), text(&case["base1024"]));
    let payload = text(&case["sign_payload"]);
    assert!(is_signed(&public_key(&case["public_key"]), payload, base64));
    let signature = decode_signature(base64).unwrap();
    assert_eq!(decode_signature(base1024).as_ref(), Some(&signature));
    assert_eq!(encode_base1024(&signature), base1024);
    assert_eq!(decode_base64(base1024), None);
}

#[test]
fn extraction() {
    for case in list("extraction", 10) {
        let html = case["html"].as_str().map(text_of_html);
        let post = html.as_deref().unwrap_or_else(|| text(&case["text"]));
        let found = match text(&case["platform"]) {
            "twitter" => line_signature(post, "Sig: "),
            "activitypub" => line_signature(post, "Signature: "),
            "steam" => steam_signatures(post).first().copied(),
            "tiktok" => title_signature(post),
            other => unreachable!("{other}"),
        };
        assert_eq!(found, case["signature"].as_str(), "{case}");
        assert!(found.is_none_or(|it| decode_signature(it).is_some()));
    }
}

#[test]
fn dns_txt() {
    for case in list("dns_txt", 10) {
        let post = parse_dns_txt(text(&case["data"]));
        assert_eq!(post.is_some(), case["ok"].as_bool().unwrap(), "{case}");
        if let Some(post) = post {
            assert_eq!(post.signature, text(&case["sig"]));
            assert_eq!(post.created_at, case["created_at"].as_i64().unwrap());
            assert_eq!(post.uuid.to_string(), text(&case["uuid"]));
            assert_eq!(post.prev.as_deref(), case["prev"].as_str());
            assert_eq!(parse_dns_txt(&post.to_string()), Some(post));
        }
    }
}

#[test]
fn steam_id() {
    for case in list("steam_id", 4) {
        match SteamId::parse(text(&case["id"])) {
            Ok(id) => {
                assert_eq!(case["ok"], true);
                assert_eq!(id.to_string(), text(&case["id"]));
                let (number, y) = id.account();
                assert_eq!(case["universe"], id.universe());
                assert_eq!((&case["user_id"], &case["y"]), (&number.into(), &y.into()));
            }
            Err(fault) => {
                assert_eq!(case["ok"], false);
                let reason = match fault {
                    SteamIdFault::NotANumber => "not a number: use the custom URL page",
                    SteamIdFault::Universe => "universe",
                    SteamIdFault::AccountType => "account type",
                };
                assert_eq!(text(&case["reason"]), reason);
            }
        }
    }
}
