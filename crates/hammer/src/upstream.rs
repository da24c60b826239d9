//! A service on loopback that a server asks: it shows the pages it was given, or takes connections and
//! never answers.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::nextid::Service;
use crate::server::Launch;

/// Longest head of a request that is read, in bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// The service; it ends when the last one is dropped.
#[derive(Clone)]
pub(crate) struct Upstream {
    address: SocketAddr,
    shelf: Arc<Shelf>,
    _task: Arc<Task>,
}

struct Task(JoinHandle<()>);

#[derive(Default)]
struct Shelf {
    pages: Mutex<HashMap<String, Vec<u8>>>,
    is_silent: AtomicBool,
    /// Requests that wait for an answer they will not get.
    held: AtomicU64,
}

impl Upstream {
    /// Starts one in this process.
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("listen as an upstream")?;
        let address = listener.local_addr().context("learn an upstream's port")?;
        let shelf = Arc::new(Shelf::default());
        #[expect(
            clippy::disallowed_methods,
            reason = "the task is aborted when the last one is dropped"
        )]
        let task = tokio::spawn(serve(listener, shelf.clone()));
        Ok(Self {
            address,
            shelf,
            _task: Arc::new(Task(task)),
        })
    }

    /// Has a server ask here instead of the services themselves.
    pub(crate) fn stand_in(&self, launch: &mut Launch) {
        let address = self.address;
        let (github, https) = (Service::GitHub.name(), Service::Https.name());
        for upstream in ["github_api", "github_gist_raw"] {
            launch.set(format!("upstreams.{upstream}=http://{address}/{github}"));
        }
        launch.set(format!("upstreams.https=http://{address}/{https}/{{host}}"));
    }

    /// Shows a page from now on, and says where.
    pub(crate) fn show(&self, (path, body): (String, Vec<u8>)) -> String {
        self.shelf.pages().insert(path.clone(), body);
        path
    }

    /// Shows it no more.
    pub(crate) fn forget(&self, path: &str) {
        self.shelf.pages().remove(path);
    }

    /// From now on it answers nothing, or again.
    pub(crate) fn set_silent(&self, is_silent: bool) {
        self.shelf.is_silent.store(is_silent, Ordering::Relaxed);
    }

    /// Requests that wait for an answer just now.
    pub(crate) fn held(&self) -> u64 {
        self.shelf.held.load(Ordering::Relaxed)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Shelf {
    fn pages(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<u8>>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The whole answer to a request for a path.
    fn answer(&self, path: &str) -> Vec<u8> {
        let pages = self.pages();
        let (status, body) = match pages.get(path) {
            Some(body) => ("200 OK", body.as_slice()),
            None => ("404 Not Found", &b"{}"[..]),
        };
        let length = body.len();
        let mut answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json; charset=utf-8\r\n\
             content-length: {length}\r\n\r\n"
        )
        .into_bytes();
        answer.extend_from_slice(body);
        answer
    }
}

async fn serve(listener: TcpListener, shelf: Arc<Shelf>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        if let Ok((stream, _)) = accepted {
            let shelf = shelf.clone();
            // A connection that breaks is the server's affair.
            connections.spawn(async move { connection(stream, &shelf).await });
        }
    }
}

async fn connection(mut stream: TcpStream, shelf: &Shelf) -> Result<()> {
    stream.set_nodelay(true).context("set TCP_NODELAY")?;
    let mut received = Vec::with_capacity(1024);
    loop {
        received.clear();
        while !received.ends_with(b"\r\n\r\n") {
            ensure!(received.len() < HEAD_BYTES_MAX, "the head is too long");
            let read = stream.read_buf(&mut received).await.context("read")?;
            ensure!(read > 0, "closed");
        }
        if shelf.is_silent.load(Ordering::Relaxed) {
            shelf.held.fetch_add(1, Ordering::Relaxed);
            let closed = stream.read_buf(&mut received).await;
            shelf.held.fetch_sub(1, Ordering::Relaxed);
            closed.context("read")?;
            return Ok(());
        }
        let path = path(&received).context("no request")?;
        let answer = shelf.answer(path);
        stream.write_all(&answer).await.context("answer")?;
    }
}

/// The path in a request's first line.
fn path(head: &[u8]) -> Option<&str> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    std::str::from_utf8(line).ok()?.split(' ').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Connection;

    #[tokio::test]
    async fn pages_are_shown_until_it_falls_silent() {
        let upstream = Upstream::start().await.unwrap();
        upstream.show(("/a/b".to_owned(), b"hello".to_vec()));
        let mut connection = Connection::open(upstream.address).await.unwrap();
        assert_eq!(connection.get("/a/b").await.unwrap().body, b"hello");
        assert_eq!(connection.get("/a/c").await.unwrap().status, 404);
        upstream.set_silent(true);
        let mut stuck = Box::pin(connection.get("/a/b"));
        while upstream.held() == 0 {
            tokio::select! {
                answer = &mut stuck => panic!("answered: {answer:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
        drop(stuck);
        drop(connection);
        while upstream.held() > 0 {
            tokio::task::yield_now().await;
        }
    }
}
