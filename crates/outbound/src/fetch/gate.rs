//! How many requests may be under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many requests there may be: to one host, or in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// Under way at once.
    at_once: usize,
    /// Waiting; who comes later is refused at once.
    waiting: usize,
}

/// A stranger's host: enough for a busy neighbour, too few to trouble a small one.
pub(super) const STRANGER: Share = share(4, 16);
/// A service in `[upstreams]`, which is made for many.
pub(super) const SERVICE: Share = share(32, 512);
/// Any host, for checks in the background: one after the other.
pub(super) const BACKGROUND: Share = share(1, 64);
/// Requests to all hosts: a socket and at most some 0.5 MB, or the body's bound, each.
pub(super) const IN_ALL: Share = share(256, 1024);
/// Checks in the background: they leave most of the machine to those somebody waits for.
pub(super) const BACKGROUND_IN_ALL: Share = share(32, 256);

const fn share(at_once: usize, waiting: usize) -> Share {
    Share { at_once, waiting }
}

impl Share {
    /// Those under way and those that wait.
    fn places(self) -> usize {
        self.at_once.saturating_add(self.waiting)
    }
}

/// Lets requests through, a few to each host.
pub(super) struct Gate {
    all: Arc<Semaphore>,
    places_max: usize,
    table: Mutex<Table>,
}

/// Who has or wants a turn. It has an entry for each host with a place and for no other, so that it
/// has at most as many as there are places.
#[derive(Default)]
struct Table {
    places: usize,
    hosts: HashMap<String, Host>,
}

