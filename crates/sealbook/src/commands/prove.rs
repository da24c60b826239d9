//! `sealbook prove …`: shows which accounts elsewhere belong to an avatar.

mod drafts;
mod places;
mod signed;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use client::avatar::{Avatar, AvatarKey};
use client::proofs::{Action, Draft, Evidence, Wanted};
use serde_json::json;

use super::avatar_file::AvatarFile;
use super::on_one_core;
use super::remote::{DEFAULT_URL, Remote};
use super::search::printable;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use drafts::{Drafts, Kept};
use places::Told;
use signed::AccountSignature;

/// What follows the help.
pub(super) const EXAMPLES: &str = "\
Examples:
  A gist, a tweet, a message: post the text, then say where it is
    sealbook prove start github alice --out proof.json
    sealbook prove check github alice --location 0123456789abcdef
  A domain: add the record, then have it looked up
    sealbook prove start dns example.org
    sealbook prove check dns example.org
  A wallet: have it sign the text (personal_sign for ethereum), then hand the signature in
    sealbook prove start ethereum 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045
    sealbook prove check ethereum 0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045 --wallet-signature 0x…
  Another avatar: its key signs too, here or where it is
    sealbook prove start nextid 0x02…
    sealbook prove check nextid 0x02… --target-key other.json
    sealbook prove check nextid 0x02… --target-signature 0x…
  What an avatar has proven
    sealbook prove list 0x02…
    sealbook chain 0x02… --verify";

/// Stands for the signature in the texts of a server.
const SIGNATURE: &str = "%SIG_BASE64%";
/// What a server says to who gives up what is not his.
const NOT_BOUND: &str = "not bound";
/// Stands for the avatar.
const AVATAR: &str = "%COMPRESSED_PERSONA_PUBKEY_HEX%";

#[derive(Subcommand)]
pub(crate) enum Prove {
    /// Say what to post where, so that an account is shown to be yours; makes the avatar's key if
    /// there is none
    Start(Start),
    /// Have the server look at what was posted
    Check(Check),
    /// Give a claim up; nothing needs to be posted for that
    Delete(Delete),
    /// List what an avatar claims, and whether it holds
    List(List),
}

/// An account elsewhere.
#[derive(Args, Clone, Debug)]
struct Account {
    /// Service, such as github, twitter, dns or activitypub
    platform: String,
    /// Account there: a user name, a domain, an address
    identity: String,
}

