//! The engine: ports and settings, and the services over them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use merkle::note::VerifierKey;
use tokio::sync::{Mutex, Notify};

use crate::chain::Chains;
use crate::claims::drafts::Drafts;
use crate::claims::index::ClaimIndex;
use crate::claims::recheck::Checks;
use crate::claims::upstreams::Upstreams;
use crate::claims::{self, Claims};
use crate::error::Internal;
use crate::log::Log;
use crate::log::head::Published;
use crate::log::pending::Pending;
use crate::log::state::SequencerState;
use crate::names::index::NameIndex;
use crate::names::remote::RemoteAnswers;
use crate::names::{Names, follow};
use crate::open::{self, OpenError};
use crate::ports::Ports;
use crate::ports::checker::ClaimChecker;
use crate::ports::rng::draw;
use crate::ports::store::Health;
use crate::processes::clock::Clock;
use crate::processes::{self, Process};
use crate::rate::FloodLimits;
use crate::tx::{Doubts, Effect, EffectSink, Unit};
use crate::types::{Label, Name, ProcessId, UnixMillis};

/// What an operator may choose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Home domain of names, lower case.
    pub domain: String,
    /// Origin line of the log; `None` takes the one it was created with, or makes one.
    pub origin: Option<String>,
    /// Host of the public URL, for the origin of a new log.
    pub public_host: Option<String>,
    /// Longest wait from one sequencer batch to the next while links are waiting.
    pub merge_delay: Duration,
    /// How long a released name is kept from others; `None` is for ever.
    pub release_after: Option<Duration>,
    /// Whether a new name must be sealed by the key of its Tox ID.
    pub strict_possession: bool,
    /// How long a claim holds before it is checked again; [`Duration::MAX`] is for ever.
    pub recheck_after: Duration,
    /// Whether rate limits apply.
    pub limits_enabled: bool,
}

/// The directory. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    ports: Ports,
    settings: Settings,
    origin: String,
    log_key: VerifierKey,
    process_id: ProcessId,
    clock: Clock,
    opened_at: UnixMillis,
    started: Duration,
    published: Published,
    pending: Pending,
    sequencer: SequencerState,
    jobs_wake: Notify,
    names: NameIndex,
    claims: ClaimIndex,
    upstreams: Upstreams,
    checks: Checks,
    followed_changes: Mutex<Option<u64>>,
    claim_doubts: Doubts<Label>,
    drafts: Drafts,
    remote_answers: RemoteAnswers,
    followed: Mutex<Option<u64>>,
    name_doubts: Doubts<Name>,
    lookups: AtomicU64,
    flood: FloodLimits,
}

