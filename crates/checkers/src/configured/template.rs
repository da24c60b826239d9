//! The URL of a post, with blanks for the account and for where the post is.

use engine::ports::checker::{Failure, Refusal};
use url::Url;

use crate::ask::escaped;

/// Stands for the account.
pub(super) const IDENTITY: &str = "{identity}";
/// Stands for where the post is.
pub(super) const LOCATION: &str = "{location}";
/// What blanks are while a URL is checked.
const SOME: &str = "some";

/// A URL with blanks: `{identity}` as the first label of its host, `{identity}` and `{location}` in its
/// path and in its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    /// Scheme, host and port.
    root: String,
    /// Path and query.
    path: String,
}

impl Template {
    /// Reads a URL: https, or http to a host without blanks; no user, no fragment. `None` for anything
    /// else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(at)?;
        let host = authority.strip_prefix("{identity}.").unwrap_or(authority);
        let has_blank = host.len() < authority.len();
        let is_open = scheme == "https" || (scheme == "http" && !has_blank);
        let url = Url::parse(&text.replace(IDENTITY, SOME).replace(LOCATION, SOME)).ok()?;
        let left = path.replace(IDENTITY, "").replace(LOCATION, "");
        let is_odd = |c: char| c.is_whitespace() || c.is_control() || "{}\\#".contains(c);
        let is_plain = !left.contains(is_odd) && !host.contains(['{', '}', '@', '\\', '%', '#']);
        (is_open && is_plain && !host.is_empty() && url.has_host()).then(|| Self {
            root: format!("{scheme}://{authority}"),
            path: path.to_owned(),
        })
    }

    /// Scheme, host and port, which the fetcher knows the service by.
    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// Whether each account has a host of its own.
    pub(super) fn is_each(&self) -> bool {
        self.root.contains(IDENTITY)
    }

    /// Whether it has this blank.
    pub(super) fn has(&self, blank: &str) -> bool {
        self.root.contains(blank) || self.path.contains(blank)
    }

    /// Path and query for a post.
    ///
    /// # Errors
    /// `Malformed` when a blank would lead elsewhere.
    pub(super) fn path(&self, identity: &str, location: &str) -> Result<String, Refusal> {
        let identity = segment(identity)?;
        let segments: Result<Vec<String>, Refusal> = location.split('/').map(segment).collect();
        // What is put in is escaped, so nothing of it is a blank again.
        let path = self.path.replace(IDENTITY, &identity);
        Ok(path.replace(LOCATION, &segments?.join("/")))
    }
}

/// A part of a path that a stranger chose: never one that means another path.
fn segment(text: &str) -> Result<String, Refusal> {
    if matches!(text, "." | "..") {
        return Err(Refusal::new(Failure::Malformed, "dots are no name"));
    }
    Ok(escaped(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_filled() {
        for (template, root, path) in [
            ("https://a.example", "https://a.example", ""),
            ("http://127.0.0.1:9/x", "http://127.0.0.1:9", "/x"),
            (
                "https://a.example/u/{identity}/{location}.json?v=1",
                "https://a.example",
                "/u/al%20ice/r/a%20b.json?v=1",
            ),
            (
                "https://a.example?u={identity}",
                "https://a.example",
                "?u=al%20ice",
            ),
            (
                "https://{identity}.a.example:8443/",
                "https://{identity}.a.example:8443",
                "/",
            ),
        ] {
            let parsed = Template::parse(template).unwrap();
            assert_eq!(parsed.root(), root);
            assert_eq!(parsed.path("al ice", "r/a b").unwrap(), path);
        }
        let template = Template::parse("https://a.example/{identity}/{location}").unwrap();
        assert_eq!(
            template.path("{location}", "{identity}").unwrap(),
            "/%7Blocation%7D/%7Bidentity%7D"
        );
        for (identity, location) in [("..", "a"), (".", "a"), ("a", ".."), ("a", "b/../c")] {
            assert!(
                template.path(identity, location).is_err(),
                "{identity} {location}"
            );
        }
    }

    #[test]
    fn urls_are_checked() {
        for bad in [
            "",
            "a.example",
            "ftp://a.example",
            "http://{identity}.a.example",
            "https://{identity}",
            "https://x.{identity}.example",
            "https://{location}.example",
            "https://{host}/x",
            "https://user@a.example",
            "https://{identity}.@a.example",
            "https://a.example/#x",
            "https://a.example/{port}",
            "https://a.example/\\x",
            "https://a.example/a b",
            "https:///x",
        ] {
            assert_eq!(Template::parse(bad), None, "{bad}");
        }
    }
}
