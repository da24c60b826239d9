//! Links go to the archive in the order of their chain, and what it did not take is sent again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use engine::ports::archive::{Archive, ArchiveError, ArchiveItem};
use engine::reconcile::{Progress, Reconciler};
use serde_json::Value;

use crate::town::{Persona, SECOND, Town, settings};

/// An archive, and what it does instead of taking an item, first come first.
#[derive(Default)]
struct Shelf {
    taken: Mutex<Vec<ArchiveItem>>,
    moods: Mutex<VecDeque<ArchiveError>>,
}

#[async_trait]
impl Archive for Shelf {
    async fn upload(&self, item: &ArchiveItem) -> Result<String, ArchiveError> {
        if let Some(mood) = self.moods.lock().unwrap().pop_front() {
            return Err(mood);
        }
        let mut taken = self.taken.lock().unwrap();
        taken.push(item.clone());
        Ok(format!("item{}", taken.len()))
    }
}

impl Shelf {
    /// Member of the n-th item.
    fn said(&self, nth: usize, member: &str) -> Value {
        let taken = self.taken.lock().unwrap();
        let link: Value = serde_json::from_slice(&taken[nth].data).unwrap();
        link[member].clone()
    }
}

async fn town() -> (Town, Arc<Shelf>) {
    let (mut town, shelf) = (Town::with(settings()).await, Arc::new(Shelf::default()));
    town.archive = Some(shelf.clone());
    town.join().await;
    town.worlds.remove(0);
    (town, shelf)
}

async fn deliver(town: &Town) {
    while Reconciler::Deliver.tick(town.engine()).await.unwrap() == Progress::MoreNow {
        town.clock.advance(SECOND);
    }
}

async fn archive_ids(town: &Town, of: &Persona) -> Vec<String> {
    let chain = town.engine().claims().chain(&of.avatar(), 1, 40).await;
    let links = chain.unwrap().links.into_iter();
    links.map(|link| link.archive_id).collect()
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
    let ids = archive_ids(&town, &alice).await;
    assert!(ids.iter().all(|id| id.starts_with("item")), "{ids:?}");
    assert_eq!(shelf.taken.lock().unwrap().len(), 4, "each once");
    let view = town.view_at(0, &alice).await.unwrap();
    assert_eq!(Some(&view.last_archive_id), ids.last());
    let alices: Vec<usize> = (0..4)
        .filter(|nth| shelf.said(*nth, "avatar") == alice.avatar().to_string())
        .collect();
    assert_eq!(shelf.said(alices[0], "previous_arweave_id"), "");
    for (pair, id) in alices.windows(2).zip(&ids) {
        assert_eq!(shelf.said(pair[1], "previous_arweave_id"), id.as_str());
        assert_eq!(
            shelf.said(pair[1], "previous_uuid"),
            shelf.said(pair[0], "uuid")
        );
    }
    // The newest link is not archived yet.
    town.create(&alice, "dns", "e").await;
    assert_eq!(town.view_at(0, &alice).await.unwrap().last_archive_id, "");
}

#[tokio::test]
async fn what_was_not_taken_is_sent_again_and_never_before_its_predecessor() {
    let (town, shelf) = town().await;
    let alice = Persona::new(1);
    let refused = ArchiveError::Refused("no credit".into());
    let moods = [
        ArchiveError::Unreachable,
        refused,
        ArchiveError::Unreachable,
    ];
    shelf.moods.lock().unwrap().extend(moods);
    for identity in ["a", "b"] {
        town.create(&alice, "dns", identity).await;
    }
    deliver(&town).await;
    for _ in 0..200 {
        town.clock.advance(SECOND);
        deliver(&town).await;
    }
    assert_eq!(archive_ids(&town, &alice).await, ["item1", "item2"]);
    assert_eq!(shelf.said(0, "identity"), "a");
    assert_eq!(shelf.said(1, "previous_arweave_id"), "item1");
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
    town.join().await;
    town.worlds.remove(0);
    deliver(&town).await;
    assert_eq!(shelf.taken.lock().unwrap().len(), 0);
    town.create(&alice, "dns", "c").await;
    deliver(&town).await;
    assert_eq!(
        archive_ids(&town, &alice).await,
        ["item1", "item2", "item3"]
    );
}
