//! Domains of other servers.

use std::fmt;

use url::Host;

/// Bytes of text in which a domain is looked for: Unicode takes more than its ASCII form.
const TEXT_BYTES_MAX: usize = 1024;
/// Bytes of a domain in ASCII, and of one of its labels (RFC 1035).
const DOMAIN_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// A domain as DNS knows it: ASCII, lower case, two labels or more, no dot at its end. Never an
/// address in any notation, never with a port or a user.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Domain(Box<str>);

impl Domain {
    /// Parses a domain; an internationalised one is taken to its ASCII form (UTS 46). `None` for
    /// anything else: a single label, an address (also as one number, octal or hexadecimal), a port,
    /// a user, an escape.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // The parser decodes escapes, as URLs have them; a name has none.
        if text.len() > TEXT_BYTES_MAX || text.contains('%') {
            return None;
        }
        match Host::parse(text) {
            Ok(Host::Domain(ascii)) if is_domain(&ascii) => Some(Self(ascii.into())),
            Ok(Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_)) | Err(_) => None,
        }
    }

    /// The ASCII form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_domain(ascii: &str) -> bool {
    ascii.len() <= DOMAIN_BYTES_MAX && ascii.contains('.') && ascii.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && label.bytes().all(letters)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Domain({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_taken_to_their_ascii_form() {
        for (text, ascii) in [
            ("example.org", "example.org"),
            ("Names.EXAMPLE.org", "names.example.org"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("BU\u{308}CHER.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
            ("4chan.example", "4chan.example"),
        ] {
            assert_eq!(Domain::parse(text).unwrap().as_str(), ascii, "{text}");
        }
    }

    #[test]
    fn what_is_no_domain_of_another_server_is_refused() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long = format!("{}example", "a.".repeat(124));
        let endless = "a.".repeat(10_000);
        for text in [
            "",
            ".",
            "a",
            "localhost",
            "localhost.",
            "example.org.",
            ".example.org",
            "a..b",
            "example.org:443",
            "example.org/",
            "example.org?",
            "example.org#",
            "a@example.org",
            "user:pass@example.org",
            "a b.example",
            "a\tb.example",
            "a\nb.example",
            "a\\b.example",
            "-a.example",
            "a-.example",
            "a_b.example",
            "%65xample.org",
            "ex\u{0}ample.org",
            "xn--a.example",
            "\u{202e}example.org",
            &long_label,
            &long,
            &endless,
        ] {
            assert_eq!(Domain::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn addresses_are_refused_in_every_notation() {
        for text in [
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "017700000001",
            "0x7F.0.0.0x1",
            "1.2.3.4",
            "1.2.3.256",
            "1.2.3.4.5",
            "a.b.c.1",
            "a.0x1f",
            "[::1]",
            "::1",
            "[::ffff:127.0.0.1]",
            "[fe80::1%25eth0]",
            "１２７.0.0.1",
            "127\u{3002}0\u{3002}0\u{3002}1",
            "①②⑦.0.0.1",
        ] {
            assert_eq!(Domain::parse(text), None, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn parsing_a_domain_again_changes_nothing(text in "[\\PC.]{1,40}") {
            if let Some(domain) = Domain::parse(&text) {
                proptest::prop_assert_eq!(Domain::parse(domain.as_str()), Some(domain));
            }
        }
    }
}
