//! The door over a world, and a browser's side of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use door_web::{Settings, State};
use http::Request;
use httpkit::client_ip::{ClientPolicy, ConnectInfo, TrustedProxies, with_client_context};
use httpkit::clock::Clock;
use httpkit::csrf::Csrf;
use testkit::{Exchange, FakeService, World, exchange};

/// The token of a browser that has one.
pub(crate) const TOKEN: &str = "07070707070707070707070707070707";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// A server with this door alone.
pub(crate) struct Door {
    pub(crate) world: World,
    pub(crate) router: Router,
}

/// Everything on, reached as `https://example.test`.
pub(crate) fn settings() -> Settings {
    Settings {
        require_secure: true,
        has_people: true,
        title: None,
        contact: None,
        public_url: Some("https://example.test".to_owned()),
        release_after: Some(Duration::from_secs(30 * 24 * 3600)),
    }
}

impl Door {
    /// Over a new directory, without limits on attempts.
    pub(crate) async fn new() -> Self {
        let mut engine = testkit::default_settings();
        engine.limits_enabled = false;
        Self::over(World::with(engine).await, settings())
    }

    pub(crate) fn over(world: World, settings: Settings) -> Self {
        let state = State {
            engine: world.engine.clone(),
            settings: Arc::new(settings),
            csrf: Csrf::new(|| [7; 16], Some("https://example.test".to_owned())),
        };
        let missing = state.clone();
        let router = door_web::door(state)
            .fallback(move |request| door_web::not_found(missing.clone(), request));
        let trusted = TrustedProxies::parse(&TrustedProxies::DEFAULT).unwrap();
        let policy = ClientPolicy::new(trusted, false, &Clock::new(|| 0));
        let router = with_client_context(router, Arc::new(policy));
        Self { world, router }
    }

    /// Over a new directory that checks claims of twitter, without limits.
    pub(crate) async fn checking() -> (Self, Arc<FakeService>) {
        let twitter = FakeService::new("twitter");
        let mut engine = testkit::default_settings();
        engine.limits_enabled = false;
        engine.merge_delay = Duration::ZERO;
        let world = World::checking(std::slice::from_ref(&twitter), engine).await;
        (Self::over(world, settings()), twitter)
    }

    /// A directory with alice, whose key sealed her record, and bob, who filled in a form and is
    /// hidden; all of it in the log.
    pub(crate) async fn of_two() -> Self {
        let door = Self::new().await;
        door.register(1, "alice", 2, "hello").await;
        let bob = door.world.client(2).tox_id();
        door.add("bob", &bob.to_string(), "privacy=on").await;
        door.world.sequence().await;
        door
    }

    /// Registers a name by a key.
    pub(crate) async fn register(&self, byte: u8, name: &str, privacy: i64, bio: &str) -> String {
        let client = self.world.client(byte);
        let sealed = client.push(name, privacy, bio, self.world.seconds());
        let caller = World::caller(byte);
        let pushed = self.world.engine.names().push(&caller, Some(sealed)).await;
        pushed.unwrap().password.unwrap().expose().clone()
    }

    /// Adds a name by the form; its password.
    pub(crate) async fn add(&self, name: &str, tox_id: &str, more: &str) -> String {
        let answer = self
            .post(
                "/add_ui",
                &format!("name={name}&tox_id={tox_id}&bio=&{more}"),
            )
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let (_, behind) = answer.text.split_once("class=\"secret\"><code>").unwrap();
        behind.split_once('<').unwrap().0.to_owned()
    }

    pub(crate) async fn get(&self, path: &str) -> Exchange {
        self.send(request("GET", path).body(Vec::new()).unwrap())
            .await
    }

    /// The same by a browser that sends this cookie.
    pub(crate) async fn get_with(&self, path: &str, cookie: &str) -> Exchange {
        let request = request("GET", path).header("cookie", cookie);
        self.send(request.body(Vec::new()).unwrap()).await
    }

    /// Sends a form with the token of the browser.
    pub(crate) async fn post(&self, path: &str, fields: &str) -> Exchange {
        self.send(posted(path, &format!("csrf={TOKEN}&{fields}")))
            .await
    }

    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Exchange {
        exchange(&self.router, request).await
    }
}

/// A request of a browser at 203.0.113.7 over TLS.
pub(crate) fn request(method: &str, path: &str) -> http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    request.extension(connection("203.0.113.7:4000", true))
}

/// A form of a browser that has the token.
pub(crate) fn posted(path: &str, body: &str) -> Request<Vec<u8>> {
    let request = request("POST", path)
        .header("content-type", FORM)
        .header("cookie", format!("__Host-csrf={TOKEN}"));
    request.body(body.into()).unwrap()
}

pub(crate) fn connection(peer: &str, tls: bool) -> ConnectInfo {
    ConnectInfo {
        peer: Some(peer.parse::<SocketAddr>().unwrap()),
        tls,
    }
}

/// Compares an exchange with `snapshots/<name>.snap`, less what changes for reasons of others: versions
/// of the program and of its files, and roots of the log.
pub(crate) fn snapshot(name: &str, exchange: &Exchange) {
    let mut text = exchange
        .text
        .replace(env!("CARGO_PKG_VERSION"), "[version]");
    while let Some((before, after)) = text.split_once("?v=") {
        text = format!("{before}?[version]{}", &after[16..]);
    }
    let text = without_roots(&text);
    insta::with_settings!({
        prepend_module_to_snapshot => false,
        snapshot_path => "snapshots",
        omit_expression => true,
    }, { insta::assert_snapshot!(name, text) });
}

/// Shortened roots, `<code>3aa2b15b…`, by a word.
fn without_roots(text: &str) -> String {
    let mut parts = text.split("<code>");
    let mut found = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        let is_root = digits.starts_with('\u{2026}') && digits.len() < part.len();
        found += if is_root { "<code>[root]" } else { "<code>" };
        found += if is_root { digits } else { part };
    }
    found
}
