//! Reads every view the server has of a name.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::clock;
use crate::http::Connection;
use crate::ledger::{Observed, Page};
use crate::log_view::Trust;
use crate::tox::{self, NO_USER, Profile, Record, Reply, UNKNOWN_NAME};

/// How long the log may take to cover what was written. The specification promises one second;
/// beyond this the write counts as half done.
const COVER_WAIT: Duration = Duration::from_secs(10);
const COVER_LOOK: Duration = Duration::from_millis(20);

/// What a server shows of one name.
pub(crate) async fn observe(
    connection: &mut Connection,
    trust: &Trust,
    profile: &Profile,
    page: &Page,
) -> Result<Observed> {
    let lookup = lookup(connection, profile).await?;
    let reverse = reverse(connection, profile).await?;
    let search = search(connection, profile).await?;
    let began = clock::now();
    loop {
        let proven = trust.prove(connection, profile).await?;
        let covers = page.is_covered_by(lookup, proven);
        if covers || began.elapsed() > COVER_WAIT {
            return Ok(Observed {
                lookup,
                reverse,
                search,
                proven,
            });
        }
        tokio::time::sleep(COVER_LOOK).await;
    }
}

async fn lookup(connection: &mut Connection, profile: &Profile) -> Result<Option<u32>> {
    let reply = tox::ask(connection, &tox::lookup(&profile.name)).await?;
    match reply.c {
        0 => {
            let tox_id = reply.tox_id.context("a look-up without a Tox ID")?;
            let version = profile.version_of(&tox_id);
            version
                .context("look-up shows somebody else's Tox ID")
                .map(Some)
        }
        NO_USER => Ok(None),
        code => bail!("look-up answers {code}"),
    }
}

async fn reverse(connection: &mut Connection, profile: &Profile) -> Result<bool> {
    let reply: Reply = tox::ask(connection, &tox::reverse(&profile.key_hex())).await?;
    match reply.c {
        0 => {
            let name = reply.name.context("a reverse look-up without a name")?;
            ensure!(name == profile.name, "reverse look-up gives another name");
            Ok(true)
        }
        UNKNOWN_NAME => Ok(false),
        code => bail!("reverse look-up answers {code}"),
    }
}

async fn search(connection: &mut Connection, profile: &Profile) -> Result<Option<u32>> {
    let reply = tox::ask(connection, &tox::search(&profile.name, 0)).await?;
    ensure!(reply.c == 0, "search answers {}", reply.c);
    ensure!(reply.users.len() <= 1, "search shows the name twice");
    let Some(user) = reply.users.first() else {
        return Ok(None);
    };
    ensure!(user.name == profile.name, "search shows another name");
    let version = Record::version_in(&user.bio);
    version.context("search shows a bio nobody wrote").map(Some)
}
