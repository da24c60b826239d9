//! Services by the names people know them by, and where a browser finds accounts and posts there.
//!
//! What is linked is made of text that strangers chose, so it is looked at here and nowhere else:
//! [`web_address`] says what may be linked at all.

use engine::types::{Avatar, Domain};

use crate::words::{avatar_path, escaped, shortened};

/// Bytes of an address that is linked: as long as any that browsers write.
const ADDRESS_BYTES_MAX: usize = 2048;
/// Characters of an id of a post, or of an archived link.
const ID_CHARS_MAX: usize = 64;
/// Where anybody reads what is archived.
const ARCHIVE: &str = "https://arweave.net";

/// What people call a service; an operator's own is called as he calls it.
pub(crate) fn label(service: &str) -> &str {
    match service {
        "activitypub" => "ActivityPub",
        "discord" => "Discord",
        "dns" => "DNS",
        "dotbit" => ".bit",
        "ens" => "ENS",
        "ethereum" => "Ethereum",
        "github" => "GitHub",
        "https" => "HTTPS",
        "keybase" => "Keybase",
        "minds" => "Minds",
        "nextid" => "Avatar",
        "solana" => "Solana",
        "steam" => "Steam",
        "telegram" => "Telegram",
        "tiktok" => "TikTok",
        "twitter" => "Twitter",
        own => own,
    }
}

/// What an account is called on a page: its name, or the ends of an avatar's key.
pub(crate) fn shown(service: &str, identity: &str) -> String {
    match service {
        "nextid" => shortened(identity),
        _ => identity.to_owned(),
    }
}

/// The page of an account: at its service, or here for an avatar. `None` where there is none.
pub(crate) fn account(service: &str, identity: &str) -> Option<String> {
    if service == "nextid" {
        return Avatar::parse(identity).map(|avatar| avatar_path(&avatar));
    }
    let name = escaped(identity);
    let address = match service {
        "activitypub" => {
            let (user, host) = identity.rsplit_once('@')?;
            format!("https://{}/@{}", domain(host)?, escaped(user))
        }
        "dns" | "https" => format!("https://{}/", domain(identity)?),
        "github" => format!("https://github.com/{name}"),
        "keybase" => format!("https://keybase.io/{name}"),
        "minds" => format!("https://www.minds.com/{name}"),
        "steam" => format!("https://steamcommunity.com/profiles/{name}"),
        "telegram" => format!("https://t.me/{name}"),
        "tiktok" => format!("https://www.tiktok.com/@{name}"),
        "twitter" => format!("https://twitter.com/{name}"),
        _ => return None,
    };
    web_address(&address)
}

/// The post of an account, of which the chain has the address or what the service calls it by.
pub(crate) fn post(service: &str, identity: &str, location: &str) -> Option<String> {
    let name = escaped(identity);
    let id = || is_id(location).then_some(location);
    let address = match service {
        "github" => format!("https://gist.github.com/{}", id()?),
        "minds" => format!("https://www.minds.com/newsfeed/{}", id()?),
        "telegram" => {
            let (channel, number) = location.split_once('/')?;
            let is_message = is_id(channel) && is_id(number);
            is_message.then(|| format!("https://t.me/{channel}/{number}"))?
        }
        "tiktok" => format!("https://www.tiktok.com/@{name}/video/{}", id()?),
        "twitter" => format!("https://twitter.com/{name}/status/{}", id()?),
        _ => location.to_owned(),
    };
    web_address(&address)
}

/// Where a copy of a link is read; `None` for what is no id of one.
pub(crate) fn archived(id: &str) -> Option<String> {
    is_id(id).then(|| format!("{ARCHIVE}/{id}"))
}

