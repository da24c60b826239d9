//! The committer: one thread that takes groups of batches from the queue to the disk.
//!
//! States: *writing*; *paused* (the disk is full: every half second it looks whether there is space
//! again, and if the engine refused a write, it opens it anew first); *stopped* (a failed sync or
//! damage: nothing is written until a restart, because what a failed sync left behind is unknown).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use engine::ports::store::{CommitError, Health, Version};

use super::directory::Directory;
use super::disk::Disk;
use super::group::{Group, Writes};
use super::handle::{Counters, Handle, io_error};
use super::marks::Marks;
use super::queue::{Job, take_group};
use super::recovery::{self, Opened};
use super::{Access, Shared};
use crate::OpenError;
use crate::clock::Stopwatch;

/// How often a paused store looks for space.
const PAUSE_CHECK: Duration = Duration::from_millis(500);
/// Free bytes without which an engine that was refused a write is not opened anew: until then the
/// old handle serves reads.
const REOPEN_BYTES_MIN: usize = 1 << 20;
/// How long to wait for running reads before the engine is opened anew.
const READS_DONE_WAIT: Duration = Duration::from_secs(5);

pub(crate) struct Committer {
    pub(crate) directory: Directory,
    pub(crate) shared: Arc<Shared>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) counters: Counters,
    pub(crate) state: State,
    pub(crate) engine_cache_bytes: u64,
    /// Free space kept for the engine's own work, in bytes.
    pub(crate) reserve_bytes: Option<u64>,
    /// Whether space was short at any moment since the engine was opened.
    pub(crate) was_short: bool,
    /// Batches of the last group.
    pub(crate) last_group: usize,
    pub(crate) syncs: Stopwatch,
}

pub(crate) enum State {
    Writing(Marks),
    Paused { why: String, reopen: bool },
    Stopped(String),
}

/// Why a group was not acknowledged.
enum Refusal {
    Full { why: String, reopen: bool },
    Stop(String),
}

impl Refusal {
    fn why(&self) -> &str {
        match self {
            Self::Full { why, .. } | Self::Stop(why) => why,
        }
    }
}

impl Committer {
    /// Runs until the queue is closed and empty; gives the directory back, lock and all.
    pub(crate) fn run(mut self, queue: &Receiver<Job>) -> Directory {
        self.announce();
        loop {
            let first = match &self.state {
                State::Paused { .. } => match queue.recv_timeout(PAUSE_CHECK) {
                    Ok(job) => Some(job),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => break,
                },
                State::Writing(_) | State::Stopped(_) => match queue.recv() {
                    Ok(job) => Some(job),
                    Err(_) => break,
                },
            };
            let jobs = first
                .map(|first| take_group(first, self.last_group, queue))
                .unwrap_or_default();
            self.last_group = jobs.len();
            self.serve(jobs);
        }
        self.directory
    }

    fn serve(&mut self, jobs: Vec<Job>) {
        if matches!(self.state, State::Paused { .. }) {
            self.try_resume();
        }
        let refusal = match &self.state {
            State::Writing(_) => return self.write_group(jobs),
            State::Paused { why, .. } => CommitError::Unavailable(why.clone()),
            State::Stopped(why) => CommitError::Fatal(why.clone()),
        };
        for job in jobs {
            answer(job, Err(refusal.clone()));
        }
    }

    fn write_group(&mut self, jobs: Vec<Job>) {
        let Some(handle) = self.shared.access.borrow().handle().cloned() else {
            return;
        };
        let mut group = Group::new(&handle, self.counters.version);
        let mut answers = Vec::with_capacity(jobs.len());
        for mut job in jobs {
            // Nobody waits any more: it timed out in the queue, and must not happen later.
            if !job.reply.is_closed() {
                let outcome = group.add(std::mem::take(&mut job.batch));
                answers.push((job, outcome));
            }
        }
        let (writes, version) = group.into_writes();
        let refusal = self.persist(&handle, &writes, version).err();
        drop(handle);
        let refusal = refusal.map(|refusal| self.refuse(refusal));
        for (job, outcome) in answers {
            answer(job, refusal.clone().map_or(outcome, Err));
        }
    }

