//! Where the post of each service belongs, for people.

use client::avatar::Avatar;

/// What to do with a text.
pub(super) struct Place {
    /// A sentence: where to post it.
    pub(super) post: String,
    /// Name of the file that the text is the content of.
    pub(super) file: Option<String>,
    /// What `prove check` needs besides platform and identity.
    pub(super) check: &'static str,
}

/// The place at a service.
pub(super) fn of(platform: &str, avatar: &Avatar) -> Place {
    let file = format!("{avatar}.json");
    let (post, file, check) = match platform {
        "github" => (
            format!("Make a public gist with one file, {file}:"),
            Some(file),
            " --location GIST_ID",
        ),
        "keybase" => (
            format!("Put this file into your public folder as NextID/{file}:"),
            Some(file),
            "",
        ),
        "https" => (
            format!("Serve this file at /.well-known/nextid/{file}:"),
            Some(file),
            "",
        ),
        "twitter" => ("Tweet this:".to_owned(), None, " --location TWEET_NUMBER"),
        "dns" => ("Add this TXT record to the domain:".to_owned(), None, ""),
        "steam" => ("Put this into your profile's summary:".to_owned(), None, ""),
        "dotbit" => (
            "Set the profile record nextid to this:".to_owned(),
            None,
            "",
        ),
        "ens" => (
            "Set the text record id.next.proof of the name to this:".to_owned(),
            None,
            "",
        ),
        "discord" => (
            "Send this where the server's bot reads along:".to_owned(),
            None,
            " --location MESSAGE_LINK",
        ),
        "ethereum" | "solana" => (
            "Sign this with your wallet:".to_owned(),
            None,
            " --wallet-signature SIGNATURE",
        ),
        "nextid" => (
            "Have the other avatar sign this:".to_owned(),
            None,
            " --target-key FILE",
        ),
        _ => (
            "Post this in public:".to_owned(),
            None,
            " --location POST_ID",
        ),
    };
    Place { post, file, check }
}
