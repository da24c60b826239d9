//! A world in which every answer is written down beforehand.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use engine::ports::checker::CheckWorld;
use engine::ports::dns::{DnsError, TxtResolver};
use engine::ports::fetch::{
    FetchError, FetchLimits, Fetched, Method, Purpose, Request, Upstream, WebFetcher,
};
use engine::types::Domain;

/// An answer, or that there is none.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) error: Option<FetchError>,
}

impl Reply {
    /// An answer with a body.
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            body: body.into(),
            headers: Vec::new(),
            retry_after: None,
            error: None,
        }
    }

    /// A success with what is in a file of `tests/answers`.
    pub(crate) fn file(name: &str) -> Self {
        Self::new(200, answer(name))
    }

    /// The same with another status.
    pub(crate) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// With the time after which one may come again.
    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        Self {
            retry_after: Some(Duration::from_secs(seconds)),
            ..self
        }
    }

    /// With one more header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// No answer at all.
    pub(crate) fn failed(error: FetchError) -> Self {
        Self {
            error: Some(error),
            ..Self::new(0, "")
        }
    }

    /// The same with a part of its text replaced.
    pub(crate) fn replaced(self, from: &str, to: &str) -> Self {
        let body = String::from_utf8(self.body).unwrap();
        assert!(body.contains(from), "{from} is not in it");
        Self {
            body: body.replace(from, to).into_bytes(),
            ..self
        }
    }
}

/// The bytes of a file of `tests/answers`.
pub(crate) fn answer(name: &str) -> Vec<u8> {
    let answers = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/answers");
    std::fs::read(answers.join(name)).unwrap_or_else(|error| unreachable!("{name}: {error}"))
}

/// A fetcher with its answers, by `METHOD upstream path`.
#[derive(Default)]
pub(crate) struct Web {
    replies: Mutex<HashMap<String, Reply>>,
    below: Vec<(String, Upstream)>,
    asked: Mutex<Vec<Request>>,
}

impl Web {
    /// One that has these answers, and no others.
    pub(crate) fn of(replies: &[(&str, Reply)]) -> Self {
        let replies = replies
            .iter()
            .map(|(key, reply)| ((*key).to_owned(), reply.clone()));
        Self {
            replies: Mutex::new(replies.collect()),
            ..Self::default()
        }
    }

    /// What is below this URL is below this upstream.
    pub(crate) fn with_base(mut self, url: &str, upstream: Upstream) -> Self {
        self.below.push((url.to_owned(), upstream));
        self
    }

    /// The requests so far, as `METHOD upstream path`.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(key).collect()
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

fn key(request: &Request) -> String {
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let upstream = match &request.upstream {
        Upstream::Named(name) => (*name).to_owned(),
        Upstream::At(name, domain) => format!("{name}@{domain}"),
        Upstream::Of(name, identity) => format!("{name}~{identity}"),
        Upstream::Host(domain) => domain.to_string(),
    };
    format!("{method} {upstream} {}", request.path)
}

#[async_trait]
impl WebFetcher for Web {
    async fn fetch(&self, request: Request, limits: FetchLimits) -> Result<Fetched, FetchError> {
        assert!(limits.timeout <= FetchLimits::POST.timeout);
        assert_eq!(limits.body_bytes_max, FetchLimits::POST.body_bytes_max);
        let key = key(&request);
        self.asked.lock().unwrap().push(request);
        let reply = self.replies.lock().unwrap().get(&key).cloned();
        let reply = reply.unwrap_or_else(|| unreachable!("nobody expected {key}"));
        match reply.error {
            Some(error) => Err(error),
            None => Ok(Fetched {
                final_url: format!("https://upstream.example/{key}"),
                status: reply.status,
                headers: reply.headers,
                retry_after: reply.retry_after,
                body: Bytes::from(reply.body),
                peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            }),
        }
    }

    fn locate(&self, url: &str, among: &[Upstream]) -> Option<(Upstream, String)> {
        let below = |(base, upstream): &(String, Upstream)| {
            let path = url.strip_prefix(base)?;
            let fits = among.contains(upstream) && path.starts_with('/');
            fits.then(|| (upstream.clone(), path.to_owned()))
        };
        self.below.iter().find_map(below)
    }
}

/// A resolver with one answer.
pub(crate) struct Records(pub(crate) Result<Vec<String>, DnsError>);

/// A resolver that nobody should ask.
pub(crate) const NOBODY: Records = Records(Err(DnsError::Unreachable));

#[async_trait]
impl TxtResolver for Records {
    async fn txt(&self, _domain: &Domain) -> Result<Vec<String>, DnsError> {
        self.0.clone()
    }
}

/// A world of these two, for somebody who waits.
pub(crate) fn world<'w>(web: &'w Web, dns: &'w Records) -> CheckWorld<'w> {
    CheckWorld {
        web,
        dns,
        deadline: Duration::from_secs(15),
        is_background: false,
    }
}

/// Whether all requests so far were made for nobody in particular.
pub(crate) fn all_in_background(web: &Web) -> bool {
    let requests = web.requests();
    requests.iter().all(|it| it.purpose == Purpose::Background)
}
