//! `sealbook chain`

use std::path::PathBuf;

use clap::Args;
use client::avatar::Avatar;
use client::chain::{ChainVerifier, VerifiedChain};
use client::checkpoint;
use client::proofs::{Action, ChainItem};
use client::remembered::Accepted;
use merkle::note::Checkpoint;
use serde_json::{Value, json};

use super::avatar_file::AvatarFile;
use super::lookup::remembered;
use super::on_one_core;
use super::remote::Remote;
use super::search::printable;
use super::watched::{Watched, unaccepted};
use crate::failure::{Exit, Failure, chain};
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Chain {
    /// The avatar: 0x and 66 hexadecimal digits; default: that of the key
    avatar: Option<String>,
    /// Check every signature, and that the log has each link and contains the log seen before
    #[arg(long)]
    verify: bool,
    /// Key of the log, as `serve` prints it; default: the one first seen at this address
    #[arg(long, value_name = "KEY", requires = "verify")]
    log_key: Option<String>,
    /// Directory of what is remembered of logs; default: sealbook in the state directory
    #[arg(long, value_name = "DIR", requires = "verify")]
    state: Option<PathBuf>,
    #[command(flatten)]
    key: AvatarFile,
    #[command(flatten)]
    remote: Remote,
}

impl Chain {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        on_one_core(async {
            let avatar = self.key.avatar(self.avatar.as_deref())?;
            if self.verify {
                self.verified(*output, &avatar).await
            } else {
                self.believed(*output, &avatar).await
            }
        })
    }

    /// Prints what the server says.
    async fn believed(&self, output: Output, avatar: &Avatar) -> Result<(), Failure> {
        let links = self.links(avatar).await?;
        let words: Vec<String> = links.iter().map(line).collect();
        let object = json!({
            "avatar": avatar.to_string(), "verified": false,
            "links": links.iter().map(object).collect::<Vec<_>>(),
        });
        output.result(&words.join("\n"), &object)
    }

    /// Prints what the server says if every link holds and the log has it.
    async fn verified(&self, output: Output, avatar: &Avatar) -> Result<(), Failure> {
        let watched =
            Watched::of(&self.remote, self.log_key.as_deref(), self.state.as_deref()).await?;
        let links = self.links(avatar).await?;
        let (checkpoint, accepted) = self.checkpoint(&watched).await?;
        let mut verifier = ChainVerifier::new(avatar, &checkpoint);
        for link in &links {
            let index = link.log.as_ref().and_then(|log| log.leaf_index);
            let index = index.filter(|index| *index < checkpoint.size);
            let index = index.ok_or_else(|| {
                let said = "the server does not say where a link stands in its log";
                Failure::new(Exit::Unverified, said)
            })?;
            let logged = watched.log.entry(index, checkpoint.size).await;
            let logged = logged.map_err(|error| self.remote.http(&error))?;
            verifier
                .next(link, &logged)
                .map_err(|fault| Failure::new(Exit::Unverified, chain(&fault)))?;
        }
        let (avatar, verified) = (avatar.to_string(), verifier.finish());
        Self::print(output, &avatar, &links, &verified, (&checkpoint, accepted))
    }

    async fn links(&self, avatar: &Avatar) -> Result<Vec<ChainItem>, Failure> {
        let links = self.remote.proofs()?.chain(avatar).await;
        let links = links.map_err(|error| self.remote.unproven(error))?;
        if links.is_empty() {
            let said = format!("{avatar} has signed nothing here");
            return Err(Failure::new(Exit::NotFound, said));
        }
        Ok(links)
    }

    /// The log's newest checkpoint, which contains the one that was seen before.
    async fn checkpoint(&self, watched: &Watched) -> Result<(Checkpoint, Accepted), Failure> {
        let note = watched.log.checkpoint().await;
        let note = note.map_err(|error| self.remote.http(&error))?;
        let checkpoint = checkpoint::verify(&note, &watched.key)
            .map_err(|error| Failure::new(Exit::Unverified, chain(&error)))?;
        let accepted = watched.memory.accept(&watched.key, &note, &watched.log);
        let accepted = accepted.await.map_err(|error| unaccepted(&error))?;
        Ok((checkpoint, accepted))
    }

    fn print(
        output: Output,
        avatar: &str,
        links: &[ChainItem],
        verified: &VerifiedChain,
        (checkpoint, accepted): (&Checkpoint, Accepted),
    ) -> Result<(), Failure> {
        let mut words: Vec<String> = links.iter().map(line).collect();
        words.push(format!(
            "{} links, each signed by the avatar and in {} of size {}; {}",
            verified.links,
            checkpoint.origin,
            checkpoint.size,
            remembered(accepted)
        ));
        let claimed = verified.claimed.iter();
        let claimed: Vec<Value> = claimed
            .map(|(platform, identity)| json!({ "platform": platform, "identity": identity }))
            .collect();
        let object = json!({
            "avatar": avatar, "verified": true,
            "links": links.iter().map(object).collect::<Vec<_>>(), "claimed": claimed,
            "origin": checkpoint.origin, "size": checkpoint.size,
            "root": checkpoint.root.to_hex(), "first_contact": accepted == Accepted::First,
        });
        output.result(&words.join("\n"), &object)
    }
}

fn line(link: &ChainItem) -> String {
    let action = match link.action {
        Action::Create => "+",
        Action::Delete => "-",
    };
    printable(&format!("{action} {} {}", link.platform, link.identity))
}

fn object(link: &ChainItem) -> Value {
    json!({
        "action": link.action.as_str(), "platform": link.platform, "identity": link.identity,
        "proof_location": link.proof_location, "created_at": link.created_at, "uuid": link.uuid,
        "signature": link.signature, "leaf_index": link.log.as_ref().and_then(|it| it.leaf_index),
    })
}
