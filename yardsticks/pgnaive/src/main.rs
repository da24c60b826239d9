//! The naive design of a directory on PostgreSQL: what registrations cost when each is a transaction
//! of plain statements that takes its place in the log from one counter row.
//!
//! usage: `pgnaive PORT URL [CONNECTIONS]`. `GET /pk` answers the key to seal to; `POST /api` takes
//! a sealed toxme push as the server does: bare hyper reads it, the server's own code opens the box,
//! serde parses both layers. Then one connection of its own runs
//!
//! ```sql
//! BEGIN; INSERT name; INSERT binding; UPDATE seq SET n = n + 1 RETURNING n; INSERT log entry; COMMIT
//! ```
//!
//! with prepared statements, one round trip each. So both sides of the comparison pay for HTTP, JSON
//! and cryptography. This side signs nothing, keeps no tree and no map, and checks no rule but the
//! two primary keys.

mod directory;
mod push;

use std::sync::Arc;

use bytes::Bytes;
use crypto::boxed::BoxSecretKey;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use directory::{Connection, Directory, Outcome};
use push::Push;

/// Everybody may know it: nothing here is secret.
const SECRET: [u8; 32] = [7; 32];

struct Server {
    key: BoxSecretKey,
    directory: Directory,
}

impl Server {
    async fn answer(&self, request: Request<Incoming>, connection: &Connection) -> String {
        if request.method() == Method::GET {
            let hex: String = self
                .key
                .public()
                .0
                .iter()
                .map(|byte| format!("{byte:02X}"))
                .collect();
            return format!(r#"{{"c": 0, "key": "{hex}"}}"#);
        }
        let code = match request.into_body().collect().await {
            Ok(body) => self.register(&body.to_bytes(), connection).await,
            Err(_) => -1,
        };
        format!(r#"{{"c": {code}}}"#)
    }

    /// The toxme code of one registration.
    async fn register(&self, body: &[u8], connection: &Connection) -> i32 {
        let Some(push) = Push::open(body, &self.key) else {
            return -1;
        };
        match connection.register(&push).await {
            Ok(()) => 0,
            Err(error) if error.code().is_some() => -25,
            Err(error) => {
                eprintln!("{error}");
                -43
            }
        }
    }
}

async fn serve(port: u16, server: Arc<Server>) -> Outcome<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let connection = server.directory.take().await;
            let service = service_fn(async |request| {
                let text = server.answer(request, &connection).await;
                let response = Response::builder().header("content-type", "application/json");
                response.body(Full::new(Bytes::from(text)))
            });
            // A connection that breaks is the client's affair.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
            server.directory.give_back(connection);
        });
    }
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (port, url, connections) = match arguments.as_slice() {
        [port, url] => (port.parse()?, url, 64),
        [port, url, connections] => (port.parse()?, url, connections.parse()?),
        _ => return Err("usage: pgnaive PORT URL [CONNECTIONS]".into()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let server = Server {
            key: BoxSecretKey::from_bytes(SECRET),
            directory: Directory::open(url, connections).await?,
        };
        serve(port, Arc::new(server)).await
    })
}
