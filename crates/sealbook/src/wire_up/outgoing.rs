//! What asks other servers, if anything does.

use std::sync::Arc;

use engine::ports::remote_names::RemoteNames;
use outbound::fetch::{FetchOptions, FetchSetupError, Fetcher};
use outbound::remote_names::ToxmeServers;
use outbound::resolve::SystemResolver;

use crate::config::Config;
use crate::failure::{Failure, chain};

/// The port for names at other domains; `None` when they are not looked up.
///
/// # Errors
/// When certificates or the resolver's configuration cannot be read.
pub(super) fn remote_names(config: &Config) -> Result<Option<Arc<dyn RemoteNames>>, Failure> {
    if !config.toxme.remote_lookups {
        return Ok(None);
    }
    let fetcher = Arc::new(fetcher(config)?);
    Ok(Some(Arc::new(ToxmeServers::new(fetcher))))
}

fn fetcher(config: &Config) -> Result<Fetcher, Failure> {
    if config.outbound.allow_private {
        tracing::warn!(
            "outbound.allow_private is on: clients can have this server reach private networks; \
             turn it off unless this is a test"
        );
    }
    let resolver = SystemResolver::new().map_err(|error| Failure::failed(chain(&error)))?;
    let options = FetchOptions {
        resolver: Arc::new(resolver),
        ca_file: config.outbound.ca_file.clone(),
        allow_private: config.outbound.allow_private,
        upstreams: config.services(),
        rests: config.limits.enabled,
        user_agent: user_agent(config),
    };
    Fetcher::new(options).map_err(|error| {
        let said = chain(&error);
        match error {
            FetchSetupError::CaFile { .. } | FetchSetupError::NoAuthority { .. } => {
                Failure::failed(format!("outbound.ca_file: {said}"))
            }
            FetchSetupError::Client(_) => Failure::failed(said),
        }
    })
}

/// Names the program, and where its operator can be found.
fn user_agent(config: &Config) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match &config.server.public_url {
        Some(url) => format!("sealbook/{version} (+{})", url.as_str()),
        None => format!("sealbook/{version}"),
    }
}
