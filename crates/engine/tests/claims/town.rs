//! Avatars, services to post at, and processes that sequence while somebody waits.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use crypto::secp256k1::{Signature, SigningKey, personal_digest, recover};
use crypto::secret::Secret;
use engine::claims::{
    AvatarView, Caller, ClaimError, ClaimView, Draft, Order, Posted, Posting, Prepared, Query, Sort,
};
use engine::nextid::{decode_base64, encode_signature};
use engine::ports::Ports;
use engine::ports::archive::Archive;
use engine::ports::checker::{
    CheckWorld, ClaimChecker, Claimed, Extra, Failure, Found, Needs, Refusal,
};
use engine::ports::store::Store;
use engine::ports::timer::Timer;
use engine::reconcile::Reconciler;
use engine::types::{Avatar, ClaimAction};
use engine::{Engine, Settings};
use testkit::{FixedClock, SeededRng, World, default_settings, is_in_memory};
use tokio::task::yield_now;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// A service. One called `wallet` has accounts that sign themselves, one called `nextid` has avatars
/// as accounts; at the others accounts post.
pub(crate) struct Service {
    name: &'static str,
    pub(crate) state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    /// Location to author and signatures.
    pub(crate) posts: BTreeMap<String, (String, Vec<Vec<u8>>)>,
    /// What it does instead of answering, first come first.
    pub(crate) moods: VecDeque<Failure>,
    /// It never answers.
    pub(crate) is_away: bool,
    /// Checks it was asked for, and how many of them in the background.
    pub(crate) asked: usize,
    pub(crate) in_background: usize,
    /// What a resolver says of the records.
    pub(crate) dnssec: Option<bool>,
    /// What it says the account's other name is.
    pub(crate) alt_ids: BTreeMap<String, String>,
}

impl Service {
    pub(crate) fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self {
            name,
            state: Mutex::default(),
        })
    }

    pub(crate) fn post(&self, location: &str, author: &str, signatures: &[Vec<u8>]) {
        let post = (author.to_owned(), signatures.to_vec());
        self.with(|state| state.posts.insert(location.to_owned(), post));
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    /// How often it was asked since this was called last.
    pub(crate) fn asked(&self) -> usize {
        self.with(|state| std::mem::take(&mut state.asked))
    }

    fn wallet(claim: &Claimed<'_>) -> Option<Vec<u8>> {
        let given = decode_base64(claim.extra.wallet_signature.as_deref()?)?;
        let signature = Signature::parse(&given).ok()?;
        let key = recover(&signature, &personal_digest(claim.payload.as_bytes())).ok()?;
        (wallet_name(&Avatar::from(key)) == claim.identity).then_some(given)
    }

    fn target(claim: &Claimed<'_>) -> bool {
        let target = Avatar::parse(claim.identity).unwrap();
        let given = claim
            .extra
            .target_signature
            .as_deref()
            .and_then(decode_base64);
        let given = given.and_then(|given| Signature::parse(&given).ok());
        let digest = personal_digest(claim.payload.as_bytes());
        given.is_some_and(|given| target.key().verify(&digest, &given).is_ok())
    }
}

/// The account of an avatar's key at the service `wallet`.
pub(crate) fn wallet_name(avatar: &Avatar) -> String {
    let digits = avatar.address().map(|byte| format!("{byte:02x}"));
    format!("0x{}", digits.concat())
}

fn refused<T>(failure: Failure, reason: &str) -> Result<T, Refusal> {
    Err(Refusal::new(failure, reason))
}

#[async_trait]
impl ClaimChecker for Service {
    fn service(&self) -> &str {
        self.name
    }

    fn needs(&self) -> Needs {
        Needs {
            persona: matches!(self.name, "wallet" | "nextid"),
            location: self.name == "github",
            wallet_delete: self.name == "wallet",
        }
    }

