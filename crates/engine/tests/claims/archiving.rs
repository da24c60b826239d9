//! Links go to the archive in the order of their chain, and what it did not take is sent again as it is.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use crypto::secp256k1::SigningKey;
use crypto::secret::Secret;
use engine::ans104::{Item, ItemId, SignedItem};
use engine::limits::PARCEL_LINKS_MAX;
use engine::ports::archive::{Archive, ArchiveError, ArchiveItem, Parcel, Sent};
use engine::reconcile::{Progress, Reconciler};
use serde_json::Value;

use crate::town::{DAY, Persona, SECOND, Town, settings};

/// An archive, and what it does instead of keeping a parcel, first come first.
struct Shelf {
    key: SigningKey,
    kept: Mutex<Vec<Parcel>>,
    /// All that came, kept or not.
    sent: Mutex<Vec<Parcel>>,
    moods: Mutex<VecDeque<Result<Sent, ArchiveError>>>,
    /// What it does instead of packing.
    faults: Mutex<VecDeque<ArchiveError>>,
    wrappings: Mutex<u8>,
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            key: SigningKey::from_secret(Secret::new([7; 32])).unwrap(),
            kept: Mutex::default(),
            sent: Mutex::default(),
            moods: Mutex::default(),
            faults: Mutex::default(),
            wrappings: Mutex::default(),
        }
    }
}

#[async_trait]
impl Archive for Shelf {
    async fn sign(&self, item: &ArchiveItem) -> Result<SignedItem, ArchiveError> {
        Ok(SignedItem::make(&self.key, &item.tags, &item.data).unwrap())
    }

    async fn pack(&self, items: &[SignedItem]) -> Result<Bytes, ArchiveError> {
        assert!(!items.is_empty());
        if let Some(fault) = self.faults.lock().unwrap().pop_front() {
            return Err(fault);
        }
        let mut wrappings = self.wrappings.lock().unwrap();
        *wrappings += 1;
        Ok(Bytes::copy_from_slice(&[*wrappings]))
    }

    async fn send(&self, parcel: &Parcel) -> Result<Sent, ArchiveError> {
        self.sent.lock().unwrap().push(parcel.clone());
        let mood = self.moods.lock().unwrap().pop_front();
        let done = mood.unwrap_or(Ok(Sent::Kept));
        if done == Ok(Sent::Kept) {
            self.kept.lock().unwrap().push(parcel.clone());
        }
        done
    }
}

impl Shelf {
    /// Ids and links that are kept, in the order in which they came.
    fn kept(&self) -> Vec<(ItemId, Value)> {
        let parcels = self.kept.lock().unwrap();
        let items = parcels.iter().flat_map(|parcel| &parcel.items);
        let read = |item: &SignedItem| {
            let read = Item::read(&item.bytes).unwrap();
            assert_eq!(read.id, item.id);
            (item.id, serde_json::from_slice(read.data).unwrap())
        };
        items.map(read).collect()
    }

    fn sent(&self) -> Vec<Parcel> {
        self.sent.lock().unwrap().clone()
    }

    fn moods(&self, moods: impl IntoIterator<Item = Result<Sent, ArchiveError>>) {
        self.moods.lock().unwrap().extend(moods);
    }
}

async fn town() -> (Town, Arc<Shelf>) {
    let (mut town, shelf) = (Town::with(settings()).await, Arc::new(Shelf::default()));
    town.archive = Some(shelf.clone());
    restart(&mut town).await;
    (town, shelf)
}

/// Another process in the place of the first.
async fn restart(town: &mut Town) {
    town.join().await;
    town.worlds.remove(0);
}

async fn deliver(town: &Town) {
    while Reconciler::Deliver.tick(town.engine()).await.unwrap() == Progress::MoreNow {
        town.clock.advance(SECOND);
    }
}

/// The same, and again whenever something is due, for some minutes.
async fn deliver_for_long(town: &Town) {
    for _ in 0..600 {
        town.clock.advance(SECOND);
        deliver(town).await;
    }
}

async fn archive_ids(town: &Town, of: &Persona) -> Vec<String> {
    let chain = town.engine().claims().chain(&of.avatar(), 1, 40).await;
    let links = chain.unwrap().links.into_iter();
    links.map(|link| link.archive_id).collect()
}

/// Ids of all links on the shelf are those the chain has, and each names the one before it.
async fn assert_whole(town: &Town, shelf: &Shelf, of: &Persona, count: usize) {
    let kept = shelf.kept();
    let own: Vec<_> = kept
        .iter()
        .filter(|(_, link)| link["avatar"] == of.avatar().to_string())
        .collect();
    let ids: Vec<String> = own.iter().map(|(id, _)| id.to_string()).collect();
    assert_eq!(ids.len(), count);
    assert_eq!(archive_ids(town, of).await, ids);
    let before = [("", "")].into_iter().chain(
        own.iter()
            .zip(&ids)
            .map(|((_, link), id)| (link["uuid"].as_str().unwrap(), id.as_str())),
    );
    for ((_, link), (uuid, id)) in own.iter().zip(before) {
        assert_eq!(link["previous_uuid"], uuid);
        assert_eq!(link["previous_arweave_id"], id);
    }
    let view = town.view_at(0, of).await.unwrap();
    assert_eq!(Some(&view.last_archive_id), ids.last());
}

