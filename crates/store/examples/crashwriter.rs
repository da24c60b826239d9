//! Writes until it is killed: the crash tests' child process.
//!
//! `crashwriter DIRECTORY WRITERS` opens the store and lets each writer extend a chain of its own:
//! link `n` puts its row and moves the head from `n - 1` to `n` in one batch. Each acknowledged link
//! is one line `writer n` on standard output, the first line is `open`.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use engine::ports::store::{Batch, Expect, Freshness, Key, Store};
use store::Options;
use tokio::task::JoinSet;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().ok_or("usage: crashwriter DIRECTORY WRITERS")?;
    let writers: u32 = args
        .next()
        .ok_or("usage: crashwriter DIRECTORY WRITERS")?
        .parse()?;
    let store = store::open(&format!("file:{dir}"), Options::default()).await?;
    say("open")?;
    let mut tasks = JoinSet::new();
    for writer in 0..writers {
        tasks.spawn(extend(Arc::clone(&store), writer));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

async fn extend(store: Arc<dyn Store>, writer: u32) -> Result<(), Failure> {
    let head = Key::from(format!("head/{writer}"));
    let found = store
        .get_many(std::slice::from_ref(&head), Freshness::Now)
        .await?;
    let (mut expect, mut number) = match found.into_iter().next().flatten() {
        Some((version, value)) => (Expect::Is(version), std::str::from_utf8(&value)?.parse()?),
        None => (Expect::Absent, 0_u64),
    };
    loop {
        number += 1;
        let link = Key::from(format!("link/{writer}/{number:08}"));
        let batch = Batch {
            checks: vec![(head.clone(), expect), (link.clone(), Expect::Absent)],
            puts: vec![
                (head.clone(), Bytes::from(number.to_string())),
                (link, Bytes::from(vec![b'x'; 1000])),
            ],
            deletes: Vec::new(),
        };
        expect = Expect::Is(store.commit(batch).await?);
        say(&format!("{writer} {number}"))?;
    }
}

fn say(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