impl Engine {
    /// Opens the directory in a store, or creates it in an empty one. Of several processes that do
    /// so at once one creates it. On a shared store the process is known to the others from then on.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(ports: Ports, settings: Settings) -> Result<Self, OpenError> {
        let clock = Clock::new(ports.timer.clone());
        clock.follow(&ports.store).await?;
        let meta = open::meta(&ports, &settings, clock.now()).await?;
        let log_key = open::log_key(&ports, &meta.origin)?;
        let started = ports.timer.monotonic();
        let flood = FloodLimits::new(ports.timer.clone(), settings.limits_enabled);
        let head = open::head(&ports).await?;
        let settings_limited = settings.limits_enabled;
        let inner = Inner {
            process_id: ProcessId(draw(ports.rng.as_ref())),
            opened_at: clock.now(),
            clock,
            ports,
            settings,
            origin: meta.origin,
            log_key,
            started,
            published: Published::new(head),
            pending: Pending::default(),
            sequencer: SequencerState::default(),
            upstreams: Upstreams::new(settings_limited),
            jobs_wake: Notify::new(),
            names: NameIndex::default(),
            claims: ClaimIndex::default(),
            checks: Checks::default(),
            followed_changes: Mutex::new(None),
            claim_doubts: Doubts::default(),
            drafts: Drafts::default(),
            remote_answers: RemoteAnswers::default(),
            followed: Mutex::new(None),
            name_doubts: Doubts::default(),
            lookups: AtomicU64::new(0),
            flood,
        };
        inner.sequencer.look_in_store();
        let engine = Self(Arc::new(inner));
        if engine.is_shared() {
            open::join(&engine).await?;
        }
        Ok(engine)
    }

    /// Names: register, release, look up, search.
    #[must_use]
    pub fn names(&self) -> Names<'_> {
        Names(self)
    }

    /// Claims: draft, make, revoke, find.
    #[must_use]
    pub fn claims(&self) -> Claims<'_> {
        Claims(self)
    }

    /// Sigchains.
    #[must_use]
    pub fn chains(&self) -> Chains<'_> {
        Chains(self)
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> Log<'_> {
        Log(self)
    }

    /// Loads the name index by one scan of the names table; search is refused until it is done. On a
    /// shared store the index follows the log from there on.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn load_names(&self) -> Result<(), Internal> {
        follow::load(self).await
    }

    /// Loads the index of claims by one scan of the avatars; a search by a part of an account's name is
    /// refused until it is done. On a shared store the index follows the feed of changes from there on.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn load_claims(&self) -> Result<(), Internal> {
        claims::follow::load(self).await
    }

    /// The processes that have the store open, or had it lately, this one among them; the others
    /// are known on a shared store. Three reads in one round trip.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn processes(&self) -> Result<Vec<Process>, Internal> {
        processes::seen_by(self).await
    }

    /// Whether reads and writes work, and if not, why.
    #[must_use]
    pub fn health(&self) -> Health {
        match self.0.published.halted() {
            Some(reason) => Health::ReadOnly(reason.into()),
            None => self.0.ports.store.health(),
        }
    }

    /// Looks at the remembered head of an earlier run: halts writes when the store is behind it.
    ///
    /// # Errors
    /// When the remembered bytes are no checkpoint that this log's key has signed, or the store
    /// cannot be read; nothing is halted then.
    pub async fn check_remembered(&self, note: &[u8]) -> Result<(), Internal> {
        open::check_remembered(self, note).await
    }

    pub(crate) fn unit(&self) -> Unit<'_> {
        let ports = &self.0.ports;
        Unit {
            store: &ports.store,
            timer: &ports.timer,
            rng: &ports.rng,
            sink: self,
        }
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.0.ports
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn origin(&self) -> &str {
        &self.0.origin
    }

    pub(crate) fn log_key(&self) -> &VerifierKey {
        &self.0.log_key
    }

    /// The time, by the clock all processes of a store follow. The only clock there is for what is
    /// stored, signed or compared with what other processes did; doors say by it how long ago things
    /// were.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.0.clock.now()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.0.ports.store.is_shared()
    }

    pub(crate) fn process_id(&self) -> ProcessId {
        self.0.process_id
    }

    pub(crate) fn opened_at(&self) -> UnixMillis {
        self.0.opened_at
    }

    pub(crate) fn published(&self) -> &Published {
        &self.0.published
    }

    pub(crate) fn pending(&self) -> &Pending {
        &self.0.pending
    }

    pub(crate) fn sequencer(&self) -> &SequencerState {
        &self.0.sequencer
    }

    pub(crate) fn jobs_wake(&self) -> &Notify {
        &self.0.jobs_wake
    }

    pub(crate) fn name_index(&self) -> &NameIndex {
        &self.0.names
    }

    pub(crate) fn claim_index(&self) -> &ClaimIndex {
        &self.0.claims
    }

    pub(crate) fn upstreams(&self) -> &Upstreams {
        &self.0.upstreams
    }

    pub(crate) fn checks(&self) -> &Checks {
        &self.0.checks
    }

    /// Number up to which the index of claims has followed the feed of changes; `None` until it is
    /// loaded. Who holds this changes the index from the store.
    pub(crate) fn followed_changes(&self) -> &Mutex<Option<u64>> {
        &self.0.followed_changes
    }

    /// Avatars of whose change it is not known whether the store has it.
    pub(crate) fn claim_doubts(&self) -> &Doubts<Label> {
        &self.0.claim_doubts
    }

    pub(crate) fn drafts(&self) -> &Drafts {
        &self.0.drafts
    }

    /// The checker of a service; `None` when there is none.
    pub(crate) fn checker(&self, service: &str) -> Option<&Arc<dyn ClaimChecker>> {
        let mut checkers = self.0.ports.checkers.iter();
        checkers.find(|checker| checker.service() == service)
    }

    pub(crate) fn remote_answers(&self) -> &RemoteAnswers {
        &self.0.remote_answers
    }

    /// Size of the log up to which the name index has followed it; `None` until it is loaded. Who
    /// holds this changes the index from the store.
    pub(crate) fn followed(&self) -> &Mutex<Option<u64>> {
        &self.0.followed
    }

    /// Names of whose change it is not known whether the store has it.
    pub(crate) fn name_doubts(&self) -> &Doubts<Name> {
        &self.0.name_doubts
    }

    pub(crate) fn flood(&self) -> &FloodLimits {
        &self.0.flood
    }

    pub(crate) fn count_lookup(&self) {
        self.0.lookups.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn lookups(&self) -> u64 {
        self.0.lookups.load(Ordering::Relaxed)
    }

    /// Time since the engine was opened.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.0
            .ports
            .timer
            .monotonic()
            .saturating_sub(self.0.started)
    }
}

impl EffectSink for Engine {
    fn apply(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                // A follower leaves it in the store, to whoever leads.
                Effect::EntryQueued(_) if self.0.sequencer.follows() => {}
                Effect::EntryQueued(entry) => {
                    if !self.0.pending.push(entry) {
                        self.0.sequencer.look_in_store();
                    }
                }
                Effect::JobQueued => self.0.jobs_wake.notify_one(),
                Effect::NameChanged(change) => self.0.names.apply(&change),
                Effect::ClaimsChanged(label, row) => self.0.claims.apply(label, &row),
            }
        }
    }

    fn doubt(&self, effects: Vec<Effect>) {
        let now = self.0.ports.timer.monotonic();
        for effect in effects {
            match effect {
                // On a shared store the log tells what became of it.
                Effect::NameChanged(_) | Effect::ClaimsChanged(..) if self.is_shared() => {}
                Effect::NameChanged(change) => self.0.name_doubts.add(change.name, now),
                Effect::ClaimsChanged(label, _) => self.0.claim_doubts.add(label, now),
                Effect::EntryQueued(_) | Effect::JobQueued => {}
            }
        }
        self.0.sequencer.doubt(now);
        self.0.pending.wake();
    }

    fn halted(&self) -> Option<&str> {
        self.0.published.halted()
    }
}
