//! The server's public keys.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::Response;
use data_encoding::HEXUPPER;
use httpkit::client_ip::ClientContext;

use crate::State;
use crate::error::Refusal;
use crate::wire::{Keys, answer};

/// `GET /pk`
///
/// The API document, "Signing API for verification"; toxme wire specification, section 3. Over an
/// insecure connection the code is -2 and the status 200, as the original has it.
pub(crate) async fn handle(Shared(state): Shared<State>, client: ClientContext) -> Response {
    if !state.accepts(client) {
        let mut response = Refusal::Insecure.answer(None);
        *response.status_mut() = StatusCode::OK;
        return response;
    }
    let names = state.engine.names();
    let keys = Keys {
        key: HEXUPPER.encode(&names.box_key()),
        sign_key: HEXUPPER.encode(&names.sign_key()),
    };
    answer(Ok(keys), None)
}
