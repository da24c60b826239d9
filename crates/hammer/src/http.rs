//! A kept-alive HTTP/1.1 connection that does as little as a client can, so that a generator on
//! one core keeps a server on another one busy.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for a connection, and for an answer unless told otherwise.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Longest head and longest body that are read, in bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;
const BODY_BYTES_MAX: usize = 4 << 20;

/// One connection; after an error it must be dropped.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    request: Vec<u8>,
    wait: Duration,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(server: SocketAddr) -> Result<Self> {
        let stream = timeout(ANSWER_WAIT, TcpStream::connect(server))
            .await
            .context("no connection in time")?
            .with_context(|| format!("connect to {server}"))?;
        stream.set_nodelay(true).context("set TCP_NODELAY")?;
        Ok(Self {
            stream,
            received: Vec::with_capacity(4096),
            request: Vec::with_capacity(1024),
            wait: ANSWER_WAIT,
        })
    }

    /// Waits this long for each answer.
    pub(crate) fn waiting(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer> {
        self.exchange("GET", path, &[]).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &[u8]) -> Result<Answer> {
        self.exchange("POST", path, body).await
    }

    async fn exchange(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Answer> {
        self.request.clear();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\
             content-type: application/json\r\n\r\n"
        );
        self.request.extend_from_slice(head.as_bytes());
        self.request.extend_from_slice(body);
        timeout(self.wait, self.send_and_read())
            .await
            .with_context(|| format!("no answer to {method} {path} in time"))?
            .with_context(|| format!("{method} {path}"))
    }

    async fn send_and_read(&mut self) -> Result<Answer> {
        self.stream.write_all(&self.request).await.context("send")?;
        self.received.clear();
        let head = loop {
            if let Some(head) = Head::parse(&self.received)? {
                break head;
            }
            ensure!(self.received.len() < HEAD_BYTES_MAX, "the head is too long");
            self.read_more().await?;
        };
        ensure!(head.body_bytes <= BODY_BYTES_MAX, "the body is too long");
        let end = head.bytes + head.body_bytes;
        while self.received.len() < end {
            self.read_more().await?;
        }
        let body = self.received.get(head.bytes..end).unwrap_or_default();
        Ok(Answer {
            status: head.status,
            body: body.to_vec(),
        })
    }

    async fn read_more(&mut self) -> Result<()> {
        let read = self
            .stream
            .read_buf(&mut self.received)
            .await
            .context("read")?;
        ensure!(read > 0, "the server closed the connection");
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    bytes: usize,
    body_bytes: usize,
}

impl Head {
    /// `None` while the head is not complete.
    fn parse(received: &[u8]) -> Result<Option<Self>> {
        let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = received.get(..end).unwrap_or_default();
        let head = std::str::from_utf8(head).context("the head is not text")?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
        let status = status.and_then(|line| line.get(..3)?.parse().ok());
        let mut body_bytes = 0;
        for line in lines {
            let Some((name, value)) = line.split_once(':') else {
                bail!("a header without a colon");
            };
            if name.eq_ignore_ascii_case("content-length") {
                body_bytes = value.trim().parse().context("content-length")?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                bail!("answers in chunks are not read");
            }
        }
        Ok(Some(Self {
            status: status.context("no status line")?,
            bytes: end + 4,
            body_bytes,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_when_complete() {
        let whole = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 9\r\nx: y\r\n\r\n{\"c\": -3}";
        let head = Head::parse(whole).unwrap();
        let expected = Head {
            status: 400,
            bytes: whole.len() - 9,
            body_bytes: 9,
        };
        assert_eq!(head, Some(expected));
        assert_eq!(Head::parse(&whole[..30]).unwrap(), None);
        assert!(Head::parse(b"SPDY\r\n\r\n").is_err());
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }
}
