//! `sealbook lookup`

use clap::Args;
use client::bundle::{Registered, Status, Verified};
use client::remembered::Accepted;
use client::tox_id::ToxId;
use client::toxme::{Code, ToxmeClient, ToxmeError};
use serde_json::json;
use tokio::time::sleep;

use super::on_one_core;
use super::remote::Remote;
use super::watched::{LOOKS, PAUSE, Watch, Watched, remembered};
use crate::failure::{Exit, Failure, chain};
use crate::output::Output;

#[derive(Args)]
pub(crate) struct Lookup {
    /// Name to look up; without --verify also name@domain
    name: String,
    /// Check the answer: that it stands in the log, and that the log contains the one seen before
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    watch: Watch,
    #[command(flatten)]
    remote: Remote,
}

impl Lookup {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        on_one_core(async {
            if self.verify {
                self.verified(*output).await
            } else {
                self.believed(*output).await
            }
        })
    }

    /// Prints what the server says.
    async fn believed(&self, output: Output) -> Result<(), Failure> {
        let record = self.remote.toxme()?.lookup(&self.name).await;
        let record = record.map_err(|error| self.remote.refused(error))?;
        let tox_id = record.tox_id.to_string();
        let object = json!({
            "name": record.name, "domain": record.domain, "tox_id": tox_id, "verified": false,
            "vouched_for": record.is_vouched_for,
        });
        let words = if record.is_vouched_for {
            tox_id
        } else {
            format!("{tox_id}\nThe server does not vouch for it: ask whom it belongs to")
        };
        output.result(&words, &object)
    }

    /// Prints what the server says if the log proves it.
    async fn verified(&self, output: Output) -> Result<(), Failure> {
        if self.name.contains('@') {
            let said = "--verify asks the log of one server: give the name without its domain, and \
                        the server with --url";
            return Err(Failure::new(Exit::Usage, said));
        }
        let toxme = self.remote.toxme()?;
        let watched = self.watch.of(&self.remote).await?;
        let mut before = None;
        for look in 1..=LOOKS {
            let answered = self.answer(&toxme).await?;
            let (proven, accepted) = self.prove(&watched).await?;
            // What was known before the first look, whichever look it is that agrees.
            let before = *before.get_or_insert(accepted);
            // After a deletion, links are erased before the log says that the name was given up.
            let is_settled = look == LOOKS || !matches!(proven.status, Status::Withheld { .. });
            if is_settled && agree(answered, &proven.status) {
                return self.print(output, &proven, before);
            }
            sleep(PAUSE).await;
        }
        let said = "the server's answer is not what its log proves; ask again, and if it stays so, \
                    do not use the answer";
        Err(Failure::new(
            Exit::Unverified,
            format!("{}: {said}", self.name),
        ))
    }

    /// The Tox ID the server answers; `None` when it says that there is no such name.
    async fn answer(&self, toxme: &ToxmeClient) -> Result<Option<ToxId>, Failure> {
        match toxme.lookup(&self.name).await {
            Ok(record) => Ok(Some(record.tox_id)),
            Err(ToxmeError::Refused {
                code: Code::NO_USER,
                ..
            }) => Ok(None),
            Err(error) => Err(self.remote.refused(error)),
        }
    }

    async fn prove(&self, watched: &Watched) -> Result<(Verified, Accepted), Failure> {
        let bundle = watched.log.name_bundle(&self.name).await;
        let bundle = bundle.map_err(|error| self.remote.http(&error))?;
        let verified = bundle.verify(&self.name, &watched.key);
        let verified = verified.map_err(|error| Failure::new(Exit::Unverified, chain(&error)))?;
        let accepted = watched.accept(bundle.checkpoint_note().as_bytes()).await?;
        Ok((verified, accepted))
    }

    fn print(&self, output: Output, proven: &Verified, accepted: Accepted) -> Result<(), Failure> {
        let checkpoint = &proven.checkpoint;
        let log = format!("{} of size {}", checkpoint.origin, checkpoint.size);
        let registered = match &proven.status {
            Status::Registered(registered) => registered,
            Status::Released { .. } | Status::Absent => {
                let said = format!("there is no name {}, which {log} proves", self.name);
                return Err(Failure::new(Exit::NotFound, said));
            }
            Status::Withheld { seqno } => {
                let said = format!(
                    "the server says that there is no name {}, but {log} holds change {seqno} of \
                     it, which is kept back or erased: nothing is proven",
                    self.name
                );
                return Err(Failure::new(Exit::Unverified, said));
            }
        };
        let unproven = if registered.is_proven {
            ""
        } else {
            "\nNobody has proved to hold this Tox ID: somebody else gave it. Ask whom it belongs to"
        };
        let words = format!(
            "{}\nproven by {log}, change {} of the name; {}{unproven}",
            registered.tox_id,
            registered.seqno,
            remembered(accepted)
        );
        output.result(&words, &self.object(proven, registered, accepted))
    }

    fn object(
        &self,
        proven: &Verified,
        registered: &Registered,
        accepted: Accepted,
    ) -> serde_json::Value {
        json!({
            "name": self.name,
            "tox_id": registered.tox_id.to_string(),
            "verified": true,
            "key_proven": registered.is_proven,
            "seqno": registered.seqno,
            "changed_at_ms": registered.changed_at_ms,
            "origin": proven.checkpoint.origin,
            "size": proven.checkpoint.size,
            "root": proven.checkpoint.root.to_hex(),
            "first_contact": accepted == Accepted::First,
        })
    }
}

/// Whether the server's answer is what the log proves.
fn agree(answered: Option<ToxId>, proven: &Status) -> bool {
    match (answered, proven) {
        (Some(answered), Status::Registered(registered)) => answered == registered.tox_id,
        (None, Status::Released { .. } | Status::Absent | Status::Withheld { .. }) => true,
        (Some(_), Status::Released { .. } | Status::Absent | Status::Withheld { .. })
        | (None, Status::Registered(_)) => false,
    }
}