    /// Engine first, then the commit number; see the module `marks` for why.
    fn persist(&mut self, handle: &Handle, writes: &Writes, version: u64) -> Result<(), Refusal> {
        if writes.is_empty() {
            return Ok(());
        }
        self.require_space()?;
        let commit = self.counters.commit + 1;
        let batch = handle.batch(writes, Counters { commit, version });
        // The version is used up whatever comes: the batch may be found on disk later.
        self.counters.version = version;
        let writing = self.shared.cache.writing(writes.keys());
        let start = self.syncs.start();
        let written = self.disk.write(batch);
        drop(writing);
        written.map_err(|error| self.engine_refusal(&error))?;
        self.counters.commit = commit;
        let State::Writing(marks) = &mut self.state else {
            return Ok(());
        };
        let marked = self.disk.mark(marks, commit);
        if marked.is_ok() {
            self.syncs.stop(start);
        }
        marked.map_err(|error| {
            if is_full(&error) {
                return Refusal::Full {
                    why: format!("disk full: {error}"),
                    reopen: false,
                };
            }
            Refusal::Stop(format!("writing the commit number failed: {error}"))
        })
    }

    /// Refuses before the engine meets a full disk, as a failed write costs it its handle.
    fn require_space(&mut self) -> Result<(), Refusal> {
        match self.shortage(0) {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(Refusal::Full { why, reopen: false }),
            Err(error) => Err(Refusal::Stop(format!("cannot ask for free space: {error}"))),
        }
    }

    /// What is short when less than the reserve is free, or at any rate less than `least` bytes.
    fn shortage(&mut self, least: u64) -> std::io::Result<Option<String>> {
        let space = self.disk.space(self.directory.path())?;
        let reserve = self
            .reserve_bytes
            .unwrap_or_else(|| default_reserve(space.total))
            .max(least);
        if space.available >= reserve {
            return Ok(None);
        }
        self.was_short = true;
        let available = space.available;
        Ok(Some(format!(
            "disk full: {available} bytes are free, {reserve} are needed"
        )))
    }

    /// Whether there is so much space that a paused store may go on.
    fn has_space(&mut self) -> bool {
        matches!(self.shortage(REOPEN_BYTES_MIN as u64), Ok(None))
    }

    fn engine_refusal(&mut self, error: &fjall::Error) -> Refusal {
        // Poisoned: work in the background failed earlier. If space is short, or was since the engine
        // was opened, that was the cause.
        let full = if matches!(error, fjall::Error::Poisoned) {
            self.was_short || !self.has_space()
        } else {
            io_error(error).is_some_and(is_full)
        };
        if full {
            return Refusal::Full {
                why: format!("disk full: {error}"),
                reopen: true,
            };
        }
        Refusal::Stop(format!("writing failed: {error}"))
    }

    fn refuse(&mut self, refusal: Refusal) -> CommitError {
        let (state, answer) = match refusal {
            Refusal::Full { mut why, reopen } => {
                // Who reads this has to know whether to make room, or to find a larger disk.
                if let Ok(taken) = self.disk.taken(self.directory.path()) {
                    why.push_str(&format!("; the store itself takes {taken}"));
                }
                tracing::error!("writes are paused: {why}");
                (
                    State::Paused {
                        why: why.clone(),
                        reopen,
                    },
                    CommitError::Unavailable(why),
                )
            }
            Refusal::Stop(why) => {
                tracing::error!("writes are stopped until a restart: {why}");
                (State::Stopped(why.clone()), CommitError::Fatal(why))
            }
        };
        self.state = state;
        self.announce();
        answer
    }

    fn try_resume(&mut self) {
        let State::Paused { reopen, .. } = self.state else {
            return;
        };
        if !self.has_space() {
            return;
        }
        let resumed = if reopen || self.is_poisoned() {
            self.reopen()
        } else {
            self.new_marks()
        };
        match resumed {
            Ok(marks) => {
                tracing::info!("there is space again: writes resume");
                self.state = State::Writing(marks);
            }
            Err(Refusal::Full { why, reopen }) => self.state = State::Paused { why, reopen },
            Err(Refusal::Stop(why)) => {
                tracing::error!("writes are stopped until a restart: {why}");
                self.state = State::Stopped(why);
            }
        }
        self.announce();
    }