    async fn normalise(&self, identity: &str, _: &CheckWorld<'_>) -> Result<String, Refusal> {
        match self.name {
            "nextid" => match Avatar::parse(identity) {
                Some(avatar) => Ok(avatar.to_string()),
                None => refused(Failure::Malformed, "no avatar"),
            },
            // Keeps its case, as some services do.
            "dns" => Ok(identity.to_owned()),
            _ => Ok(identity.to_lowercase()),
        }
    }

    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let away = self.with(|state| {
            state.asked += 1;
            state.in_background += usize::from(world.is_background);
            state.is_away
        });
        if away {
            std::future::pending::<()>().await;
        }
        if let Some(mood) = self.with(|state| state.moods.pop_front()) {
            return refused(mood, "it is in a mood");
        }
        let own = || {
            claim
                .extra
                .signature
                .clone()
                .into_iter()
                .collect::<Vec<_>>()
        };
        let signatures = match self.name {
            "wallet" if Self::wallet(claim).is_none() => {
                return refused(Failure::BadSignature, "not signed by this wallet");
            }
            "nextid" if !Self::target(claim) => {
                return refused(Failure::BadSignature, "not signed by this avatar");
            }
            "wallet" | "nextid" => own(),
            _ => {
                let location = claim.location.unwrap_or(claim.identity);
                let post = self.with(|state| state.posts.get(location).cloned());
                let Some((author, signatures)) = post else {
                    return refused(Failure::NotFound, "no such post");
                };
                if author != claim.identity {
                    return refused(Failure::WrongAuthor, "somebody else wrote it");
                }
                if signatures.is_empty() {
                    return refused(Failure::TextMissing, "no signature in it");
                }
                signatures
            }
        };
        let alt_id = self.with(|state| state.alt_ids.get(claim.identity).cloned());
        Ok(Found {
            signatures,
            alt_id: alt_id.unwrap_or_else(|| claim.identity.to_owned()),
            location: claim.location.unwrap_or_default().to_owned(),
            dnssec: self.with(|state| state.dnssec),
        })
    }

    fn delete_by_wallet(&self, claim: &Claimed<'_>) -> Option<Result<Vec<u8>, Refusal>> {
        if self.name != "wallet" {
            return None;
        }
        claim.extra.wallet_signature.as_ref()?;
        Some(
            Self::wallet(claim)
                .ok_or_else(|| Refusal::new(Failure::BadSignature, "not signed by this wallet")),
        )
    }
}

/// An avatar and its secret.
pub(crate) struct Persona(SigningKey);

impl Persona {
    pub(crate) fn new(byte: u8) -> Self {
        Self::of([byte; 32])
    }

    pub(crate) fn of(secret: [u8; 32]) -> Self {
        Self(SigningKey::from_secret(Secret::new(secret)).unwrap())
    }

    pub(crate) fn avatar(&self) -> Avatar {
        Avatar::from(*self.0.public())
    }

    pub(crate) fn sign(&self, payload: &str) -> Vec<u8> {
        self.0.sign_personal(payload.as_bytes()).as_bytes().to_vec()
    }

    pub(crate) fn sign_text(&self, payload: &str) -> String {
        encode_signature(&self.sign(payload))
    }
}

/// Processes over one store, and the services they check.
pub(crate) struct Town {
    pub(crate) worlds: Vec<World>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) services: Vec<Arc<Service>>,
    pub(crate) settings: Settings,
    /// Where processes that join from now on archive links.
    pub(crate) archive: Option<Arc<dyn Archive>>,
    /// Processes there were, so that each draws numbers of its own.
    processes: u64,
}

/// Settings of a town: no limits, sequenced at once.
pub(crate) fn settings() -> Settings {
    Settings {
        merge_delay: Duration::ZERO,
        limits_enabled: false,
        ..default_settings()
    }
}

