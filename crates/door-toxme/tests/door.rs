//! A door over a world, and a client's side of it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use data_encoding::{BASE64, HEXUPPER};
use door_toxme::{Settings, State};
use engine::Engine;
use engine::names::Sealed;
use http::Request;
use httpkit::client_ip::{ClientPolicy, ConnectInfo, TrustedProxies, with_client_context};
use httpkit::clock::Clock;
use serde_json::{Value, json};
use testkit::{Exchange, ToxClient, World, exchange};

/// Bytes 00..3f.
pub(crate) const MEMORABILIA: &str =
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";

/// A server with this door alone.
pub(crate) struct Door {
    pub(crate) world: World,
    pub(crate) router: Router,
}

impl Door {
    /// Over a new directory, strict in everything.
    pub(crate) async fn new() -> Self {
        Self::over(World::new().await)
    }

    /// Over a directory, HTTPS only.
    pub(crate) fn over(world: World) -> Self {
        let router = router(&world.engine, Settings::default());
        Self { world, router }
    }

    /// Over a directory without limits on pushes.
    pub(crate) async fn unlimited() -> Self {
        let mut settings = testkit::default_settings();
        settings.limits_enabled = false;
        Self::over(World::with(settings).await)
    }

    /// Posts JSON to `/api`.
    pub(crate) async fn post(&self, body: &Value) -> Exchange {
        self.post_bytes(body.to_string()).await
    }

    /// Posts anything to `/api`.
    pub(crate) async fn post_bytes(&self, body: impl Into<Vec<u8>>) -> Exchange {
        self.send(request("POST", "/api", body)).await
    }

    /// Sends a request.
    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Exchange {
        exchange(&self.router, request).await
    }

    /// Registers a name; its password.
    pub(crate) async fn register(
        &self,
        client: &ToxClient,
        name: &str,
        privacy: i64,
        bio: &str,
    ) -> String {
        let sealed = client.push(name, privacy, bio, self.world.seconds());
        let reply = self.post(&push(&sealed)).await.ok();
        reply["password"].as_str().unwrap().to_owned()
    }
}

/// The door with the layers that say who asks. Proxies on this machine are trusted.
pub(crate) fn router(engine: &Engine, settings: Settings) -> Router {
    let state = State {
        engine: engine.clone(),
        settings,
    };
    let trusted = TrustedProxies::parse(&TrustedProxies::DEFAULT).unwrap();
    let policy = ClientPolicy::new(trusted, false, &Clock::new(|| 0));
    with_client_context(door_toxme::router(state), Arc::new(policy))
}

/// A request of a client at 203.0.113.7 over TLS.
pub(crate) fn request(method: &str, path: &str, body: impl Into<Vec<u8>>) -> Request<Vec<u8>> {
    Request::builder()
        .method(method)
        .uri(path)
        .extension(connection("203.0.113.7:4000", true))
        .body(body.into())
        .unwrap()
}

/// A connection.
pub(crate) fn connection(peer: &str, tls: bool) -> ConnectInfo {
    ConnectInfo {
        peer: Some(peer.parse::<SocketAddr>().unwrap()),
        tls,
    }
}

/// A sealed push as JSON.
pub(crate) fn push(sealed: &Sealed) -> Value {
    envelope(1, sealed)
}

/// A sealed delete as JSON.
pub(crate) fn delete(sealed: &Sealed) -> Value {
    envelope(2, sealed)
}

fn envelope(action: u8, sealed: &Sealed) -> Value {
    json!({
        "action": action,
        "public_key": HEXUPPER.encode(&sealed.sender),
        "nonce": BASE64.encode(&sealed.nonce),
        "encrypted": BASE64.encode(&sealed.ciphertext),
    })
}

/// A sealed reset of a password as JSON.
pub(crate) fn reset(sealed: &Sealed) -> Value {
    envelope(7, sealed)
}

/// A look-up as JSON.
pub(crate) fn lookup(name: &str) -> Value {
    json!({"action": 3, "name": name})
}

/// What a test asks of an exchange.
pub(crate) trait Answered {
    /// The reply as JSON.
    fn reply(&self) -> Value;

    /// The reply's code, once the status has been found to be the right one for it.
    fn code(&self) -> i64 {
        self.reply()["c"].as_i64().unwrap()
    }

    /// The reply, which must be a success.
    fn ok(&self) -> Value {
        let reply = self.reply();
        assert_eq!(reply["c"], 0, "{reply}");
        reply
    }
}

impl Answered for Exchange {
    fn reply(&self) -> Value {
        let reply: Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(
            self.headers["content-type"],
            "application/json; charset=UTF-8"
        );
        assert!(self.body.starts_with(b"{\"c\": "), "{}", self.text);
        assert_eq!(self.status == 200, reply["c"] == 0, "{}", self.text);
        assert_eq!(reply["c"] == 0, reply.get("detail").is_none(), "{reply}");
        reply
    }
}

/// Compares an exchange with `snapshots/<name>.snap`.
pub(crate) fn snapshot(name: &str, exchange: &Exchange) {
    insta::with_settings!({
        prepend_module_to_snapshot => false,
        snapshot_path => "snapshots",
        omit_expression => true,
    }, { insta::assert_snapshot!(name, exchange.text) });
}
