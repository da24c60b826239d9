//! Requests of our own over HTTP: the adapter of the [`WebFetcher`] port. Nothing else in the server
//! makes requests to places that strangers chose.

pub(crate) mod answer;
mod breaker;
mod gate;
mod guard;
mod headers;
pub(crate) mod target;
#[cfg(test)]
mod tests;
mod turns;
pub(crate) mod upstream_url;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use engine::ports::fetch::{
    FetchError, FetchLimits, Fetched, Follow, Method, Purpose, Request, Upstream, WebFetcher,
};
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::tls::Certificate;
use reqwest::{Client, Response};
use tokio::time::timeout;
use url::Url;

use crate::resolve::Resolve;
use crate::special_ranges::is_special;

use breaker::Breaker;
use guard::{Forbidden, Guard, Rule};
use target::{Map, Target};
use turns::{Turns, Waits};

pub use target::Service;
pub use upstream_url::UpstreamUrl;

/// Header lines of an answer; more are refused.
const HEADERS_MAX: usize = 100;
/// How long a connection to a host of the operator's choice is kept for the next request.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// How to reach others.
pub struct FetchOptions {
    /// Finds addresses.
    pub resolver: Arc<dyn Resolve>,
    /// PEM file of certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether hosts that strangers choose may have addresses that are not public. For tests only: it
    /// lets anybody reach what only this server can reach.
    pub allow_private: bool,
    /// The services in `[upstreams]`, each name once.
    pub upstreams: Vec<Service>,
    /// Whether checks in the background leave upstreams alone that fail. Otherwise they are asked
    /// however often they fail: for load tests.
    pub rests: bool,
    /// What this server calls itself.
    pub user_agent: String,
}

/// The client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum FetchSetupError {
    /// The file of authorities cannot be read.
    #[error("cannot read {path}")]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file of authorities holds something else.
    #[error("{path}: no certificate in PEM")]
    NoAuthority {
        /// Which file.
        path: PathBuf,
    },
    /// TLS could not be set up, or the name of this server is no header.
    #[error("cannot set up outgoing connections")]
    Client(#[source] reqwest::Error),
}

/// Fetches. See [`WebFetcher`] for its promises.
pub struct Fetcher {
    /// For hosts that strangers choose: keeps no connection.
    guarded: Client,
    /// For hosts of the operator's choice.
    trusted: Client,
    map: Map,
    turns: Turns,
    breaker: Option<Breaker>,
}

impl Fetcher {
    /// Reads the file of authorities; connects to nothing yet.
    ///
    /// # Errors
    /// See [`FetchSetupError`].
    pub fn new(options: FetchOptions) -> Result<Self, FetchSetupError> {
        let rule = if options.allow_private {
            |_| false
        } else {
            is_special
        };
        Self::with_rule(options, rule)
    }

