//! Where the post of each service belongs, for people.

use client::avatar::Avatar;

/// What to do with a text.
pub(super) struct Place {
    /// A sentence: where to post it.
    pub(super) post: String,
    /// Name of the file that the text is the content of.
    pub(super) file: Option<String>,
    /// What `prove check` is told besides platform and identity.
    pub(super) told: Told,
}

/// What `prove check` is told, and how it is called there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing.
    Nothing,
    /// Where the post is.
    Location(&'static str),
    /// The same, which a service that an operator describes may do without.
    MaybeLocation,
    /// The wallet's signature.
    Wallet,
    /// What the other avatar signs with.
    Target,
}

impl Told {
    /// As it is written behind `prove check`; empty for nothing.
    pub(super) fn flag(self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Location(what) => format!("--location {what}"),
            Self::MaybeLocation => "--location POST".to_owned(),
            Self::Wallet => "--wallet-signature SIGNATURE".to_owned(),
            Self::Target => "--target-key FILE".to_owned(),
        }
    }
}

/// The place at a service.
pub(super) fn of(platform: &str, avatar: &Avatar) -> Place {
    let name = format!("{avatar}.json");
    let (post, is_file, told) = match platform {
        "github" => (
            format!("Make a public gist with one file, {name}:"),
            true,
            Told::Location("GIST_ID"),
        ),
        "keybase" => (
            format!("Put this file into your public folder as NextID/{name}:"),
            true,
            Told::Nothing,
        ),
        "https" => (
            format!("Serve this file at /.well-known/nextid/{name}:"),
            true,
            Told::Nothing,
        ),
        _ => {
            let (post, told) = words(platform);
            (post.to_owned(), false, told)
        }
    };
    let file = is_file.then_some(name);
    Place { post, file, told }
}

fn words(platform: &str) -> (&'static str, Told) {
    match platform {
        "twitter" => ("Tweet this:", Told::Location("TWEET_NUMBER")),
        "activitypub" | "minds" => ("Post this in public:", Told::Location("POST_ID")),
        "telegram" => (
            "Send this to a public channel or group:",
            Told::Location("MESSAGE_LINK"),
        ),
        "discord" => (
            "Send this where the server's bot reads along:",
            Told::Location("MESSAGE_LINK"),
        ),
        "tiktok" => (
            "Make this the description of a video:",
            Told::Location("VIDEO_LINK"),
        ),
        "dns" => ("Add this TXT record to the domain:", Told::Nothing),
        "ens" => ("Set the text record id.next.proof to this:", Told::Nothing),
        "steam" => ("Put this into your profile's summary:", Told::Nothing),
        "dotbit" => ("Set the profile record nextid to this:", Told::Nothing),
        "ethereum" | "solana" => ("Sign this with your wallet:", Told::Wallet),
        "nextid" => (
            "The other avatar signs this; check does it, if it has that avatar's key:",
            Told::Target,
        ),
        _ => ("Post this in public:", Told::MaybeLocation),
    }
}

/// Where a post is, as the service calls it: of the address of a post its id.
pub(super) fn location(platform: &str, given: &str) -> String {
    let is_id = matches!(platform, "github" | "twitter" | "activitypub" | "minds");
    let address = ["https://", "http://"]
        .iter()
        .find_map(|it| given.strip_prefix(it));
    let Some(address) = address.filter(|_| is_id) else {
        return given.to_owned();
    };
    let path = address.split(['?', '#']).next().unwrap_or_default();
    // The pictures of a tweet have addresses below it.
    let id = match path.split_once("/status/") {
        Some((_, after)) if platform == "twitter" => after.split('/').next(),
        _ => path.trim_end_matches('/').rsplit('/').next(),
    };
    id.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::location;

    #[test]
    fn of_an_address_the_id_is_told() {
        for (platform, given, told) in [
            ("github", "0123abcd", "0123abcd"),
            (
                "github",
                "https://gist.github.com/alice/0123abcd#file-x",
                "0123abcd",
            ),
            (
                "github",
                "https://gist.github.com/alice/0123abcd/",
                "0123abcd",
            ),
            ("twitter", "https://x.com/alice/status/99?s=20", "99"),
            (
                "twitter",
                "https://twitter.com/alice/status/99/photo/1",
                "99",
            ),
            ("activitypub", "https://social.example/@alice/77", "77"),
            (
                "activitypub",
                "https://social.example/notes/9h1m2xv3ab",
                "9h1m2xv3ab",
            ),
            (
                "discord",
                "https://discord.com/channels/1/2/3",
                "https://discord.com/channels/1/2/3",
            ),
            (
                "forum",
                "https://forum.example/1",
                "https://forum.example/1",
            ),
            ("github", "https://", ""),
        ] {
            assert_eq!(location(platform, given), told, "{given}");
        }
    }
}