#[derive(Args)]
pub(crate) struct Start {
    #[command(flatten)]
    account: Account,
    /// Language of the text, such as zh_CN; what the server does not have is the default
    #[arg(long, value_name = "CODE", default_value = "default")]
    language: String,
    /// File to write the text to, instead of printing it: byte for byte what is to be posted or signed
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    key: AvatarFile,
    #[command(flatten)]
    drafts: Drafts,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
pub(crate) struct Check {
    #[command(flatten)]
    account: Account,
    /// Where the post is: its address, or the number of a tweet, the id of a gist
    #[arg(long, value_name = "PLACE")]
    location: Option<String>,
    #[command(flatten)]
    signed: AccountSignature,
    #[command(flatten)]
    key: AvatarFile,
    #[command(flatten)]
    drafts: Drafts,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    account: Account,
    #[command(flatten)]
    key: AvatarFile,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
pub(crate) struct List {
    /// Avatar to ask about; default: that of the key
    avatar: Option<String>,
    #[command(flatten)]
    key: AvatarFile,
    #[command(flatten)]
    remote: Remote,
}

impl Prove {
    pub(super) fn run(self, output: &Output) -> Result<(), Failure> {
        on_one_core(async {
            match self {
                Self::Start(command) => command.start(*output).await,
                Self::Check(command) => command.check(*output).await,
                Self::Delete(command) => command.delete(*output).await,
                Self::List(command) => command.list(*output).await,
            }
        })
    }
}

impl Account {
    fn wanted<'a>(&'a self, action: Action, avatar: &'a Avatar) -> Wanted<'a> {
        Wanted {
            action,
            avatar,
            platform: &self.platform,
            identity: &self.identity,
        }
    }
}

impl Start {
    async fn start(self, output: Output) -> Result<(), Failure> {
        let (key, made) = self.key.read_or_draw()?;
        let avatar = key.avatar();
        let wanted = self.account.wanted(Action::Create, &avatar);
        let draft = self.remote.proofs()?.draft(&wanted).await;
        let draft = draft.map_err(|error| self.remote.unproven(error))?;
        if let Some(path) = &made {
            AvatarFile::keep(path, &key)?;
        }
        let kept = kept(&draft, &key);
        self.drafts.keep(&self.remote.url, &wanted, &kept)?;
        let text = self.text(&draft, &kept, &avatar);
        // Where nothing is posted, the account signs what the avatar has signed.
        let shown = if text.is_empty() {
            &kept.payload
        } else {
            &text
        };
        if let Some(path) = &self.out {
            std::fs::write(path, shown).map_err(|error| {
                Failure::failed(format!("cannot write {}: {error}", path.display()))
            })?;
        }
        let place = places::of(&self.account.platform, &avatar);
        let mut words = String::new();
        if let Some(path) = &made {
            words = format!(
                "The avatar's secret key is in {}: keep a copy of it.\n",
                path.display()
            );
        }
        words += &format!("avatar {avatar}\n{}\n", place.post);
        if self.out.is_none() {
            words += &format!("\n{}\n\n", shown.trim_end());
        }
        words += &format!("Then: {}", self.then(place.told));
        let object = json!({
            "avatar": avatar.to_string(), "platform": self.account.platform,
            "identity": self.account.identity, "text": text, "file": place.file,
            "sign_payload": kept.payload, "signature": kept.signature, "uuid": kept.uuid,
            "created_at": kept.created_at, "key_file": made,
        });
        output.result(&words, &object)
    }

    /// The post, with everything in its place.
    fn text(&self, draft: &Draft, kept: &Kept, avatar: &Avatar) -> String {
        let texts = &draft.post_content;
        let text = texts.get(&self.language).or(texts.get("default"));
        let text = text.map_or("", String::as_str);
        text.replace(SIGNATURE, &kept.signature)
            .replace(AVATAR, &avatar.to_string())
    }

    /// The command that goes on, with the flags of this one.
    fn then(&self, told: Told) -> String {
        let Account { platform, identity } = &self.account;
        let mut words = vec![
            "sealbook prove check".to_owned(),
            word(platform),
            word(identity),
        ];
        words.extend(Some(told.flag()).filter(|flag| !flag.is_empty()));
        let url = Some(self.remote.url.as_str()).filter(|url| *url != DEFAULT_URL);
        let path = |path: Option<&Path>| path.map(|path| path.display().to_string());
        let given = [
            ("--url", url.map(str::to_owned)),
            ("--key", path(self.key.named())),
            ("--state", path(self.drafts.named())),
        ];
        for (flag, value) in given {
            words.extend(value.map(|value| format!("{flag} {}", word(&value))));
        }
        words.join(" ")
    }
}

/// A word of a command, as shells take it.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "@%+=:,./_-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

impl Check {
    async fn check(self, output: Output) -> Result<(), Failure> {
        let key = self.key.read()?;
        let avatar = key.avatar();
        let wanted = self.account.wanted(Action::Create, &avatar);
        let kept = self.drafts.find(&self.remote.url, &wanted)?;
        self.is_told(places::of(&self.account.platform, &avatar).told)?;
        let location = self.location.as_deref();
        let location = location.map(|given| places::location(&self.account.platform, given));
        let of_wallet = self.signed.of_wallet(&self.account);
        let of_target = self.signed.of_target(&self.account, &kept.payload)?;
        let evidence = Evidence {
            uuid: &kept.uuid,
            created_at: &kept.created_at,
            location: location.as_deref(),
            signature: Some(&kept.signature),
            wallet_signature: of_wallet.as_deref(),
            target_signature: of_target.as_deref(),
        };
        let done = self.remote.proofs()?.submit(&wanted, &evidence).await;
        done.map_err(|error| self.remote.unproven(error))?;
        self.drafts.forget(&self.remote.url, &wanted)?;
        accepted(output, &self.account, &avatar, "is proven to be")
    }

