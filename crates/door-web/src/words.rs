//! Small phrases: ages, numbers, addresses, commands.

use std::time::Duration;

use engine::types::Avatar;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a segment of a path or a value of a query must escape: all but the unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Text as a segment of a path, or a value of a query.
pub(crate) fn escaped(text: &str) -> String {
    // Browsers take a segment of one or two dots out of the path.
    if matches!(text, "." | "..") {
        return text.replace('.', "%2E");
    }
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// The page of an avatar.
pub(crate) fn avatar_path(avatar: &Avatar) -> String {
    format!("/avatars/{avatar}")
}

/// Text of a key or a signature by its first eight and last six characters, or whole when it is short.
pub(crate) fn shortened(text: &str) -> String {
    let head: String = text.chars().take(8).collect();
    let rest: Vec<char> = text.chars().skip(8).collect();
    match rest.len().checked_sub(6).and_then(|from| rest.get(from..)) {
        Some(tail) if rest.len() > 7 => {
            format!("{head}\u{2026}{}", tail.iter().collect::<String>())
        }
        Some(_) | None => text.to_owned(),
    }
}

/// A name without the home domain behind it, if that is there, in capitals or not.
pub(crate) fn without_home<'t>(text: &'t str, home: &str) -> &'t str {
    match text.rsplit_once('@') {
        Some((name, domain)) if domain.eq_ignore_ascii_case(home) => name,
        Some(_) | None => text,
    }
}

/// How long ago something was, in its largest unit.
pub(crate) fn ago(age: Duration) -> String {
    const UNITS: [(u64, &str); 5] = [
        (365 * 86_400, "year"),
        (30 * 86_400, "month"),
        (86_400, "day"),
        (3600, "hour"),
        (60, "minute"),
    ];
    let seconds = age.as_secs();
    let unit = UNITS.iter().find(|(length, _)| seconds >= *length);
    match unit {
        Some((length, name)) => format!("{} ago", counted(seconds / length, name)),
        None if seconds < 2 => "just now".to_owned(),
        None => format!("{seconds} seconds ago"),
    }
}

/// How long something lasts, in its largest whole unit.
pub(crate) fn lasting(time: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [
        (86_400, "day"),
        (3600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let seconds = time.as_secs();
    let unit = UNITS
        .iter()
        .find(|(length, _)| seconds > 0 && seconds.is_multiple_of(*length));
    unit.map_or_else(
        || counted(seconds, "second"),
        |(length, name)| counted(seconds / length, name),
    )
}

/// A number of things.
pub(crate) fn counted(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(count))
}

/// A number with narrow no-break spaces between its thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// The command that looks a name up and checks the answer. Names hold no quotation marks, so single
/// ones always hold.
pub(crate) fn verify_command(name: &str, origin: Option<&str>) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let url = at(origin);
    let name = if name.chars().all(is_plain) {
        name.to_owned()
    } else {
        format!("'{name}'")
    };
    if name.starts_with('-') || name.starts_with("'-") {
        format!("sealbook lookup --verify{url} -- {name}")
    } else {
        format!("sealbook lookup {name} --verify{url}")
    }
}

/// The command that replays the whole log.
pub(crate) fn audit_command(origin: Option<&str>) -> String {
    plain(origin).map_or_else(
        || "sealbook log verify".to_owned(),
        |origin| format!("sealbook log verify {origin}"),
    )
}

/// The command that reads an avatar's chain and checks all of it.
pub(crate) fn chain_command(avatar: &Avatar, origin: Option<&str>) -> String {
    format!("sealbook chain {avatar} --verify{}", at(origin))
}

/// The command that begins the proof of an account at a service.
pub(crate) fn prove_command(service: &str, origin: Option<&str>) -> String {
    format!("sealbook prove start {service} YOUR-NAME{}", at(origin))
}

/// The flag that names a server.
fn at(origin: Option<&str>) -> String {
    plain(origin).map_or_else(String::new, |origin| format!(" --url {origin}"))
}

/// The address, unless a stranger's `Host` header made it unfit for a command.
fn plain(origin: Option<&str>) -> Option<&str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '/');
    origin.filter(|origin| origin.chars().all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        for (seconds, expected) in [
            (0, "just now"),
            (1, "just now"),
            (2, "2 seconds ago"),
            (59, "59 seconds ago"),
            (60, "1 minute ago"),
            (7199, "1 hour ago"),
            (7200, "2 hours ago"),
            (86_400 * 29, "29 days ago"),
            (86_400 * 400, "1 year ago"),
        ] {
            assert_eq!(ago(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn times_are_whole() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (90, "90 seconds"),
            (3600, "1 hour"),
            (30 * 86_400, "30 days"),
        ] {
            assert_eq!(lasting(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1000, "1\u{202f}000"),
            (1_234_567, "1\u{202f}234\u{202f}567"),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn addresses_hold_any_name() {
        for (name, expected) in [
            ("alice", "alice"),
            ("a&b<c>#?%/", "a%26b%3Cc%3E%23%3F%25%2F"),
            ("\u{e9}", "%C3%A9"),
            (".", "%2E"),
            ("..", "%2E%2E"),
            ("a.b", "a.b"),
        ] {
            assert_eq!(escaped(name), expected);
        }
    }

    #[test]
    fn a_domain_has_no_case() {
        for (text, expected) in [
            ("alice@example.test", "alice"),
            ("Alice@EXAMPLE.Test", "Alice"),
            ("alice@example.org", "alice@example.org"),
            ("alice@sub.example.test", "alice@sub.example.test"),
            ("alice", "alice"),
            ("a@b@Example.test", "a@b"),
            ("@example.test", ""),
        ] {
            assert_eq!(without_home(text, "example.test"), expected, "{text}");
        }
    }

    #[test]
    fn commands_are_safe_to_copy() {
        let url = Some("https://names.example:8443");
        assert_eq!(
            verify_command("alice", url),
            "sealbook lookup alice --verify --url https://names.example:8443"
        );
        assert_eq!(
            verify_command("$HOME`x`", None),
            "sealbook lookup '$HOME`x`' --verify"
        );
        assert_eq!(verify_command("-x", None), "sealbook lookup --verify -- -x");
        assert_eq!(
            verify_command("-$x", None),
            "sealbook lookup --verify -- '-$x'"
        );
        assert_eq!(
            verify_command("alice", Some("https://$(reboot)")),
            "sealbook lookup alice --verify"
        );
        assert_eq!(
            audit_command(Some("https://names.example")),
            "sealbook log verify https://names.example"
        );
        assert_eq!(audit_command(None), "sealbook log verify");
        assert_eq!(
            prove_command("github", url),
            "sealbook prove start github YOUR-NAME --url https://names.example:8443"
        );
        assert_eq!(
            prove_command("dns", Some("https://`x`")),
            "sealbook prove start dns YOUR-NAME"
        );
    }

    #[test]
    fn long_texts_are_shown_by_their_ends() {
        for (text, expected) in [
            ("", ""),
            ("0123456789abcde", "0123456789abcde"),
            ("0123456789abcdef", "01234567\u{2026}abcdef"),
            ("\u{e9}\u{e9}", "\u{e9}\u{e9}"),
        ] {
            assert_eq!(shortened(text), expected);
        }
    }
}
