//! Forms that only our own pages can send: a token in a cookie that must come back in the form.
//!
//! Nothing is kept on the server, so any number of processes may serve one visitor. Another site
//! can neither read the cookie nor set one of this name (`__Host-`), and before the token is looked
//! at, a request that the browser itself says came from elsewhere is refused.

use std::fmt;
use std::sync::Arc;

use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use subtle::ConstantTimeEq;

/// Hex digits of a token: 128 bits.
const TOKEN_DIGITS: usize = 32;

/// The cookie over HTTPS: browsers take it from this very host only, for all paths.
const HOST_COOKIE: &str = "__Host-csrf";
/// The cookie over plain HTTP, where browsers take no other.
const PLAIN_COOKIE: &str = "csrf";

/// Makes tokens and checks them.
#[derive(Clone)]
pub struct Csrf {
    draw: Arc<dyn Fn() -> [u8; 16] + Send + Sync>,
    public_origin: Option<Arc<str>>,
}

/// A token for the forms of one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    text: String,
    cookie: Option<HeaderValue>,
}

/// Why a form is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forgery {
    /// The browser says that another site sent it.
    #[error("the form was sent from another site")]
    CrossSite,
    /// The token in the form is not that of the cookie, or one of them is missing.
    #[error("the form's token is missing or not this browser's")]
    Token,
}

impl fmt::Debug for Csrf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Csrf(..)")
    }
}

impl Token {
    /// The text of the hidden field.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The `Set-Cookie` header of the page, if the browser has no token yet. It ends with the
    /// browser's session.
    #[must_use]
    pub fn cookie(&self) -> Option<&HeaderValue> {
        self.cookie.as_ref()
    }
}

impl Csrf {
    /// `draw` gives 16 random bytes that nobody can guess. `public_origin` is where the world
    /// reaches the server, such as `https://names.example`, for browsers behind a proxy that changes
    /// the `Host` header.
    pub fn new(
        draw: impl Fn() -> [u8; 16] + Send + Sync + 'static,
        public_origin: Option<String>,
    ) -> Self {
        Self {
            draw: Arc::new(draw),
            public_origin: public_origin.map(Into::into),
        }
    }

    /// The token for a page: the one the browser has, so that several open pages work, else a new
    /// one. `https` is the scheme the browser sees.
    #[must_use]
    pub fn token(&self, headers: &HeaderMap, https: bool) -> Token {
        if let Some(text) = token_in(headers, https) {
            let text = text.to_owned();
            return Token { text, cookie: None };
        }
        let text: String = (self.draw)()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let (name, secure) = cookie_name(https);
        let cookie = format!("{name}={text}; Path=/; HttpOnly; SameSite=Lax{secure}");
        // Hex digits and our own words are a header's value.
        let cookie = HeaderValue::from_str(&cookie).ok();
        Token { text, cookie }
    }

    /// Checks a form that was sent: where from, and its token against the cookie.
    ///
    /// # Errors
    /// See [`Forgery`].
    pub fn check(&self, parts: &Parts, https: bool, given: Option<&str>) -> Result<(), Forgery> {
        if !self.is_from_here(parts) {
            return Err(Forgery::CrossSite);
        }
        let kept = token_in(&parts.headers, https).ok_or(Forgery::Token)?;
        let given = given.ok_or(Forgery::Token)?;
        let same: bool = kept.as_bytes().ct_eq(given.as_bytes()).into();
        same.then_some(()).ok_or(Forgery::Token)
    }

    /// What the browser says of where the form was. Browsers that say nothing are left to the
    /// token. `Sec-Fetch-Site` cannot be set by a page; it comes over HTTPS and on loopback.
    fn is_from_here(&self, parts: &Parts) -> bool {
        if let Some(site) = parts.headers.get("sec-fetch-site") {
            return site == "same-origin" || site == "none";
        }
        let Some(origin) = parts.headers.get(ORIGIN) else {
            return true;
        };
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        let is_public = |public: &str| origin.eq_ignore_ascii_case(public);
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        self.public_origin.as_deref().is_some_and(is_public)
            || authority
                .zip(host(parts))
                .is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
    }
}

/// The host the client asked for: HTTP/1.1 says it in a header, HTTP/2 in the request's address.
fn host(parts: &Parts) -> Option<&str> {
    let header = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    header.or_else(|| parts.uri.authority().map(|authority| authority.as_str()))
}

/// The cookie's name for a scheme, and the attribute that goes with it.
fn cookie_name(https: bool) -> (&'static str, &'static str) {
    if https {
        (HOST_COOKIE, "; Secure")
    } else {
        (PLAIN_COOKIE, "")
    }
}

