//! Tables over the rules of [`ClientPolicy`].

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::HeaderValue;
use axum::routing::get;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

/// Headers written as `name: value | name: value`.
fn headers(text: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in text
        .split(" | ")
        .filter_map(|header| header.split_once(": "))
    {
        headers.append(name, HeaderValue::from_static(value));
    }
    headers
}

fn policy(trusted: &[&str], local_trial: bool) -> ClientPolicy {
    ClientPolicy::new(
        TrustedProxies::parse(trusted).unwrap(),
        local_trial,
        &Clock::new(|| 0),
    )
}

/// `unix`, or an address.
fn connection(peer: &str, tls: bool) -> ConnectInfo {
    let peer = (peer != "unix").then(|| SocketAddr::new(peer.parse().unwrap(), 40_000));
    ConnectInfo { peer, tls }
}

/// Peer, headers, the client's address.
const ADDRESSES: &[(&str, &str, &str)] = &[
    // no proxy
    ("203.0.113.9", "", "203.0.113.9"),
    ("::ffff:203.0.113.9", "", "203.0.113.9"),
    ("2001:db8::9", "", "2001:db8::9"),
    ("127.0.0.1", "", "127.0.0.1"),
    ("unix", "", "127.0.0.1"),
    // an untrusted peer is not believed
    ("203.0.113.9", "x-real-ip: 192.0.2.1", "203.0.113.9"),
    ("203.0.113.9", "x-forwarded-for: 192.0.2.1", "203.0.113.9"),
    ("11.0.0.1", "x-forwarded-for: 192.0.2.1", "11.0.0.1"),
    ("2001:db8:ab::1", "x-real-ip: 192.0.2.1", "2001:db8:ab::1"),
    // a trusted one is
    ("127.0.0.1", "x-real-ip: 192.0.2.1", "192.0.2.1"),
    ("127.9.9.9", "x-real-ip: 192.0.2.1", "192.0.2.1"),
    ("::1", "x-real-ip: 192.0.2.1", "192.0.2.1"),
    ("::ffff:127.0.0.1", "x-real-ip: 192.0.2.1", "192.0.2.1"),
    ("::ffff:10.1.2.3", "x-forwarded-for: 192.0.2.1", "192.0.2.1"),
    ("unix", "x-forwarded-for: 192.0.2.1", "192.0.2.1"),
    ("2001:db8:aa::1", "x-forwarded-for: 192.0.2.1", "192.0.2.1"),
    // who hands one of the two through does not choose the address; garbage does not count
    (
        "::1",
        "x-real-ip: 192.0.2.1 | x-forwarded-for: 192.0.2.2",
        "::1",
    ),
    (
        "::1",
        "x-real-ip: 192.0.2.1 | x-forwarded-for: 192.0.2.9, 192.0.2.1",
        "192.0.2.1",
    ),
    (
        "::1",
        "x-real-ip: unknown | x-forwarded-for: 192.0.2.2",
        "192.0.2.2",
    ),
    ("::1", "x-real-ip: ", "::1"),
    ("::1", "x-real-ip: 192.0.2.1, 192.0.2.2", "::1"),
    // ports and brackets
    ("::1", "x-forwarded-for: 192.0.2.1:5555", "192.0.2.1"),
    ("::1", "x-forwarded-for: [2001:db8::7]:5555", "2001:db8::7"),
    ("::1", "x-forwarded-for: [2001:db8::7]", "2001:db8::7"),
    ("::1", "x-forwarded-for: 2001:db8::7", "2001:db8::7"),
    ("::1", "x-real-ip: [::ffff:192.0.2.1]:80", "192.0.2.1"),
    // from right to left, over trusted ones and lines
    ("::1", "x-forwarded-for: 192.0.2.1, 192.0.2.2", "192.0.2.2"),
    (
        "::1",
        "x-forwarded-for: 192.0.2.1, 192.0.2.2, 10.0.0.1",
        "192.0.2.2",
    ),
    (
        "::1",
        "x-forwarded-for: 192.0.2.1,10.0.0.2:80,::ffff:10.0.0.1",
        "192.0.2.1",
    ),
    (
        "::1",
        "x-forwarded-for: 192.0.2.1 | x-forwarded-for: 192.0.2.2",
        "192.0.2.2",
    ),
    (
        "::1",
        "x-forwarded-for: 192.0.2.1 | x-forwarded-for: 10.0.0.1",
        "192.0.2.1",
    ),
    ("::1", "x-forwarded-for: 10.0.0.9, 10.0.0.1", "10.0.0.9"),
    // garbage
    ("::1", "x-forwarded-for: ", "::1"),
    ("::1", "x-forwarded-for: , ,", "::1"),
    ("::1", "x-forwarded-for: 192.0.2.1, ,", "192.0.2.1"),
    ("::1", "x-forwarded-for: junk, 192.0.2.1", "192.0.2.1"),
    ("::1", "x-forwarded-for: 192.0.2.1, junk", "::1"),
    (
        "::1",
        "x-forwarded-for: 192.0.2.1, junk, 10.0.0.1",
        "10.0.0.1",
    ),
    ("::1", "x-forwarded-for: <script>", "::1"),
];

