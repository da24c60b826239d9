//! The table of what is due: nothing hides behind what is not asked now, and rows go that are nobody's.

use std::time::Duration;

use bytes::Bytes;
use engine::ports::checker::Failure;
use engine::ports::store::{Batch, Direction, Freshness, Key, KeyRange, Row};
use engine::ports::timer::Timer;
use engine::reconcile::Reconciler;
use engine::types::UnixMillis;

use crate::rechecking::{after, limited};
use crate::town::{DAY, Persona, SECOND, Town};

/// First bytes of the keys of links, of avatars, and of what is due.
const LINKS: u8 = 0x22;
const AVATARS: u8 = 0x30;
const CLAIMS_DUE: u8 = 0x68;

async fn rows(town: &Town, tag: u8) -> Vec<Row> {
    let range = KeyRange {
        start: Key::from(vec![tag]),
        end: Some(Key::from(vec![tag + 1])),
    };
    let store = &town.store;
    let rows = store.scan(range, Direction::Forward, 5000, Freshness::Now);
    rows.await.unwrap()
}

async fn put(town: &Town, puts: Vec<(Key, Bytes)>) {
    let batch = Batch {
        puts,
        ..Batch::default()
    };
    town.store.commit(batch).await.unwrap();
}

/// When claims are due, sooner ones first.
async fn due(town: &Town) -> Vec<UnixMillis> {
    let at = |(key, ..): Row| UnixMillis(u64::from_be_bytes(key[1..9].try_into().unwrap()));
    rows(town, CLAIMS_DUE).await.into_iter().map(at).collect()
}

/// The time this long from now.
fn later(town: &Town, time: Duration) -> UnixMillis {
    town.clock.now().plus(time)
}

/// A town with three pages of what is due at `dns`, and behind them one claim of `github`; none but
/// the first and the last is anybody's.
async fn backlog() -> Town {
    let town = limited().await;
    town.create(&Persona::new(1), "dns", "a.example").await;
    let (key, _, value) = rows(&town, CLAIMS_DUE).await.pop().unwrap();
    let many = 3 * engine::limits::DUE_ROWS;
    let copy = |number: u32| {
        let mut key = key.to_vec();
        let end = key.len() - 4;
        key[end..].copy_from_slice(&number.to_be_bytes());
        let at = u64::from_be_bytes(key[1..9].try_into().unwrap()) + 1;
        key[1..9].copy_from_slice(&at.to_be_bytes());
        (Key::from(key), value.clone())
    };
    put(&town, (0..many).map(copy).collect()).await;
    town.clock.advance(SECOND);
    town.create(&Persona::new(2), "github", "alice").await;
    town.service("github").asked();
    town.service("dns").asked();
    town.clock.advance(3 * DAY);
    town
}

#[tokio::test]
async fn nothing_hides_behind_an_upstream_that_is_left_alone() {
    let town = backlog().await;
    let dns = town.service("dns");
    dns.with(|state| state.moods.push_back(Failure::Limited));
    town.recheck().await;
    assert_eq!(town.service("github").asked(), 1);
    assert_eq!(dns.asked(), 1);
}

#[tokio::test]
async fn nothing_hides_behind_an_upstream_that_is_slow() {
    let town = backlog().await;
    town.service("dns").with(|state| state.is_away = true);
    let engine = town.engine().clone();
    let start = town.clock_now();
    let mut tick = Box::pin(Reconciler::Recheck.tick(&engine));
    let found = async {
        let (dns, github) = (town.service("dns"), town.service("github"));
        town.until(|| dns.asked() == 1).await;
        town.clock.advance(5 * SECOND);
        town.until(|| github.asked() == 1).await;
    };
    tokio::select! {
        biased;
        _ = &mut tick => unreachable!("a service is away"),
        () = found => {}
    }
    let took = town.clock_now() - start;
    assert!(took < 10 * SECOND, "{took:?}");
}

#[tokio::test]
async fn a_look_that_ends_at_the_last_page_goes_on_with_the_first() {
    let town = Town::new().await;
    for number in 1..=5 {
        let by = Persona::new(number);
        town.create(&by, "dns", &format!("{number}.example")).await;
    }
    let copied = rows(&town, CLAIMS_DUE).await;
    let many = engine::limits::DUE_ROWS;
    let (key, _, value) = &copied[0];
    // Nobody's: more than a page of them, all between the first and the second claim.
    let copy = |number: u32| {
        let mut key = key.to_vec();
        let end = key.len() - 4;
        key[end..].copy_from_slice(&number.to_be_bytes());
        (Key::from(key), value.clone())
    };
    put(&town, (0..many).map(copy).collect()).await;
    town.service("dns").asked();
    after(&town, 3 * DAY + SECOND).await;
    assert_eq!(town.service("dns").asked(), 5, "in one go");
    assert_eq!(due(&town).await.len(), 5, "rows of nobody's claims go");
}

