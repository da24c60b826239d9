//! What the visitor has just done, for the page that the form leads to.
//!
//! A cookie of one use says it, set by the answer to the form: no link can, so nobody is shown a
//! success that was none. The cookie says what the page will show, and the page checks that it does.

use axum::http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use engine::types::{Name, Seqno};
use httpkit::page::NEVER_STORED;

use crate::words::escaped;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// The record of this name was changed, by this link.
    Saved(String, u32),
    /// A record was removed.
    Deleted,
}

impl Done {
    pub(crate) fn saved(name: &Name, link: Seqno) -> Self {
        Self::Saved(escaped(name.as_str()), link.get())
    }

    /// What the visitor's browser says was done. Over plain HTTP other servers of the same host may
    /// have said it, as with every cookie.
    pub(crate) fn of(headers: &HeaderMap, https: bool) -> Option<Self> {
        let name = cookie(https).0;
        let values = headers.get_all(COOKIE).iter();
        let mut pairs = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let text = pairs.find(|(given, _)| *given == name)?.1;
        Self::parse(text)
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "deleted" {
            return Some(Self::Deleted);
        }
        let (link, name) = text.strip_prefix("saved.")?.split_once('.')?;
        Some(Self::Saved(name.to_owned(), link.parse().ok()?))
    }

    /// The link by which this name was just changed.
    pub(crate) fn link_of(&self, name: &Name) -> Option<u32> {
        match self {
            Self::Saved(saved, link) if *saved == escaped(name.as_str()) => Some(*link),
            Self::Saved(..) | Self::Deleted => None,
        }
    }

    /// The answer to the form, with the cookie; it lasts for a minute.
    pub(crate) fn tell(&self, https: bool, response: Response) -> Response {
        let text = match self {
            Self::Saved(name, link) => format!("saved.{link}.{name}"),
            Self::Deleted => "deleted".to_owned(),
        };
        with_cookie(https, &text, 60, response)
    }

    /// The page that tells of it, once: without the cookie from then on, and kept nowhere.
    pub(crate) fn told(https: bool, response: Response) -> Response {
        let mut response = with_cookie(https, "", 0, response);
        response.headers_mut().insert(CACHE_CONTROL, NEVER_STORED);
        response
    }
}

/// The cookie's name for a scheme, and the attribute that goes with it.
fn cookie(https: bool) -> (&'static str, &'static str) {
    if https {
        ("__Host-done", "; Secure")
    } else {
        ("done", "")
    }
}

fn with_cookie(https: bool, text: &str, life_s: u32, mut response: Response) -> Response {
    let (name, secure) = cookie(https);
    let cookie =
        format!("{name}={text}; Path=/; Max-Age={life_s}; HttpOnly; SameSite=Strict{secure}");
    // Escaped names and our own words are a header's value.
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;

    use super::*;

    #[test]
    fn what_was_told_is_read_again() {
        let name = Name::parse("a=b,c.%\u{e9}").unwrap();
        for (done, link) in [
            (Done::saved(&name, Seqno::new(7).unwrap()), Some(7)),
            (Done::Deleted, None),
        ] {
            for https in [true, false] {
                let response = done.tell(https, ().into_response());
                let set = response.headers()[SET_COOKIE].to_str().unwrap();
                let (pair, _) = set.split_once(';').unwrap();
                let mut headers = HeaderMap::new();
                assert_eq!(Done::of(&headers, https), None);
                let sent = format!("csrf=1; {pair}; x=y");
                headers.insert(COOKIE, sent.parse().unwrap());
                assert_eq!(Done::of(&headers, https), Some(done.clone()));
                assert_eq!(Done::of(&headers, !https), None);
                assert_eq!(done.link_of(&name), link);
                assert_eq!(done.link_of(&Name::parse("a").unwrap()), None);
            }
        }
    }

    #[test]
    fn what_says_nothing_is_nothing() {
        for text in [
            "",
            "saved",
            "saved.",
            "saved.1",
            "saved.x.a",
            "saved.-1.a",
            "Deleted",
        ] {
            assert_eq!(Done::parse(text), None, "{text}");
        }
    }
}