/// The first well-formed token among the request's cookies.
fn token_in(headers: &HeaderMap, https: bool) -> Option<&str> {
    let (name, _) = cookie_name(https);
    let lines = headers.get_all(COOKIE).iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(found, value)| (found == name && is_token(value)).then_some(value))
}

fn is_token(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == TOKEN_DIGITS && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    const TOKEN: &str = "07070707070707070707070707070707";

    fn csrf() -> Csrf {
        Csrf::new(|| [7; 16], Some("https://names.example".to_owned()))
    }

    /// A request with these headers, as `name: value` lines.
    fn parts(lines: &[&str]) -> Parts {
        let mut request = Request::builder().uri("/add_ui");
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn check(lines: &[&str]) -> Result<(), Forgery> {
        csrf().check(&parts(lines), true, Some(TOKEN))
    }

    fn cookie() -> String {
        format!("cookie: {HOST_COOKIE}={TOKEN}")
    }

    #[test]
    fn a_new_browser_gets_a_cookie_and_keeps_it() {
        let token = csrf().token(&parts(&[]).headers, true);
        assert_eq!(token.as_str(), TOKEN);
        let set = format!("__Host-csrf={TOKEN}; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(token.cookie().unwrap(), set.as_str());
        let plain = csrf().token(&parts(&[]).headers, false);
        let set = format!("csrf={TOKEN}; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(plain.cookie().unwrap(), set.as_str());

        let kept = "0123456789abcdef0123456789abcdef";
        let headers = parts(&[&format!("cookie: a=b; __Host-csrf={kept}")]).headers;
        let token = csrf().token(&headers, true);
        assert_eq!((token.as_str(), token.cookie()), (kept, None));
    }

    #[test]
    fn a_cookie_of_another_form_or_scheme_is_not_ours() {
        for value in ["", "0", &TOKEN.replace('7', "G"), &format!("{TOKEN}0")] {
            let headers = parts(&[&format!("cookie: __Host-csrf={value}")]).headers;
            assert!(csrf().token(&headers, true).cookie().is_some(), "{value:?}");
        }
        let plain = parts(&[&format!("cookie: csrf={TOKEN}")]).headers;
        assert!(csrf().token(&plain, true).cookie().is_some());
    }

    #[test]
    fn the_token_must_be_the_cookie_s() {
        assert_eq!(check(&[&cookie()]), Ok(()));
        assert_eq!(check(&["cookie: x=y", &cookie()]), Ok(()));
        assert_eq!(check(&[]), Err(Forgery::Token));
        let other = cookie().replace('7', "8");
        assert_eq!(check(&[&other]), Err(Forgery::Token));
        let parts = parts(&[&cookie()]);
        for given in [None, Some(""), Some("7"), Some("\u{e9}")] {
            assert_eq!(csrf().check(&parts, true, given), Err(Forgery::Token));
        }
        let over_http = csrf().check(&parts, false, Some(TOKEN));
        assert_eq!(over_http, Err(Forgery::Token));
    }

    #[test]
    fn forms_of_other_sites_are_refused_whatever_their_token() {
        for (line, expected) in [
            ("sec-fetch-site: same-origin", true),
            ("sec-fetch-site: none", true),
            ("sec-fetch-site: same-site", false),
            ("sec-fetch-site: cross-site", false),
            ("sec-fetch-site: \u{e9}", false),
            ("origin: https://names.example", true),
            ("origin: http://backend.internal:8080", true),
            ("origin: https://evil.example", false),
            ("origin: http://names.example", false),
            ("origin: null", false),
            ("origin: \u{e9}", false),
        ] {
            let result = check(&["host: backend.internal:8080", &cookie(), line]);
            let expected = if expected {
                Ok(())
            } else {
                Err(Forgery::CrossSite)
            };
            assert_eq!(result, expected, "{line}");
        }
        let contradicting = [
            "sec-fetch-site: cross-site",
            "origin: https://names.example",
        ];
        let [site, origin] = contradicting;
        assert_eq!(check(&[&cookie(), site, origin]), Err(Forgery::CrossSite));
    }

    #[test]
    fn the_host_may_be_in_the_address() {
        let request = Request::builder()
            .uri("https://other.example/add_ui")
            .header("origin", "https://other.example")
            .header("cookie", format!("{HOST_COOKIE}={TOKEN}"));
        let parts = request.body(()).unwrap().into_parts().0;
        assert_eq!(csrf().check(&parts, true, Some(TOKEN)), Ok(()));
    }
}
