//! Who may be connected: how many at once, how many of one address, and who goes when every place is
//! taken.
//!
//! A connection is a place from the moment it is accepted. It is idle while it waits for a request or
//! for the rest of one's head, and busy while a request is being read or answered. When there is no
//! place left, the one that has been idle longest gives way: to the client it looks like the end of
//! an idle connection, which every client must expect. A busy one gives way only after
//! [`BUSY_TIME`], which is longer than answers take, so that it holds for bodies that trickle in.
//! Everything here is done when connections come and go, and nothing but two stores for a request.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use httpkit::client_ip::TrustedProxies;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metrics::Connections;

/// How long a connection may be busy before it may have to give way.
const BUSY_TIME: Duration = Duration::from_secs(5);
/// Places looked at to find one that gives way: enough that it is one of the longest idle, and few
/// enough that a flood of connections costs little.
const LOOKED_AT: usize = 128;

/// How many may be connected.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// At once.
    pub(crate) all: usize,
    /// Of one address, or of one /64 network of IPv6.
    pub(crate) per_address: usize,
    /// Proxies, which come with many clients.
    pub(crate) exempt: TrustedProxies,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// Every place is taken by one that is busy.
    Full,
    /// The address has all it may have.
    Address,
}

/// The places and who has them.
pub(super) struct Room {
    places: Places,
    counts: Connections,
    started: Instant,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    seats: Vec<Arc<Seat>>,
    by_source: HashMap<IpAddr, usize>,
    /// Where the next look for one that gives way begins.
    next: usize,
}

/// One connection's place.
pub(super) struct Seat {
    /// Where it stands among the seats. Changed under the lock.
    at: AtomicU64,
    /// `None` for who is exempt.
    source: Option<IpAddr>,
    /// Requests being read or answered.
    requests: AtomicU32,
    /// When it last began or ended a request, in milliseconds since the room was made.
    since_ms: AtomicU64,
    /// Tells the connection to go.
    leave: CancellationToken,
}

/// A taken place; given back when dropped.
pub(super) struct Ticket {
    room: Arc<Room>,
    seat: Arc<Seat>,
}

impl Room {
    pub(super) fn new(places: Places, counts: Connections) -> Arc<Self> {
        Arc::new(Self {
            places,
            counts,
            started: Instant::now(),
            taken: Mutex::default(),
        })
    }

    /// A place for a connection from `peer`, which goes when `all_leave` is cancelled.
    ///
    /// # Errors
    /// Why there is none; it is counted.
    pub(super) fn enter(
        self: &Arc<Self>,
        peer: IpAddr,
        all_leave: &CancellationToken,
    ) -> Result<Ticket, NoPlace> {
        let entered = self.try_enter(peer, all_leave);
        match &entered {
            Ok(_) => self.counts.open.inc(),
            Err(reason) => self
                .counts
                .refused
                .with_label_values(&[reason.word()])
                .inc(),
        }
        entered
    }

