//! Who asks: for the limits on what one address may do.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use engine::claims::Caller;
use httpkit::client_ip::ClientContext;

use crate::State;

/// A caller. This API knows no authentication: whoever asks may.
pub(crate) struct Asking(pub(crate) Caller);

impl FromRequestParts<State> for Asking {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Response> {
        let client = ClientContext::from_request_parts(parts, state).await?;
        let address = client.address;
        Ok(Self(Caller { address }))
    }
}
