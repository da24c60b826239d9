//! Names at other toxme servers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use engine::ports::fetch::{FetchError, FetchLimits, Request, Upstream, WebFetcher};
use engine::ports::remote_names::{RemoteFault, RemoteNames};
use engine::types::{Domain, Name, ToxId};
use serde::Deserialize;
use serde_json::json;

/// The service in `[upstreams]`: the API of a domain's toxme server.
pub const UPSTREAM: &str = "toxme";

/// An answer has half a kilobyte; a signature and a few words more are left room.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// What `c` says of a look-up (toxme wire specification, section 8).
const FOUND: i64 = 0;
const NO_SUCH_NAME: i64 = -42;

/// Asks toxme servers by their API, action 3. The name goes without its domain, so every server
/// takes it for one of its own and asks nobody else.
pub struct ToxmeServers {
    web: Arc<dyn WebFetcher>,
}

impl ToxmeServers {
    /// Over a fetcher that has the upstream [`UPSTREAM`].
    #[must_use]
    pub fn new(web: Arc<dyn WebFetcher>) -> Self {
        Self { web }
    }
}

#[async_trait]
impl RemoteNames for ToxmeServers {
    async fn lookup(
        &self,
        domain: &Domain,
        name: &Name,
        within: Duration,
    ) -> Result<Option<ToxId>, RemoteFault> {
        let body = json!({"action": 3, "name": name.as_str()}).to_string();
        let upstream = Upstream::At(UPSTREAM, domain.clone());
        let limits = FetchLimits {
            timeout: within,
            body_bytes_max: BODY_BYTES_MAX,
            // The original servers never redirect, and a second request is one more than was asked.
            redirects_max: 0,
        };
        let request = Request::post_json(upstream, "", body);
        let fetched = self.web.fetch(request, limits).await.map_err(fault)?;
        parse_reply(fetched.status, &fetched.body, name)
    }
}

fn fault(error: FetchError) -> RemoteFault {
    match error {
        FetchError::ForbiddenAddress => RemoteFault::Forbidden,
        FetchError::Unreachable => RemoteFault::Unreachable,
        FetchError::TooLarge | FetchError::TooManyRedirects | FetchError::Encoded => {
            RemoteFault::Nonsense
        }
        FetchError::Busy | FetchError::Resting(_) => RemoteFault::Busy,
        FetchError::Unsendable(why) => RemoteFault::Ours(why),
    }
}

/// What counts of a reply; nothing else of it is passed on.
#[derive(Deserialize)]
struct Reply {
    c: i64,
    name: Option<String>,
    tox_id: Option<String>,
}