#[tokio::test]
async fn each_link_names_the_one_before_it() {
    let (town, shelf) = town().await;
    let (alice, bob) = (Persona::new(1), Persona::new(2));
    for identity in ["a", "b", "c"] {
        town.create(&alice, "dns", identity).await;
    }
    town.create(&bob, "dns", "d").await;
    assert_eq!(archive_ids(&town, &alice).await, ["", "", ""]);
    let view = town.view_at(0, &alice).await.unwrap();
    assert_eq!(view.last_archive_id, "");
    deliver(&town).await;
    assert_whole(&town, &shelf, &alice, 3).await;
    assert_whole(&town, &shelf, &bob, 1).await;
    assert_eq!(shelf.sent().len(), 2, "all of an avatar's at once");
    // The newest link is not archived yet.
    town.create(&alice, "dns", "e").await;
    assert_eq!(town.view_at(0, &alice).await.unwrap().last_archive_id, "");
    deliver(&town).await;
    assert_whole(&town, &shelf, &alice, 4).await;
}

#[tokio::test]
async fn what_was_not_taken_is_sent_again_as_it_is() {
    let (mut town, shelf) = town().await;
    let alice = Persona::new(1);
    let refused = || Err(ArchiveError::Refused("no credit".into()));
    shelf.moods([
        Err(ArchiveError::Unreachable),
        refused(),
        Ok(Sent::Pending),
        Err(ArchiveError::Unreachable),
        Ok(Sent::Pending),
    ]);
    for identity in ["a", "b"] {
        town.create(&alice, "dns", identity).await;
    }
    deliver(&town).await;
    assert_eq!(archive_ids(&town, &alice).await, ["", ""]);
    // Whoever comes next goes on with it.
    restart(&mut town).await;
    town.create(&alice, "dns", "c").await;
    deliver_for_long(&town).await;
    assert_whole(&town, &shelf, &alice, 3).await;
    let sent = shelf.sent();
    assert!(sent.len() >= 7, "{}", sent.len());
    let first = sent.iter().filter(|parcel| parcel.items.len() == 2);
    assert!(first.clone().all(|parcel| *parcel == sent[0]));
    assert_eq!(first.count(), 6);
}

#[tokio::test]
async fn another_wrapping_is_for_the_same_items() {
    let (town, shelf) = town().await;
    let alice = Persona::new(1);
    shelf.moods([Ok(Sent::Pending), Ok(Sent::Void), Ok(Sent::Void)]);
    town.create(&alice, "dns", "a").await;
    deliver_for_long(&town).await;
    assert_whole(&town, &shelf, &alice, 1).await;
    let sent = shelf.sent();
    let wrappings: Vec<u8> = sent.iter().map(|parcel| parcel.wrapping[0]).collect();
    assert_eq!(wrappings, [1, 1, 2, 3]);
    assert!(sent.iter().all(|parcel| parcel.items == sent[0].items));
}

#[tokio::test]
async fn an_archive_that_is_away_for_days_gets_all_in_the_end() {
    let (town, shelf) = town().await;
    let alice = Persona::new(1);
    let away = || Err(ArchiveError::Unreachable);
    shelf.moods((0..30).map(|_| away()));
    let faults = (0..30).map(|_| ArchiveError::Unreachable);
    shelf.faults.lock().unwrap().extend(faults);
    town.create(&alice, "dns", "a").await;
    for _ in 0..70 {
        deliver(&town).await;
        town.clock.advance(DAY);
    }
    assert_whole(&town, &shelf, &alice, 1).await;
    assert_eq!(shelf.sent().len(), 31);
}

#[tokio::test]
async fn a_parcel_has_a_bound() {
    let (mut town, shelf) = (Town::new().await, Arc::new(Shelf::default()));
    let alice = Persona::new(1);
    for identity in 0..PARCEL_LINKS_MAX + 2 {
        town.create(&alice, "dns", &identity.to_string()).await;
    }
    town.archive = Some(shelf.clone());
    restart(&mut town).await;
    town.create(&alice, "dns", "last").await;
    deliver(&town).await;
    assert_whole(&town, &shelf, &alice, 19).await;
    let sizes: Vec<usize> = shelf.sent().iter().map(|it| it.items.len()).collect();
    assert_eq!(sizes, [16, 3]);
}

#[tokio::test]
async fn links_from_before_there_was_an_archive_go_with_the_next_one() {
    let (mut town, shelf) = (Town::new().await, Arc::new(Shelf::default()));
    let alice = Persona::new(1);
    for identity in ["a", "b"] {
        town.create(&alice, "dns", identity).await;
    }
    deliver(&town).await;
    town.archive = Some(shelf.clone());
    restart(&mut town).await;
    deliver(&town).await;
    assert_eq!(shelf.sent().len(), 0);
    town.create(&alice, "dns", "c").await;
    deliver(&town).await;
    assert_whole(&town, &shelf, &alice, 3).await;
}

/// Two processes take jobs of one avatar at once: nothing is sent that the chain does not know.
#[tokio::test]
async fn processes_agree_on_what_is_sent() {
    let shelf = Arc::new(Shelf::default());
    let mut town = Town::of(0).await;
    town.archive = Some(shelf.clone());
    town.join().await;
    town.join().await;
    let alice = Persona::new(1);
    shelf.moods([Ok(Sent::Pending), Ok(Sent::Void), Ok(Sent::Void)]);
    for identity in ["a", "b", "c", "d"] {
        town.create(&alice, "dns", identity).await;
    }
    for _ in 0..100 {
        town.clock.advance(SECOND);
        let engines = [0, 1].map(|at| &town.worlds[at].engine);
        let ticks = engines.map(|engine| Reconciler::Deliver.tick(engine));
        let [one, other] = ticks;
        let (one, other) = tokio::join!(one, other);
        one.unwrap();
        other.unwrap();
    }
    let ids: BTreeSet<String> = archive_ids(&town, &alice).await.into_iter().collect();
    assert_eq!(ids.len(), 4);
    let sent: BTreeSet<String> = shelf
        .sent()
        .iter()
        .flat_map(|parcel| parcel.items.iter().map(|item| item.id.to_string()))
        .collect();
    assert_eq!(sent, ids);
}
