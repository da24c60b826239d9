//! A directory with its doors on a loopback socket.

use std::net::{IpAddr, Ipv4Addr};

use axum::{Extension, Router};
use client::http::HttpOptions;
use client::link::Visibility;
use client::profile::Profile;
use client::tlog::LogClient;
use client::toxme::{Freshness, Registration, ToxmeClient};
use httpkit::client_ip::ClientContext;
use testkit::{World, default_settings};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A directory, served until dropped.
pub(crate) struct Server {
    pub(crate) world: World,
    pub(crate) address: String,
    _tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let mut settings = default_settings();
        settings.limits_enabled = false;
        let world = World::with(settings).await;
        let log = door_tlog::router(door_tlog::State {
            engine: world.engine.clone(),
        });
        let toxme = door_toxme::router(door_toxme::State {
            engine: world.engine.clone(),
            settings: door_toxme::Settings::default(),
        });
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let client = Extension(ClientContext {
            address,
            secure: true,
            https: true,
        });
        let (address, tasks) = serve(log.merge(toxme).layer(client)).await;
        Self {
            world,
            address,
            _tasks: tasks,
        }
    }

    /// alice is searchable, bob private, carol was released; one checkpoint for each.
    pub(crate) async fn with_three_names() -> Self {
        let server = Self::start().await;
        server.push(1, "Alice", Visibility::Searchable).await;
        server.push(2, "bob", Visibility::Private).await;
        server.push(3, "carol", Visibility::Listed).await;
        let toxme = server.toxme();
        let keys = toxme.server_keys().await.unwrap();
        let fresh = server.fresh(33);
        toxme.delete(&keys, &profile(3), fresh).await.unwrap();
        server.world.sequence().await;
        server
    }

    pub(crate) async fn push(&self, byte: u8, name: &str, visibility: Visibility) {
        let toxme = self.toxme();
        let keys = toxme.server_keys().await.unwrap();
        let bio = "hello";
        let wanted = Registration {
            name,
            visibility,
            bio,
        };
        let fresh = self.fresh(byte);
        let pushed = toxme.push(&keys, &profile(byte), wanted, fresh).await;
        pushed.unwrap();
        self.world.sequence().await;
    }

    pub(crate) fn fresh(&self, byte: u8) -> Freshness {
        Freshness {
            nonce: [byte; 24],
            unix_s: self.world.seconds(),
        }
    }

    pub(crate) fn toxme(&self) -> ToxmeClient {
        ToxmeClient::new(&self.address, &HttpOptions::default()).unwrap()
    }

    pub(crate) fn log(&self) -> LogClient {
        LogClient::new(&self.address, &HttpOptions::default()).unwrap()
    }
}

/// The profile of a byte, with nospam 01020304.
pub(crate) fn profile(byte: u8) -> Profile {
    Profile::new([byte; 32], [1, 2, 3, 4])
}

/// Serves a router on a port of the system's choice, until the tasks are dropped.
pub(crate) async fn serve(router: Router) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, tasks)
}
