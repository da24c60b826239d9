//! What services answer when a claim is checked there.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use checkers::configured::{Configured, PlatformKeys};
use checkers::{
    ActivityPub, Discord, Dns, DotBit, Ens, Ethereum, GitHub, Https, Keybase, Minds, OtherAvatar,
    Solana, Steam, Telegram, TikTok, Twitter, Way,
};
use crypto::secret::Secret;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Extra, Found, Refusal};
use engine::ports::dns::{DnsError, TxtResolver};
use engine::ports::fetch::{FetchError, FetchLimits, Fetched, Request, Upstream, WebFetcher};
use engine::types::{Avatar, ClaimAction, Domain, Uuid};

/// The avatar that all claims are of.
const AVATAR: &str = "0x02c92f9ca1f97251e1daa07dd8c1e4dd2e9dc10691f28a8b49e52fecb6b05f7d24";
/// What stands in the place of a server's description of itself.
const LINKS: &str = r#"{"links":[{"rel":"http://nodeinfo.diaspora.software/ns/schema/2.0","href":"https://a.example/i"}]}"#;
/// Most signatures a checker hands on.
const SIGNATURES_MAX: usize = 10;
/// Most characters of what it tells, and of a name it has learned.
const TOLD_CHARS_MAX: usize = 1024;
const NAME_CHARS_MAX: usize = 255;

/// A checker, an account and a place.
struct Service {
    checker: Box<dyn ClaimChecker>,
    identity: &'static str,
    location: &'static str,
    uuid: &'static str,
    /// What a server says that it runs.
    software: &'static str,
    /// Where the answer is, by the start of the path, while every other place is shut; everywhere
    /// when it is empty.
    at: &'static str,
}

/// The first byte says which service is asked, the rest is its answer.
pub(crate) fn answer(data: &[u8]) {
    let Some((which, body)) = data.split_first() else {
        return;
    };
    let Some(service) = service((which & 0x7f) % SERVICES) else {
        return;
    };
    let web = OneAnswer {
        body,
        software: service.software,
        at: service.at,
    };
    let text = String::from_utf8_lossy(body).into_owned();
    let world = CheckWorld {
        web: &web,
        dns: &Lines(&text),
        deadline: Duration::from_secs(1),
        is_background: which & 0x80 != 0,
    };
    let avatar = Avatar::parse(AVATAR).expect("the avatar has a key");
    let claim = Claimed {
        action: ClaimAction::Create,
        avatar: &avatar,
        identity: service.identity,
        location: Some(service.location),
        payload: "{}",
        uuid: Uuid::parse(service.uuid).expect("it is a uuid"),
        created_at: 1_664_267_795,
        prev: None,
        extra: &Extra {
            signature: Some(vec![0; 65]),
            wallet_signature: Some(text.clone()),
            target_signature: Some(text.clone()),
        },
    };
    keeps_its_bounds(&now(service.checker.check(&claim, &world)));
    if let Err(refusal) = now(service.checker.normalise("name", &world)) {
        keeps_its_bounds(&Err(refusal));
    }
}

/// Statuses that gateways and bundlers answer with.
const ARCHIVE_STATUSES: [u16; 8] = [200, 202, 208, 201, 400, 402, 404, 410];

/// The first byte chooses a status, the rest is what a gateway to Arweave or a bundler says with it.
pub(crate) fn archive_answer(data: &[u8]) {
    let Some((which, body)) = data.split_first() else {
        return;
    };
    if let Some(status) = ARCHIVE_STATUSES.get(usize::from(which % 8)) {
        // The promises are checked inside.
        let _questions = outbound::parsers::archive_answer(*status, body);
    }
}

fn keeps_its_bounds(checked: &Result<Found, Refusal>) {
    match checked {
        Ok(found) => {
            assert!((1..=SIGNATURES_MAX).contains(&found.signatures.len()));
            assert!(found.alt_id.chars().count() <= NAME_CHARS_MAX);
            assert!(found.location.chars().count() <= TOLD_CHARS_MAX);
        }
        Err(refusal) => {
            assert!(refusal.reason.chars().count() <= TOLD_CHARS_MAX);
            assert!(!refusal.reason.chars().any(char::is_control));
        }
    }
}

/// How many there are.
const SERVICES: u8 = 25;

