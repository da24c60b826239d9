//! Our own failures: a store and a signer that fail on demand, and what clients see of it.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use engine::Engine;
use engine::ports::keys::{SignError, Signer};
use engine::ports::store::{
    Batch, CommitError, Direction, Freshness, Health, Key, KeyRange, Row, Store, StoreError,
    Version,
};
use engine::types::UnixMillis;
use httpkit::fault::Fault;
use serde_json::json;
use testkit::{FixedSigner, World, default_settings};
use tower::ServiceExt as _;

use crate::door::{Answered, Door, MEMORABILIA, delete, lookup, push, request, reset};

/// How the store fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Not at all.
    None,
    /// Nothing can be reached.
    Away,
    /// Reads work, writes do not.
    Full,
    /// What is read is not readable.
    Damaged,
}

/// A new directory's store, which fails on demand.
pub(crate) struct FailingStore {
    inner: Arc<dyn Store>,
    failure: Mutex<Failure>,
}

impl FailingStore {
    /// One that does not fail yet.
    pub(crate) async fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: World::new().await.store,
            failure: Mutex::new(Failure::None),
        })
    }

    /// From now on it fails like this.
    pub(crate) fn fail(&self, failure: Failure) {
        *self.failure.lock().unwrap() = failure;
    }

    fn check_read(&self) -> Result<(), StoreError> {
        match *self.failure.lock().unwrap() {
            Failure::None | Failure::Full => Ok(()),
            Failure::Away => Err(StoreError::Unavailable("secret address".into())),
            Failure::Damaged => Err(StoreError::Corrupt("secret file".into())),
        }
    }
}

#[async_trait]
impl Store for FailingStore {
    async fn get_many(
        &self,
        keys: &[Key],
        fresh: Freshness,
    ) -> Result<Vec<Option<(Version, Bytes)>>, StoreError> {
        self.check_read()?;
        self.inner.get_many(keys, fresh).await
    }

    async fn scan(
        &self,
        range: KeyRange,
        direction: Direction,
        limit: u32,
        fresh: Freshness,
    ) -> Result<Vec<Row>, StoreError> {
        self.check_read()?;
        self.inner.scan(range, direction, limit, fresh).await
    }

    async fn commit(&self, batch: Batch) -> Result<Version, CommitError> {
        if *self.failure.lock().unwrap() != Failure::None {
            return Err(CommitError::Unavailable("secret disk".into()));
        }
        self.inner.commit(batch).await
    }

    async fn now(&self) -> Result<UnixMillis, StoreError> {
        self.check_read()?;
        self.inner.now().await
    }

    fn health(&self) -> Health {
        self.inner.health()
    }
}

/// A signer that has a public key and signs nothing.
pub(crate) struct UnreachableSigner(FixedSigner);

impl UnreachableSigner {
    /// A directory whose memorabilia key cannot be reached.
    pub(crate) async fn world() -> World {
        let mut world = World::new().await;
        let mut ports = World::ports(world.store.clone(), world.clock.clone());
        ports.record_signer = Arc::new(Self(FixedSigner::new(World::record_seed())));
        world.engine = Engine::open(ports, default_settings()).await.unwrap();
        world.engine.load_names().await.unwrap();
        world
    }
}

impl Signer for UnreachableSigner {
    fn public_key(&self) -> [u8; 32] {
        self.0.public_key()
    }

    fn sign(&self, _: &[u8]) -> Result<[u8; 64], SignError> {
        Err(SignError("secret socket".into()))
    }
}

#[tokio::test]
async fn every_action_says_43_while_the_store_is_away() {
    let store = FailingStore::new().await;
    let door = Door::over(World::over(store.clone(), default_settings()).await);
    let alice = door.world.client(1);
    door.register(&alice, "alice", 1, "").await;
    let now = door.world.seconds();
    let key = alice.tox_id().to_string()[..64].to_owned();
    let requests = [
        push(&alice.push("alice", 1, "new", now)),
        delete(&alice.delete(now)),
        reset(&alice.delete(now)),
        lookup("alice"),
        json!({"action": 5, "id": key}),
        json!({"action": 6, "name": "alice", "page": 0}),
    ];
    for (failure, status, refused) in [
        (Failure::Away, 503, 6),
        (Failure::Full, 503, 3),
        (Failure::Damaged, 500, 6),
    ] {
        store.fail(failure);
        for (at, body) in requests.iter().enumerate() {
            let answer = door.post(body).await;
            if at < refused {
                assert_eq!((answer.code(), answer.status), (-43, status), "{body}");
                assert!(!answer.text.contains("secret"), "{}", answer.text);
            } else {
                answer.ok();
            }
        }
    }
    store.fail(Failure::None);
    for body in [&requests[3], &requests[4], &requests[5], &requests[0]] {
        door.post(body).await.ok();
    }
}

#[tokio::test]
async fn status_and_keys_need_no_store() {
    let store = FailingStore::new().await;
    let door = Door::over(World::over(store.clone(), default_settings()).await);
    store.fail(Failure::Away);
    door.post(&json!({"action": 4})).await.ok();
    let keys = door.send(request("GET", "/pk", "")).await;
    keys.ok();
}

#[tokio::test]
async fn nothing_is_done_when_the_answer_cannot_be_signed() {
    let door = Door::over(UnreachableSigner::world().await);
    let alice = door.world.client(1);
    let mut body = push(&alice.push("alice", 1, "", door.world.seconds()));
    body["memorabilia"] = MEMORABILIA.into();
    let answer = door.post(&body).await;
    assert_eq!((answer.code(), answer.status), (-43, 500));
    assert_eq!(door.post(&lookup("alice")).await.code(), -42);
    body["memorabilia"] = "too short".into();
    door.post(&body).await.ok();
}

#[tokio::test]
async fn the_log_learns_what_the_client_does_not() {
    let store = FailingStore::new().await;
    let door = Door::over(World::over(store.clone(), default_settings()).await);
    let fault = async || {
        let asked = request("POST", "/api", lookup("bob").to_string()).map(Body::from);
        let answer = door.router.clone().oneshot(asked).await.unwrap();
        answer.extensions().get::<Fault>().map(ToString::to_string)
    };
    assert_eq!(fault().await, None, "an unknown name is no fault of ours");
    store.fail(Failure::Damaged);
    let logged = fault().await.unwrap();
    assert!(logged.contains("secret file"), "{logged}");
}
