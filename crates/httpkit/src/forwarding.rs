//! Reading the headers in which a proxy says for whom it asks. Whether they may be believed is
//! decided in `client_ip`.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{FORWARDED, VIA};
use axum::http::{HeaderMap, HeaderName};

/// Headers we read, and how people write them.
static READ: [(HeaderName, &str); 5] = [
    (
        HeaderName::from_static("x-forwarded-for"),
        "X-Forwarded-For",
    ),
    (HeaderName::from_static("x-real-ip"), "X-Real-IP"),
    (
        HeaderName::from_static("x-forwarded-proto"),
        "X-Forwarded-Proto",
    ),
    (HeaderName::from_static("x-scheme"), "X-Scheme"),
    (FORWARDED, "Forwarded"),
];

/// Other headers that betray a proxy.
static TRACES: [HeaderName; 5] = [
    VIA,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-forwarded-ssl"),
];

/// A header of [`READ`] that is present, as people write it.
pub(crate) fn read_header(headers: &HeaderMap) -> Option<&'static str> {
    READ.iter()
        .find(|(name, _)| headers.contains_key(name))
        .map(|(_, written)| *written)
}

/// Whether any header says that the request went through a proxy.
pub(crate) fn was_forwarded(headers: &HeaderMap) -> bool {
    read_header(headers).is_some() || TRACES.iter().any(|name| headers.contains_key(name))
}

/// Whether the last hop says that its client used TLS. A proxy usually sets one of the three
/// headers and hands the others through from its client, so all that are present must agree.
pub(crate) fn says_https(headers: &HeaderMap) -> bool {
    let said = [
        last_item(headers, "forwarded").and_then(last_proto),
        last_item(headers, "x-forwarded-proto").map(is_https),
        last_item(headers, "x-scheme").map(is_https),
    ];
    said.contains(&Some(true)) && !said.contains(&Some(false))
}

/// The address in `X-Real-IP`, if there is one and it is an address.
pub(crate) fn real_ip(headers: &HeaderMap) -> Option<IpAddr> {
    headers
        .get_all("x-real-ip")
        .iter()
        .next_back()?
        .to_str()
        .ok()
        .and_then(address)
}

/// Walks `X-Forwarded-For` from the right over the addresses that are `trusted`, and gives the
/// first that is not, or else the last one seen. Something that is no address ends the walk: what
/// stands left of it was written by nobody we know.
pub(crate) fn forwarded_for(
    headers: &HeaderMap,
    trusted: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    let mut seen = None;
    for line in headers.get_all("x-forwarded-for").iter().rev() {
        // Item by item: a client's own bytes must not hide what the proxy wrote behind them.
        let items = line.as_bytes().rsplit(|byte| *byte == b',');
        for item in items
            .map(<[u8]>::trim_ascii)
            .filter(|item| !item.is_empty())
        {
            let Some(hop) = std::str::from_utf8(item).ok().and_then(address) else {
                return seen;
            };
            seen = Some(hop);
            if !trusted(hop) {
                return seen;
            }
        }
    }
    seen
}

/// Reads `ip`, `ip:port`, `[v6]` and `[v6]:port`; an IPv4 address mapped into IPv6 comes out as
/// IPv4.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let ip = match bare {
        Some(inside) => IpAddr::V6(inside.parse().ok()?),
        None => text
            .parse::<IpAddr>()
            .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()))
            .ok()?,
    };
    Some(ip.to_canonical())
}

/// The last line of a header; of a plain list, its last item. A line that is not text reads as
/// empty, which is no valid value of any header here.
fn last_item<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let line = headers
        .get_all(name)
        .iter()
        .next_back()?
        .to_str()
        .unwrap_or_default();
    if name == "forwarded" {
        Some(line)
    } else {
        line.rsplit(',').next()
    }
}

fn is_https(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case("https")
}

/// `proto` of the last element of a `Forwarded` line (RFC 7239). `None` if that element names no
/// protocol. A quote left open would let the client swallow what the proxy appended, so such a
/// line counts as "not https".
fn last_proto(line: &str) -> Option<bool> {
    let Some(last) = split_unquoted(line, ',').and_then(|mut elements| elements.pop()) else {
        return Some(false);
    };
    let pairs = split_unquoted(last, ';').unwrap_or_default();
    let mut said = None;
    for (name, value) in pairs.iter().filter_map(|pair| pair.split_once('=')) {
        if name.trim().eq_ignore_ascii_case("proto") {
            said = Some(said != Some(false) && is_https(value.trim().trim_matches('"')));
        }
    }
    said
}