fn service(which: u8) -> Option<Service> {
    let github: Box<dyn ClaimChecker> = Box::new(GitHub { token: None });
    let dns = Box::new(Dns { over_https: true });
    Some(match which {
        0 => of(github, "nykma", "aa5a315d61ae9438b18d"),
        1 => of(twitter(Way::Syndication), "my_screen_name", TWEET),
        2 => of(twitter(Way::Oembed), "my_screen_name", TWEET),
        3 => of(twitter(Way::Api), "my_screen_name", TWEET),
        4 => of(dns, "testcase.example.com", ""),
        5 => of(Box::new(Https), "testcase.example.com", ""),
        6 => of(
            Box::new(ActivityPub),
            "alice@social.example",
            "109372843234",
        ),
        7 => Service {
            software: "misskey",
            ..of(Box::new(ActivityPub), "alice@social.example", "9h1m2xv3ab")
        },
        8 => of(Box::new(discord()), "Sannie#0250", MESSAGE),
        9 => of(Box::new(DotBit), "mitchatmask.bit", ""),
        10 => of(Box::new(Minds), "nykma", "1421043369127153668"),
        11 => of(Box::new(Steam), "76561198092541763", ""),
        12 => of(Box::new(TikTok), "scout2015", "6718335390845095173"),
        13 => of(Box::new(Telegram), "nykma", "nextidproofs/42"),
        14 => of(Box::new(Ens), "testcase.example.com", ""),
        15 => of(Box::new(configured()?), "nykma", "abc123"),
        16 => of(Box::new(Keybase), "nykma", ""),
        17 => of(
            Box::new(Dns { over_https: false }),
            "testcase.example.com",
            "",
        ),
        18 => of(Box::new(Ethereum), WALLET, ""),
        19 => of(Box::new(Solana), SOLANA, ""),
        20 => of(Box::new(OtherAvatar), OTHER, ""),
        21 => at("/.well-known/nodeinfo"),
        22 => at("/i"),
        23 => at("/users/alice/statuses/"),
        24 => Service {
            at: "/nykma/",
            ..of(github, "nykma", "aa5a315d61ae9438b18d")
        },
        _ => return None,
    })
}

const WALLET: &str = "0xcbce6348ee23d6b10f85ba3794e497e69551598d";
const SOLANA: &str = "3MhxiG8RuvEXWt5wymNwxVDykMAtaFCcqZBSPX2hTtsC";
const OTHER: &str = "0x039dec6131b0f3f0b8dccf7d0b83e8696f24eb9e00e929561a48af057aa9ba9c21";
const TWEET: &str = "1504363098328924163";
const MESSAGE: &str =
    "https://discord.com/channels/951016013038735410/951016014150217809/1024312190582390875";

fn of(checker: Box<dyn ClaimChecker>, identity: &'static str, location: &'static str) -> Service {
    Service {
        checker,
        identity,
        location,
        uuid: "00000000-0000-4000-8000-000000000121",
        software: "mastodon",
        at: "",
    }
}

/// A server of the network that answers at one place.
fn at(at: &'static str) -> Service {
    let account = "alice@social.example";
    Service {
        at,
        ..of(Box::new(ActivityPub), account, "109372843234")
    }
}

fn twitter(way: Way) -> Box<dyn ClaimChecker> {
    Box::new(Twitter {
        token: Some(Secret::new("token".to_owned())),
        order: vec![way],
    })
}

fn discord() -> Discord {
    Discord {
        token: Secret::new("token".to_owned()),
    }
}

fn configured() -> Option<Configured> {
    let keys = PlatformKeys {
        name: "stories".into(),
        url: "https://stories.example/{location}".into(),
        author: Some("/submitter_user/username".into()),
        text: Some("/comment".into()),
        html: true,
        alt_id: Some("/submitter_user/id".into()),
        signature_pattern: Some("Sig: (.+)$".into()),
        ..PlatformKeys::default()
    };
    Configured::new(&keys, "platform").ok()
}

/// A fetcher that has one answer to everything, but for a server's description of itself.
struct OneAnswer<'d> {
    body: &'d [u8],
    software: &'static str,
    at: &'static str,
}

#[async_trait]
impl WebFetcher for OneAnswer<'_> {
    async fn fetch(&self, request: Request, _limits: FetchLimits) -> Result<Fetched, FetchError> {
        let info = format!("{{\"software\":{{\"name\":\"{}\"}}}}", self.software);
        let is_here = !self.at.is_empty() && request.path.starts_with(self.at);
        let (status, body) = match request.path.as_str() {
            _ if is_here => (200, self.body.to_vec()),
            "/.well-known/nodeinfo" => (200, LINKS.as_bytes().to_vec()),
            "/i" => (200, info.into_bytes()),
            _ if self.at.is_empty() => (200, self.body.to_vec()),
            _ => (401, Vec::new()),
        };
        Ok(Fetched {
            final_url: "https://upstream.example/".into(),
            status,
            headers: Vec::new(),
            retry_after: None,
            body: body.into(),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        })
    }

    fn locate(&self, url: &str, among: &[Upstream]) -> Option<(Upstream, String)> {
        let path = url.strip_prefix("https://a.example")?;
        Some((among.first()?.clone(), path.to_owned()))
    }
}

/// A resolver whose records are the lines of a text.
struct Lines<'t>(&'t str);

#[async_trait]
impl TxtResolver for Lines<'_> {
    async fn txt(&self, _domain: &Domain) -> Result<Vec<String>, DnsError> {
        Ok(self.0.lines().map(str::to_owned).collect())
    }
}

/// What a future gives at once: nothing here waits for anything.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("every answer is there"),
    }
}
