//! What an operator writes of a service.

use regex::{Regex, RegexBuilder};

use super::template::{IDENTITY, Template};
use super::{Configured, Source};
use crate::names;

/// Bytes of the name of a service.
const NAME_BYTES_MAX: usize = 32;
/// Bytes of a pattern as it is written.
const PATTERN_BYTES_MAX: usize = 1024;
/// Bytes of a pattern as it is kept, and of what matching it may take.
const PATTERN_SIZE_MAX: usize = 1 << 20;

/// A `[[platform]]`, as it is written. Absent members are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlatformKeys {
    /// The word clients use for it.
    pub name: String,
    /// URL of a post, with `{identity}` and `{location}`.
    pub url: String,
    /// Header `Accept` of the request.
    pub accept: Option<String>,
    /// JSON Pointer to the author's name.
    pub author: Option<String>,
    /// Pattern whose group is the author's name.
    pub author_pattern: Option<String>,
    /// JSON Pointer to the text.
    pub text: Option<String>,
    /// Pattern whose group is the text.
    pub text_pattern: Option<String>,
    /// Whether the text is HTML.
    pub html: bool,
    /// Pattern whose group is a signature.
    pub signature_pattern: Option<String>,
    /// JSON Pointer to an id of the account that stays.
    pub alt_id: Option<String>,
    /// Pattern of names of accounts.
    pub identity_pattern: Option<String>,
    /// Pattern of locations.
    pub location_pattern: Option<String>,
    /// Whether capital letters make another account.
    pub keep_case: bool,
}

/// What is wrong with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPlatform {
    /// Which member.
    pub key: &'static str,
    /// What was expected, or what was found.
    pub said: String,
}

impl Configured {
    /// Reads what an operator wrote. `upstream` is the name the fetcher knows the service by.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn new(keys: &PlatformKeys, upstream: &'static str) -> Result<Self, BadPlatform> {
        check_name(&keys.name)?;
        let Some(template) = Template::parse(&keys.url) else {
            let said = "expected an https URL with {identity} and {location} where they belong";
            return bad("url", said);
        };
        let author = source(
            ("author", &keys.author),
            ("author_pattern", &keys.author_pattern),
        )?;
        if author.is_none() && !template.has(IDENTITY) {
            let said = "set author or author_pattern, or have {identity} in url: else anybody's \
                        post would do";
            return bad("author", said);
        }
        Ok(Self {
            name: keys.name.clone(),
            upstream,
            template,
            accept: header(keys.accept.as_ref())?,
            author,
            text: source(("text", &keys.text), ("text_pattern", &keys.text_pattern))?,
            is_html: keys.html,
            signature: grouped("signature_pattern", keys.signature_pattern.as_ref())?,
            alt_id: source(("alt_id", &keys.alt_id), ("alt_id", &None))?,
            identity: whole("identity_pattern", keys.identity_pattern.as_ref())?,
            location: whole("location_pattern", keys.location_pattern.as_ref())?,
            keeps_case: keys.keep_case,
        })
    }
}

fn bad<T>(key: &'static str, said: impl Into<String>) -> Result<T, BadPlatform> {
    Err(BadPlatform {
        key,
        said: said.into(),
    })
}

fn check_name(name: &str) -> Result<(), BadPlatform> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(fits) {
        return bad("name", "expected up to 32 of a-z, 0-9, \"-\" and \"_\"");
    }
    if names::SERVICES.contains(&name) || names::RESERVED.contains(&name) {
        return bad("name", format!("{name} is a service of the server's own"));
    }
    Ok(())
}

fn header(accept: Option<&String>) -> Result<Option<String>, BadPlatform> {
    let is_plain = |text: &String| text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    match accept {
        Some(text) if !is_plain(text) => bad("accept", "expected a type of media"),
        Some(_) | None => Ok(accept.cloned()),
    }
}

