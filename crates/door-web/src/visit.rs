//! Who looks at a page, over what, and by which address they know this server.

use axum::extract::FromRequestParts;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::response::Response;
use engine::names::Caller;
use httpkit::client_ip::ClientContext;
use httpkit::csrf::Token;
use httpkit::log::RequestId;

use crate::State;
use crate::done::Done;
use crate::error::Refusal;

/// A request whose answer nobody else can read, or any when the operator does not care. A handler
/// without this in its signature answers insecure requests too.
pub(crate) struct Visit {
    /// What the rules ask about the visitor.
    pub(crate) caller: Caller,
    /// Whether the browser takes the address for one of HTTPS.
    pub(crate) https: bool,
    /// What the visitor has just done.
    pub(crate) done: Option<Done>,
    /// For the page of a refusal.
    pub(crate) id: RequestId,
    /// Where the visitor sees this server, such as `https://names.example`: the public address, else
    /// what the request says.
    pub(crate) origin: Option<String>,
}

impl FromRequestParts<State> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        let client = ClientContext::from_request_parts(parts, state).await?;
        let id: RequestId = parts.extensions.get().cloned().unwrap_or_default();
        if !client.secure && state.settings.require_secure {
            return Err(Refusal::Insecure.page(state, &id));
        }
        let asked = || host(parts).map(|host| origin(client.https, host));
        let address = client.address;
        Ok(Self {
            caller: Caller { address },
            https: client.https,
            done: Done::of(&parts.headers, client.https),
            id,
            origin: state.settings.public_url.clone().or_else(asked),
        })
    }
}

impl Visit {
    /// The answer of a handler, refusals as pages.
    pub(crate) fn answer(&self, state: &State, result: Result<Response, Refusal>) -> Response {
        result.unwrap_or_else(|refusal| refusal.page(state, &self.id))
    }
}

/// The token for the forms of a page.
pub(crate) struct FormToken(pub(crate) Token);

impl FromRequestParts<State> for FormToken {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        let client = ClientContext::from_request_parts(parts, state).await?;
        Ok(Self(state.csrf.token(&parts.headers, client.https)))
    }
}

/// HTTP/1.1 says it in a header, HTTP/2 in the request's address.
fn host(parts: &Parts) -> Option<&str> {
    let header = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    header.or_else(|| parts.uri.authority().map(|authority| authority.as_str()))
}

fn origin(https: bool, host: &str) -> String {
    let scheme = if https { "https" } else { "http" };
    format!("{scheme}://{host}")
}
