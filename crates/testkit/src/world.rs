//! The world.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use crypto::secret::Secret;
use engine::names::{AddForm, Caller};
use engine::ports::Ports;
use engine::ports::checker::ClaimChecker;
use engine::ports::remote_names::RemoteNames;
use engine::ports::store::Store;
use engine::ports::timer::Timer;
use engine::reconcile::{Progress, Reconciler};
use engine::types::Visibility;
use engine::{Engine, OpenError, Settings};

use crate::{
    FakeService, FixedBoxKey, FixedClock, FixedSigner, Nowhere, SeededRng, ToxClient, empty_store,
};

/// When a world begins: 2014-05-13T16:53:20Z.
const START_MS: u64 = 1_400_000_000_000;

/// An engine and what it stands on.
pub struct World {
    /// The engine.
    pub engine: Engine,
    /// Its clock.
    pub clock: Arc<FixedClock>,
    /// Its store.
    pub store: Arc<dyn Store>,
}

/// Settings of a test: home domain `example.test`, everything strict, limits on.
#[must_use]
pub fn default_settings() -> Settings {
    Settings {
        domain: "example.test".into(),
        origin: Some("example.test/log".into()),
        public_host: None,
        merge_delay: Duration::from_millis(200),
        release_after: Some(Duration::from_secs(30 * 24 * 3600)),
        strict_possession: true,
        recheck_after: Duration::from_secs(3 * 24 * 3600),
        limits_enabled: true,
    }
}

impl World {
    /// A new directory in an [`empty_store`].
    pub async fn new() -> Self {
        Self::with(default_settings()).await
    }

    /// The same with these settings.
    pub async fn with(settings: Settings) -> Self {
        let clock = Self::start_clock();
        let store = empty_store(&clock).await;
        Self::join(store, clock, settings, 0).await
    }

    /// A directory in this store, its name index loaded.
    pub async fn over(store: Arc<dyn Store>, settings: Settings) -> Self {
        Self::join(store, Self::start_clock(), settings, 0).await
    }

    /// A process of its own over a store and a clock that others may share, or that an earlier
    /// process left behind; `seed` tells its randomness from theirs.
    pub async fn join(
        store: Arc<dyn Store>,
        clock: Arc<FixedClock>,
        settings: Settings,
        seed: u64,
    ) -> Self {
        let ports = Ports {
            rng: Arc::new(SeededRng::new(seed << 32)),
            ..Self::ports(store, clock.clone())
        };
        Self::start(ports, clock, settings).await
    }

    /// A new directory that asks for names at other domains.
    pub async fn asking(remote: Arc<dyn RemoteNames>, settings: Settings) -> Self {
        let clock = Self::start_clock();
        let ports = Ports {
            remote_names: Some(remote),
            ..Self::ports(empty_store(&clock).await, clock.clone())
        };
        Self::start(ports, clock, settings).await
    }

    /// A new directory that checks claims of these services.
    pub async fn checking(services: &[Arc<FakeService>], settings: Settings) -> Self {
        let clock = Self::start_clock();
        let store = empty_store(&clock).await;
        Self::checking_over(store, clock, services, settings).await
    }

    /// The same over a store.
    pub async fn checking_over(
        store: Arc<dyn Store>,
        clock: Arc<FixedClock>,
        services: &[Arc<FakeService>],
        settings: Settings,
    ) -> Self {
        let checker = |service: &Arc<FakeService>| service.clone() as Arc<dyn ClaimChecker>;
        let ports = Ports {
            web: Some(Arc::new(Nowhere)),
            dns: Some(Arc::new(Nowhere)),
            checkers: services.iter().map(checker).collect(),
            ..Self::ports(store, clock.clone())
        };
        Self::start(ports, clock, settings).await
    }

    async fn start(ports: Ports, clock: Arc<FixedClock>, settings: Settings) -> Self {
        let store = ports.store.clone();
        let engine = Engine::open(ports, settings).await;
        let engine = engine.expect("a test's directory opens");
        engine.load_names().await.expect("a test's names load");
        engine.load_claims().await.expect("a test's claims load");
        Self {
            engine,
            clock,
            store,
        }
    }

    /// Opens a directory with the keys every test uses.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub async fn open(
        store: Arc<dyn Store>,
        clock: Arc<FixedClock>,
        settings: Settings,
    ) -> Result<Engine, OpenError> {
        Engine::open(Self::ports(store, clock), settings).await
    }

    /// A clock that stands where a world begins: 2014-05-13T16:53:20Z.
    #[must_use]
    pub fn start_clock() -> Arc<FixedClock> {
        Arc::new(FixedClock::at(START_MS))
    }

    /// The ports every test uses.
    #[must_use]
    pub fn ports(store: Arc<dyn Store>, clock: Arc<FixedClock>) -> Ports {
        Ports {
            store,
            timer: clock,
            rng: Arc::new(SeededRng::new(0)),
            log_signer: Arc::new(FixedSigner::new([1; 32])),
            record_signer: Arc::new(FixedSigner::new(Self::record_seed())),
            box_key: Arc::new(FixedBoxKey::new(Self::record_seed())),
            remote_names: None,
            web: None,
            dns: None,
            checkers: Vec::new(),
            archive: None,
            label_key: Secret::new([3; 32]),
            pepper: Secret::new([4; 32]),
        }
    }

    /// Seed 00..1f, the one the toxme vectors are made with.
    #[must_use]
    pub fn record_seed() -> [u8; 32] {
        std::array::from_fn(|at| u8::try_from(at).expect("below 32"))
    }

    /// Now, in whole seconds.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.clock.now().seconds()
    }

    /// A Tox client of this directory.
    #[must_use]
    pub fn client(&self, byte: u8) -> ToxClient {
        ToxClient::new(byte, self.engine.names().box_key())
    }

    /// A caller with an address of its own.
    #[must_use]
    pub fn caller(byte: u8) -> Caller {
        Caller {
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, byte)),
        }
    }

    /// Adds a listed name as the web form does, for a Tox ID that nobody proves to hold; answers its
    /// edit password.
    ///
    /// # Panics
    /// When the directory refuses.
    pub async fn add_by_form(&self, name: &str, tox_id: &str) -> String {
        let form = AddForm {
            name,
            tox_id,
            bio: "by form",
            visibility: Visibility::Listed,
        };
        let added = self.engine.names().add(&Self::caller(1), form).await;
        let password = added.expect("the form is accepted").password;
        let password = password.expect("a new name has a password");
        password.expose().clone()
    }

    /// Runs a reconciler until it has nothing more to do.
    pub async fn settle(&self, reconciler: Reconciler) {
        while reconciler
            .tick(&self.engine)
            .await
            .expect("a test's reconciler runs")
            == Progress::MoreNow
        {
            self.clock.advance(Duration::from_secs(1));
        }
    }

    /// Sequences and publishes everything that waits.
    pub async fn sequence(&self) {
        self.clock.advance(Duration::from_secs(1));
        self.settle(Reconciler::Sequence).await;
    }
}