#[test]
fn addresses() {
    const TRUSTED: [&str; 5] = [
        "127.0.0.0/8",
        "::1",
        "unix",
        "10.0.0.0/8",
        "2001:db8:aa::/48",
    ];
    let policy = policy(&TRUSTED, false);
    for (peer, text, expected) in ADDRESSES {
        let context = policy.resolve(connection(peer, false), &headers(text));
        assert_eq!(context.address.to_string(), *expected, "{peer} {text:?}");
    }
}

const HTTPS: &str = "x-forwarded-proto: https";
const HTTP: &str = "x-forwarded-proto: http";
/// Peer, TLS, local trial, headers, whether that is secure.
const SECURITY: &[(&str, bool, bool, &str, bool)] = &[
    // (a) TLS was ours
    ("203.0.113.9", true, false, "", true),
    ("203.0.113.9", true, true, "", true),
    ("127.0.0.1", true, false, HTTP, true),
    ("unix", true, false, "", true),
    // (b) a trusted proxy says so
    ("127.0.0.1", false, false, HTTPS, true),
    ("::1", false, false, HTTPS, true),
    ("::ffff:127.0.0.1", false, false, HTTPS, true),
    ("unix", false, false, HTTPS, true),
    ("10.0.0.5", false, false, "x-scheme: https", true),
    (
        "10.0.0.5",
        false,
        false,
        "forwarded: for=192.0.2.1;proto=https",
        true,
    ),
    ("10.0.0.5", false, false, HTTP, false),
    ("10.0.0.5", false, false, "", false),
    (
        "10.0.0.5",
        false,
        false,
        "x-forwarded-proto: https, http",
        false,
    ),
    ("11.0.0.5", false, false, HTTPS, false),
    ("203.0.113.9", false, true, HTTPS, false),
    // (c) a local trial, and nobody in between
    ("127.0.0.1", false, true, "", true),
    ("127.1.2.3", false, true, "", true),
    ("::1", false, true, "", true),
    ("::ffff:127.0.0.1", false, true, "", true),
    ("127.0.0.1", false, false, "", false),
    ("10.0.0.5", false, true, "", false),
    ("203.0.113.9", false, true, "", false),
    ("unix", false, true, "", false),
    ("127.0.0.1", false, true, HTTP, false),
    ("127.0.0.1", false, true, HTTPS, true),
    (
        "127.0.0.1",
        false,
        true,
        "x-forwarded-for: 192.0.2.1",
        false,
    ),
    ("127.0.0.1", false, true, "x-real-ip: 127.0.0.1", false),
    ("127.0.0.1", false, true, "x-scheme: http", false),
    ("127.0.0.1", false, true, "forwarded: for=192.0.2.1", false),
    (
        "127.0.0.1",
        false,
        true,
        "x-forwarded-host: a.example",
        false,
    ),
    ("127.0.0.1", false, true, "via: 1.1 proxy", false),
];

#[test]
fn security() {
    const TRUSTED: [&str; 4] = ["127.0.0.0/8", "::1", "unix", "10.0.0.0/8"];
    for (peer, tls, local_trial, text, expected) in SECURITY {
        let policy = policy(&TRUSTED, *local_trial);
        let context = policy.resolve(connection(peer, *tls), &headers(text));
        assert_eq!(
            context.secure, *expected,
            "{peer} tls {tls} trial {local_trial} {text:?}"
        );
    }
}

#[test]
fn a_loopback_peer_that_is_not_trusted_may_still_try_locally() {
    let policy = policy(&[], true);
    let here = connection("127.0.0.1", false);
    let trial = policy.resolve(here, &headers(""));
    assert!(trial.secure && !trial.https);
    let forwarded = headers("x-forwarded-proto: https | x-real-ip: 192.0.2.1");
    let context = policy.resolve(here, &forwarded);
    let expected = ClientContext {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        secure: false,
        https: false,
    };
    assert_eq!(context, expected);
}

