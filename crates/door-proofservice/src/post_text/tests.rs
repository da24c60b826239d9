use serde_json::Value;

use super::*;

const VECTORS: &str = include_str!("../../../engine/vectors/proofservice.json");

#[test]
fn every_text_is_that_of_the_vectors() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let cases = vectors["post_content"].as_array().unwrap();
    assert!(cases.len() >= 22, "{}", cases.len());
    for case in cases {
        let member = |name: &str| case[name].as_str().unwrap_or_default();
        let prev = case["prev"].as_str();
        let payload = payload(case);
        let draft = Draft {
            service: member("platform"),
            given: member("identity"),
            identity: member("identity"),
            avatar: member("public_key"),
            payload: &payload,
            uuid: member("uuid"),
            created_at: member("created_at").parse().unwrap(),
            prev,
        };
        let made = serde_json::to_value(texts(&draft)).unwrap();
        assert_eq!(made, case["post_content"], "{}", draft.service);
    }
}

/// Of the services whose text shows the payload.
fn payload(case: &Value) -> String {
    let prev = &case["prev"];
    format!(
        r#"{{"action":"create","created_at":{},"identity":{},"platform":{},"prev":{prev},"uuid":{}}}"#,
        case["created_at"], case["identity"], case["platform"], case["uuid"]
    )
}

fn draft(service: &'static str) -> Draft<'static> {
    Draft {
        service,
        given: "Given",
        identity: "given",
        avatar: "0x02",
        payload: "{}",
        uuid: "u",
        created_at: 5,
        prev: None,
    }
}

#[test]
fn texts_keep_the_case_where_the_reference_does() {
    for (service, shows) in [
        ("twitter", "@Given "),
        ("discord", ": Given "),
        ("minds", "@given "),
        ("github", "\"given\""),
        ("https", "\"https_host\": \"given\""),
        ("tiktok", "Misc: u|5|"),
        ("forum", "my forum ID given for"),
    ] {
        let texts = texts(&draft(service));
        assert!(texts["default"].contains(shows), "{service}: {texts:?}");
        let has_place = texts.values().all(|text| text.contains(SIGNATURE));
        assert!(has_place, "{service}");
    }
    for service in ["ethereum", "solana", "nextid"] {
        assert_eq!(texts(&draft(service))["default"], "", "{service}");
    }
}
