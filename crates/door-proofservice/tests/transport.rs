//! What every route has in common: paths, methods, bodies, other origins.

use http::Request;
use serde_json::json;
use testkit::AvatarClient;

use crate::door::{Door, message, reply, request, snapshot};

#[tokio::test]
async fn healthz_presents_the_server() {
    let door = Door::new().await;
    snapshot("healthz__get__shown", &door.get("/healthz").await);
}

#[tokio::test]
async fn what_is_not_here_is_404_and_never_405() {
    let door = Door::new().await;
    for (case, method, path) in [
        ("delete", "DELETE", "/v1/proof"),
        ("get_payload", "GET", "/v1/proof/payload"),
        ("unknown", "GET", "/v1/proofs/x"),
        ("unknown_slash", "GET", "/v1/proof/nothing/"),
        ("health", "POST", "/healthz"),
    ] {
        let answer = door.send(request(method, path, "")).await;
        snapshot(&format!("unlisted__404__{case}"), &answer);
    }
    let options = door.send(request("OPTIONS", "/v1/proof", "")).await;
    assert_eq!((options.status, options.body.len()), (404, 18));
    let other = door.get("/v1/accounts").await;
    assert_eq!(other.body, b"of another door");
}

#[tokio::test]
async fn a_slash_too_many_leads_to_the_path_without() {
    let door = Door::new().await;
    for (method, path, status, to) in [
        (
            "GET",
            "/v1/proof/?identity=a,b&page=1",
            301,
            "/v1/proof?identity=a,b&page=1",
        ),
        ("HEAD", "/v1/proofchain/", 301, "/v1/proofchain"),
        ("POST", "/v1/proof/payload/", 307, "/v1/proof/payload"),
        ("GET", "/healthz/", 301, "/healthz"),
    ] {
        let answer = door.send(request(method, path, "")).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.headers["location"], to);
    }
    for (method, path) in [
        ("GET", "/v1/proof/payload/"),
        ("GET", "/v1/proof//"),
        ("PUT", "/v1/proof/"),
    ] {
        assert_eq!(
            door.send(request(method, path, "")).await.status,
            404,
            "{path}"
        );
    }
}

#[tokio::test]
async fn pages_of_every_origin_may_ask() {
    let door = Door::new().await;
    let from = |mut request: Request<Vec<u8>>| {
        let origin = "chrome-extension://abc".parse().unwrap();
        request.headers_mut().insert("origin", origin);
        request
    };
    for path in [
        "/v1/proof",
        "/v1/proof/payload",
        "/v1/subkey/anything",
        "/healthz",
    ] {
        let answer = door.send(from(request("OPTIONS", path, ""))).await;
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{path}");
        for (name, value) in [
            ("access-control-allow-origin", "*"),
            (
                "access-control-allow-methods",
                "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS",
            ),
            (
                "access-control-allow-headers",
                "Origin,Content-Length,Content-Type",
            ),
            ("access-control-max-age", "43200"),
        ] {
            assert_eq!(answer.headers[name], value, "{path}");
        }
    }
    for path in ["/healthz", "/v1/proof", "/v1/proof/", "/v1/proofs"] {
        let answer = door.send(from(request("GET", path, ""))).await;
        assert_eq!(answer.headers["access-control-allow-origin"], "*", "{path}");
        let without = door.get(path).await;
        assert!(!without.headers.contains_key("access-control-allow-origin"));
    }
    let elsewhere = door
        .send(from(request("OPTIONS", "/v1/accounts", "")))
        .await;
    assert!(
        !elsewhere
            .headers
            .contains_key("access-control-allow-origin")
    );
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let door = Door::new().await;
    let head = door.send(request("HEAD", "/v1/proof?identity=x", "")).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn bodies_are_read_whatever_their_type() {
    let door = Door::new().await;
    let good = json!({
        "ACTION": "create", "Platform": "twitter", "identity": "alice", "extra": null,
        "public_key": AvatarClient::new(1).avatar().to_string(),
    });
    let body = format!("{good} and more");
    for kind in [
        "text/plain;charset=UTF-8",
        "text/plain",
        "application/json",
        "nonsense",
        "",
    ] {
        let mut request = request("POST", "/v1/proof/payload", body.clone());
        request
            .headers_mut()
            .insert("content-type", kind.parse().unwrap());
        assert_eq!(door.send(request).await.status, 200, "{kind}");
    }
}

#[tokio::test]
async fn bodies_that_make_no_sense_are_refused() {
    let door = Door::new().await;
    let deep = "[".repeat(100_000);
    for (body, said) in [
        ("", "when parsing body: EOF"),
        ("{", "when parsing body: unexpected EOF"),
        (
            &deep[..60_000],
            "when parsing body: nested more than 64 levels deep",
        ),
        ("null", "param invalid"),
        ("{}", "param invalid"),
    ] {
        let answer = door.send(request("POST", "/v1/proof/payload", body)).await;
        assert_eq!((answer.status, message(&answer).as_str()), (400, said));
    }
    let submitted = door.send(request("POST", "/v1/proof", "")).await;
    assert_eq!(message(&submitted), "parse request failed: EOF");
    let large = vec![b' '; 4 << 20];
    for path in [
        "/v1/proof",
        "/v1/proof/payload",
        "/v1/proof/restore_pubkey",
        "/v1/subkey",
    ] {
        let answer = door.send(request("POST", path, large.clone())).await;
        assert_eq!(answer.status, 413, "{path}");
        assert_eq!(message(&answer), "the body is longer than 65536 bytes");
    }
}

#[tokio::test]
async fn what_is_no_text_is_answered_as_go_would() {
    let door = Door::new().await;
    let key = AvatarClient::new(1).avatar();
    let body = format!(
        r#"{{"action":"create","platform":"twitter","identity":"a\ud800\u0000b<","public_key":"{key}"}}"#
    );
    let drafted = reply(&door.send(request("POST", "/v1/proof/payload", body)).await);
    let payload = drafted["sign_payload"].as_str().unwrap();
    let member = "\"identity\":\"a\u{fffd}\\u0000b\\u003c\"";
    assert!(payload.contains(member), "{payload}");
}
