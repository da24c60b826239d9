//! What asks other servers.

use std::sync::Arc;

use engine::ports::dns::TxtResolver;
use engine::ports::fetch::WebFetcher;
use engine::ports::remote_names::RemoteNames;
use outbound::dns::{NoNameServer, TxtRecords};
use outbound::fetch::{FetchOptions, FetchSetupError, Fetcher};
use outbound::remote_names::ToxmeServers;
use outbound::resolve::{NoHosts, Resolve, SystemResolver};

use super::checkers;
use crate::config::Config;
use crate::failure::{Failure, chain};

/// The ports that reach others.
pub(crate) struct Outgoing {
    pub(crate) web: Arc<dyn WebFetcher>,
    pub(crate) dns: Arc<dyn TxtResolver>,
}

impl Outgoing {
    /// The port for names at other domains; `None` when they are not looked up.
    pub(super) fn remote_names(&self, config: &Config) -> Option<Arc<dyn RemoteNames>> {
        let servers = || Arc::new(ToxmeServers::new(self.web.clone())) as Arc<dyn RemoteNames>;
        config.toxme.remote_lookups.then(servers)
    }
}

/// Sets everything up; connects to nothing yet. Must be called within a runtime.
///
/// # Errors
/// When certificates cannot be read, or `[outbound] resolver` cannot be used.
pub(crate) fn outgoing(config: &Config) -> Result<Outgoing, Failure> {
    let (hosts, dns) = resolvers(config)?;
    Ok(Outgoing {
        web: Arc::new(fetcher(config, hosts)?),
        dns,
    })
}

/// Who is asked for hosts, and who for TXT records.
type Resolvers = (Arc<dyn Resolve>, Arc<dyn TxtResolver>);

/// Those of the configuration, else of the system.
fn resolvers(config: &Config) -> Result<Resolvers, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::failed(chain(error));
    if let Some(server) = config.outbound.resolver {
        let hosts = SystemResolver::of_server(server.0).map_err(|error| failed(&error))?;
        let records = TxtRecords::of_server(server.0).map_err(|error| failed(&error))?;
        return Ok((Arc::new(hosts), Arc::new(records)));
    }
    match (SystemResolver::new(), TxtRecords::of_the_system()) {
        (Ok(hosts), Ok(records)) => Ok((Arc::new(hosts), Arc::new(records))),
        (Err(error), _) if config.toxme.remote_lookups => Err(failed(&error)),
        // Much of a directory needs nobody else.
        (hosts, records) => {
            let error = hosts.err().map(|error| chain(&error));
            let error = error.or_else(|| records.err().map(|error| chain(&error)));
            tracing::warn!(
                error,
                "no hosts can be resolved: proofs at other services cannot be checked"
            );
            Ok((Arc::new(NoHosts), Arc::new(NoNameServer)))
        }
    }
}

fn fetcher(config: &Config, resolver: Arc<dyn Resolve>) -> Result<Fetcher, Failure> {
    if config.outbound.allow_private {
        tracing::warn!(
            "outbound.allow_private is on: clients can have this server reach private networks; \
             turn it off unless this is a test"
        );
    }
    let mut upstreams = config.services();
    upstreams.extend(checkers::services(config)?);
    let options = FetchOptions {
        resolver,
        ca_file: config.outbound.ca_file.clone(),
        allow_private: config.outbound.allow_private,
        upstreams,
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
