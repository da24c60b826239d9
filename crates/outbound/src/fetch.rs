//! Requests of our own over HTTP: the adapter of the [`WebFetcher`] port. Nothing else in the server
//! makes requests to places that strangers chose.

mod gate;
mod guard;
mod target;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use engine::ports::fetch::{
    FetchError, FetchLimits, Fetched, Method, Request, Upstream, WebFetcher,
};
use reqwest::header::{CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::tls::Certificate;
use reqwest::{Client, Response};
use tokio::time::timeout;

use crate::resolve::Resolve;
use crate::special_ranges::is_special;

use gate::Gate;
use guard::{Forbidden, Guard, Rule};
use target::{HostRule, Target};

pub use target::UpstreamUrl;

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
    /// Services the operator chose, by their names.
    pub upstreams: Vec<(&'static str, UpstreamUrl)>,
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
    upstreams: Vec<(&'static str, UpstreamUrl)>,
    hosts: HostRule,
    gate: Arc<Gate>,
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
        let guarded = client(is_forbidden).pool_max_idle_per_host(0).build();
        let trusted = client(|_| false).pool_idle_timeout(IDLE_TIME).build();
        Ok(Self {
            guarded: guarded.map_err(FetchSetupError::Client)?,
            trusted: trusted.map_err(FetchSetupError::Client)?,
            upstreams: options.upstreams,
            hosts: HostRule {
                allow_private: options.allow_private,
            },
            gate: Gate::new(),
        })
    }

    fn upstream(&self, name: &str) -> Result<&UpstreamUrl, FetchError> {
        let found = self.upstreams.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, url)| url)
            .ok_or(FetchError::Unsendable("no such upstream"))
    }

    fn target(&self, request: &Request) -> Result<Target, FetchError> {
        match &request.upstream {
            Upstream::Named(name) => Target::named(self.upstream(name)?, &request.path),
            Upstream::At(name, domain) => {
                Target::at(self.upstream(name)?, domain, &request.path, self.hosts)
            }
            Upstream::Host(domain) => Target::host(domain, &request.path, self.hosts),
        }
    }

    /// Sends the request, and again wherever a redirect leads.
    async fn run(&self, request: Request, limits: FetchLimits) -> Result<Fetched, FetchError> {
        let headers = headers(&request.headers)?;
        let mut target = self.target(&request)?;
        for redirects_left in (0..=limits.redirects_max).rev() {
            let host = target.url.host_str().unwrap_or_default().to_owned();
            let turn = self.gate.turn(&host).await;
            let _turn = turn.map_err(|_| FetchError::Busy)?;
            let response = self.send(&target, &request, headers.clone()).await?;
            match location(&response) {
                Some(_) if redirects_left == 0 || request.method == Method::Post => break,
                Some(location) => target = target.follow(&location, self.hosts)?,
                None => return read(response, limits.body_bytes_max).await,
            }
        }
        Err(FetchError::TooManyRedirects)
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
        let run = Box::pin(self.run(request, limits));
        timeout(limits.timeout, run)
            .await
            .unwrap_or(Err(FetchError::Unreachable))
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

fn headers(given: &[(String, String)]) -> Result<HeaderMap, FetchError> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let name = HeaderName::from_bytes(name.as_bytes());
        let pair = name.ok().zip(HeaderValue::from_str(value).ok());
        let (name, value) = pair.ok_or(FetchError::Unsendable("not a header"))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// Where a redirect leads; `None` for an answer that is none.
fn location(response: &Response) -> Option<String> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    // One that cannot be read leads nowhere: it is refused when it is followed.
    let location = response.headers().get(LOCATION)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

/// Reads an answer to its end, or to the bound.
async fn read(mut response: Response, bytes_max: usize) -> Result<Fetched, FetchError> {
    let encodings = response.headers().get_all(CONTENT_ENCODING);
    if encodings.iter().any(|encoding| encoding != "identity") {
        return Err(FetchError::Encoded);
    }
    let peer = response.remote_addr().ok_or(FetchError::Unreachable)?.ip();
    if response
        .content_length()
        .is_some_and(|length| length > bytes_max as u64)
    {
        return Err(FetchError::TooLarge);
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len().saturating_add(chunk.len()) > bytes_max {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Fetched {
        final_url: response.url().to_string(),
        status: response.status().as_u16(),
        body: Bytes::from(body),
        peer,
    })
}
