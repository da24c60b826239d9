//! Observers: they follow the checkpoints of all processes, the whole time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::journal::ANSWER_MAX;
use crate::clock;
use crate::history::History;
use crate::http::Connection;
use crate::log_view::Trust;

/// How often each process is asked for its newest checkpoint.
const LOOK: Duration = Duration::from_millis(20);

/// The observers; they end with the value.
pub(crate) struct Watch {
    seen: Arc<Mutex<Seen>>,
    _observers: JoinSet<()>,
}

/// What the observers have seen.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) history: History,
    /// When a process first showed a size: what it showed before was smaller.
    steps: Vec<(Instant, usize, u64)>,
    newest: BTreeMap<usize, u64>,
    faults: Vec<String>,
}

impl Watch {
    /// Starts to observe.
    pub(crate) fn start(processes: &[SocketAddr], trust: &Trust) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut observers = JoinSet::new();
        for (process, address) in processes.iter().enumerate() {
            observers.spawn(observe(process, *address, trust.clone(), Arc::clone(&seen)));
        }
        Self {
            seen,
            _observers: observers,
        }
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// When another process than `lost` first showed a size that nobody had shown before `after`.
    pub(crate) fn new_root(&self, after: Instant, lost: usize) -> Option<Instant> {
        let before = self.steps.iter().filter(|step| step.0 <= after);
        let known = before.map(|step| step.2).max().unwrap_or(0);
        let mut steps = self.steps.iter();
        let is_it = |step: &&(Instant, usize, u64)| step.2 > known && step.1 != lost;
        steps.find(is_it).map(|step| step.0)
    }

    /// The largest size each process has shown.
    pub(crate) fn newest(&self, process: usize) -> u64 {
        self.newest.get(&process).copied().unwrap_or(0)
    }

    /// What must not be, since the last time this was asked.
    pub(crate) fn take_faults(&mut self) -> Vec<String> {
        let mut faults = self.history.take_faults();
        faults.append(&mut self.faults);
        faults
    }

    fn note(&mut self, at: Instant, process: usize, size: u64) {
        let newest = self.newest.entry(process).or_default();
        if size > *newest {
            *newest = size;
            self.steps.push((at, process, size));
        }
    }
}

/// Asks one process again and again, over a new connection when the old one breaks.
async fn observe(process: usize, address: SocketAddr, trust: Trust, seen: Arc<Mutex<Seen>>) {
    loop {
        if let Ok(connection) = Connection::open(address).await {
            follow(process, connection.waiting(ANSWER_MAX), &trust, &seen).await;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn follow(process: usize, mut connection: Connection, trust: &Trust, seen: &Mutex<Seen>) {
    let mut last = Vec::new();
    while let Ok(answer) = connection.get("/log/checkpoint").await {
        let at = clock::now();
        if answer.body != last {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            match trust.checkpoint(&answer.body) {
                Ok(checkpoint) if answer.status == 200 => {
                    seen.history.note(process, &checkpoint);
                    seen.note(at, process, checkpoint.size);
                }
                // The store does not answer, and the page is not at hand.
                _ if answer.status == 503 => {}
                Ok(_) => seen.faults.push(format!("status {}", answer.status)),
                Err(error) => seen.faults.push(format!("process {process}: {error:#}")),
            }
            last = answer.body;
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Process 1 leads and stops at 1 s; process 2 takes over at 4 s.
    fn takeover(began: Instant) -> Seen {
        let mut seen = Seen::default();
        for (ms, process, size) in [
            (100, 1, 5),
            (200, 0, 5),
            (500, 1, 9),
            (600, 2, 9),
            (900, 1, 12),
            (1100, 0, 12),
            (4000, 2, 20),
            (4100, 0, 20),
        ] {
            seen.note(began + Duration::from_millis(ms), process, size);
        }
        seen
    }

    #[test]
    fn a_takeover_is_the_first_root_that_nobody_had() {
        let began = clock::now() + Duration::from_secs(60);
        let seen = takeover(began);
        let at = |ms| began + Duration::from_millis(ms);
        assert_eq!(seen.new_root(at(1200), 1), Some(at(4000)));
        assert_eq!(seen.new_root(at(4050), 2), None);
        assert_eq!(seen.newest(2), 20);
    }
}
