//! What every checker is put through.

use std::time::Duration;

use engine::ports::checker::{ClaimChecker, Failure, Found, Refusal};
use engine::ports::fetch::{FetchError, Upstream};

use crate::fake::{NOBODY, Reply, Web, all_in_background, world};
use crate::vectors::Claim;

/// A checker, a claim, and the answers that show that the claim is true.
pub(crate) struct Case<'c> {
    pub(crate) checker: &'c dyn ClaimChecker,
    pub(crate) claim: Claim,
    pub(crate) replies: Vec<(&'c str, Reply)>,
    /// URLs that lead to upstreams.
    pub(crate) bases: Vec<(&'c str, Upstream)>,
    /// The request whose answer is spoilt.
    pub(crate) asked: &'c str,
    /// What an empty answer means.
    pub(crate) empty: Failure,
}

impl Case<'_> {
    /// Checks the claim with another answer to one request.
    pub(crate) async fn with(&self, asked: &str, reply: Reply) -> Result<Found, Refusal> {
        let claim = self.claim.clone();
        self.claim_with(&claim, asked, reply).await
    }

    async fn claim_with(&self, claim: &Claim, asked: &str, reply: Reply) -> Result<Found, Refusal> {
        let web = self.web(asked, reply);
        let world = world(&web, &NOBODY);
        self.checker.check(&claim.claimed(), &world).await
    }

    fn web(&self, asked: &str, reply: Reply) -> Web {
        let mut replies = self.replies.clone();
        replies.retain(|(key, _)| *key != asked);
        replies.push((asked, reply));
        let bases = self.bases.iter();
        bases.fold(Web::of(&replies), |web, (url, upstream)| {
            web.with_base(url, upstream.clone())
        })
    }

    fn good(&self) -> Reply {
        let found = self.replies.iter().find(|(key, _)| *key == self.asked);
        found.unwrap().1.clone()
    }

    /// The failure of a check with another answer to the main request.
    pub(crate) async fn failure(&self, reply: Reply) -> Failure {
        match self.with(self.asked, reply).await {
            Err(refusal) => refusal.failure,
            Ok(found) => unreachable!("it was found: {found:?}"),
        }
    }

    /// The text of a refusal with another answer to the main request.
    pub(crate) async fn refusal(&self, reply: Reply) -> Refusal {
        match self.with(self.asked, reply).await {
            Err(refusal) => refusal,
            Ok(found) => unreachable!("it was found: {found:?}"),
        }
    }

    /// Everything that is the same for all services. Returns what the good answer shows.
    pub(crate) async fn run(&self) -> Found {
        let found = self.with(self.asked, self.good()).await.unwrap();
        assert_eq!(
            found.signatures,
            std::slice::from_ref(&self.claim.signature)
        );
        self.in_background().await;
        self.refused_by_status().await;
        self.not_reached().await;
        self.nonsense().await;
        self.cut_off().await;
        self.odd_locations().await;
        found
    }

    async fn in_background(&self) {
        let web = self.web(self.asked, self.good());
        let mut world = world(&web, &NOBODY);
        world.is_background = true;
        world.deadline = Duration::from_millis(1);
        let found = self.checker.check(&self.claim.claimed(), &world).await;
        assert!(found.is_ok(), "{found:?}");
        assert!(all_in_background(&web));
    }

    async fn refused_by_status(&self) {
        let page = "<html><body>no</body></html>";
        for (reply, failure) in [
            (Reply::new(404, page), Failure::NotFound),
            (Reply::new(410, page), Failure::NotFound),
            (Reply::new(429, page), Failure::Limited),
            (Reply::new(429, page).retry_after(60), Failure::Limited),
            (Reply::new(403, page).retry_after(60), Failure::Limited),
            (
                Reply::new(403, page).header("x-ratelimit-remaining", "0"),
                Failure::Limited,
            ),
            (Reply::new(403, page), Failure::Unreachable),
            (Reply::new(400, page), Failure::Unreachable),
            (Reply::new(500, page), Failure::Unreachable),
            (Reply::new(502, page), Failure::Unreachable),
            (Reply::new(503, page).retry_after(5), Failure::Unreachable),
        ] {
            let status = reply.status;
            let refusal = self.refusal(reply).await;
            assert_eq!(refusal.failure, failure, "{status}: {}", refusal.reason);
        }
    }

    async fn not_reached(&self) {
        for (error, failure) in [
            (FetchError::Unreachable, Failure::Unreachable),
            (FetchError::Encoded, Failure::Unreachable),
            (FetchError::TooManyRedirects, Failure::Unreachable),
            (FetchError::TooLarge, Failure::TooLarge),
            (FetchError::Busy, Failure::Limited),
            (
                FetchError::Resting(Duration::from_secs(60)),
                Failure::Limited,
            ),
            (FetchError::ForbiddenAddress, Failure::ForbiddenAddress),
        ] {
            assert_eq!(self.failure(Reply::failed(error)).await, failure, "{error}");
        }
    }

    async fn nonsense(&self) {
        assert_eq!(self.failure(Reply::new(200, "")).await, self.empty);
        let html = "<!DOCTYPE html><html><head><title>Log in</title></head><body></body></html>";
        let page = match self.checker.service() {
            "https" => Failure::PageInstead,
            _ => Failure::Unreachable,
        };
        assert_eq!(self.failure(Reply::new(200, html)).await, page);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let opened = "{\"a\":".repeat(100_000);
        for text in [
            "null", "true", "0", "1e999", "\"text\"", "[]", "[{}]", "{", "{\"a\"", "\u{0}", &deep,
            &opened,
        ] {
            let refused = self.with(self.asked, Reply::new(200, text)).await;
            assert!(refused.is_err(), "{text:.40}");
        }
        let refused = self
            .with(self.asked, Reply::new(200, [0xff, 0xfe, 0x00]))
            .await;
        assert!(!refused.unwrap_err().failure.is_definite());
    }

    /// A part of an answer never shows anything, and never panics.
    async fn cut_off(&self) {
        let good = self.good().body;
        let whole = good.trim_ascii_end().len();
        let step = (whole / 97).max(1);
        for length in (0..whole.saturating_sub(1)).step_by(step) {
            let reply = Reply::new(200, &good[..length]);
            let found = self.with(self.asked, reply).await;
            if let Ok(found) = found {
                // HTML has no end that could be missed.
                assert_eq!(
                    found.signatures,
                    std::slice::from_ref(&self.claim.signature)
                );
                assert!(good.starts_with(b"<!DOCTYPE"), "{length} of {whole}");
            }
        }
    }

    async fn odd_locations(&self) {
        if !self.checker.needs().location {
            return;
        }
        let long = "9".repeat(3000);
        for location in [
            None,
            Some(""),
            Some(".."),
            Some("../../x"),
            Some("1?x=2"),
            Some("1#x"),
            Some("1/../2"),
            Some("1\r\nx: y"),
            Some("a b"),
            Some("http://127.0.0.1/"),
            Some("\u{0}"),
            Some("é"),
            Some(&long),
        ] {
            let mut claim = self.claim.clone();
            claim.location = location.map(str::to_owned);
            // It is refused before anything is asked.
            let web = Web::default();
            let world = world(&web, &NOBODY);
            let refused = self.checker.check(&claim.claimed(), &world).await;
            let failure = refused.unwrap_err().failure;
            assert_eq!(failure, Failure::Malformed, "{location:?}");
        }
    }
}

/// What a name is normalised to.
pub(crate) async fn normalised(checker: &dyn ClaimChecker, identity: &str) -> Option<String> {
    let web = Web::default();
    let world = world(&web, &NOBODY);
    match checker.normalise(identity, &world).await {
        Ok(normal) => Some(normal),
        Err(refusal) => {
            assert_eq!(refusal.failure, Failure::Malformed, "{identity}");
            assert!(refusal.reason.chars().count() < 200);
            assert!(!refusal.reason.chars().any(char::is_control));
            None
        }
    }
}

/// Names that no service has.
pub(crate) const NO_NAMES: [&str; 8] = [
    "",
    " ",
    "a/b",
    "a b",
    "a\r\nb",
    "\u{0}",
    "a?b#c",
    "\u{202e}a",
];