    fn try_enter(
        self: &Arc<Self>,
        peer: IpAddr,
        all_leave: &CancellationToken,
    ) -> Result<Ticket, NoPlace> {
        let is_exempt = self.places.exempt.contain(Some(peer.to_canonical()));
        let source = (!is_exempt).then(|| source(peer));
        let mut taken = self.lock();
        let held = source.and_then(|source| taken.by_source.get(&source).copied());
        if held.unwrap_or_default() >= self.places.per_address {
            return Err(NoPlace::Address);
        }
        if taken.seats.len() >= self.places.all {
            let gives_way = taken.longest_idle(self.now_ms()).ok_or(NoPlace::Full)?;
            gives_way.leave.cancel();
            taken.remove(&gives_way);
            self.counts.evicted.inc();
        }
        let seat = Arc::new(Seat {
            at: AtomicU64::new(taken.seats.len() as u64),
            source,
            requests: AtomicU32::new(0),
            since_ms: AtomicU64::new(self.now_ms()),
            leave: all_leave.child_token(),
        });
        taken.seats.push(seat.clone());
        if let Some(source) = source {
            *taken.by_source.entry(source).or_default() += 1;
        }
        Ok(Ticket {
            room: self.clone(),
            seat,
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// One of the longest idle, or of the longest busy when none is idle.
    fn longest_idle(&mut self, now_ms: u64) -> Option<Arc<Seat>> {
        let count = self.seats.len();
        let looked_at = count.min(LOOKED_AT);
        let first = self.next.checked_rem(count)?;
        self.next = first.saturating_add(looked_at);
        let busy_ms = u64::try_from(BUSY_TIME.as_millis()).unwrap_or(u64::MAX);
        let seats = self.seats.iter().cycle().skip(first).take(looked_at);
        let rank = |seat: &&Arc<Seat>| {
            let since_ms = seat.since_ms.load(Ordering::Relaxed);
            let is_busy = seat.requests.load(Ordering::Relaxed) > 0;
            let may_go = !is_busy || now_ms.saturating_sub(since_ms) >= busy_ms;
            may_go.then_some((is_busy, since_ms))
        };
        let candidates = seats.filter_map(|seat| Some((rank(&seat)?, seat)));
        let chosen = candidates.min_by_key(|(rank, _)| *rank);
        chosen.map(|(_, seat)| seat.clone())
    }

    /// Frees a seat, unless it was freed before.
    fn remove(&mut self, seat: &Arc<Seat>) {
        let at = usize::try_from(seat.at.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        if !self
            .seats
            .get(at)
            .is_some_and(|found| Arc::ptr_eq(found, seat))
        {
            return;
        }
        self.seats.swap_remove(at);
        if let Some(moved) = self.seats.get(at) {
            moved.at.store(at as u64, Ordering::Relaxed);
        }
        let Some(source) = seat.source else { return };
        if let Some(held) = self.by_source.get_mut(&source) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.by_source.remove(&source);
            }
        }
    }
}

impl Ticket {
    /// Says when the connection must go.
    pub(super) fn leave(&self) -> &CancellationToken {
        &self.seat.leave
    }

    /// A request has begun; it ends when what is returned is dropped.
    pub(super) fn request(&self) -> Busy {
        self.seat.requests.fetch_add(1, Ordering::Relaxed);
        let busy = Busy {
            room: self.room.clone(),
            seat: self.seat.clone(),
        };
        busy.note();
        busy
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.room.counts.open.dec();
        self.room.lock().remove(&self.seat);
    }
}

/// A request on a connection.
pub(super) struct Busy {
    room: Arc<Room>,
    seat: Arc<Seat>,
}

impl Busy {
    fn note(&self) {
        let now_ms = self.room.now_ms();
        self.seat.since_ms.store(now_ms, Ordering::Relaxed);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.note();
        self.seat.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl NoPlace {
    /// The label of its count.
    fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Address => "address",
        }
    }
}

/// What counts as one address: one of IPv4, or the network that a subscriber of IPv6 holds.
fn source(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (!0 << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(all: usize, per_address: usize, exempt: &[&str]) -> Arc<Room> {
        let exempt = TrustedProxies::parse(exempt).unwrap();
        let places = Places {
            all,
            per_address,
            exempt,
        };
        Room::new(places, Connections::new().unwrap())
    }

    fn enter(room: &Arc<Room>, peer: &str) -> Result<Ticket, NoPlace> {
        room.enter(peer.parse().unwrap(), &CancellationToken::new())
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_gives_way() {
        let room = room(3, 100, &[]);
        let mut tickets = Vec::new();
        for peer in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
            tickets.push(enter(&room, peer).unwrap());
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        let busy = tickets[0].request();
        let fourth = enter(&room, "192.0.2.4").unwrap();
        let left = |ticket: &Ticket| ticket.leave().is_cancelled();
        assert_eq!(
            tickets.iter().map(left).collect::<Vec<_>>(),
            [false, true, false]
        );
        drop(busy);
        let fifth = enter(&room, "192.0.2.5").unwrap();
        assert_eq!(
            tickets.iter().map(left).collect::<Vec<_>>(),
            [false, true, true]
        );
        assert_eq!(room.counts.evicted.get(), 2);
        drop(tickets);
        assert_eq!(room.lock().seats.len(), 2);
        drop((fourth, fifth));
        assert_eq!(room.lock().seats.len(), 0);
        assert_eq!(room.lock().by_source.len(), 0);
        assert_eq!(room.counts.open.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn busy_ones_stay_for_a_while() {
        let room = room(1, 100, &[]);
        let first = enter(&room, "192.0.2.1").unwrap();
        let _busy = first.request();
        assert_eq!(enter(&room, "192.0.2.2").err(), Some(NoPlace::Full));
        tokio::time::advance(BUSY_TIME).await;
        assert!(enter(&room, "192.0.2.2").is_ok());
        assert!(first.leave().is_cancelled());
        assert_eq!(room.counts.refused.with_label_values(&["full"]).get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_its_share_and_a_proxy_has_all() {
        let room = room(100, 2, &["10.0.0.1"]);
        let one = enter(&room, "2001:db8::1").unwrap();
        let _two = enter(&room, "2001:db8::2").unwrap();
        assert_eq!(enter(&room, "2001:db8::3").err(), Some(NoPlace::Address));
        let _other = enter(&room, "2001:db8:0:1::1").unwrap();
        drop(one);
        let _again = enter(&room, "2001:db8::3").unwrap();
        let proxied: Vec<_> = (0..10)
            .map(|_| enter(&room, "::ffff:10.0.0.1").unwrap())
            .collect();
        assert_eq!(room.counts.open.get(), 13);
        drop(proxied);
        assert_eq!(room.counts.refused.with_label_values(&["address"]).get(), 1);
    }
}
