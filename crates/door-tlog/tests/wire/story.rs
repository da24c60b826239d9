//! Directories with something in them, and requests to their doors.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use door_tlog::{State, router};
use engine::Settings;
use engine::ports::store::Store;
use engine::types::ClaimAction;
use serde_json::Value;
use testkit::{AvatarClient, Exchange, FakeService, World, default_settings, exchange};

/// A directory and its door.
pub(crate) struct Story {
    pub(crate) world: World,
    pub(crate) door: Router,
}

impl Story {
    /// An empty directory: one entry, the head of the empty map.
    pub(crate) async fn empty() -> Self {
        Self::door(World::with(settings()).await)
    }

    /// A directory in this store.
    pub(crate) async fn over(store: Arc<dyn Store>) -> Self {
        Self::door(World::over(store, settings()).await)
    }

    fn door(world: World) -> Self {
        let engine = world.engine.clone();
        let door = router(State { engine });
        Self { world, door }
    }

    /// alice is searchable, bob private, carol was released. Eight entries in four checkpoints
    /// after the first.
    pub(crate) async fn of_three() -> Self {
        let story = Self::empty().await;
        story.push(1, "alice", 1).await;
        story.world.sequence().await;
        story.push(2, "bob", 0).await;
        story.push(3, "carol", 2).await;
        story.world.sequence().await;
        story.push(1, "alice", 2).await;
        story.world.sequence().await;
        let carol = story.world.client(3);
        let sealed = carol.delete(story.world.seconds());
        let names = story.world.engine.names();
        names.release(Some(sealed)).await.unwrap();
        story.world.sequence().await;
        story
    }

    /// An avatar that claims an account and gives it up again. Five entries.
    pub(crate) async fn of_an_avatar() -> Self {
        let service = FakeService::new("twitter");
        let settings = Settings {
            merge_delay: Duration::ZERO,
            ..settings()
        };
        let world = World::checking(std::slice::from_ref(&service), settings).await;
        let key = AvatarClient::new(1);
        for action in [ClaimAction::Create, ClaimAction::Delete] {
            world.claim(&key, &service, (action, "alice")).await;
        }
        Self::door(world)
    }

    /// Many names, so that there are full tiles.
    pub(crate) async fn of_many(count: u16) -> Self {
        let story = Self::empty().await;
        for number in 0..count {
            let secret = secret(number);
            let server = story.world.engine.names().box_key();
            let client = testkit::ToxClient::from_secret(secret, server);
            let name = format!("name{number}");
            let sealed = client.push(&name, 1, "", story.world.seconds());
            let caller = World::caller(1);
            let names = story.world.engine.names();
            names.push(&caller, Some(sealed)).await.unwrap();
            if number % 100 == 7 {
                story.world.sequence().await;
            }
        }
        story.world.sequence().await;
        story
    }

    /// Pushes a name.
    pub(crate) async fn push(&self, byte: u8, name: &str, privacy: i64) {
        let client = self.world.client(byte);
        let sealed = client.push(name, privacy, "hello", self.world.seconds());
        let caller = World::caller(byte);
        let names = self.world.engine.names();
        names.push(&caller, Some(sealed)).await.unwrap();
    }

    /// Sends a request without a body.
    pub(crate) async fn send(&self, method: &str, path: &str) -> Exchange {
        let request = Request::builder().method(method).uri(path);
        exchange(&self.door, request.body(Vec::new()).unwrap()).await
    }

    /// The body of a GET that is answered with 200.
    pub(crate) async fn get(&self, path: &str) -> Vec<u8> {
        let exchange = self.send("GET", path).await;
        assert_eq!(exchange.status, 200, "{path}");
        exchange.body
    }

    /// The same, as JSON.
    pub(crate) async fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.get(path).await).unwrap()
    }
}

fn settings() -> Settings {
    Settings {
        limits_enabled: false,
        ..default_settings()
    }
}

/// A key of its own for each number; the first byte of an X25519 secret is not all used.
fn secret(number: u16) -> [u8; 32] {
    let [high, low] = number.to_be_bytes();
    let mut secret = [9; 32];
    secret[1] = high;
    secret[2] = low;
    secret
}
