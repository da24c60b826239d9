//! A door over a world with a few services, and a client's side of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::IntoResponse;
use door_proofservice::{Settings, State, unlisted};
use engine::Engine;
use engine::reconcile::Reconciler;
use http::Request;
use httpkit::client_ip::{ClientPolicy, ConnectInfo, TrustedProxies, with_client_context};
use httpkit::clock::Clock;
use serde_json::{Value, json};
use testkit::{AvatarClient, Exchange, FakeService, Faults, World, exchange, faulty};

/// A server with this door alone.
pub(crate) struct Door {
    pub(crate) world: World,
    pub(crate) twitter: Arc<FakeService>,
    pub(crate) router: Router,
}

impl Door {
    /// Over a new directory that checks twitter and ethereum, without limits.
    pub(crate) async fn new() -> Self {
        let mut settings = testkit::default_settings();
        settings.limits_enabled = false;
        Self::with(settings, Settings::default()).await
    }

    pub(crate) async fn with(settings: engine::Settings, own: Settings) -> Self {
        let (twitter, ethereum) = (FakeService::new("twitter"), FakeService::new("ethereum"));
        let settings = engine::Settings {
            merge_delay: Duration::ZERO,
            ..settings
        };
        let world = World::checking(&[twitter.clone(), ethereum], settings).await;
        Self::over(world, twitter, own)
    }

    /// Over a directory whose store fails when told to.
    pub(crate) async fn failing() -> (Self, Faults) {
        let (twitter, clock) = (FakeService::new("twitter"), World::start_clock());
        let (store, faults) = faulty(testkit::memory(&clock));
        let services = [twitter.clone()];
        let mut settings = testkit::default_settings();
        settings.limits_enabled = false;
        settings.merge_delay = Duration::ZERO;
        let world = World::checking_over(Arc::new(store), clock, &services, settings).await;
        (Self::over(world, twitter, Settings::default()), faults)
    }

    fn over(world: World, twitter: Arc<FakeService>, own: Settings) -> Self {
        let router = router(&world.engine, own);
        Self {
            world,
            twitter,
            router,
        }
    }

    /// Sends a request, and sequences meanwhile what it leaves.
    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Exchange {
        let answer = exchange(&self.router, request);
        tokio::pin!(answer);
        loop {
            tokio::select! {
                biased;
                done = &mut answer => return done,
                () = self.tick() => {}
            }
        }
    }

    /// The same, while time passes: for what is tried again.
    pub(crate) async fn send_patiently(&self, request: Request<Vec<u8>>) -> Exchange {
        let answer = exchange(&self.router, request);
        tokio::pin!(answer);
        loop {
            tokio::select! {
                biased;
                done = &mut answer => return done,
                () = self.tick() => self.world.clock.advance(Duration::from_millis(100)),
            }
        }
    }

    async fn tick(&self) {
        Reconciler::Sequence.tick(&self.world.engine).await.unwrap();
        tokio::task::yield_now().await;
    }

    pub(crate) async fn get(&self, path: &str) -> Exchange {
        self.send(request("GET", path, "")).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Exchange {
        self.send(request("POST", path, body.to_string())).await
    }

    /// The payload that an avatar is to sign.
    pub(crate) async fn draft(&self, action: &str, avatar: &AvatarClient, whose: &str) -> Value {
        let (platform, identity) = whose.split_once(':').unwrap();
        let body = json!({
            "action": action, "platform": platform, "identity": identity,
            "public_key": avatar.avatar().to_string(),
        });
        let drafted = self.post("/v1/proof/payload", &body).await;
        assert_eq!(drafted.status, 200, "{}", drafted.text);
        serde_json::from_slice(&drafted.body).unwrap()
    }

    /// What is handed in for a draft, its signature posted at twitter as `location`.
    pub(crate) async fn signed(
        &self,
        avatar: &AvatarClient,
        identity: &str,
        location: &str,
    ) -> Value {
        let whose = format!("twitter:{identity}");
        let draft = self.draft("create", avatar, &whose).await;
        let signature = avatar.sign(draft["sign_payload"].as_str().unwrap());
        self.twitter.post(location, identity, &signature);
        json!({
            "action": "create", "platform": "twitter", "identity": identity,
            "public_key": avatar.avatar().to_string(), "proof_location": location,
            "uuid": draft["uuid"], "created_at": draft["created_at"], "extra": {},
        })
    }

    /// An avatar claims an account at twitter.
    pub(crate) async fn create(&self, avatar: &AvatarClient, identity: &str, location: &str) {
        let body = self.signed(avatar, identity, location).await;
        let created = self.post("/v1/proof", &body).await;
        assert_eq!(created.status, 201, "{}", created.text);
    }

    /// What is handed in to give an account at twitter up.
    pub(crate) async fn deletion(&self, avatar: &AvatarClient, identity: &str) -> Value {
        let whose = format!("twitter:{identity}");
        let draft = self.draft("delete", avatar, &whose).await;
        let signature = avatar.sign(draft["sign_payload"].as_str().unwrap());
        json!({
            "action": "delete", "platform": "twitter", "identity": identity,
            "public_key": avatar.avatar().to_string(), "extra": {"signature": signature},
            "uuid": draft["uuid"], "created_at": draft["created_at"],
        })
    }
}

/// The door, the answers to paths it does not have, and the layers that say who asks.
pub(crate) fn router(engine: &Engine, settings: Settings) -> Router {
    let state = State {
        engine: engine.clone(),
        settings: Arc::new(settings),
    };
    let elsewhere = async |request: axum::extract::Request| match unlisted(&request) {
        Some(answer) => answer,
        None => "of another door".into_response(),
    };
    let router = door_proofservice::door(state).fallback(elsewhere);
    let trusted = TrustedProxies::parse(&TrustedProxies::DEFAULT).unwrap();
    let policy = ClientPolicy::new(trusted, false, &Clock::new(|| 0));
    with_client_context(router, Arc::new(policy))
}

/// A request of a client at 203.0.113.7.
pub(crate) fn request(method: &str, path: &str, body: impl Into<Vec<u8>>) -> Request<Vec<u8>> {
    let peer: SocketAddr = "203.0.113.7:4000".parse().unwrap();
    Request::builder()
        .method(method)
        .uri(path)
        .extension(ConnectInfo {
            peer: Some(peer),
            tls: true,
        })
        .body(body.into())
        .unwrap()
}

/// An answer as JSON.
pub(crate) fn reply(exchange: &Exchange) -> Value {
    assert_eq!(
        exchange.headers["content-type"],
        "application/json; charset=utf-8"
    );
    let reply: Value = serde_json::from_slice(&exchange.body).unwrap();
    let is_refusal = reply.get("message").is_some();
    assert_eq!(is_refusal, exchange.status >= 400, "{}", exchange.text);
    reply
}

/// What a refusal says.
pub(crate) fn message(exchange: &Exchange) -> String {
    reply(exchange)["message"].as_str().unwrap().to_owned()
}

/// Compares an exchange with `snapshots/<name>.snap`.
pub(crate) fn snapshot(name: &str, exchange: &Exchange) {
    insta::with_settings!({
        prepend_module_to_snapshot => false,
        snapshot_path => "snapshots",
        omit_expression => true,
    }, { insta::assert_snapshot!(name, exchange.text) });
}