/// Splits at a separator outside double quotes; `None` if a quote stays open.
fn split_unquoted(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(|character| {
        if escaped {
            escaped = false;
            return false;
        }
        match character {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return character == separator && !quoted,
        }
        false
    });
    let parts = parts.collect();
    (!quoted).then_some(parts)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

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

    #[test]
    fn addresses_come_in_five_forms() {
        for (text, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            (" 192.0.2.1\t", Some("192.0.2.1")),
            ("192.0.2.1:8080", Some("192.0.2.1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:443", Some("2001:db8::1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("[::ffff:192.0.2.1]:80", Some("192.0.2.1")),
            ("", None),
            ("unknown", None),
            ("_hidden", None),
            ("192.0.2", None),
            ("192.0.2.1:", None),
            ("192.0.2.1:99999", None),
            ("[192.0.2.1]", None),
            ("[2001:db8::1", None),
            ("\"192.0.2.1\"", None),
            ("192.0.2.1 192.0.2.2", None),
        ] {
            assert_eq!(
                address(text),
                expected.map(|ip| ip.parse().unwrap()),
                "{text:?}"
            );
        }
    }

    #[test]
    fn bytes_of_a_client_hide_nothing_of_its_proxy() {
        for line in [
            &b"\xf8, 203.0.113.9"[..],
            b"127.0.0.1\xf8,203.0.113.9",
            b"203.0.113.9",
        ] {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_bytes(line).unwrap();
            headers.insert("x-forwarded-for", value);
            let client = forwarded_for(&headers, |hop| hop.is_loopback());
            assert_eq!(client, Some("203.0.113.9".parse().unwrap()), "{line:?}");
        }
    }

    /// Headers, and whether they say https.
    const PROTOCOLS: &[(&str, bool)] = &[
        ("", false),
        ("x-forwarded-proto: https", true),
        ("x-forwarded-proto: HTTPS", true),
        ("x-forwarded-proto: http", false),
        ("x-forwarded-proto: http, https", true),
        ("x-forwarded-proto: https,http", false),
        ("x-forwarded-proto: https,", false),
        ("x-forwarded-proto: http | x-forwarded-proto: https", true),
        ("x-forwarded-proto: https | x-forwarded-proto: http", false),
        ("x-forwarded-proto: httpsx", false),
        ("x-scheme: https", true),
        ("x-scheme: https | x-forwarded-proto: http", false),
        ("x-scheme: http | x-forwarded-proto: https", false),
        ("x-scheme: https | x-forwarded-proto: https", true),
        ("forwarded: proto=https", true),
        ("forwarded: for=192.0.2.1; Proto=\"https\";by=x", true),
        ("forwarded: for=192.0.2.1", false),
        ("forwarded: proto=http, proto=https", true),
        ("forwarded: proto=https, proto=http", false),
        ("forwarded: proto=https, for=192.0.2.1", false),
        ("forwarded: proto=https;for=\"a,b\"", true),
        ("forwarded: proto=https;for=\"a\\\",b\"", true),
        (
            "forwarded: proto=https;for=\", for=192.0.2.1;proto=http",
            false,
        ),
        ("forwarded: proto=https;proto=http", false),
        ("forwarded: proto=http;proto=https", false),
        ("forwarded: proto=https | forwarded: proto=http", false),
        ("forwarded: for=x | x-forwarded-proto: https", true),
        ("forwarded: proto=https | x-forwarded-proto: http", false),
        ("forwarded: proto=http | x-forwarded-proto: https", false),
        ("forwarded: ", false),
    ];

    #[test]
    fn https_is_what_the_last_hop_says_and_nobody_denies() {
        for (text, expected) in PROTOCOLS {
            assert_eq!(says_https(&headers(text)), *expected, "{text:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_text_say_nothing_good() {
        for name in [
            "x-forwarded-proto",
            "x-scheme",
            "forwarded",
            "x-real-ip",
            "x-forwarded-for",
        ] {
            let mut headers = HeaderMap::new();
            headers.append(name, HeaderValue::from_bytes(b"https\xff").unwrap());
            assert!(!says_https(&headers), "{name}");
            assert_eq!(real_ip(&headers), None);
            assert_eq!(forwarded_for(&headers, |_| false), None);
        }
    }

    #[test]
    fn every_trace_of_a_proxy_counts() {
        let empty = |name: &HeaderName| {
            HeaderMap::from_iter([(name.clone(), HeaderValue::from_static(""))])
        };
        assert!(!was_forwarded(&headers(
            "host: localhost | x-request-id: a"
        )));
        for (name, written) in &READ {
            assert_eq!(read_header(&empty(name)), Some(*written));
            assert!(was_forwarded(&empty(name)));
        }
        for name in &TRACES {
            assert_eq!(read_header(&empty(name)), None);
            assert!(was_forwarded(&empty(name)));
        }
    }
}