/// Reads what a toxme server says to a question for a name: its Tox ID, or `None` when it has no such
/// name. The status must fit, but some servers say 200 to everything.
///
/// # Errors
/// `Nonsense` for whatever is no answer to this question.
pub fn parse_reply(status: u16, body: &[u8], asked: &Name) -> Result<Option<ToxId>, RemoteFault> {
    let reply: Reply = serde_json::from_slice(body).map_err(|_| RemoteFault::Nonsense)?;
    match (reply.c, status) {
        (FOUND, 200) => {}
        (NO_SUCH_NAME, 200 | 400 | 404) => return Ok(None),
        (_, _) => return Err(RemoteFault::Nonsense),
    }
    let named = reply.name.and_then(|name| Name::parse(&name).ok());
    let tox_id = reply.tox_id.and_then(|text| ToxId::parse(&text));
    match (named, tox_id) {
        (Some(named), Some(tox_id)) if named == *asked => Ok(Some(tox_id)),
        (_, _) => Err(RemoteFault::Nonsense),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Mutex;

    use engine::limits::REMOTE_LOOKUP_TIME;
    use engine::ports::fetch::{Fetched, Method};

    use super::*;

    const TOX_ID: &str =
        "56A1ADE4B65B86BCD51CC73E2CD4E542179F47959FE3E0E21B4B0ACDADE51855D34D34D37CB5";

    /// Answers every request alike, and keeps the last one.
    struct Canned {
        answer: Result<(u16, Vec<u8>), FetchError>,
        asked: Mutex<Option<Request>>,
    }

    #[async_trait]
    impl WebFetcher for Canned {
        async fn fetch(&self, request: Request, _: FetchLimits) -> Result<Fetched, FetchError> {
            *self.asked.lock().unwrap() = Some(request);
            self.answer.clone().map(|(status, body)| Fetched {
                final_url: "https://b.example/api".into(),
                status,
                headers: Vec::new(),
                retry_after: None,
                body: body.into(),
                peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            })
        }

        fn locate(&self, _: &str, _: &[Upstream]) -> Option<(Upstream, String)> {
            None
        }
    }

    async fn lookup(
        name: &str,
        answer: Result<(u16, Vec<u8>), FetchError>,
    ) -> (Result<Option<String>, RemoteFault>, Request) {
        let web = Arc::new(Canned {
            answer,
            asked: Mutex::new(None),
        });
        let (domain, name) = (
            Domain::parse("b.example").unwrap(),
            Name::parse(name).unwrap(),
        );
        let found = ToxmeServers::new(web.clone());
        let found = found.lookup(&domain, &name, REMOTE_LOOKUP_TIME).await;
        let asked = web.asked.lock().unwrap().take().unwrap();
        (found.map(|id| id.map(|id| id.to_string())), asked)
    }

    async fn reply(status: u16, body: &str) -> Result<Option<String>, RemoteFault> {
        lookup("zo\u{eb}", Ok((status, body.into()))).await.0
    }

    #[tokio::test]
    async fn the_question_names_no_domain() {
        let (_, asked) = lookup("zo\u{eb}\\", Err(FetchError::Unreachable)).await;
        let domain = Domain::parse("b.example").unwrap();
        assert_eq!(asked.upstream, Upstream::At("toxme", domain));
        assert_eq!((asked.method, asked.path.as_str()), (Method::Post, ""));
        let body: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
        assert_eq!(body, json!({"action": 3, "name": "zo\u{eb}\\"}));
    }

    #[tokio::test]
    async fn answers_of_every_server_are_read() {
        // Python's, with everything the original says; compact; in another order, case and form.
        for body in [
            r#"{"c": 0, "name": "zo\u00eb", "regdomain": "b.example", "tox_id": "<ID>", "url": "tox:zo\u00eb@b.example", "verify": {"status": 1, "detail": "Good (signed by local authority)"}, "source": 1, "version": "Tox V3 (local)"}"#,
            "{\"c\":0,\"name\":\"zo\u{eb}\",\"tox_id\":\"<ID>\"}",
            "\n{\"tox_id\":\"<id>\",\n\"name\":\"ZOE\u{308}\",\"c\":0,\"x\":[{}]}\n",
        ] {
            let body = body.replace("<ID>", TOX_ID);
            let body = body.replace("<id>", &TOX_ID.to_lowercase());
            assert_eq!(reply(200, &body).await, Ok(Some(TOX_ID.into())), "{body}");
        }
        for (status, body) in [
            (400, r#"{"c": -42}"#),
            (200, r#"{"c":-42,"detail":"no such name here"}"#),
            (404, r#"{"detail": null, "c": -42}"#),
        ] {
            assert_eq!(reply(status, body).await, Ok(None), "{body}");
        }
    }

    #[tokio::test]
    async fn nonsense_is_known_for_what_it_is() {
        let deep = format!("{{\"c\": -42, \"x\": {}}}", "[".repeat(8000));
        let found =
            |tox_id: &str, name: &str| json!({"c": 0, "name": name, "tox_id": tox_id}).to_string();
        let broken_checksum = TOX_ID.replace("7CB5", "7CB6");
        for (status, body) in [
            (200, String::new()),
            (200, "null".into()),
            (200, "[]".into()),
            (200, "{}".into()),
            (200, "<html>".into()),
            (200, "\u{feff}{\"c\": -42}".into()),
            (200, r#"{"c": "0"}"#.into()),
            (200, r#"{"c": 0}"#.into()),
            (200, r#"{"c": -42.0}"#.into()),
            (200, r#"{"c": -42, "c": 0}"#.into()),
            (200, r#"{"c": 1e400}"#.into()),
            (200, deep),
            (400, r#"{"c": -4}"#.into()),
            (400, r#"{"c": -41}"#.into()),
            (400, r#"{"c": -2}"#.into()),
            (500, r#"{"c": -42}"#.into()),
            (301, r#"{"c": -42}"#.into()),
            (400, found(TOX_ID, "zo\u{eb}")),
            (200, found(TOX_ID, "zoe")),
            (200, found(TOX_ID, "zo\u{eb}@b.example")),
            (200, found(TOX_ID, "")),
            (200, found(&broken_checksum, "zo\u{eb}")),
            (200, found(&TOX_ID[..72], "zo\u{eb}")),
            (200, found(&format!("{TOX_ID}\n"), "zo\u{eb}")),
            (200, found(&"z".repeat(76), "zo\u{eb}")),
            (
                200,
                json!({"c": 0, "name": "zo\u{eb}", "tox_id": [TOX_ID]}).to_string(),
            ),
            (200, json!({"c": 0, "tox_id": TOX_ID}).to_string()),
        ] {
            assert_eq!(
                reply(status, &body).await,
                Err(RemoteFault::Nonsense),
                "{body}"
            );
        }
        let not_utf8 = lookup("a", Ok((200, b"{\"c\": -42, \"name\": \"\xff\"}".to_vec())))
            .await
            .0;
        assert_eq!(not_utf8, Err(RemoteFault::Nonsense));
    }

    #[tokio::test]
    async fn failures_say_whose_fault_they_are() {
        for (error, fault) in [
            (FetchError::ForbiddenAddress, RemoteFault::Forbidden),
            (FetchError::Unreachable, RemoteFault::Unreachable),
            (FetchError::TooLarge, RemoteFault::Nonsense),
            (FetchError::TooManyRedirects, RemoteFault::Nonsense),
            (FetchError::Encoded, RemoteFault::Nonsense),
            (FetchError::Busy, RemoteFault::Busy),
            (FetchError::Resting(REMOTE_LOOKUP_TIME), RemoteFault::Busy),
            (FetchError::Unsendable("x"), RemoteFault::Ours("x")),
        ] {
            assert_eq!(lookup("a", Err(error)).await.0, Err(fault));
        }
    }
}