struct Host {
    turns: Arc<Semaphore>,
    /// Never 0.
    places: usize,
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
    pub(super) fn new(in_all: Share) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(in_all.at_once)),
            places_max: in_all.places(),
            table: Mutex::default(),
        })
    }

    /// Waits for a turn at a host, which has the same share in every call.
    ///
    /// # Errors
    /// When too many wait already.
    pub(super) async fn turn(self: &Arc<Self>, host: &str, share: Share) -> Result<Turn, Full> {
        let (place, turns) = self.place(host, share)?;
        let at_host = turns.acquire_owned().await;
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

    /// Takes a place and says where its turn comes from.
    fn place(self: &Arc<Self>, name: &str, share: Share) -> Result<(Place, Arc<Semaphore>), Full> {
        let mut table = self.table();
        let held = table.hosts.get(name).map_or(0, |host| host.places);
        if table.places >= self.places_max || held >= share.places() {
            return Err(Full);
        }
        table.places = table.places.saturating_add(1);
        let host = table.hosts.entry(name.to_owned()).or_insert_with(|| Host {
            turns: Arc::new(Semaphore::new(share.at_once)),
            places: 0,
        });
        host.places = host.places.saturating_add(1);
        let place = Place {
            gate: self.clone(),
            name: name.to_owned(),
        };
        Ok((place, host.turns.clone()))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing that holds it can leave it half changed.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who has or wants a turn at a host.
struct Place {
    gate: Arc<Gate>,
    name: String,
}

impl Drop for Place {
    /// The last one at a host forgets it: places are counted under the lock, so of two that go at the
    /// same time one is the last.
    fn drop(&mut self) {
        let mut table = self.gate.table();
        table.places = table.places.saturating_sub(1);
        if let Some(host) = table.hosts.get_mut(&self.name) {
            host.places = host.places.saturating_sub(1);
            if host.places == 0 {
                table.hosts.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Barrier;
    use std::task::{Context, Poll, Waker};

    use tokio::task::coop::unconstrained;

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn a_host_has_four_turns_and_others_have_their_own() {
        let gate = Gate::new(IN_ALL);
        let mut turns = Vec::new();
        for _ in 0..4 {
            turns.push(gate.turn("a.example", STRANGER).await.unwrap());
        }
        let mut fifth = pin!(gate.turn("a.example", STRANGER));
        assert!(poll(fifth.as_mut()).is_pending());
        drop(gate.turn("b.example", STRANGER).await.unwrap());
        turns.pop();
        assert!(poll(fifth.as_mut()).is_ready());
    }

    #[tokio::test]
    async fn who_waits_too_far_behind_is_refused() {
        let gate = Gate::new(IN_ALL);
        let mut turns = Vec::new();
        for _ in 0..4 {
            turns.push(gate.turn("a.example", STRANGER).await.unwrap());
        }
        let mut waiting: Vec<_> = (0..16)
            .map(|_| Box::pin(gate.turn("a.example", STRANGER)))
            .collect();
        for one in &mut waiting {
            assert!(poll(one.as_mut()).is_pending());
        }
        assert!(gate.turn("a.example", STRANGER).await.is_err());
        // Who gives up makes room.
        waiting.pop();
        let mut last = pin!(gate.turn("a.example", STRANGER));
        assert!(poll(last.as_mut()).is_pending());
    }

    #[tokio::test]
    async fn all_hosts_together_have_a_bound() {
        let gate = Gate::new(IN_ALL);
        let mut turns = Vec::new();
        for host in 0..64 {
            for _ in 0..4 {
                turns.push(
                    gate.turn(&format!("h{host}.example"), STRANGER)
                        .await
                        .unwrap(),
                );
            }
        }
        let mut waiting: Vec<_> = (0..1024)
            .map(|at| {
                let (gate, host) = (gate.clone(), format!("w{at}.example"));
                Box::pin(unconstrained(
                    async move { gate.turn(&host, STRANGER).await },
                ))
            })
            .collect();
        for one in &mut waiting {
            assert!(poll(one.as_mut()).is_pending());
        }
        assert!(gate.turn("z.example", STRANGER).await.is_err());
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
        let gate = Gate::new(IN_ALL);
        let one = gate.turn("a.example", STRANGER).await.unwrap();
        let two = gate.turn("a.example", STRANGER).await.unwrap();
        drop(one);
        assert_eq!(gate.table().hosts.len(), 1);
        drop(two);
        assert_eq!(gate.table().hosts.len(), 0);
        let mut turns = Vec::new();
        for _ in 0..4 {
            turns.push(gate.turn("a.example", STRANGER).await.unwrap());
        }
        let mut given_up = Box::pin(gate.turn("a.example", STRANGER));
        assert!(poll(given_up.as_mut()).is_pending());
        drop(given_up);
        assert_eq!(gate.table().hosts.len(), 1);
        drop(turns);
        assert_eq!(gate.table().hosts.len(), 0);
    }

    #[test]
    fn places_that_end_at_once_leave_nothing_behind() {
        let gate = Gate::new(IN_ALL);
        let together = Barrier::new(2);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for at in 0..20_000 {
                        let host = format!("h{at}.example");
                        let mut turn = Box::pin(gate.turn(&host, STRANGER));
                        let had = poll(turn.as_mut());
                        together.wait();
                        drop(had);
                    }
                });
            }
        });
        let table = gate.table();
        assert_eq!((table.hosts.len(), table.places), (0, 0));
        assert_eq!(gate.all.available_permits(), IN_ALL.at_once);
    }

    #[tokio::test]
    async fn the_table_is_no_larger_than_the_places() {
        let gate = Gate::new(share(1, 2));
        let held = gate.turn("a.example", STRANGER).await.unwrap();
        let mut waiting: Vec<_> = ["b.example", "c.example"]
            .map(|host| Box::pin(gate.turn(host, STRANGER)))
            .into();
        for one in &mut waiting {
            assert!(poll(one.as_mut()).is_pending());
        }
        for host in 0..100 {
            let refused = gate.turn(&format!("h{host}.example"), STRANGER).await;
            assert!(refused.is_err());
            assert_eq!(gate.table().hosts.len(), 3);
        }
        drop((held, waiting));
        assert_eq!(gate.table().hosts.len(), 0);
    }
}
