//! The engine: ports and settings, and the services over them.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use merkle::note::VerifierKey;
use tokio::sync::{Mutex, MutexGuard, Notify};

use crate::chain::Chains;
use crate::error::Internal;
use crate::limits::{BATCH_ENTRIES_MAX, INDEX_LOAD_ROWS, INTENT_LOOK_PERIOD};
use crate::log::Log;
use crate::log::head::Published;
use crate::log::pending::Pending;
use crate::names::Names;
use crate::names::index::NameIndex;
use crate::open::{self, OpenError};
use crate::ports::Ports;
use crate::ports::rng::draw;
use crate::ports::store::{Health, Key};
use crate::rate::FloodLimits;
use crate::tables::NAMES;
use crate::tx::{Effect, EffectSink, Unit, scan_table};
use crate::types::Visibility;

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
    /// Whether rate limits apply.
    pub limits_enabled: bool,
    /// Processes that share the flood limits.
    pub processes: NonZeroU32,
}

/// The directory. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    ports: Ports,
    settings: Settings,
    origin: String,
    log_key: VerifierKey,
    process_id: [u8; 16],
    started: Duration,
    published: Published,
    pending: Pending,
    sequencer: SequencerState,
    jobs_wake: Notify,
    names: NameIndex,
    lookups: AtomicU64,
    flood: FloodLimits,
}

/// What the sequencer of this process remembers between batches.
#[derive(Default)]
pub(crate) struct SequencerState {
    /// Whether the store may hold intents that the queue does not.
    rescan: AtomicBool,
    /// When it was last looked for, by the monotonic clock.
    looked: StdMutex<Option<Duration>>,
    /// When the last batch that sequenced something started, by the monotonic clock.
    last_start: Mutex<Option<Duration>>,
    turn: Mutex<()>,
}

impl SequencerState {
    /// One batch at a time.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Has the next run look for intents in the store.
    pub(crate) fn look_in_store(&self) {
        self.rescan.store(true, Ordering::Release);
    }

    /// Whether to look now: because somebody asked, or because other processes may have written
    /// intents since the last look, however busy this one is.
    pub(crate) fn is_time_to_look(&self, now: Duration) -> bool {
        let asked = self.rescan.swap(false, Ordering::AcqRel);
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let due = looked.is_none_or(|last| now.saturating_sub(last) >= INTENT_LOOK_PERIOD);
        if asked || due {
            *looked = Some(now);
        }
        asked || due
    }

    /// Waits until the merge delay since the last batch's start is over, or a whole batch waits.
    /// Answers the start of this one.
    pub(crate) async fn pace(&self, engine: &Engine) -> Duration {
        let timer = &engine.ports().timer;
        let last_start = *self.last_start.lock().await;
        if let Some(last) = last_start {
            let next = last.saturating_add(engine.settings().merge_delay);
            while engine.pending().len() < BATCH_ENTRIES_MAX {
                let left = next.saturating_sub(timer.monotonic());
                if left.is_zero() {
                    break;
                }
                tokio::select! {
                    () = timer.sleep(left) => {}
                    () = engine.pending().woken() => {}
                }
            }
        }
        timer.monotonic()
    }

    /// Notes that the batch that started then has sequenced something.
    pub(crate) async fn paced(&self, start: Duration) {
        *self.last_start.lock().await = Some(start);
    }
}

impl Engine {
    /// Opens the directory in a store, or creates it in an empty one.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn open(ports: Ports, settings: Settings) -> Result<Self, OpenError> {
        let meta = open::meta(&ports, &settings).await?;
        let log_key = open::log_key(&ports, &meta.origin)?;
        let started = ports.timer.monotonic();
        let (limits, processes) = (settings.limits_enabled, settings.processes);
        let flood = FloodLimits::new(ports.timer.clone(), limits, processes);
        let head = open::head(&ports).await?;
        let inner = Inner {
            process_id: draw(ports.rng.as_ref()),
            ports,
            settings,
            origin: meta.origin,
            log_key,
            started,
            published: Published::new(head),
            pending: Pending::default(),
            sequencer: SequencerState::default(),
            jobs_wake: Notify::new(),
            names: NameIndex::default(),
            lookups: AtomicU64::new(0),
            flood,
        };
        inner.sequencer.look_in_store();
        Ok(Self(Arc::new(inner)))
    }

    /// Names: register, release, look up, search.
    #[must_use]
    pub fn names(&self) -> Names<'_> {
        Names(self)
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

    /// Loads the name index by one scan of the names table; search is refused until it is done.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn load_names(&self) -> Result<(), Internal> {
        let mut range = NAMES.range(&[]);
        loop {
            let rows =
                scan_table(&self.0.ports.store, &NAMES, range.clone(), INDEX_LOAD_ROWS).await?;
            let Some((last, ..)) = rows.last() else { break };
            let mut next = NAMES.key(last).to_vec();
            next.push(0);
            range.start = Key::from(next);
            self.0.names.load(rows.into_iter().map(|(name, _, row)| {
                let visibility = Visibility::from_privacy(row.visibility.into());
                (name, visibility > Visibility::Private)
            }));
        }
        self.0.names.set_loaded();
        Ok(())
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

    pub(crate) fn process_id(&self) -> &[u8; 16] {
        &self.0.process_id
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
                Effect::EntryQueued(entry) => self.0.pending.push(entry),
                Effect::JobQueued => self.0.jobs_wake.notify_one(),
                Effect::NameChanged(change) => self.0.names.apply(&change),
            }
        }
    }

    fn halted(&self) -> Option<&str> {
        self.0.published.halted()
    }
}