    /// That nothing is missing, before the server is asked.
    fn is_told(&self, told: Told) -> Result<(), Failure> {
        let is_there = match told {
            Told::Nothing | Told::MaybeLocation => true,
            Told::Location(_) => self.location.is_some(),
            Told::Wallet => self.signed.has_wallet(),
            Told::Target => self.signed.has_target(),
        };
        if is_there {
            return Ok(());
        }
        let (platform, flag) = (&self.account.platform, told.flag());
        let said = format!("{platform} needs {flag} besides; `prove start` says what to do for it");
        Err(Failure::new(Exit::Usage, said))
    }
}

impl Delete {
    async fn delete(self, output: Output) -> Result<(), Failure> {
        let key = self.key.read()?;
        let avatar = key.avatar();
        let wanted = self.account.wanted(Action::Delete, &avatar);
        let proofs = self.remote.proofs()?;
        let refused = |error| self.remote.unproven(error);
        let draft = proofs.draft(&wanted).await.map_err(refused)?;
        let kept = kept(&draft, &key);
        let evidence = Evidence {
            uuid: &kept.uuid,
            created_at: &kept.created_at,
            signature: Some(&kept.signature),
            ..Evidence::default()
        };
        let done = proofs.submit(&wanted, &evidence).await.map_err(refused);
        done.map_err(|failure| match failure.said.as_str() {
            NOT_BOUND => Failure::new(Exit::NotFound, self.not_bound(&avatar)),
            _ => failure,
        })?;
        accepted(output, &self.account, &avatar, "is no longer")
    }
}

impl Delete {
    fn not_bound(&self, avatar: &Avatar) -> String {
        let Account { platform, identity } = &self.account;
        let hint = "`sealbook prove list` shows what is";
        printable(&format!(
            "{platform} {identity} is not bound to {avatar}; {hint}"
        ))
    }
}

impl List {
    async fn list(self, output: Output) -> Result<(), Failure> {
        let avatar = self.key.avatar(self.avatar.as_deref())?;
        let found = self.remote.proofs()?.of_avatar(&avatar).await;
        let found = found.map_err(|error| self.remote.unproven(error))?;
        let proofs = found
            .ok_or_else(|| Failure::new(Exit::NotFound, format!("{avatar} claims nothing here")))?;
        let lines: Vec<String> = proofs
            .iter()
            .map(|proof| match (proof.is_valid, &proof.invalid_reason) {
                (true, _) => printable(&format!("{} {}", proof.platform, proof.identity)),
                (false, why) => printable(&format!(
                    "{} {}  does not hold any more: {why}",
                    proof.platform, proof.identity
                )),
            })
            .collect();
        let list: Vec<_> = proofs
            .iter()
            .map(|proof| {
                json!({
                    "platform": proof.platform, "identity": proof.identity,
                    "is_valid": proof.is_valid, "invalid_reason": proof.invalid_reason,
                    "last_checked_at": proof.last_checked_at,
                })
            })
            .collect();
        let object = json!({ "avatar": avatar.to_string(), "proofs": list });
        output.result(&lines.join("\n"), &object)
    }
}

fn kept(draft: &Draft, key: &AvatarKey) -> Kept {
    Kept {
        uuid: draft.uuid.clone(),
        created_at: draft.created_at.clone(),
        payload: draft.sign_payload.clone(),
        signature: key.sign(&draft.sign_payload),
    }
}

fn accepted(output: Output, account: &Account, avatar: &Avatar, what: &str) -> Result<(), Failure> {
    let Account { platform, identity } = account;
    let words = printable(&format!("{platform} {identity} {what} {avatar}"));
    let object = json!({
        "platform": platform, "identity": identity, "avatar": avatar.to_string(),
    });
    output.result(&words, &object)
}
