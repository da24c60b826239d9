//! What a user is to post at a service, in the languages it is offered in (ProofService
//! specification, section 5; `vectors/proofservice.json` of the engine has each of them).
//!
//! A client puts the signature in the place of [`SIGNATURE`].

mod files;

use std::collections::BTreeMap;

/// Stands for the signature, base64.
const SIGNATURE: &str = "%SIG_BASE64%";
/// Stands for the avatar, `0x` and 66 hexadecimal digits.
const AVATAR: &str = "%COMPRESSED_PERSONA_PUBKEY_HEX%";

/// What texts are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft<'d> {
    /// The service, in lower case.
    pub(crate) service: &'d str,
    /// The identity as the client wrote it.
    pub(crate) given: &'d str,
    /// The identity as the payload has it.
    pub(crate) identity: &'d str,
    /// The avatar, `0x` and 66 hexadecimal digits.
    pub(crate) avatar: &'d str,
    /// What the avatar signs.
    pub(crate) payload: &'d str,
    /// In the canonical form.
    pub(crate) uuid: &'d str,
    /// Seconds since 1970.
    pub(crate) created_at: i64,
    /// The signature of the link before.
    pub(crate) prev: Option<&'d str>,
}

/// Texts by language; `default` is always there, and the keys are spelled as the clients of each
/// service have them.
pub(crate) type Texts = BTreeMap<&'static str, String>;

/// The texts of a draft.
pub(crate) fn texts(draft: &Draft<'_>) -> Texts {
    match draft.service {
        "twitter" => twitter(draft),
        "discord" => discord(draft),
        service => Texts::from([("default", only(service, draft))]),
    }
}

/// The text of a service that has one for all languages.
fn only(service: &str, draft: &Draft<'_>) -> String {
    let Draft {
        identity,
        avatar,
        uuid,
        created_at,
        ..
    } = *draft;
    let prev = draft.prev.unwrap_or("null");
    match service {
        "github" => files::github(draft),
        "keybase" => files::keybase(draft),
        "https" => files::https(draft),
        // Wallets sign the payload itself, and so does the other avatar.
        "ethereum" | "solana" | "nextid" => String::new(),
        "dns" | "ens" => {
            format!("ps:true;v:1;sig:{SIGNATURE};ca:{created_at};uuid:{uuid};prev:{prev}")
        }
        "dotbit" => format!("{AVATAR}:{SIGNATURE}"),
        "steam" => format!("NextID proof: {SIGNATURE}:{created_at}:{uuid}:{prev}"),
        "activitypub" => format!(
            "Validate my ActivityPub identity @{identity} for Avatar {avatar}:\n\n\
             Signature: {SIGNATURE}\nUUID: {uuid}\nPrevious: {prev}\nCreatedAt: {created_at}\n\n\
             {POWERED}"
        ),
        "minds" => verifying("Minds ID @", draft),
        "tiktok" => format!(
            "Verifying my TikTok ID @{identity} for @NextDotID.\n\
             Sig: {SIGNATURE};Misc: {uuid}|{created_at}|{}",
            draft.prev.unwrap_or_default()
        ),
        other => verifying(&format!("{other} ID "), draft),
    }
}

const POWERED: &str = "Powered by Next.ID - Connect All Digital Identities.\n";

/// What Minds has, and every service an operator adds.
fn verifying(whose: &str, draft: &Draft<'_>) -> String {
    let Draft {
        identity,
        uuid,
        created_at,
        ..
    } = draft;
    let previous = draft
        .prev
        .map_or_else(String::new, |prev| format!("Previous: {prev}\n"));
    format!(
        "\u{1f3ad} Verifying my {whose}{identity} for NextID.\n\n\
         Sig: {SIGNATURE}\nCreatedAt: {created_at}\nUUID: {uuid}\n{previous}\n{POWERED}"
    )
}

fn twitter(draft: &Draft<'_>) -> Texts {
    let Draft {
        given,
        uuid,
        created_at,
        ..
    } = draft;
    let given = given.strip_prefix('@').unwrap_or(given);
    let misc = format!("{uuid}|{created_at}|{}", draft.prev.unwrap_or_default());
    let english =
        format!("\u{1f3ad} Verify @{given} with @NextDotID.\nSig: {SIGNATURE}\nMisc: {misc}");
    let chinese =
        format!("\u{1f3ad} 由 @NextDotID 验证 @{given} 。\nSig: {SIGNATURE}\n其它信息: {misc}");
    Texts::from([
        ("default", english.clone()),
        ("en_US", english),
        ("zh_CN", chinese),
    ])
}

fn discord(draft: &Draft<'_>) -> Texts {
    let given = draft.given;
    let english = format!("Verifying my discord ID: {given} on NextID. \nSig: {SIGNATURE}");
    let chinese = format!("在NextID上认证我的账号： {given} \nSig: {SIGNATURE}");
    Texts::from([
        ("default", english.clone()),
        ("en-US", english),
        ("zh-CN", chinese),
    ])
}

#[cfg(test)]
mod tests;
