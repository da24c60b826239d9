//! How many requests may be under way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests to one host at once: enough for a busy neighbour, too few to trouble a small one.
const PER_HOST: usize = 4;
/// Requests that wait for one host; who comes later is refused at once.
const WAITING_PER_HOST: usize = 16;
/// Requests to all hosts at once: a socket and at most some 0.5 MB each.
const IN_ALL: usize = 256;
/// Requests that wait, for whatever.
const WAITING_IN_ALL: usize = 1024;

/// Lets requests through, a few to each host.
pub(super) struct Gate {
    all: Arc<Semaphore>,
    waiting: AtomicUsize,
    hosts: Mutex<HashMap<String, Arc<Host>>>,
}

/// Turns at one host; forgotten when nobody has or wants one.
struct Host {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// A turn; it ends when this is dropped.
pub(super) struct Turn {
    _host: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
    _place: Place,
}

/// Too many wait already.
#[derive(Debug)]
pub(super) struct Full;

impl Gate {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(IN_ALL)),
            waiting: AtomicUsize::new(0),
            hosts: Mutex::default(),
        })
    }

    /// Waits for a turn at a host.
    ///
    /// # Errors
    /// When too many wait already.
    pub(super) async fn turn(self: &Arc<Self>, host: &str) -> Result<Turn, Full> {
        let place = Place::take(self, host);
        let _waits_at_host =
            Waiting::new(place.host.clone(), |host| &host.waiting, WAITING_PER_HOST)?;
        let _waits = Waiting::new(self.clone(), |gate| &gate.waiting, WAITING_IN_ALL)?;
        let at_host = place.host.turns.clone().acquire_owned().await;
        let in_all = self.all.clone().acquire_owned().await;
        // Neither is ever closed.
        let (Ok(at_host), Ok(in_all)) = (at_host, in_all) else {
            return Err(Full);
        };
        Ok(Turn {
            _host: at_host,
            _all: in_all,
            _place: place,
        })
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<String, Arc<Host>>> {
        // Nothing that holds it can leave it half changed.
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who has or wants a turn at a host.
struct Place {
    gate: Arc<Gate>,
    name: String,
    host: Arc<Host>,
}

impl Place {
    fn take(gate: &Arc<Gate>, name: &str) -> Self {
        let new = || {
            Arc::new(Host {
                turns: Arc::new(Semaphore::new(PER_HOST)),
                waiting: AtomicUsize::new(0),
            })
        };
        let host = gate
            .hosts()
            .entry(name.to_owned())
            .or_insert_with(new)
            .clone();
        Self {
            gate: gate.clone(),
            name: name.to_owned(),
            host,
        }
    }
}

impl Drop for Place {
    /// The last one at a host forgets it. Others come and go under the same lock.
    fn drop(&mut self) {
        let mut hosts = self.gate.hosts();
        // The table's own, and this one; waiting below holds one more while a place is.
        if Arc::strong_count(&self.host) <= 2 {
            hosts.remove(&self.name);
        }
    }
}

/// One who waits, counted as long as this lives.
struct Waiting<T> {
    of: Arc<T>,
    count: fn(&T) -> &AtomicUsize,
}

impl<T> Waiting<T> {
    fn new(of: Arc<T>, count: fn(&T) -> &AtomicUsize, most: usize) -> Result<Self, Full> {
        let waiting = Self { of, count };
        let before = count(&waiting.of).fetch_add(1, Ordering::SeqCst);
        if before < most {
            Ok(waiting)
        } else {
            Err(Full)
        }
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        (self.count)(&self.of).fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use tokio::task::coop::unconstrained;

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn a_host_has_four_turns_and_others_have_their_own() {
        let gate = Gate::new();
        let mut turns = Vec::new();
        for _ in 0..4 {
            turns.push(gate.turn("a.example").await.unwrap());
        }
        let mut fifth = pin!(gate.turn("a.example"));
        assert!(poll(fifth.as_mut()).is_pending());
        drop(gate.turn("b.example").await.unwrap());
        turns.pop();
        assert!(poll(fifth.as_mut()).is_ready());
    }

    #[tokio::test]
    async fn who_waits_too_far_behind_is_refused() {
        let gate = Gate::new();
        let mut turns = Vec::new();
        for _ in 0..4 {
            turns.push(gate.turn("a.example").await.unwrap());
        }
        let mut waiting: Vec<_> = (0..16).map(|_| Box::pin(gate.turn("a.example"))).collect();
        for one in &mut waiting {
            assert!(poll(one.as_mut()).is_pending());
        }
        assert!(gate.turn("a.example").await.is_err());
        // Who gives up makes room.
        waiting.pop();
        let mut last = pin!(gate.turn("a.example"));
        assert!(poll(last.as_mut()).is_pending());
    }

    #[tokio::test]
    async fn all_hosts_together_have_a_bound() {
        let gate = Gate::new();
        let mut turns = Vec::new();
        for host in 0..64 {
            for _ in 0..4 {
                turns.push(gate.turn(&format!("h{host}.example")).await.unwrap());
            }
        }
        let mut waiting: Vec<_> = (0..1024)
            .map(|at| {
                let (gate, host) = (gate.clone(), format!("w{at}.example"));
                Box::pin(unconstrained(async move { gate.turn(&host).await }))
            })
            .collect();
        for one in &mut waiting {
            assert!(poll(one.as_mut()).is_pending());
        }
        assert!(gate.turn("z.example").await.is_err());
        turns.pop();
        let ready: Vec<_> = waiting
            .iter_mut()
            .filter_map(|one| match poll(one.as_mut()) {
                Poll::Ready(turn) => Some(turn.unwrap()),
                Poll::Pending => None,
            })
            .collect();
        assert_eq!(ready.len(), 1);
    }

    #[tokio::test]
    async fn hosts_are_forgotten() {
        let gate = Gate::new();
        let one = gate.turn("a.example").await.unwrap();
        let two = gate.turn("a.example").await.unwrap();
        drop(one);
        assert_eq!(gate.hosts().len(), 1);
        drop(two);
        assert_eq!(gate.hosts().len(), 0);
        let mut turns = Vec::new();
        for _ in 0..4 {
            turns.push(gate.turn("a.example").await.unwrap());
        }
        let mut given_up = Box::pin(gate.turn("a.example"));
        assert!(poll(given_up.as_mut()).is_pending());
        drop(given_up);
        assert_eq!(gate.hosts().len(), 1);
        drop(turns);
        assert_eq!(gate.hosts().len(), 0);
    }
}