    fn with_rule(options: FetchOptions, is_forbidden: Rule) -> Result<Self, FetchSetupError> {
        let authorities = authorities(options.ca_file.as_ref())?;
        let client = |is_forbidden| {
            let resolver = options.resolver.clone();
            Client::builder()
                .dns_resolver(Guard {
                    resolver,
                    is_forbidden,
                })
                .tls_certs_merge(authorities.clone())
                .user_agent(options.user_agent.as_str())
                .redirect(Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .no_proxy()
                .no_gzip()
                .http1_only()
                .http1_max_headers(HEADERS_MAX)
        };
        let guarded = client(is_forbidden).https_only(true);
        let guarded = guarded.pool_max_idle_per_host(0).build();
        let trusted = client(|_| false).pool_idle_timeout(IDLE_TIME).build();
        Ok(Self {
            guarded: guarded.map_err(FetchSetupError::Client)?,
            trusted: trusted.map_err(FetchSetupError::Client)?,
            map: Map {
                services: options.upstreams,
                allow_private: options.allow_private,
            },
            turns: Turns::new(),
            breaker: options.rests.then(Breaker::default),
        })
    }

    /// Sends the request, and again wherever a redirect leads.
    async fn run(
        &self,
        request: &Request,
        limits: FetchLimits,
        waits: &Waits,
    ) -> Result<Fetched, FetchError> {
        let mut headers = headers::first(&request.headers)?;
        let mut target = self.map.target(&request.upstream, &request.path)?;
        for redirects_left in (0..=limits.redirects_max).rev() {
            let turn = self.turns.turn(request.purpose, &target);
            let _turn = waits.measure(turn).await?;
            let response = self.send(&target, request, headers.clone()).await?;
            let Some(location) = answer::location(&response) else {
                return answer::read(response, limits.body_bytes_max).await;
            };
            if redirects_left == 0 || request.method == Method::Post {
                break;
            }
            let next = self.follow(request, &target, &location)?;
            if next.url.origin() != target.url.origin() {
                headers = headers::elsewhere(headers);
            }
            target = next;
        }
        Err(FetchError::TooManyRedirects)
    }

    /// Where a redirect leads, if it may lead there.
    fn follow(
        &self,
        request: &Request,
        from: &Target,
        location: &str,
    ) -> Result<Target, FetchError> {
        let to = from.join(location)?;
        let Follow::Below(others) = &request.follow else {
            return self.map.anywhere(from, to);
        };
        let mut among = vec![request.upstream.clone()];
        among.extend_from_slice(others);
        let found = self.map.locate(&to, &among);
        let (upstream, path) = found.ok_or(FetchError::ForbiddenAddress)?;
        let next = self.map.target(&upstream, &path)?;
        // An upstream of the operator's may stand in for one over https.
        let is_downgrade = from.url.scheme() == "https" && next.url.scheme() != "https";
        if is_downgrade {
            Err(FetchError::ForbiddenAddress)
        } else {
            Ok(next)
        }
    }

    /// Sends the request within its time.
    async fn within(&self, request: &Request, limits: FetchLimits) -> Result<Fetched, FetchError> {
        let waits = Waits::default();
        let run = Box::pin(self.run(request, limits, &waits));
        match timeout(limits.timeout, run).await {
            Ok(done) => done,
            // The host had hardly any time: nothing can be said of it.
            Err(_) if waits.took_most_of(limits.timeout) => Err(FetchError::Busy),
            Err(_) => Err(FetchError::Unreachable),
        }
    }

    async fn send(
        &self,
        target: &Target,
        request: &Request,
        headers: HeaderMap,
    ) -> Result<Response, FetchError> {
        let client = if target.is_trusted {
            &self.trusted
        } else {
            &self.guarded
        };
        let builder = match request.method {
            Method::Get => client.get(target.url.clone()),
            Method::Post => client.post(target.url.clone()).body(request.body.clone()),
        };
        let sent = builder.headers(headers).send().await;
        sent.map_err(|error| failure(&error))
    }
}

#[async_trait]
impl WebFetcher for Fetcher {
    async fn fetch(&self, request: Request, limits: FetchLimits) -> Result<Fetched, FetchError> {
        let breaker = self.breaker.as_ref();
        let Some(breaker) = breaker.filter(|_| request.purpose == Purpose::Background) else {
            return self.within(&request, limits).await;
        };
        let key = self.map.target(&request.upstream, &request.path)?.key;
        breaker.admit(&key).map_err(FetchError::Resting)?;
        let done = self.within(&request, limits).await;
        match &done {
            Ok(fetched) if fetched.wants_less() || fetched.status >= 500 => {
                breaker.failed(&key, fetched.retry_after);
            }
            Ok(_) => breaker.answered(&key),
            Err(FetchError::Unreachable) => breaker.failed(&key, None),
            Err(_) => {}
        }
        done
    }

    fn locate(&self, url: &str, among: &[Upstream]) -> Option<(Upstream, String)> {
        self.map.locate(&Url::parse(url).ok()?, among)
    }
}

/// What a failed exchange means. The reason is for the operator.
fn failure(error: &reqwest::Error) -> FetchError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<Forbidden>() {
            return FetchError::ForbiddenAddress;
        }
        cause = error.source();
    }
    tracing::debug!(error = chain(error), "could not fetch");
    FetchError::Unreachable
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn authorities(path: Option<&PathBuf>) -> Result<Vec<Certificate>, FetchSetupError> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let pem = std::fs::read(path).map_err(|source| FetchSetupError::CaFile {
        path: path.clone(),
        source,
    })?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(authorities) if !authorities.is_empty() => Ok(authorities),
        Ok(_) | Err(_) => Err(FetchSetupError::NoAuthority { path: path.clone() }),
    }
}