#[tokio::test]
async fn each_claim_has_one_row_and_what_is_revoked_has_none() {
    let (mut town, alice) = (Town::new().await, Persona::new(1));
    for identity in ["a.example", "b.example"] {
        town.create(&alice, "dns", identity).await;
        town.clock.advance(SECOND);
        town.create(&alice, "dns", identity).await;
    }
    assert_eq!(due(&town).await.len(), 2, "made anew");
    // A check that its process did not end.
    town.clock.advance(3 * DAY + SECOND);
    town.service("dns").with(|state| state.is_away = true);
    let engine = town.engine().clone();
    let tick = Reconciler::Recheck.tick(&engine);
    town.service("dns").asked();
    tokio::select! {
        biased;
        _ = tick => unreachable!("the service is away"),
        () = town.until(|| town.service("dns").asked() == 1) => {}
    }
    town.service("dns").with(|state| state.is_away = false);
    town.join().await;
    town.worlds.remove(0);
    assert_eq!(due(&town).await.len(), 2, "one of them with a mark");
    after(&town, 61 * SECOND).await;
    let next = due(&town).await;
    assert_eq!(next.len(), 2);
    assert!(next[0] > later(&town, 2 * DAY), "both were checked");
    for left in [1, 0] {
        let identity = ["a.example", "b.example"][left];
        town.delete(&alice, "dns", identity).await.unwrap();
        assert_eq!(due(&town).await.len(), left);
    }
    after(&town, 9 * DAY).await;
    assert_eq!(due(&town).await, []);
}

#[tokio::test]
async fn a_row_that_is_nobodys_goes() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    town.create(&alice, "dns", "a.example").await;
    let old = rows(&town, CLAIMS_DUE).await;
    town.clock.advance(SECOND);
    town.create(&alice, "dns", "a.example").await;
    let puts = |rows: &[Row]| {
        let put = |row: &Row| (row.0.clone(), row.2.clone());
        rows.iter().map(put).collect::<Vec<_>>()
    };
    put(&town, puts(&old)).await;
    town.delete(&alice, "dns", "a.example").await.unwrap();
    assert_eq!(due(&town).await.len(), 1);
    town.service("dns").asked();
    after(&town, 4 * DAY).await;
    assert_eq!(due(&town).await, []);
    assert_eq!(town.service("dns").asked(), 0);
}

#[tokio::test]
async fn a_claim_whose_link_is_gone_is_put_off() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    town.create(&alice, "dns", "a.example").await;
    let made = town.claim(&alice, "dns", "a.example").await.unwrap();
    let deletes = rows(&town, LINKS).await.into_iter().map(|(key, ..)| key);
    let batch = Batch {
        deletes: deletes.collect(),
        ..Batch::default()
    };
    town.store.commit(batch).await.unwrap();
    town.service("dns").asked();
    after(&town, 4 * DAY).await;
    assert_eq!(town.service("dns").asked(), 0);
    assert!(due(&town).await[0] > later(&town, 2 * DAY));
    let kept = town.claim(&alice, "dns", "a.example").await.unwrap();
    assert_eq!(kept, made);
}

#[tokio::test]
async fn a_claim_of_a_service_that_is_not_checked_any_more_is_put_off_as_it_is() {
    let (mut town, alice) = (Town::new().await, Persona::new(1));
    town.create(&alice, "github", "alice").await;
    let made = town.claim(&alice, "github", "alice").await.unwrap();
    let services = town.services.clone();
    town.services.remove(0);
    town.join().await;
    town.worlds.remove(0);
    services[0].asked();
    for _ in 0..3 {
        after(&town, 3 * DAY + SECOND).await;
        let kept = town.claim(&alice, "github", "alice").await.unwrap();
        assert_eq!(kept, made);
        let next = due(&town).await[0];
        assert!(
            next > later(&town, 2 * DAY),
            "not before another three days"
        );
        // Who reads it starts nothing.
        town.recheck().await;
        assert_eq!(due(&town).await, [next]);
    }
    // It is back: whoever reads the claim has it checked at once.
    town.services = services;
    town.join().await;
    town.worlds.remove(0);
    town.recheck().await;
    let github = town.service("github");
    assert_eq!(github.asked(), 0, "put off");
    town.claim(&alice, "github", "alice").await.unwrap();
    town.recheck().await;
    assert_eq!(github.asked(), 1);
    let checked = town.claim(&alice, "github", "alice").await.unwrap();
    assert!(checked.checked_at > made.checked_at);
}

#[tokio::test]
async fn a_claim_that_cannot_be_read_holds_up_nobody_else() {
    let (town, alice, bob) = (Town::new().await, Persona::new(1), Persona::new(2));
    town.create(&alice, "dns", "a.example").await;
    let (key, ..) = rows(&town, AVATARS).await.pop().unwrap();
    town.clock.advance(SECOND);
    town.create(&bob, "dns", "b.example").await;
    put(&town, vec![(key, Bytes::from_static(b"\x01damaged"))]).await;
    town.service("dns").asked();
    after(&town, 4 * DAY).await;
    assert_eq!(town.service("dns").asked(), 1);
    let claim = town.claim(&bob, "dns", "b.example").await.unwrap();
    assert_eq!(claim.checked_at.seconds(), town.now_seconds());
}
