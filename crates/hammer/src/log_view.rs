//! The served log, believed only as far as it proves itself.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use client::audit::verify_log;
use client::bundle::{NameBundle, Registered, Status, Verified, VerifyError};
use client::checkpoint;
use client::http::HttpOptions;
use client::link::Visibility;
use client::tlog::LogClient;
use merkle::note::{Checkpoint, VerifierKey};

use crate::http::Connection;
use crate::tox::{Profile, Record};

/// The key that was met first; everything later must be signed by it.
#[derive(Clone, Debug)]
pub(crate) struct Trust(VerifierKey);

/// What a verified bundle says of a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proven {
    pub(crate) record: Option<Record>,
    /// Links in the name's chain; 0 when the map proves that there is none.
    pub(crate) links: u32,
    /// The newest link in the log is not shown: it was erased by a release that the log does not
    /// cover yet. Must not last.
    pub(crate) withheld: bool,
}

impl Trust {
    pub(crate) async fn first_contact(connection: &mut Connection) -> Result<Self> {
        let answer = connection.get("/log/key").await?;
        let text = String::from_utf8(answer.body).context("/log/key is not text")?;
        let key = VerifierKey::parse(text.trim_end()).context("/log/key is no verifier key")?;
        Ok(Self(key))
    }

    /// Verifies a signed checkpoint.
    pub(crate) fn checkpoint(&self, note: &[u8]) -> Result<Checkpoint> {
        checkpoint::verify(note, &self.0).context("a checkpoint")
    }

    /// The newest checkpoint.
    pub(crate) async fn newest(&self, connection: &mut Connection) -> Result<Checkpoint> {
        let answer = connection.get("/log/checkpoint").await?;
        ensure!(
            answer.status == 200,
            "/log/checkpoint: status {}",
            answer.status
        );
        self.checkpoint(&answer.body)
    }

    /// Verifies a bundle about a name.
    pub(crate) fn verify(
        &self,
        bundle: &NameBundle,
        name: &str,
    ) -> std::result::Result<Verified, VerifyError> {
        bundle.verify(name, &self.0)
    }

    /// What the log proves about a profile's name.
    pub(crate) async fn prove(
        &self,
        connection: &mut Connection,
        profile: &Profile,
    ) -> Result<Proven> {
        let path = format!("/log/names/{}", profile.name);
        let answer = connection.get(&path).await?;
        ensure!(answer.status == 200, "{path}: status {}", answer.status);
        let bundle = NameBundle::parse(&answer.body).context("a bundle")?;
        let verified = self
            .verify(&bundle, &profile.name)
            .context("a bundle does not verify")?;
        match verified.status {
            Status::Registered(registered) => registered_as(&registered, profile),
            Status::Released { seqno } => Ok(Proven {
                links: seqno,
                ..Proven::default()
            }),
            Status::Absent => Ok(Proven::default()),
            Status::Withheld { seqno } => Ok(Proven {
                links: seqno,
                withheld: true,
                ..Proven::default()
            }),
        }
    }

    /// Reads the whole log and recomputes all of it; answers the number of links.
    pub(crate) async fn audit(&self, server: SocketAddr) -> Result<u64> {
        let log = LogClient::new(&format!("http://{server}"), &HttpOptions::default())
            .context("make a client of the log")?;
        let note = log.checkpoint().await?;
        let report = verify_log(&log, &note, &self.0, |_| {}).await?;
        Ok(report.links)
    }
}

fn registered_as(registered: &Registered, profile: &Profile) -> Result<Proven> {
    let version = profile.version_of(&registered.tox_id.to_string());
    Ok(Proven {
        record: Some(Record {
            version: version.context("the proven Tox ID is somebody else's")?,
            privacy: match registered.visibility {
                Visibility::Private => 0,
                Visibility::Searchable => 1,
                Visibility::Listed => 2,
            },
        }),
        links: registered.seqno,
        withheld: false,
    })
}
