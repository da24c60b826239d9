//! Seats in the order in which they give way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use engine::limits::BUSY_TIME;

use super::Seat;

/// A moment of the room in milliseconds, and the number of a seat.
type Key = (u64, u64);

/// Every seat once, under the moment that was known of it last. That moment is never later than the
/// true one, as nothing ever sets a seat's moment back.
#[derive(Default)]
pub(super) struct Order {
    /// Those that were idle when they were looked at last.
    idle: BTreeMap<Key, Arc<Seat>>,
    /// Those that were busy then. Their requests tell when they end: see [`Order::ended`].
    busy: BTreeMap<Key, Arc<Seat>>,
}

impl Order {
    /// Seats in all.
    pub(super) fn len(&self) -> usize {
        self.idle.len().saturating_add(self.busy.len())
    }

    /// Adds a seat that is idle.
    pub(super) fn insert(&mut self, seat: Arc<Seat>) {
        let is_watched = false;
        self.put(seat, is_watched);
    }

    /// Takes a seat out; false when it is in no order.
    pub(super) fn remove(&mut self, seat: &Seat) -> bool {
        let key = (seat.known_ms.load(Ordering::SeqCst), seat.number);
        let order = if seat.is_watched.load(Ordering::SeqCst) {
            &mut self.busy
        } else {
            &mut self.idle
        };
        order.remove(&key).is_some()
    }

    /// The seat that has been idle longest or, when none is idle, busy longest, for [`BUSY_TIME`] at
    /// least. It stays where it is.
    pub(super) fn gives_way(&mut self, now_ms: u64) -> Option<Arc<Seat>> {
        while let Some((key, seat)) = self.idle.pop_first() {
            if seat.is_busy() {
                self.watch(seat);
            } else if seat.since_ms() > key.0 {
                self.insert(seat);
            } else {
                self.idle.insert(key, seat.clone());
                return Some(seat);
            }
        }
        let busy_ms = u64::try_from(BUSY_TIME.as_millis()).unwrap_or(u64::MAX);
        while let Some((key, seat)) = self.busy.pop_first() {
            let since_ms = seat.since_ms();
            let is_watched = true;
            self.put(seat.clone(), is_watched);
            if since_ms == key.0 {
                return (now_ms.saturating_sub(since_ms) >= busy_ms).then_some(seat);
            }
        }
        None
    }

    /// A request of a seat that is watched has ended: it is idle, if that was its last one.
    pub(super) fn ended(&mut self, seat: &Arc<Seat>) {
        let is_watched = seat.is_watched.load(Ordering::SeqCst);
        if is_watched && !seat.is_busy() && self.remove(seat) {
            self.insert(seat.clone());
        }
    }

    /// Puts a seat among the busy; back among the idle, when it ended its request meanwhile.
    fn watch(&mut self, seat: Arc<Seat>) {
        let is_watched = true;
        self.put(seat.clone(), is_watched);
        self.ended(&seat);
    }

    fn put(&mut self, seat: Arc<Seat>, is_watched: bool) {
        let known_ms = seat.since_ms();
        seat.known_ms.store(known_ms, Ordering::SeqCst);
        seat.is_watched.store(is_watched, Ordering::SeqCst);
        let order = if is_watched {
            &mut self.busy
        } else {
            &mut self.idle
        };
        order.insert((known_ms, seat.number), seat);
    }
}