#[test]
fn lists_of_proxies() {
    for (entries, peer, expected) in [
        (&["10.0.0.5"][..], "10.0.0.5", true),
        (&["10.0.0.5"], "10.0.0.6", false),
        (&["10.0.0.5/8"], "10.9.9.9", true),
        (&["::ffff:10.0.0.5"], "10.0.0.5", true),
        (&["::ffff:10.0.0.0/104"], "10.9.9.9", true),
        (&["::ffff:10.0.0.0/104"], "11.0.0.1", false),
        (&["0.0.0.0/0"], "2001:db8::1", false),
        (&["0.0.0.0/0"], "::ffff:10.0.0.1", true),
        (&["::/0"], "2001:db8::1", true),
        (&["2001:db8::/32", "unix"], "2001:db8:ffff::1", true),
        (&[], "127.0.0.1", false),
        (&TrustedProxies::DEFAULT, "127.255.0.1", true),
    ] {
        let proxies = TrustedProxies::parse(entries).unwrap();
        assert_eq!(
            proxies.contain(Some(peer.parse().unwrap())),
            expected,
            "{entries:?} {peer}"
        );
        assert_eq!(proxies.contain(None), entries.contains(&"unix"));
    }
    for bad in [
        "",
        "localhost",
        "10.0.0.0/33",
        "10.0.0/8",
        "10.0.0.5:80",
        "Unix",
        "10.0.0.5 ",
    ] {
        let error = TrustedProxies::parse(&["::1", bad]).unwrap_err();
        assert_eq!(
            error,
            BadProxy {
                entry: bad.to_owned()
            }
        );
    }
}

#[test]
fn the_operator_is_told_what_to_configure_once_a_minute() {
    let now = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&now);
    let clock = Clock::new(move || seen.load(Ordering::Relaxed));
    let policy = ClientPolicy::new(TrustedProxies::parse(&["::1"]).unwrap(), false, &clock);
    let told = |peer: Option<&str>, text: &'static str, seconds: u64| {
        now.store(seconds * 1_000_000, Ordering::Relaxed);
        policy.notice(
            false,
            peer.map(|peer| peer.parse().unwrap()),
            &headers(text),
        )
    };
    let expected = "peer 10.0.0.5 sends X-Forwarded-For but is not in trusted_proxies; add \
                    \"10.0.0.5\" if it is your proxy";
    let (proxy, other) = (Some("10.0.0.5"), Some("10.0.0.6"));
    const FORWARDED: &str = "x-forwarded-for: 192.0.2.1";
    assert_eq!(told(proxy, "host: a.example", 0), None);
    assert_eq!(told(proxy, FORWARDED, 0).as_deref(), Some(expected));
    assert_eq!(told(proxy, FORWARDED, 59), None);
    assert_eq!(told(other, FORWARDED, 59), None);
    assert_eq!(told(proxy, FORWARDED, 60).as_deref(), Some(expected));
    let expected = "peer unix sends X-Scheme but is not in trusted_proxies; add \"unix\" if it is \
                    your proxy";
    assert_eq!(
        told(None, "x-scheme: https", 120).as_deref(),
        Some(expected)
    );
}

#[test]
fn contradicting_addresses_are_noticed() {
    let policy = policy(&["::1"], false);
    let told = |text: &'static str| policy.notice(true, None, &headers(text)).is_some();
    assert!(!told(
        "x-real-ip: 192.0.2.1 | x-forwarded-for: 192.0.2.9, 192.0.2.1, ::1"
    ));
    assert!(!told("x-real-ip: 192.0.2.1"));
    assert!(!told("x-forwarded-for: 192.0.2.1"));
    assert!(told("x-real-ip: 192.0.2.9 | x-forwarded-for: 192.0.2.1"));
    assert!(!told("x-real-ip: 192.0.2.9 | x-forwarded-for: 192.0.2.1"));
}

async fn ask(connection: Option<ConnectInfo>) -> (u16, String, bool) {
    let router = Router::new().route(
        "/",
        get(|client: ClientContext| async move { format!("{client:?}") }),
    );
    let router = with_client_context(router, Arc::new(policy(&["::1"], false)));
    let mut request = Request::builder().uri("/").header("x-real-ip", "192.0.2.1");
    if let Some(connection) = connection {
        request = request.extension(connection);
    }
    let response = router
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (status, faulty) = (
        response.status().as_u16(),
        response.extensions().get::<Fault>().is_some(),
    );
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap(), faulty)
}

#[tokio::test]
async fn a_handler_gets_the_context() {
    let expected = "ClientContext { address: 192.0.2.1, secure: true, https: true }".to_owned();
    assert_eq!(
        ask(Some(connection("::1", true))).await,
        (200, expected, false)
    );
}

#[tokio::test]
async fn without_a_connection_there_is_a_fault_and_no_guess() {
    assert_eq!(ask(None).await, (500, "internal error\n".to_owned(), true));
}