impl Town {
    /// One process over a store of its own.
    pub(crate) async fn new() -> Self {
        Self::with(settings()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let clock = World::start_clock();
        let store = testkit::empty_store(&clock).await;
        let mut town = Self::over(store, clock, settings);
        town.join().await;
        town
    }

    /// One process that checks claims of these services.
    pub(crate) async fn named(services: &[&'static str]) -> Self {
        let clock = World::start_clock();
        let store = testkit::empty_store(&clock).await;
        let mut town = Self::over(store, clock, settings());
        town.services = services.iter().map(|name| Service::new(name)).collect();
        town.join().await;
        town
    }

    /// This many processes over a shared store.
    pub(crate) async fn of(processes: usize) -> Self {
        let clock = World::start_clock();
        let store = testkit::empty_shared_store(&clock).await;
        let mut town = Self::over(store, clock, settings());
        for _ in 0..processes {
            town.join().await;
        }
        town
    }

    /// No process yet.
    pub(crate) fn over(store: Arc<dyn Store>, clock: Arc<FixedClock>, settings: Settings) -> Self {
        let services = ["github", "dns", "wallet", "nextid"].map(Service::new);
        Self {
            worlds: Vec::new(),
            clock,
            store,
            services: services.to_vec(),
            settings,
            archive: None,
            processes: 0,
        }
    }

    /// One more process, as the first one is restarted where there may be one only.
    pub(crate) async fn join(&mut self) {
        self.join_over(self.store.clone()).await;
    }

    pub(crate) async fn join_over(&mut self, store: Arc<dyn Store>) {
        self.processes += 1;
        let seed = self.processes;
        let checker = |service: &Arc<Service>| service.clone() as Arc<dyn ClaimChecker>;
        let ports = Ports {
            rng: Arc::new(SeededRng::new(seed << 32)),
            checkers: self.services.iter().map(checker).collect(),
            archive: self.archive.clone(),
            ..World::ports(store.clone(), self.clock.clone())
        };
        let engine = Engine::open(ports, self.settings.clone()).await.unwrap();
        engine.load_names().await.unwrap();
        engine.load_claims().await.unwrap();
        self.worlds.push(World {
            engine,
            clock: self.clock.clone(),
            store,
        });
    }

    /// The first process.
    pub(crate) fn engine(&self) -> &Engine {
        &self.worlds[0].engine
    }

    pub(crate) fn service(&self, name: &str) -> &Service {
        let mut services = self.services.iter();
        services.find(|service| service.name == name).unwrap()
    }

    /// Sequences and publishes on every process, and lets 50 ms pass; 1 ms where the store is not in
    /// memory.
    pub(crate) async fn step(&self) {
        for _ in 0..8 {
            yield_now().await;
        }
        for world in &self.worlds {
            for reconciler in [
                Reconciler::Sequence,
                Reconciler::Publish,
                Reconciler::Follow,
            ] {
                if reconciler.is_needed(&world.engine) {
                    // A process that cannot goes on when it can.
                    let _done = reconciler.tick(&world.engine).await;
                }
            }
        }
        // A store on a disk takes its own time, which the clock of a test must not outrun.
        let step = if is_in_memory() { 50 } else { 1 };
        self.clock.advance(Duration::from_millis(step));
    }

    /// Lets time pass until something is so.
    pub(crate) async fn until(&self, mut is_so: impl FnMut() -> bool) {
        while !is_so() {
            self.step().await;
        }
    }

    /// Waits for something while time passes.
    pub(crate) async fn during<T>(&self, asked: impl Future<Output = T>) -> T {
        let mut asked = pin!(asked);
        loop {
            tokio::select! {
                biased;
                done = &mut asked => return done,
                () = self.step() => {}
            }
        }
    }

    /// Waits for something that hangs: once a service was asked, this much time passes at once.
    pub(crate) async fn hanging<T>(
        &self,
        asked: impl Future<Output = T>,
        service: &str,
        time: Duration,
    ) -> T {
        let mut asked = pin!(asked);
        let service = self.service(service);
        tokio::select! {
            biased;
            _ = &mut asked => unreachable!("it hangs"),
            () = self.until(|| service.asked() > 0) => {}
        }
        self.clock.advance(time);
        self.during(asked).await
    }

    /// Checks what is due, or was read and overdue, on every process.
    pub(crate) async fn recheck(&self) {
        for world in &self.worlds {
            let tick = Reconciler::Recheck.tick(&world.engine);
            self.during(tick).await.unwrap();
        }
    }

    pub(crate) async fn prepare(
        &self,
        by: &Persona,
        action: ClaimAction,
        service: &str,
        identity: &str,
    ) -> Prepared {
        let draft = Draft {
            action,
            service: service.to_owned(),
            identity: identity.to_owned(),
            avatar: by.avatar(),
        };
        let claims = self.engine().claims();
        claims.prepare(&World::caller(1), &draft).await.unwrap()
    }

    pub(crate) async fn post(&self, posting: &Posting) -> Result<Posted, ClaimError> {
        self.post_at(0, posting).await
    }

    /// Posts at one of the processes.
    pub(crate) async fn post_at(
        &self,
        process: usize,
        posting: &Posting,
    ) -> Result<Posted, ClaimError> {
        let claims = self.worlds[process].engine.claims();
        let caller = World::caller(1);
        self.during(claims.post(&caller, posting)).await
    }

    /// What a client does to make a claim, up to the post.
    pub(crate) async fn ready(&self, by: &Persona, service: &str, identity: &str) -> Posting {
        let prepared = self
            .prepare(by, ClaimAction::Create, service, identity)
            .await;
        let location = format!("at-{}", prepared.uuid);
        let signature = by.sign(&prepared.payload);
        match service {
            "github" => {
                let post = [signature.clone()];
                self.service(service)
                    .post(&location, &prepared.identity, &post);
            }
            "dns" => {
                let post = [signature.clone()];
                self.service(service)
                    .post(&prepared.identity, &prepared.identity, &post);
            }
            _ => {}
        }
        let location = if service == "github" {
            location
        } else {
            String::new()
        };
        let in_request = matches!(service, "wallet" | "nextid");
        posting(by, ClaimAction::Create, service, &prepared).with(|posting| {
            posting.location = location;
            posting.extra.signature = in_request.then_some(signature);
        })
    }

    /// Makes a claim of an account that posts.
    pub(crate) async fn create(&self, by: &Persona, service: &str, identity: &str) -> Posted {
        let posting = self.ready(by, service, identity).await;
        self.post(&posting).await.unwrap()
    }

    /// Revokes a claim by the avatar's signature.
    pub(crate) async fn delete(
        &self,
        by: &Persona,
        service: &str,
        identity: &str,
    ) -> Result<Posted, ClaimError> {
        let prepared = self
            .prepare(by, ClaimAction::Delete, service, identity)
            .await;
        let signature = by.sign(&prepared.payload);
        let posting = posting(by, ClaimAction::Delete, service, &prepared)
            .with(|posting| posting.extra.signature = Some(signature));
        self.post(&posting).await
    }

    pub(crate) async fn claim(
        &self,
        by: &Persona,
        service: &str,
        identity: &str,
    ) -> Option<ClaimView> {
        let claims = self.engine().claims();
        let found = claims.exists(service, identity, &by.avatar()).await;
        found.unwrap()
    }

    /// All there is of an avatar, on a process.
    pub(crate) async fn view_at(&self, process: usize, of: &Persona) -> Option<AvatarView> {
        let query = Query {
            service: Some("nextid".to_owned()),
            ..query(&of.avatar().to_string())
        };
        let claims = self.worlds[process].engine.claims();
        claims.find(&query).await.unwrap().avatars.pop()
    }

    pub(crate) fn clock_now(&self) -> Duration {
        self.clock.monotonic()
    }

    pub(crate) fn now_seconds(&self) -> u64 {
        self.clock.now().seconds()
    }
}

/// How often a property is tried, of so many times in memory: a store on a disk takes its time.
pub(crate) fn cases(in_memory: u32) -> u32 {
    if is_in_memory() {
        in_memory
    } else {
        in_memory / 6
    }
}

/// A query for one account, as whoever knows it makes it.
pub(crate) fn query(identity: &str) -> Query {
    Query {
        service: None,
        identities: vec![identity.to_owned()],
        exact: true,
        page: 1,
        per: 40,
        sort: Sort::Default,
        order: Order::Desc,
    }
}

/// A request without signatures for what was prepared.
pub(crate) fn posting(
    by: &Persona,
    action: ClaimAction,
    service: &str,
    prepared: &Prepared,
) -> Posting {
    Posting {
        action,
        service: service.to_owned(),
        identity: prepared.identity.clone(),
        location: String::new(),
        avatar: by.avatar(),
        uuid: prepared.uuid,
        created_at: prepared.created_at,
        extra: Extra::default(),
    }
}

/// Changes a value in passing.
pub(crate) trait With: Sized {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl With for Posting {}
impl With for Query {}

/// The address every test posts from.
pub(crate) fn caller() -> Caller {
    World::caller(1)
}
