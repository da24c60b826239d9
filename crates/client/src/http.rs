//! HTTP as all clients here use it: one base URL, no redirects, a time limit, bounded replies.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::tls::Certificate;
use reqwest::{Client, Method, RequestBuilder, Url};

/// Longest reply that is read, in bytes.
pub const REPLY_BYTES_MAX: usize = 1 << 20;

/// How to reach a directory.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// PEM file with certificates of authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Longest time for one request, its reply included. Default 10 s.
    pub timeout: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            ca_file: None,
            timeout: Duration::from_secs(10),
        }
    }
}

/// Why there is no reply to work with.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Not an http or https URL, or one with a query.
    #[error("not the URL of a server: write it as in https://names.example")]
    Address(String),
    /// The file of authorities cannot be read.
    #[error("cannot read {path}")]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// TLS could not be set up with these authorities.
    #[error("cannot set up the connection")]
    Setup(#[source] reqwest::Error),
    /// No connection, a broken one, or no answer in time.
    #[error("no answer from the server")]
    Transport(#[source] reqwest::Error),
    /// The reply is longer than [`REPLY_BYTES_MAX`].
    #[error("the reply is longer than {REPLY_BYTES_MAX} bytes")]
    TooLarge,
    /// The server refused.
    #[error("the server answered {status}: {text}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The start of the body, one line, without control characters.
        text: String,
    },
    /// The reply is not what this request is answered with.
    #[error("the server's reply makes no sense: {0}")]
    Reply(&'static str),
}

/// A reply, whatever its status.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// A connection pool to one base URL.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Client,
    base: Url,
}

impl Http {
    /// Reads the authorities' file; connects to nothing yet.
    pub(crate) fn new(base_url: &str, options: &HttpOptions) -> Result<Self, HttpError> {
        let base = Url::parse(base_url).ok().filter(is_base);
        let base = base.ok_or_else(|| HttpError::Address(base_url.into()))?;
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .timeout(options.timeout);
        if let Some(path) = &options.ca_file {
            let pem = std::fs::read(path).map_err(|source| HttpError::CaFile {
                path: path.clone(),
                source,
            })?;
            let authorities = Certificate::from_pem_bundle(&pem).map_err(HttpError::Setup)?;
            builder = builder.tls_certs_merge(authorities);
        }
        let client = builder.build().map_err(HttpError::Setup)?;
        Ok(Self { client, base })
    }

    /// The same server, below another path.
    pub(crate) fn below(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// The base URL.
    pub(crate) const fn base(&self) -> &Url {
        &self.base
    }

    /// The body of a GET that succeeds.
    pub(crate) async fn get(&self, url: Url) -> Result<Vec<u8>, HttpError> {
        let reply = self.ask(url).await?;
        match reply.status {
            200 => Ok(reply.body),
            status => Err(HttpError::Refused {
                status,
                text: first_words(&reply.body),
            }),
        }
    }

    /// The reply to a GET, whatever its status.
    pub(crate) async fn ask(&self, url: Url) -> Result<Reply, HttpError> {
        self.send(self.client.request(Method::GET, url)).await
    }

    /// The reply to a POST of JSON, whatever its status.
    pub(crate) async fn post(
        &self,
        url: Url,
        body: &serde_json::Value,
    ) -> Result<Reply, HttpError> {
        self.send(self.client.request(Method::POST, url).json(body))
            .await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Reply, HttpError> {
        let mut response = request.send().await.map_err(HttpError::Transport)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(HttpError::Transport)? {
            if body.len().saturating_add(chunk.len()) > REPLY_BYTES_MAX {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, body })
    }
}

fn is_base(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
}

/// What can be shown of an answer that was not expected.
fn first_words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}