    /// Whether the engine met the full disk by work of its own, while no group was written.
    fn is_poisoned(&self) -> bool {
        let handle = self.shared.access.borrow().handle().cloned();
        handle.is_some_and(|handle| self.disk.check(&handle).is_err())
    }

    fn new_marks(&self) -> Result<Marks, Refusal> {
        Marks::create(self.directory.path(), self.counters.commit).map_err(|error| {
            if is_full(&error) {
                return Refusal::Full {
                    why: format!("disk full: {error}"),
                    reopen: false,
                };
            }
            Refusal::Stop(format!("writing the commit number failed: {error}"))
        })
    }

    /// Closes the engine that refused a write, and opens it anew. Reads wait meanwhile, so the disk
    /// must have shown that it takes writes: while it does not, the old handle serves reads.
    fn reopen(&mut self) -> Result<Marks, Refusal> {
        let again = |why: String| Refusal::Full { why, reopen: true };
        let probed = self.disk.probe(self.directory.path(), REOPEN_BYTES_MIN);
        probed.map_err(|error| {
            if is_full(&error) {
                again(format!("disk full: {error}"))
            } else {
                Refusal::Stop(format!("writing failed: {error}"))
            }
        })?;
        // What the old handle shows was seen, perhaps, and stays; what it does not show never will be.
        if let Some(handle) = self.shared.access.borrow().handle() {
            let shown = handle.counters();
            let shown = shown.map_err(|error| Refusal::Stop(error.to_string()))?;
            self.counters.commit = self.counters.commit.max(shown.commit);
        }
        if !self.close_engine() {
            return Err(again(
                "reads are still running on the engine's old handle".to_owned(),
            ));
        }
        let opened = self.open_anew();
        // Readers wait no longer, whatever came of it.
        let opened = opened.inspect_err(|refusal| {
            let why = refusal.why().to_owned();
            drop(self.shared.access.send_replace(Access::Gone(why)));
        })?;
        self.was_short = false;
        self.counters.commit = opened.counters.commit;
        self.counters.version = self.counters.version.max(opened.counters.version);
        self.shared.cache.clear();
        let access = Access::Open(Arc::new(opened.handle));
        drop(self.shared.access.send_replace(access));
        opened.marks.map_err(Refusal::Stop)
    }

    fn open_anew(&self) -> Result<Opened, Refusal> {
        let acknowledged = Some(self.counters.commit);
        let opened = recovery::open(&self.directory, self.engine_cache_bytes, acknowledged);
        match opened {
            Ok(opened) => Ok(opened),
            Err(OpenError::Io { source, .. }) if is_full(&source) => Err(Refusal::Full {
                why: format!("disk full: {source}"),
                reopen: true,
            }),
            Err(error) => Err(Refusal::Stop(format!("opening anew failed: {error}"))),
        }
    }

    /// Drops the engine's handle once no read uses it; false, and nothing changed, if one stays.
    fn close_engine(&self) -> bool {
        let access = self.shared.access.send_replace(Access::Reopening);
        let Access::Open(mut handle) = access else {
            return true;
        };
        let step = Duration::from_millis(5);
        for _ in 0..READS_DONE_WAIT.as_millis() / step.as_millis() {
            match Arc::try_unwrap(handle) {
                Ok(last) => {
                    drop(last);
                    return true;
                }
                Err(shared) => handle = shared,
            }
            std::thread::park_timeout(step);
        }
        drop(self.shared.access.send_replace(Access::Open(handle)));
        false
    }

    fn announce(&self) {
        self.shared.set_health(match &self.state {
            State::Writing(_) => Health::Ready,
            State::Paused { why, .. } => Health::WritesPaused(why.clone()),
            State::Stopped(why) => Health::ReadOnly(why.clone()),
        });
    }
}

fn answer(job: Job, outcome: Result<Version, CommitError>) {
    drop(job.share);
    if job.reply.send(outcome).is_err() {
        tracing::debug!("a batch was decided after its caller had left");
    }
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
    )
}

/// 64 MiB, what the engine needs to write out its memory; less on a very small disk.
fn default_reserve(total: u64) -> u64 {
    (64 << 20).min(total / 16)
}
