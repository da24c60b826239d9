//! What is archived of a link.

use super::Tag;
use crate::dialects::nextid::push_json_text;
use crate::types::{Avatar, ClaimAction, Uuid};

/// A link as it is archived. Texts are as the API answers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkDocument<'a> {
    /// Whose chain.
    pub avatar: &'a Avatar,
    /// What the link does.
    pub action: ClaimAction,
    /// The service.
    pub platform: &'a str,
    /// The account.
    pub identity: &'a str,
    /// The account's other name.
    pub alt_id: &'a str,
    /// Where the post is.
    pub proof_location: &'a str,
    /// Seconds since 1970, as signed.
    pub created_at: i64,
    /// The stored signature, base64.
    pub signature: &'a str,
    /// What was signed.
    pub signature_payload: &'a str,
    /// The link's id.
    pub uuid: Uuid,
    /// The wallet's signature, as it was sent; `None` where none was.
    pub wallet_signature: Option<&'a str>,
    /// The link before; `None` for the first.
    pub previous: Option<Previous<'a>>,
}

/// The link before, as it was archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Previous<'a> {
    /// Its id.
    pub uuid: Uuid,
    /// Id of its item.
    pub arweave_id: &'a str,
}

impl LinkDocument<'_> {
    /// The document: a JSON object, its members a line each after a tab, in the order of the fields, text
    /// escaped as Go does; empty texts where there is no link before.
    #[must_use]
    pub fn to_json(&self) -> String {
        let (avatar, uuid) = (self.avatar.to_string(), self.uuid.to_string());
        let created_at = self.created_at.to_string();
        let previous_uuid = self
            .previous
            .map(|it| it.uuid.to_string())
            .unwrap_or_default();
        let mut out = String::from("{");
        for (name, value) in [
            ("avatar", avatar.as_str()),
            ("action", self.action.as_str()),
            ("platform", self.platform),
            ("identity", self.identity),
            ("alt_id", self.alt_id),
            ("proof_location", self.proof_location),
            ("created_at", &created_at),
            ("signature", self.signature),
            ("signature_payload", self.signature_payload),
            ("uuid", &uuid),
        ] {
            member(&mut out, name, value);
            out.push(',');
        }
        self.push_extra(&mut out);
        member(&mut out, "previous_uuid", &previous_uuid);
        out.push(',');
        let arweave_id = self.previous.map_or("", |it| it.arweave_id);
        member(&mut out, "previous_arweave_id", arweave_id);
        out.push_str("\n}");
        out
    }

    fn push_extra(&self, out: &mut String) {
        out.push_str("\n\t\"extra\": {");
        if let Some(signature) = self.wallet_signature {
            out.push_str("\n\t\t\"wallet_signature\": ");
            push_json_text(out, signature);
            out.push_str("\n\t");
        }
        out.push_str("},");
    }
}

fn member(out: &mut String, name: &str, value: &str) {
    out.extend(["\n\t\"", name, "\": "]);
    push_json_text(out, value);
}

/// The tags of a link's item: its id, the link before, and what the data is. The two about the link before
/// are left out for the first, as some bundlers refuse empty values.
#[must_use]
pub fn link_tags(uuid: Uuid, previous: Option<&Previous<'_>>) -> Vec<Tag> {
    let mut tags = vec![Tag::new("ProofService-UUID", &uuid.to_string())];
    if let Some(Previous { uuid, arweave_id }) = previous {
        tags.push(Tag::new("ProofService-PreviousUUID", &uuid.to_string()));
        tags.push(Tag::new("ProofService-PreviousArweaveID", arweave_id));
    }
    tags.push(Tag::new("Content-Type", "application/json"));
    tags
}
