//! Who a request says it comes from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::OnceLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use engine::types::Domain;
use httpkit::client_ip::{ClientPolicy, ConnectInfo, TrustedProxies};
use httpkit::clock::Clock;

/// A client that no proxy is.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

static POLICY: OnceLock<ClientPolicy> = OnceLock::new();

/// Headers a client made up, each a line `name: value`, with and without an honest proxy behind them.
pub(crate) fn forwarding(data: &[u8]) {
    let policy = POLICY.get_or_init(|| {
        let trusted = TrustedProxies::parse(&TrustedProxies::DEFAULT);
        let trusted = trusted.expect("the default is a list of proxies");
        ClientPolicy::new(trusted, false, &Clock::new(|| 0))
    });
    let claimed = headers(data);
    let from = |address: IpAddr, tls| ConnectInfo {
        peer: Some(SocketAddr::new(address, 4000)),
        tls,
    };

    let direct = policy.resolve(from(STRANGER, false), &claimed);
    assert_eq!((direct.address, direct.secure), (STRANGER, false));
    assert!(policy.resolve(from(STRANGER, true), &claimed).secure);

    let proxied = policy.resolve(from(PROXY, false), &behind_proxy(claimed));
    assert_eq!(proxied.address, CLIENT, "a client chose its address");
    assert!(!proxied.secure, "a client over http counts as secure");
}

/// What a proxy hands on that sets what the documentation tells it to set, and nothing else.
fn behind_proxy(mut headers: HeaderMap) -> HeaderMap {
    for removed in ["x-real-ip", "forwarded", "x-scheme"] {
        headers.remove(removed);
    }
    let earlier = headers.get_all("x-forwarded-for").iter();
    let earlier: Vec<&[u8]> = earlier.map(HeaderValue::as_bytes).collect();
    let mut list = earlier.join(&b", "[..]);
    if !list.is_empty() {
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(CLIENT.to_string().as_bytes());
    let list = HeaderValue::from_bytes(&list).expect("header values with a comma between");
    headers.insert("x-forwarded-for", list);
    headers.insert("x-forwarded-proto", HeaderValue::from_static("http"));
    headers
}

fn headers(data: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(64) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        let name = HeaderName::from_bytes(name);
        let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

/// The list of trusted proxies, an entry a line.
pub(crate) fn proxies(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let entries: Vec<&str> = text.lines().collect();
    match TrustedProxies::parse(&entries) {
        Ok(proxies) => {
            for entry in &entries {
                let address = entry.parse::<IpAddr>().ok();
                assert!(address.is_none_or(|address| proxies.contain(Some(address))));
            }
            assert_eq!(proxies.contain(None), entries.contains(&"unix"));
        }
        Err(bad) => assert!(entries.contains(&bad.entry.as_str())),
    }
}

/// Domains of others: what is taken is a host that URLs read the same, and no address.
pub(crate) fn domain(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Some(domain) = Domain::parse(text) else {
        return;
    };
    assert_eq!(Domain::parse(domain.as_str()).as_ref(), Some(&domain));
    let url = url::Url::parse(&format!("https://{domain}/api")).expect("a host of a URL");
    assert_eq!(url.domain(), Some(domain.as_str()));
    assert_eq!((url.port(), url.path()), (None, "/api"));
    assert!(domain.as_str().parse::<IpAddr>().is_err());
}

/// Where a redirect or a word of an answer leads.
pub(crate) fn location(data: &[u8]) {
    // The promises are checked inside.
    let _leads = outbound::parsers::location(&String::from_utf8_lossy(data));
}

/// The URL of an upstream, and on a line of its own an account for it.
pub(crate) fn upstream_url(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (url, identity) = text.split_once('\n').unwrap_or((&text, ""));
    // The promises are checked inside.
    let _is_taken = outbound::parsers::upstream_url(url, identity);
}
