//! How requests come: paths, methods, headers, proxies, and the name a client has for the server.

use door_toxme::Settings;
use http::{HeaderName, HeaderValue, Request};
use serde_json::json;

use crate::door::{Answered, Door, connection, lookup, request, router};

const STATUS: &str = r#"{"action": 4}"#;

/// A request with one more header, on a connection from `peer`.
fn over(peer: &str, tls: bool, header: (&str, &str), body: &str) -> Request<Vec<u8>> {
    let mut asked = request("POST", "/api", body);
    asked.extensions_mut().insert(connection(peer, tls));
    let (name, value) = header;
    asked.headers_mut().insert(
        HeaderName::from_bytes(name.as_bytes()).unwrap(),
        HeaderValue::from_str(value).unwrap(),
    );
    asked
}

#[tokio::test]
async fn every_path_takes_requests_of_any_type_and_query() {
    let door = Door::new().await;
    for path in ["/api", "/", "/a", "/ap", "/api?action=3&name=alice"] {
        for kind in [
            "application/json",
            "text/plain",
            "application/x-www-form-urlencoded",
            "nonsense",
        ] {
            let mut asked = request("POST", path, STATUS);
            asked
                .headers_mut()
                .insert("content-type", HeaderValue::from_static(kind));
            door.send(asked).await.ok();
        }
    }
    for path in ["/api/", "/API", "/pk/", "/apis"] {
        let answer = door.send(request("POST", path, STATUS)).await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[tokio::test]
async fn no_other_method_is_answered() {
    let door = Door::new().await;
    for path in ["/api", "/", "/a", "/ap"] {
        for method in [
            "GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND",
        ] {
            let answer = door.send(request(method, path, STATUS)).await;
            assert_eq!(answer.code(), -1, "{method} {path}");
        }
        let head = door.send(request("HEAD", path, "")).await;
        assert_eq!((head.status, head.body.len()), (400, 0));
    }
}

#[tokio::test]
async fn no_answer_opens_itself_to_other_origins() {
    let door = Door::new().await;
    let asked = over(
        "203.0.113.7:4000",
        true,
        ("origin", "https://example.org"),
        STATUS,
    );
    let answer = door.send(asked).await;
    answer.ok();
    let opens = |name: &HeaderName| name.as_str().starts_with("access-control");
    assert!(!answer.headers.keys().any(opens));
}

#[tokio::test]
async fn only_a_trusted_proxy_can_vouch_for_tls() {
    let door = Door::new().await;
    for (peer, tls, header, code) in [
        ("203.0.113.7:1", false, ("accept", "*/*"), -2),
        ("203.0.113.7:1", true, ("accept", "*/*"), 0),
        ("203.0.113.7:1", true, ("x-forwarded-proto", "http"), 0),
        ("203.0.113.7:1", false, ("x-forwarded-proto", "https"), -2),
        ("203.0.113.7:1", false, ("x-scheme", "https"), -2),
        ("203.0.113.7:1", false, ("forwarded", "proto=https"), -2),
        ("127.0.0.1:1", false, ("accept", "*/*"), -2),
        ("127.0.0.1:1", false, ("x-forwarded-proto", "https"), 0),
        ("127.0.0.1:1", false, ("x-scheme", "https"), 0),
        ("127.0.0.1:1", false, ("x-forwarded-proto", "http"), -2),
        ("[::1]:1", false, ("x-forwarded-proto", "https"), 0),
    ] {
        let answer = door.send(over(peer, tls, header, STATUS)).await;
        assert_eq!(answer.code(), code, "{peer} {tls} {header:?}");
    }
}

#[tokio::test]
async fn an_operator_may_allow_insecure_requests() {
    let mut door = Door::new().await;
    door.router = router(
        &door.world.engine,
        Settings {
            require_secure: false,
        },
    );
    for (method, path, code) in [
        ("POST", "/api", 0),
        ("GET", "/api", -1),
        ("GET", "/pk", 0),
        ("POST", "/pk", -1),
    ] {
        let mut plain = request(method, path, STATUS);
        plain
            .extensions_mut()
            .insert(connection("203.0.113.7:4000", false));
        assert_eq!(door.send(plain).await.code(), code, "{method} {path}");
    }
}

#[tokio::test]
async fn insecure_requests_are_refused_before_anything_else() {
    let door = Door::new().await;
    let long = " ".repeat(70_000);
    for (method, body) in [
        ("POST", ""),
        ("POST", "not json"),
        ("POST", long.as_str()),
        ("GET", ""),
        ("PUT", ""),
    ] {
        for path in ["/api", "/", "/a", "/ap"] {
            let mut plain = request(method, path, body);
            plain
                .extensions_mut()
                .insert(connection("203.0.113.7:4000", false));
            let answer = door.send(plain).await;
            assert_eq!((answer.code(), answer.status), (-2, 400), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn pushes_are_counted_per_client_behind_a_trusted_proxy() {
    let door = Door::new().await;
    let attempt = r#"{"action": 1}"#;
    let proxied = |client: &'static str| {
        let mut asked = over(
            "127.0.0.1:1",
            false,
            ("x-forwarded-proto", "https"),
            attempt,
        );
        asked
            .headers_mut()
            .insert("x-forwarded-for", HeaderValue::from_static(client));
        asked
    };
    for _ in 0..13 {
        assert_eq!(door.send(proxied("198.51.100.1")).await.code(), -3);
    }
    for (client, code) in [
        ("198.51.100.1", -4),
        ("192.0.2.9, 198.51.100.1", -4),
        ("198.51.100.2", -3),
        ("2001:db8::1", -3),
    ] {
        assert_eq!(door.send(proxied(client)).await.code(), code, "{client}");
    }
}

#[tokio::test]
async fn nobody_else_can_choose_the_address_that_is_counted() {
    let door = Door::new().await;
    for number in 0..15 {
        let forged = format!("198.51.100.{number}");
        let header = ("x-forwarded-for", forged.as_str());
        let attempt = over("203.0.113.7:1", true, header, r#"{"action": 1}"#);
        let expected = if number < 13 { -3 } else { -4 };
        assert_eq!(door.send(attempt).await.code(), expected, "{number}");
    }
}

#[tokio::test]
async fn what_the_client_calls_the_server_is_home() {
    let door = Door::new().await;
    door.register(&door.world.client(1), "alice", 1, "").await;
    for (host, name, code) in [
        ("127.0.0.1:18443", "alice@127.0.0.1:18443", 0),
        ("names.example:8443", "alice", 0),
        ("names.example:8443", "alice@names.example", 0),
        ("names.example:8443", "alice@Names.Example", 0),
        ("names.example", "alice@names.example", 0),
        ("names.example:8443", "alice@example.test", 0),
        ("names.example:8443", "alice@example.test:8443", -41),
        ("names.example:8443", "alice@other.example", -41),
        ("names.example", "alice@names.example:8443", -41),
        ("names.example", "alice@x@names.example", -42),
    ] {
        let body = lookup(name).to_string();
        let asked = over("203.0.113.7:4000", true, ("host", host), &body);
        let answer = door.send(asked).await;
        assert_eq!(answer.code(), code, "{name} at {host}");
        if code == 0 {
            let reply = answer.ok();
            assert_eq!(reply["regdomain"], "example.test");
            assert_eq!(reply["url"], "tox:alice@example.test");
        }
    }
}

#[tokio::test]
async fn http_2_names_the_host_in_the_address() {
    let door = Door::new().await;
    door.register(&door.world.client(1), "alice", 1, "").await;
    let body = lookup("alice@names.example:8443").to_string();
    let asked = request("POST", "https://names.example:8443/api", body.clone());
    door.send(asked).await.ok();
    assert_eq!(
        door.post_bytes(body).await.code(),
        -41,
        "nothing says where"
    );
}

#[tokio::test]
async fn memorabilia_that_are_none_count_as_absent() {
    let door = Door::new().await;
    let bytes = |count: usize| data_encoding::BASE64.encode(&vec![7; count]);
    let url_safe = data_encoding::BASE64URL.encode(&[0xff; 64]);
    for absent in [
        json!(null),
        json!(7),
        json!([]),
        json!({}),
        json!(""),
        json!(bytes(63)),
        json!(bytes(65)),
        json!(bytes(64).trim_end_matches('=')),
        json!(url_safe),
        json!(format!("{}*", bytes(64))),
    ] {
        let body = json!({"action": 4, "memorabilia": absent});
        let reply = door.post(&body).await.ok();
        assert_eq!(reply.get("signed_memorabilia"), None, "{body}");
    }
    let wrapped = bytes(64).replace("BwcHBwcH", "BwcH\r\nBwcH");
    let body = json!({"action": 4, "memorabilia": wrapped});
    assert!(
        door.post(&body).await.ok()["signed_memorabilia"].is_string(),
        "line breaks are skipped"
    );
}
