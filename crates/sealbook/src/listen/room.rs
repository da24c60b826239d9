//! Who may be connected: how many at once, how many of one address, and who goes when every place is
//! taken.
//!
//! A connection is a place from the moment it is accepted. It is idle while it waits for a request or
//! for the rest of one's head, and busy while a request is being read or answered. When there is no
//! place left, the one that has been idle longest gives way: to the client it looks like the end of
//! an idle connection, which every client must expect. A busy one gives way only after
//! [`BUSY_TIME`](engine::limits::BUSY_TIME), which is longer than answers take, so that it holds for
//! bodies that trickle in.
//!
//! The choice is exact for any number of places. A request changes nothing but two numbers of its
//! seat, so the seats stand in the order of what was known of them when they were looked at last,
//! which is never later than the truth: the first whose place still agrees with its seat is the
//! longest idle of all. One that does not agree goes to its true place, and one that is found busy to
//! those that are watched until they end. Each such move is paid for by a request of the moved
//! connection, so that a place costs O(log n) for each accepted connection and each request, and
//! nothing at all for requests while there are places left.

mod order;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use httpkit::client_ip::TrustedProxies;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metrics::Connections;

use order::Order;

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
    seats: Order,
    by_source: HashMap<IpAddr, usize>,
    /// How many seats there were so far.
    numbered: u64,
}

/// One connection's place.
struct Seat {
    /// Unlike any other's, and above those of before.
    number: u64,
    /// The moment by which it stands in its order, at most `since_ms`. Changed under the lock.
    known_ms: AtomicU64,
    /// Whether it stands among the busy. Changed under the lock.
    is_watched: AtomicBool,
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
            let gives_way = taken.seats.gives_way(self.now_ms()).ok_or(NoPlace::Full)?;
            gives_way.leave.cancel();
            taken.remove(&gives_way);
            self.counts.evicted.inc();
        }
        taken.numbered = taken.numbered.saturating_add(1);
        let now_ms = self.now_ms();
        let seat = Arc::new(Seat {
            number: taken.numbered,
            known_ms: AtomicU64::new(now_ms),
            is_watched: AtomicBool::new(false),
            source,
            requests: AtomicU32::new(0),
            since_ms: AtomicU64::new(now_ms),
            leave: all_leave.child_token(),
        });
        taken.seats.insert(seat.clone());
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
    /// Frees a seat, unless it was freed before.
    fn remove(&mut self, seat: &Seat) {
        if !self.seats.remove(seat) {
            return;
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

impl Seat {
    fn since_ms(&self) -> u64 {
        self.since_ms.load(Ordering::SeqCst)
    }

    fn is_busy(&self) -> bool {
        self.requests.load(Ordering::SeqCst) > 0
    }
}

impl Ticket {
    /// Says when the connection must go.
    pub(super) fn leave(&self) -> &CancellationToken {
        &self.seat.leave
    }

    /// A request has begun; it ends when what is returned is dropped.
    pub(super) fn request(&self) -> Busy {
        let busy = Busy {
            room: self.room.clone(),
            seat: self.seat.clone(),
        };
        busy.note();
        self.seat.requests.fetch_add(1, Ordering::SeqCst);
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
        self.seat.since_ms.fetch_max(now_ms, Ordering::SeqCst);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.note();
        self.seat.requests.fetch_sub(1, Ordering::SeqCst);
        // Whoever puts it among the busy looks at the requests once more after that, so either this
        // sees that it stands there or that sees that no request is left.
        if self.seat.is_watched.load(Ordering::SeqCst) {
            self.room.lock().seats.ended(&self.seat);
        }
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
    use std::time::Duration;

    use engine::limits::BUSY_TIME;

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

    /// More seats than any part of them that a look could be content with.
    const MANY: usize = 1000;

    #[tokio::test(start_paused = true)]
    async fn the_only_idle_one_of_many_is_found() {
        for at in [0, 1, 499, 500, MANY - 1] {
            let room = room(MANY, MANY, &[]);
            let tickets: Vec<_> = (0..MANY)
                .map(|_| enter(&room, "192.0.2.1").unwrap())
                .collect();
            tokio::time::advance(Duration::from_millis(10)).await;
            let mut busy: Vec<_> = tickets.iter().map(Ticket::request).collect();
            assert_eq!(enter(&room, "192.0.2.2").err(), Some(NoPlace::Full));
            // Every seat is watched now; the one whose request ends comes back.
            drop(busy.swap_remove(at));
            let _new = enter(&room, "192.0.2.2").unwrap();
            let left = |ticket: &Ticket| ticket.leave().is_cancelled();
            let gone: Vec<_> = (0..MANY).filter(|at| left(&tickets[*at])).collect();
            assert_eq!(gone, [at]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_they_go_in_the_order_of_their_silence() {
        let room = room(MANY, 2 * MANY, &[]);
        let tickets: Vec<_> = (0..MANY)
            .map(|_| enter(&room, "192.0.2.1").unwrap())
            .collect();
        // Each says something in another order than they came in: 7 and 1000 have no common factor.
        let order: Vec<_> = (0..MANY).map(|at| at * 7 % MANY).collect();
        for at in &order {
            tokio::time::advance(Duration::from_millis(1)).await;
            drop(tickets[*at].request());
        }
        let mut newcomers = Vec::new();
        for at in &order {
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(!tickets[*at].leave().is_cancelled());
            newcomers.push(enter(&room, "192.0.2.1").unwrap());
            assert!(tickets[*at].leave().is_cancelled());
        }
        drop(tickets);
        assert_eq!(room.lock().seats.len(), MANY);
        drop(newcomers);
        assert_eq!(room.lock().seats.len(), 0);
        assert_eq!(room.lock().by_source.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn of_busy_ones_the_longest_goes_and_one_that_begins_anew_counts_anew() {
        let room = room(2, 100, &[]);
        let (first, second) = (
            enter(&room, "192.0.2.1").unwrap(),
            enter(&room, "192.0.2.2").unwrap(),
        );
        let old = first.request();
        tokio::time::advance(Duration::from_millis(1)).await;
        let _stuck = second.request();
        assert_eq!(enter(&room, "192.0.2.3").err(), Some(NoPlace::Full));
        // A second request on the first connection, which is still busy with the other.
        tokio::time::advance(BUSY_TIME / 2).await;
        let _young = first.request();
        drop(old);
        tokio::time::advance(BUSY_TIME / 2).await;
        let _third = enter(&room, "192.0.2.3").unwrap();
        assert!(second.leave().is_cancelled());
        assert!(!first.leave().is_cancelled());
    }

    #[test]
    fn seats_that_come_and_go_on_threads_are_all_freed() {
        let room = room(8, 1000, &[]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let Ok(ticket) = enter(&room, "192.0.2.1") else {
                            continue;
                        };
                        let (one, two) = (ticket.request(), ticket.request());
                        let _refused = enter(&room, "192.0.2.2");
                        drop((one, two));
                    }
                });
            }
        });
        let taken = room.lock();
        assert_eq!((taken.seats.len(), taken.by_source.len()), (0, 0));
        drop(taken);
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