/// An address that may be linked, as it is: `http` or `https`, at a domain of the public DNS, without
/// a user and a port, and without a character that some reader takes for something else.
pub(crate) fn web_address(text: &str) -> Option<String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\^`{|}".contains(&byte);
    let fits = text.len() <= ADDRESS_BYTES_MAX && text.bytes().all(is_plain);
    (fits && domain(host).is_some()).then(|| text.to_owned())
}

/// A domain of the public DNS; `None` for one that is written in another way than it is read.
fn domain(host: &str) -> Option<&str> {
    let domain = Domain::parse(host)?;
    let is_plain = domain.as_str().eq_ignore_ascii_case(host);
    is_plain.then_some(host)
}

/// What services call posts by: letters, digits, hyphens and underscores.
fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever strangers choose, what is linked is a page of ours or a plain address of the web.
        #[test]
        fn nothing_else_is_linked(
            service in "github|twitter|dns|https|activitypub|telegram|tiktok|minds|steam|nextid|forum",
            identity in "\\PC{0,12}|[a-z.@/:%#?\\\\]{0,30}|0x02[0-9a-f]{64}",
            location in "\\PC{0,12}|(https?|javascript|data)?:?/{0,3}[a-z.@/:%#?\\\\]{0,30}",
        ) {
            let linked = [
                account(&service, &identity),
                post(&service, &identity, &location),
                archived(&location),
                web_address(&location),
            ];
            for address in linked.into_iter().flatten() {
                if let Some(key) = address.strip_prefix("/avatars/0x") {
                    prop_assert!(key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{address}");
                    continue;
                }
                let rest = address.strip_prefix("http").map(|rest| rest.trim_start_matches('s'));
                let rest = rest.and_then(|rest| rest.strip_prefix("://")).unwrap_or_default();
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
                prop_assert!(host.contains('.') && host.chars().all(is_plain), "{address}");
                let is_odd = |c: char| !c.is_ascii_graphic() || matches!(c, '"' | '<' | '>' | '\'');
                prop_assert!(!address.contains(is_odd), "{address}");
            }
        }
    }

    #[test]
    fn only_plain_addresses_of_the_web_are_linked() {
        for good in [
            "https://example.org/",
            "http://example.org",
            "https://Example.org/a?b=c&d=%20#e",
            "https://xn--mnchen-3ya.example/@me",
        ] {
            assert_eq!(web_address(good).as_deref(), Some(good));
        }
        for bad in [
            "",
            "javascript:alert(1)",
            "JAVASCRIPT://example.org/%0aalert(1)",
            "data:text/html,x",
            "HTTPS://example.org/",
            "ftp://example.org/",
            "//example.org/",
            "https:/example.org/",
            "https://",
            "https:///example.org",
            "https://localhost/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://example.org:8443/",
            "https://a@example.org/",
            "https://example.org\\@evil.example/",
            "https://example.org/ a",
            "https://example.org/\"onclick=",
            "https://example.org/<b>",
            "https://example.org/\u{202e}gpj",
            "https://m\u{fc}nchen.example/",
            " https://example.org/",
            "https://example.org/\n",
        ] {
            assert_eq!(web_address(bad), None, "{bad:?}");
        }
        let long = format!("https://example.org/{}", "a".repeat(ADDRESS_BYTES_MAX));
        assert_eq!(web_address(&long), None);
    }

    #[test]
    fn accounts_have_pages_where_people_look_for_them() {
        let key = "02c92f9ca1f97251e1daa07dd8c1e4dd2e9dc10691f28a8b49e52fecb6b05f7d24";
        for (service, identity, expected) in [
            (
                "github",
                "alice",
                Some("https://github.com/alice".to_owned()),
            ),
            (
                "twitter",
                "a/../b",
                Some("https://twitter.com/a%2F..%2Fb".to_owned()),
            ),
            (
                "dns",
                "example.org",
                Some("https://example.org/".to_owned()),
            ),
            ("dns", "evil.example/..@", None),
            ("https", "localhost", None),
            (
                "activitypub",
                "alice@social.example",
                Some("https://social.example/@alice".to_owned()),
            ),
            ("activitypub", "alice", None),
            ("activitypub", "alice@social.example:1", None),
            ("nextid", key, Some(format!("/avatars/0x{key}"))),
            ("nextid", "javascript:alert(1)", None),
            ("ethereum", "0x00", None),
            ("forum", "https://example.org/", None),
        ] {
            assert_eq!(account(service, identity), expected, "{service} {identity}");
        }
    }

    #[test]
    fn posts_are_linked_where_they_are_on_the_web() {
        for (service, location, expected) in [
            ("github", "abc1", Some("https://gist.github.com/abc1")),
            ("github", "../evil", None),
            ("github", "", None),
            ("twitter", "99", Some("https://twitter.com/me/status/99")),
            ("telegram", "channel/7", Some("https://t.me/channel/7")),
            ("telegram", "channel", None),
            ("telegram", "//evil", None),
            ("tiktok", "7", Some("https://www.tiktok.com/@me/video/7")),
            ("minds", "7", Some("https://www.minds.com/newsfeed/7")),
            ("activitypub", "77", None),
            (
                "forum",
                "https://forum.example/7",
                Some("https://forum.example/7"),
            ),
            ("forum", "javascript:alert(1)", None),
            ("forum", "http://10.0.0.1/reboot", None),
        ] {
            assert_eq!(
                post(service, "me", location).as_deref(),
                expected,
                "{location}"
            );
        }
        let id = "l_kYDgWqHyYTcvD55OOgLmYoeypt0BEUi5wyF-sNbBs";
        assert_eq!(archived(id), Some(format!("https://arweave.net/{id}")));
        assert_eq!(archived("../x"), None);
        assert_eq!(archived(""), None);
    }

    #[test]
    fn an_operators_service_is_called_as_he_calls_it() {
        assert_eq!((label("github"), label("forum")), ("GitHub", "forum"));
        let key = "0x02c92f9ca1f97251e1daa07dd8c1e4dd2e9dc10691f28a8b49e52fecb6b05f7d24";
        assert_eq!(shown("nextid", key), "0x02c92f\u{2026}5f7d24");
        assert_eq!(shown("dns", key), key);
    }
}
