//! The pages of the directory, for people with a browser: search, profiles, avatars, the public list, and
//! the forms that add and edit a record. One layout and one policy for whatever door a record came
//! through.
//!
//! Pages are rendered here and need no script. The door parses, calls verbs of the engine and fills
//! in a template of `templates/`; it holds no rule and no state. `README.md` beside this crate lists
//! what it does differently from the original server.
//!
//! - `pages`: one file per page
//! - `visit`, `posted`: what requests have in common
//! - `layout`: what every page shows around its own part
//! - `done`: what a form has just done, for the page it leads to
//! - `error`: refusals, as pages
//! - `claims`, `services`: accounts elsewhere, and where a browser finds them
//! - `words`, `identicon`, `qr`: small pictures and phrases

mod claims;
mod done;
mod error;
mod identicon;
mod layout;
mod pages;
mod posted;
mod qr;
mod services;
mod visit;
mod words;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{ACCEPT, ALLOW};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use engine::Engine;
use httpkit::csrf::Csrf;
use httpkit::limits::{BodyPolicy, BodyProblem};
use httpkit::log::RequestId;
use httpkit::page::{confined, with_page_headers};

use error::Refusal;

/// What an operator may choose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether requests that others can read on the way are refused.
    pub require_secure: bool,
    /// Whether there is a public list, `/friends/0`.
    pub has_people: bool,
    /// What the site calls itself; without one, its domain.
    pub title: Option<String>,
    /// How to reach whoever runs it, an `https:` or `mailto:` address.
    pub contact: Option<String>,
    /// Where the world reaches the server, such as `https://names.example`, without a slash at its
    /// end.
    pub public_url: Option<String>,
    /// How long a released name is kept from others; `None` is for ever. For the words of the edit
    /// form: the rule is the engine's.
    pub release_after: Option<Duration>,
}

/// What the door's handlers share. Cheap to clone.
#[derive(Clone)]
pub struct State {
    /// The directory.
    pub engine: Engine,
    /// The operator's choices.
    pub settings: Arc<Settings>,
    /// Tokens of forms.
    pub csrf: Csrf,
}

impl BodyPolicy for State {
    fn refuse_body(&self, problem: BodyProblem) -> Response {
        Refusal::Body(problem).page(self, &RequestId::default())
    }
}

httpkit::routes! { State;
    get  ["/"]                    => pages::home::handle;
    get  ["/search"]              => pages::search::handle;
    get  ["/u/{name}"]            => pages::profile::handle;
    get  ["/avatars/{key}"]       => pages::avatar::handle;
    get  ["/u", "/u/"]            => pages::home::moved;
    get  ["/friends/{page}"]      => pages::people::handle;
    get  ["/friends", "/friends/"] => pages::people::moved;
    get  ["/barcode/{file}"]      => pages::barcode::handle;
    get  ["/add_ui"]              => pages::add::show;
    post ["/add_ui"]              => pages::add::submit;
    get  ["/edit_ui"]             => pages::edit::show;
    post ["/edit_ui"]             => pages::edit::submit;
    get  ["/robots.txt"]          => pages::files::robots;
    get  ["/static/{file}"]       => pages::files::handle;
}

/// The door whole: [`router`] with the headers that confine pages, and a page for methods that a path
/// does not have. Another door may answer such methods on the same path.
pub fn door(state: State) -> Router {
    let table = router(state.clone());
    with_page_headers(table.layer(from_fn_with_state(state, explain_method)))
}

/// The answer to a path that no door has: a page for a browser, a line for everything else.
pub async fn not_found(state: State, request: Request) -> Response {
    let accepts = request.headers().get_all(ACCEPT).iter();
    let is_browser = accepts
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("text/html"));
    if is_browser {
        let id = request.extensions().get().cloned().unwrap_or_default();
        confined(Refusal::NotFound.page(&state, &id)).await
    } else {
        (StatusCode::NOT_FOUND, "nothing here\n").into_response()
    }
}

/// Gives the empty 405 of the router a page.
async fn explain_method(
    axum::extract::State(state): axum::extract::State<State>,
    request: Request,
    next: Next,
) -> Response {
    let id: RequestId = request.extensions().get().cloned().unwrap_or_default();
    let response = next.run(request).await;
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let allow = response.headers().get(ALLOW).cloned();
    let mut page = Refusal::Method.page(&state, &id);
    if let Some(allow) = allow {
        page.headers_mut().insert(ALLOW, allow);
    }
    page
}
