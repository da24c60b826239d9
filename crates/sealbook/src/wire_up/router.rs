//! Every door on one router, and what requests go through before they reach one.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use engine::Engine;
use engine::ports::rng::{Rng, draw};
use engine::ports::timer::Timer;
use httpkit::client_ip::ClientPolicy;
use httpkit::clock::Clock;
use httpkit::csrf::Csrf;
use httpkit::limits::with_timeout;
use httpkit::log::RequestLog;
use httpkit::routes::Route;
use httpkit::stack;
use outbound::system::{OsRng, SystemTimer};

use crate::config::Config;
use crate::failure::{Failure, chain};
use crate::health;
use crate::metrics::{self, Metrics};
use crate::{BUILT_AT, COMMIT};

/// Time a request has, its body included.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// Every door on one router.
pub(super) fn doors(config: &Config, engine: &Engine, health: Router) -> Router {
    let tlog = door_tlog::State {
        engine: engine.clone(),
    };
    let toxme = door_toxme::State {
        engine: engine.clone(),
        settings: door_toxme::Settings {
            require_secure: config.toxme.require_secure,
        },
    };
    let doors = health
        .merge(door_toxme::router(toxme))
        .merge(door_tlog::router(tlog))
        .merge(door_proofservice::door(proofs(config, engine)))
        .merge(crate::openapi::router(()));
    if !config.web.enabled {
        return doors.fallback(async |request: Request| {
            match door_proofservice::unlisted(&request) {
                Some(answer) => answer,
                None => nothing_here().await.into_response(),
            }
        });
    }
    let web = web(config, engine);
    doors
        .merge(door_web::door(web.clone()))
        .fallback(
            async move |request: Request| match door_proofservice::unlisted(&request) {
                Some(answer) => answer,
                None => door_web::not_found(web.clone(), request).await,
            },
        )
}

/// What the ProofService API needs.
fn proofs(config: &Config, engine: &Engine) -> door_proofservice::State {
    let revision = if COMMIT == "unknown" {
        "UNKNOWN"
    } else {
        COMMIT
    };
    door_proofservice::State {
        engine: engine.clone(),
        settings: Arc::new(door_proofservice::Settings {
            page_size: config.proofs.page_size.0,
            environment: config.proofs.environment.as_str().to_owned(),
            revision: revision.to_owned(),
            built_at: BUILT_AT.to_owned(),
        }),
    }
}

/// What the pages need.
fn web(config: &Config, engine: &Engine) -> door_web::State {
    let public_url = config.server.public_url.as_ref();
    let public_url = public_url.map(|url| url.as_str().to_owned());
    let draw_token = || draw(&OsRng as &dyn Rng);
    let (title, contact) = (&config.web.title, &config.web.contact);
    door_web::State {
        engine: engine.clone(),
        csrf: Csrf::new(draw_token, public_url.clone()),
        settings: Arc::new(door_web::Settings {
            require_secure: config.toxme.require_secure,
            has_people: config.web.people,
            title: title.as_ref().map(|title| title.as_str().to_owned()),
            contact: contact.as_ref().map(|contact| contact.as_str().to_owned()),
            public_url,
            release_after: config.names.release_after.0,
        }),
    }
}

pub(super) async fn nothing_here() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "nothing here\n")
}

/// The route table of each API, by its name in logs and metrics.
const APIS: &[(&str, &[Route])] = &[
    ("toxme", door_toxme::ROUTES),
    ("log", door_tlog::ROUTES),
    ("proofservice", door_proofservice::ROUTES),
    ("web", door_web::ROUTES),
    ("server", health::ROUTES),
    ("server", metrics::ROUTES),
    ("server", crate::openapi::ROUTES),
];

/// What every request goes through before it reaches a door.
///
/// # Errors
/// When the counts cannot be registered.
pub(super) fn wrapped(
    config: &Config,
    timer: SystemTimer,
    router: Router,
    metrics: &Metrics,
) -> Result<Router, Failure> {
    let clock =
        Clock::new(move || u64::try_from(timer.monotonic().as_micros()).unwrap_or(u64::MAX));
    let is_local_trial = config.server.public_url.is_none();
    let trusted = config.server.trusted_proxies.trusted();
    let clients = ClientPolicy::new(trusted, is_local_trial, &clock);
    let ids_from = u64::from_be_bytes(draw(&OsRng as &dyn Rng));
    let requests = metrics.requests(APIS);
    let requests = requests.map_err(|error| Failure::failed(chain(&error)))?;
    let log = RequestLog::new(clock, config.log.ip.0, requests, ids_from);
    let router = with_timeout(router, REQUEST_TIME, too_late);
    Ok(stack::wrap(router, Arc::new(clients), Arc::new(log)))
}

fn too_late() -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "the request took too long\n",
    )
        .into_response()
}
