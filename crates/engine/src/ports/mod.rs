//! What the engine needs of the world: traits only. Adapters live in `store` and `outbound`.

use std::sync::Arc;

use crypto::secret::Secret;

pub mod archive;
pub mod checker;
pub mod dns;
pub mod fetch;
pub mod keys;
pub mod remote_names;
pub mod rng;
pub mod store;
pub mod timer;

/// Everything the engine is given at start-up.
pub struct Ports {
    /// State.
    pub store: Arc<dyn store::Store>,
    /// Time.
    pub timer: Arc<dyn timer::Timer>,
    /// Randomness.
    pub rng: Arc<dyn rng::Rng>,
    /// Signs checkpoints, nothing else.
    pub log_signer: Arc<dyn keys::Signer>,
    /// Signs memorabilia, nothing else.
    pub record_signer: Arc<dyn keys::Signer>,
    /// Opens sealed requests.
    pub box_key: Arc<dyn keys::BoxKey>,
    /// Asks for names at other domains; `None` when they are not looked up.
    pub remote_names: Option<Arc<dyn remote_names::RemoteNames>>,
    /// Asks other servers over HTTP; `None` when nothing needs it.
    pub web: Option<Arc<dyn fetch::WebFetcher>>,
    /// Asks for TXT records; `None` when nothing needs it.
    pub dns: Option<Arc<dyn dns::TxtResolver>>,
    /// One for each service whose claims can be checked.
    pub checkers: Vec<Arc<dyn checker::ClaimChecker>>,
    /// Takes copies of links; `None` when there are none.
    pub archive: Option<Arc<dyn archive::Archive>>,
    /// Keys the labels of private handles.
    pub label_key: Secret<[u8; 32]>,
    /// Keys hashes of passwords and of released names.
    pub pepper: Secret<[u8; 32]>,
}