/// A pointer or a pattern, not both.
fn source(
    (pointer_key, pointer): (&'static str, &Option<String>),
    (pattern_key, pattern): (&'static str, &Option<String>),
) -> Result<Option<Source>, BadPlatform> {
    match (pointer, pattern) {
        (Some(_), Some(_)) => bad(pattern_key, format!("there is {pointer_key} already")),
        (Some(pointer), None) => {
            let is_pointer = pointer.starts_with('/') && pointer.len() <= PATTERN_BYTES_MAX;
            let said = "expected a JSON Pointer, such as \"/data/0/author/name\"";
            let found = is_pointer.then(|| Source::Pointer(pointer.clone()));
            found.map_or_else(|| bad(pointer_key, said), |source| Ok(Some(source)))
        }
        (None, pattern) => {
            let pattern = grouped(pattern_key, pattern.as_ref())?;
            Ok(pattern.map(Source::Pattern))
        }
    }
}

/// A pattern with one group.
fn grouped(key: &'static str, text: Option<&String>) -> Result<Option<Regex>, BadPlatform> {
    let Some(text) = text else { return Ok(None) };
    let pattern = pattern(key, text)?;
    if pattern.captures_len() == 2 {
        Ok(Some(pattern))
    } else {
        bad(
            key,
            "expected a pattern with one group, such as \"by ([a-z]+)\"",
        )
    }
}

/// A pattern that the whole of a text must match.
fn whole(key: &'static str, text: Option<&String>) -> Result<Option<Regex>, BadPlatform> {
    let Some(text) = text else { return Ok(None) };
    pattern(key, text)?;
    pattern(key, &format!(r"\A(?:{text})\z")).map(Some)
}

/// `^` and `$` are those of lines.
fn pattern(key: &'static str, text: &str) -> Result<Regex, BadPlatform> {
    if text.len() > PATTERN_BYTES_MAX {
        return bad(key, "the pattern is longer than 1024 bytes");
    }
    let built = RegexBuilder::new(text)
        .multi_line(true)
        .crlf(true)
        .size_limit(PATTERN_SIZE_MAX)
        .dfa_size_limit(PATTERN_SIZE_MAX)
        .build();
    built.or_else(|_| bad(key, "expected a regular expression of moderate size"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> PlatformKeys {
        PlatformKeys {
            name: "forum".into(),
            url: "https://forum.example/p/{location}.json".into(),
            author: Some("/author".into()),
            text: Some("/text".into()),
            ..PlatformKeys::default()
        }
    }

    fn wrong(change: impl FnOnce(&mut PlatformKeys)) -> &'static str {
        let mut keys = keys();
        change(&mut keys);
        match Configured::new(&keys, "platform") {
            Ok(_) => "nothing",
            Err(bad) => bad.key,
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(wrong(|_| ()), "nothing");
        for name in [
            "",
            "GitHub",
            "github",
            "slack",
            "a b",
            "a/b",
            &"a".repeat(33),
        ] {
            assert_eq!(wrong(|keys| keys.name = name.into()), "name", "{name}");
        }
        for url in [
            "",
            "forum.example",
            "http://{identity}.example",
            "https://{host}/a",
        ] {
            assert_eq!(wrong(|keys| keys.url = url.into()), "url", "{url}");
        }
        assert_eq!(wrong(|keys| keys.author = None), "author");
        assert_eq!(wrong(|keys| keys.author = Some("author".into())), "author");
        assert_eq!(
            wrong(|keys| keys.author_pattern = Some("(a)".into())),
            "author_pattern"
        );
        assert_eq!(
            wrong(|keys| keys.text_pattern = Some("(a)".into())),
            "text_pattern"
        );
        for pattern in [
            "a",
            "(a)(b)",
            "(",
            "(a{1000}{1000}{1000})",
            &"a".repeat(1025),
        ] {
            let key = wrong(|keys| keys.signature_pattern = Some(pattern.into()));
            assert_eq!(key, "signature_pattern", "{pattern}");
        }
        assert_eq!(
            wrong(|keys| keys.identity_pattern = Some("a)|(b".into())),
            "identity_pattern"
        );
        assert_eq!(
            wrong(|keys| keys.accept = Some("a\r\nb: c".into())),
            "accept"
        );
        assert_eq!(wrong(|keys| keys.alt_id = Some("id".into())), "alt_id");
    }

    #[test]
    fn the_address_may_say_whose_it_is() {
        let by_address = |keys: &mut PlatformKeys| {
            keys.author = None;
            keys.url = "https://forum.example/u/{identity}".into();
        };
        assert_eq!(wrong(by_address), "nothing");
    }
}
