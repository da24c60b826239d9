//! Asking an upstream, and what its answers mean before anybody reads them.

use engine::ports::checker::{CheckWorld, Failure, Refusal};
use engine::ports::fetch::{FetchError, FetchLimits, Fetched, Purpose, Request, Upstream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

/// Characters of an upstream's own words in a text of ours.
const QUOTED_CHARS_MAX: usize = 64;
/// What a refusal says that is about the number of requests.
const WORDS: &[u8] = b"rate limit";
/// What is not escaped in a segment of a path or in a value of a query (RFC 3986, unreserved).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A service that is asked, by the name people know it by.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) world: &'a CheckWorld<'a>,
    /// "GitHub": for texts.
    pub(crate) who: &'a str,
    /// What is told when there is nothing at the address.
    pub(crate) missing: &'a str,
}

impl Ask<'_> {
    /// Takes an answer of success; anything else is a refusal.
    pub(crate) async fn get(&self, request: Request) -> Result<Fetched, Refusal> {
        let fetched = self.send(request).await?;
        self.judge(fetched)
    }

    /// Takes any answer, whatever its status.
    pub(crate) async fn send(&self, mut request: Request) -> Result<Fetched, Refusal> {
        if self.world.is_background {
            request.purpose = Purpose::Background;
        }
        let limits = FetchLimits {
            timeout: FetchLimits::POST.timeout.min(self.world.deadline),
            ..FetchLimits::POST
        };
        let fetched = self.world.web.fetch(request, limits).await;
        fetched.map_err(|error| self.failed(error))
    }

    /// Takes successes only.
    pub(crate) fn judge(&self, fetched: Fetched) -> Result<Fetched, Refusal> {
        let who = self.who;
        let refusal = match fetched.status {
            200..=299 => return Ok(fetched),
            404 | 410 => self.not_found(),
            _ if fetched.wants_less() || says_less(&fetched) => self.limited(&fetched),
            401 | 403 => {
                let reason = format!("{who} does not show it to this server");
                Refusal::new(Failure::Unreachable, reason)
            }
            status => {
                let reason = format!("{who} cannot be asked now: it answered {status}");
                Refusal::new(Failure::Unreachable, reason)
            }
        };
        Err(refusal)
    }

    fn limited(&self, fetched: &Fetched) -> Refusal {
        let when = match fetched.retry_after {
            Some(wait) => format!("in {} s", wait.as_secs()),
            None => "later".to_owned(),
        };
        let reason = format!("{} wants to be asked less: try again {when}", self.who);
        Refusal::new(Failure::Limited, reason)
    }

    fn failed(&self, error: FetchError) -> Refusal {
        let who = self.who;
        match error {
            FetchError::ForbiddenAddress => {
                let reason = format!("{who} leads to where this server does not go");
                Refusal::new(Failure::ForbiddenAddress, reason)
            }
            FetchError::TooLarge => {
                let reason = format!("{who} answered more than a post can have");
                Refusal::new(Failure::TooLarge, reason)
            }
            FetchError::Busy | FetchError::Resting(_) => {
                let reason = format!("{who} is being asked too much already: try again later");
                Refusal::new(Failure::Limited, reason)
            }
            FetchError::TooManyRedirects
            | FetchError::Encoded
            | FetchError::Unreachable
            | FetchError::Unsendable(_) => {
                Refusal::new(Failure::Unreachable, format!("{who} cannot be reached"))
            }
        }
    }

    /// The upstream and the path of a URL that an answer names, if it lies below one of `among`.
    pub(crate) fn locate(
        &self,
        url: &str,
        among: &[Upstream],
    ) -> Result<(Upstream, String), Refusal> {
        self.world.web.locate(url, among).ok_or_else(|| {
            let reason = format!("{} leads to where this server does not go", self.who);
            Refusal::new(Failure::ForbiddenAddress, reason)
        })
    }

    /// Reads JSON; its depth is bounded by the parser.
    pub(crate) fn json<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Refusal> {
        serde_json::from_slice(body).map_err(|_| self.nonsense())
    }

    /// The answer is none to this question.
    pub(crate) fn nonsense(&self) -> Refusal {
        let reason = format!("{} answered something else than it should", self.who);
        Refusal::new(Failure::Unreachable, reason)
    }

    /// There is nothing at the address.
    pub(crate) fn not_found(&self) -> Refusal {
        Refusal::new(Failure::NotFound, self.missing)
    }
}

/// Whether a refusal says in words that it is about the number of requests, as that of GitHub's second
/// limit does.
fn says_less(fetched: &Fetched) -> bool {
    let mut pieces = fetched.body.windows(WORDS.len());
    fetched.status == 403 && pieces.any(|piece| piece.eq_ignore_ascii_case(WORDS))
}

/// A text as one segment of a path, or as a value of a query.
pub(crate) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// Words of others for a text of ours: few, on one line, nothing that moves a terminal.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTED_CHARS_MAX).map(plain).collect();
    if text.chars().nth(QUOTED_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// A character, unless it is one that cannot be seen.
fn plain(c: char) -> char {
    let is_hidden = c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2066}'..='\u{2069}' | '\u{feff}');
    if is_hidden { '\u{fffd}' } else { c }
}

/// Shorthand for refusals.
pub(crate) fn refuse<T>(failure: Failure, reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(failure, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_are_few_and_plain() {
        assert_eq!(shown("alice"), "alice");
        let moving = "a\u{1b}[2J\n\u{202e}b";
        assert_eq!(shown(moving), "a\u{fffd}[2J\u{fffd}\u{fffd}b");
        assert_eq!(shown(&"x".repeat(64)).chars().count(), 64);
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), 65);
    }

    #[test]
    fn a_segment_has_nothing_that_means_more() {
        assert_eq!(escaped("a-b_c.d~9"), "a-b_c.d~9");
        assert_eq!(escaped("../?#&é @"), "..%2F%3F%23%26%C3%A9%20%40");
    }
}
