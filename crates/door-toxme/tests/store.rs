//! Our own failures: a store and a signer that fail on demand, and what clients see of it.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use engine::Engine;
use engine::ports::keys::{SignError, Signer};
use httpkit::fault::Fault;
use serde_json::json;
use testkit::{Call, FixedSigner, Hooked, Step, World, default_settings};
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

/// Makes a store fail on demand.
pub(crate) struct Switch(Mutex<Failure>);

impl Switch {
    /// A new directory's store that does not fail yet, and its switch.
    pub(crate) async fn store() -> (Arc<Hooked>, Arc<Self>) {
        let switch = Arc::new(Self(Mutex::new(Failure::None)));
        let hooked = Hooked::over(World::new().await.store);
        let of = switch.clone();
        (Arc::new(hooked.before(move |call| of.step(call))), switch)
    }

    /// From now on it fails like this.
    pub(crate) fn fail(&self, failure: Failure) {
        *self.0.lock().unwrap() = failure;
    }

    fn step(&self, call: &Call<'_>) -> Step {
        match *self.0.lock().unwrap() {
            Failure::None => Step::Go,
            Failure::Away | Failure::Full | Failure::Damaged if call.is_commit() => {
                Step::Unavailable("secret disk".into())
            }
            Failure::Full => Step::Go,
            Failure::Away => Step::Unavailable("secret address".into()),
            Failure::Damaged => Step::Broken("secret file".into()),
        }
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
    let (store, switch) = Switch::store().await;
    let door = Door::over(World::over(store, default_settings()).await);
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
        switch.fail(failure);
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
    switch.fail(Failure::None);
    for body in [&requests[3], &requests[4], &requests[5], &requests[0]] {
        door.post(body).await.ok();
    }
}

#[tokio::test]
async fn status_and_keys_need_no_store() {
    let (store, switch) = Switch::store().await;
    let door = Door::over(World::over(store, default_settings()).await);
    switch.fail(Failure::Away);
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
    let (store, switch) = Switch::store().await;
    let door = Door::over(World::over(store, default_settings()).await);
    let fault = async || {
        let asked = request("POST", "/api", lookup("bob").to_string()).map(Body::from);
        let answer = door.router.clone().oneshot(asked).await.unwrap();
        answer.extensions().get::<Fault>().map(ToString::to_string)
    };
    assert_eq!(fault().await, None, "an unknown name is no fault of ours");
    switch.fail(Failure::Damaged);
    let logged = fault().await.unwrap();
    assert!(logged.contains("secret file"), "{logged}");
}
