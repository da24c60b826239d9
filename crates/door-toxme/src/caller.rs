//! Who asks, over what, and what they call this server.

use axum::extract::FromRequestParts;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::response::Response;
use engine::names::Caller;
use httpkit::client_ip::ClientContext;

use crate::State;
use crate::error::Refusal;

/// A caller whose request nobody else could read, or any caller when the operator does not care.
/// A handler without this in its signature answers insecure requests too.
pub(crate) struct SecureCaller {
    /// What the rules ask about the caller.
    pub(crate) caller: Caller,
    /// The host the client asked for, with its port if it named one.
    pub(crate) host: Option<String>,
}

impl FromRequestParts<State> for SecureCaller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        let client = ClientContext::from_request_parts(parts, state).await?;
        if !state.accepts(client) {
            return Err(Refusal::Insecure.answer(None));
        }
        let address = client.address;
        Ok(Self {
            caller: Caller { address },
            host: host(parts),
        })
    }
}

impl State {
    /// Whether the way to this client is private enough.
    pub(crate) fn accepts(&self, client: ClientContext) -> bool {
        client.secure || !self.settings.require_secure
    }
}

/// HTTP/1.1 says it in a header, HTTP/2 in the request's address.
fn host(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = || parts.uri.authority().map(|authority| authority.as_str());
    header.or_else(authority).map(str::to_owned)
}
