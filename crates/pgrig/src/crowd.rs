//! A crowd of clients that hold every connection a server has.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::{NAME, Postgres, pause};

/// What the crowd's sessions are called in `pg_stat_activity`.
const CROWD: &str = "crowd";
/// Protocol 3.0.
const VERSION: u32 = 3 << 16;
/// How often one looks for places that became free.
const LOOKS: usize = 10;
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Longest message of the server that is read, in bytes.
const MESSAGE_BYTES_MAX: u32 = 1 << 16;

/// Connections that are held and do nothing; closed with the value.
pub struct Crowd {
    held: Vec<TcpStream>,
}

impl Crowd {
    pub(crate) fn gather(server: &Postgres) -> Result<Self> {
        let mut crowd = Self { held: Vec::new() };
        crowd.press_in(server)?;
        ensure!(!crowd.held.is_empty(), "no connection is to be had");
        // Room for one statement that sends the others away; the crowd takes their places before
        // they can come back, or keeps them out when they do.
        crowd.held.pop();
        while server
            .end_sessions(&format!("AND application_name <> '{CROWD}'"))
            .is_err()
        {
            // The place just given up was taken by somebody else: give up another.
            crowd.held.pop().context("the server has no place left")?;
        }
        // Sessions take a moment to end.
        for _ in 0..LOOKS {
            pause();
            crowd.press_in(server)?;
        }
        Ok(crowd)
    }

    /// How many connections are held.
    #[must_use]
    pub fn count(&self) -> usize {
        self.held.len()
    }

    /// Takes connections until there are no more.
    fn press_in(&mut self, server: &Postgres) -> Result<()> {
        while let Some(connection) = enter(server.port())? {
            self.held.push(connection);
        }
        Ok(())
    }
}

/// One more connection; `None` when the server has none left.
fn enter(port: u16) -> Result<Option<TcpStream>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).context("connect")?;
    let wait = Some(ANSWER_WAIT);
    stream.set_read_timeout(wait).context("set a time-out")?;
    stream.write_all(&startup()).context("introduce a client")?;
    loop {
        let mut kind = [0];
        let mut length = [0; 4];
        if stream.read_exact(&mut kind).is_err() {
            return Ok(None);
        }
        stream.read_exact(&mut length).context("read a length")?;
        let length = u32::from_be_bytes(length);
        ensure!((4..MESSAGE_BYTES_MAX).contains(&length), "not PostgreSQL");
        let mut body = vec![0; usize::try_from(length - 4).context("a length")?];
        stream.read_exact(&mut body).context("read a message")?;
        match kind {
            // Ready for queries.
            [b'Z'] => return Ok(Some(stream)),
            [b'R'] if body != [0; 4] => bail!("the server asks for a password"),
            // Too many clients, or no room for one more for another reason.
            [b'E'] => return Ok(None),
            _ => {}
        }
    }
}

fn startup() -> Vec<u8> {
    let mut body = VERSION.to_be_bytes().to_vec();
    let words = ["user", NAME, "database", NAME, "application_name", CROWD];
    for word in words {
        body.extend(word.as_bytes());
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [length.to_be_bytes().to_vec(), body].concat()
}
