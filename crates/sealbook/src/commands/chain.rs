//! `sealbook chain`

use clap::Args;
use client::avatar::Avatar;
use client::bundle::ChainHead;
use client::chain::{ChainVerifier, VerifiedChain};
use client::proofs::{Action, ChainItem};
use client::remembered::Accepted;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::avatar_file::AvatarFile;
use super::on_one_core;
use super::remote::Remote;
use super::search::printable;
use super::watched::{LOOKS, PAUSE, Watch, Watched, remembered};
use crate::failure::{Exit, Failure, chain};
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Chain {
    /// The avatar: 0x and 66 hexadecimal digits; default: that of the key
    avatar: Option<String>,
    /// Check every signature, that the log has each link and no newer one, and that it contains the
    /// log seen before
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    watch: Watch,
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
        if links.is_empty() {
            let said = format!("{avatar} has signed nothing here");
            return Err(Failure::new(Exit::NotFound, said));
        }
        let words: Vec<String> = links.iter().map(line).collect();
        let object = json!({
            "avatar": avatar.to_string(), "verified": false,
            "links": links.iter().map(object).collect::<Vec<_>>(),
        });
        output.result(&words.join("\n"), &object)
    }

    /// Prints what the server says if every link holds, and the log has these links and no others.
    async fn verified(&self, output: Output, avatar: &Avatar) -> Result<(), Failure> {
        let watched = self.watch.of(&self.remote).await?;
        let (head, accepted, links) = self.settled(&watched, avatar).await?;
        if head.newest.is_none() && links.is_empty() {
            let (origin, size) = (&head.checkpoint.origin, head.checkpoint.size);
            let said = format!("{avatar} has signed nothing, which {origin} of size {size} proves");
            return Err(Failure::new(Exit::NotFound, said));
        }
        let verified = self.check(&watched, &head, &links).await?;
        Self::print(output, &links, &verified, (&head, accepted))
    }

    /// The end of the chain and the chain, of one moment. As the end is asked for first, a chain that is
    /// shorter was cut; one that is longer has grown meanwhile, and is looked at again.
    async fn settled(
        &self,
        watched: &Watched,
        avatar: &Avatar,
    ) -> Result<(ChainHead, Accepted, Vec<ChainItem>), Failure> {
        let (mut before, mut look) = (None, 1);
        loop {
            let (head, accepted) = self.head(watched, avatar).await?;
            // What was known before the first look, whichever look it is that is settled.
            let before = *before.get_or_insert(accepted);
            let links = self.links(avatar).await?;
            let newest = head.newest.map_or(Ok(0), |newest| newest.seqno.try_into());
            if look == LOOKS || newest.is_ok_and(|newest: usize| links.len() <= newest) {
                return Ok((head, before, links));
            }
            look += 1;
            sleep(PAUSE).await;
        }
    }

    /// Where the log says that the chain ends, in a log that contains the one seen before.
    async fn head(
        &self,
        watched: &Watched,
        avatar: &Avatar,
    ) -> Result<(ChainHead, Accepted), Failure> {
        let bundle = watched.log.avatar_bundle(avatar).await;
        let bundle = bundle.map_err(|error| self.remote.http(&error))?;
        let head = bundle.verify(avatar, &watched.key);
        let head = head.map_err(|error| Failure::new(Exit::Unverified, chain(&error)))?;
        let accepted = watched.accept(bundle.checkpoint_note().as_bytes()).await?;
        Ok((head, accepted))
    }

    async fn check(
        &self,
        watched: &Watched,
        head: &ChainHead,
        links: &[ChainItem],
    ) -> Result<VerifiedChain, Failure> {
        let (size, mut verifier) = (head.checkpoint.size, ChainVerifier::new(head));
        let unverified = |fault| Failure::new(Exit::Unverified, chain(&fault));
        for link in links {
            let index = link.log.as_ref().and_then(|log| log.leaf_index);
            let index = index.filter(|index| *index < size).ok_or_else(|| {
                let said = "the server shows a link, and does not say where it stands in its log";
                Failure::new(Exit::Unverified, said)
            })?;
            let logged = watched.log.entry(index, size).await;
            let logged = logged.map_err(|error| self.remote.http(&error))?;
            verifier.next(link, &logged).map_err(unverified)?;
        }
        verifier.finish().map_err(unverified)
    }

    async fn links(&self, avatar: &Avatar) -> Result<Vec<ChainItem>, Failure> {
        let links = self.remote.proofs()?.chain(avatar).await;
        links.map_err(|error| self.remote.unproven(error))
    }

    fn print(
        output: Output,
        links: &[ChainItem],
        verified: &VerifiedChain,
        (head, accepted): (&ChainHead, Accepted),
    ) -> Result<(), Failure> {
        let checkpoint = &head.checkpoint;
        let mut words: Vec<String> = links.iter().map(line).collect();
        words.push(format!(
            "{} links and no more, each signed by the avatar and in {} of size {}; {}",
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
            "avatar": head.avatar.to_string(), "verified": true,
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
