//! `POST /api`: reads the body and hands it to the file of its action.

mod delete;
mod lookup;
mod push;
mod reset;
mod reverse;
mod search;
mod status;

use axum::extract::State as Shared;
use axum::response::Response;
use engine::names::Names;
use httpkit::limits::{JSON_DEPTH_MAX, RawBody, json_depth_ok};
use httpkit::log::Change;
use serde_json::{Map, Value};

use crate::State;
use crate::caller::SecureCaller;
use crate::error::Refusal;
use crate::memorabilia;
use crate::wire::answer;

/// A request whose action is known, and its other fields.
pub(crate) struct Request {
    action: Action,
    fields: Map<String, Value>,
}

/// The API document's actions, `status` of the original server, and the reset of the edit password.
#[derive(Clone, Copy)]
enum Action {
    Push,
    Delete,
    Lookup,
    Status,
    Reverse,
    Search,
    Reset,
}

/// `POST /api`, `/`, `/a`, `/ap`
///
/// The API document, "Anonymous APIs" and "Authenticated" APIs; toxme wire specification, sections
/// 1 and 2. The shorter paths are for toxic, which cuts its URL to 31 bytes.
pub(crate) async fn handle(
    Shared(state): Shared<State>,
    client: SecureCaller,
    RawBody(body): RawBody,
) -> Response {
    match Request::parse(&body) {
        Ok(request) => {
            let response = perform(&state.engine.names(), &client, &request).await;
            if request.action.is_change() {
                return Change::mark(response);
            }
            response
        }
        Err(refusal) => refusal.answer(None),
    }
}

/// Any other method on any path of this door
///
/// The API document, `ERROR_METHOD_UNSUPPORTED`; toxme wire specification, section 1.
pub(crate) async fn wrong_method(_: SecureCaller) -> Response {
    Refusal::Method.answer(None)
}

/// Memorabilia are signed first: when the key cannot be reached, nothing has been done yet.
async fn perform(names: &Names<'_>, client: &SecureCaller, request: &Request) -> Response {
    let fields = &request.fields;
    let signed = match memorabilia::sign(names, fields) {
        Ok(signed) => signed,
        Err(error) => return Refusal::Name(error).answer(None),
    };
    match request.action {
        Action::Push => answer(push::handle(names, &client.caller, fields).await, signed),
        Action::Delete => answer(delete::handle(names, fields).await, signed),
        Action::Lookup => {
            let host = client.host.as_deref();
            answer(
                lookup::handle(names, &client.caller, host, fields).await,
                signed,
            )
        }
        Action::Status => answer(Ok(status::handle(names)), signed),
        Action::Reverse => answer(reverse::handle(names, fields).await, signed),
        Action::Search => answer(search::handle(names, fields).await, signed),
        Action::Reset => answer(reset::handle(names, &client.caller, fields).await, signed),
    }
}

impl Request {
    /// What it says besides its action.
    pub(crate) fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        if !json_depth_ok(body, JSON_DEPTH_MAX) {
            return Err(Refusal::Payload("the JSON is nested too deeply"));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => {
                let action = fields.get("action").and_then(Action::parse);
                let action =
                    action.ok_or(Refusal::Payload("action must be an integer from 1 to 7"))?;
                Ok(Self { action, fields })
            }
            Ok(_) => Err(Refusal::Payload("the request must be a JSON object")),
            Err(_) => Err(Refusal::Payload("the request is not JSON in UTF-8")),
        }
    }
}

impl Action {
    /// Whether it is made to change a record.
    fn is_change(self) -> bool {
        match self {
            Self::Push | Self::Delete | Self::Reset => true,
            Self::Lookup | Self::Status | Self::Reverse | Self::Search => false,
        }
    }

    /// Integers only: neither `true` nor `1.0` is action 1.
    fn parse(value: &Value) -> Option<Self> {
        match value.as_u64()? {
            1 => Some(Self::Push),
            2 => Some(Self::Delete),
            3 => Some(Self::Lookup),
            4 => Some(Self::Status),
            5 => Some(Self::Reverse),
            6 => Some(Self::Search),
            7 => Some(Self::Reset),
            _ => None,
        }
    }
}

/// A string field.
fn text<'f>(fields: &'f Map<String, Value>, field: &str) -> Option<&'f str> {
    fields.get(field).and_then(Value::as_str)
}
