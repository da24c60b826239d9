//! What an operator may set, and where each value comes from: flags over environment over file over
//! default.
//!
//! The table below is the only list of keys: the structs, the defaults, `config default`, `config
//! show` and docs/CONFIG.md all come from it.

mod arweave;
mod choices;
mod lists;
mod platforms;
mod problem;
mod proofs;
mod reference;
mod schema;
mod sources;
mod stores;
mod values;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use outbound::fetch::{Service, UpstreamUrl};
use serde_json::Value;

pub(crate) use arweave::ArweaveMode;
pub(crate) use choices::LogFormat;
pub(crate) use problem::Problems;
pub(crate) use reference::{default_file, markdown, shown, shown_json};
pub(crate) use sources::Origin;
pub(crate) use stores::StoreUrl;

use arweave::Ar;
use choices::{Clients, LoggedAddresses, PageSize};
use problem::Problem;
use proofs::{NameServer, SwitchedOff, TwitterOrder};
use schema::{Key, sections};
use sources::Values;
use stores::Connections;
use values::{
    Address, Contact, Delay, Domain, LogOrigin, Proxies, PublicUrl, Title, Upstream, Waiting,
};

sections! {
    /// The listener, and what the world calls this server.
    server: Server {
        /// Address and port to listen on; port 0 takes a free one. The default is reached from this
        /// machine only. Do not open an address to the world without TLS, here or in a proxy.
        listen: Address = "127.0.0.1:8080";
        /// Directory of everything the server keeps: keys, store, the newest checkpoint. Made if
        /// absent. Only one server may use it at a time. With a database it holds the keys and the
        /// newest checkpoint; each server has one of its own.
        data_dir: PathBuf = "./data";
        /// URL under which clients reach the server, such as `https://names.example`. Unset means
        /// a local trial: plain HTTP counts as secure if it comes from this machine.
        public_url: Option<PublicUrl> = "";
        /// Home domain of names: `alice` here is `alice@<domain>` elsewhere. Unset takes the host of
        /// public_url, else "localhost".
        domain: Option<Domain> = "";
        /// Proxies whose forwarding headers are believed: addresses, networks, or "unix" for peers
        /// on Unix sockets. Whoever is in this list can pretend to be any client: let the proxy set
        /// X-Forwarded-For and X-Forwarded-Proto, and set or remove X-Real-IP and Forwarded.
        trusted_proxies: Proxies = "127.0.0.0/8, ::1, unix";
        /// File of the TLS certificate and its chain, PEM. With tls_key it turns TLS on. Both are
        /// read at start and on SIGHUP.
        tls_cert: Option<PathBuf> = "";
        /// File of the certificate's private key, PEM.
        tls_key: Option<PathBuf> = "";
    }
    /// The server's keys.
    keys: Keys {
        /// Directory of the five key files. Unset takes `keys` in data_dir. They are made on the
        /// first run, with an empty store, and never again: keep a copy, without them the log
        /// cannot go on.
        dir: Option<PathBuf> = "";
    }
    /// Where state is kept.
    store: Store {
        /// `file:PATH` is the embedded store in that directory; `postgres://USER@HOST:PORT/DATABASE`
        /// is a PostgreSQL database, which any number of servers may share; `memory:` forgets
        /// everything, keys included, when the server stops. Unset takes `store` in data_dir. A
        /// password belongs in password_file; one in the URL is never shown.
        url: Option<StoreUrl> = "";
        /// Most connections of this server to its database. All servers together, and room for
        /// an operator, must fit into the database's own limit.
        connections: Connections = "16";
        /// PEM file of a certificate authority that the database's certificate is checked with,
        /// instead of the system's.
        ca_file: Option<PathBuf> = "";
        /// File whose first line is the password for the database. Read at start and whenever the
        /// server connects anew.
        password_file: Option<PathBuf> = "";
    }
    /// The append-only log, and what the process says of its work on standard error.
    log: Log {
        /// First line of every checkpoint: the log's name for the world. Fixed when the log is
        /// created; a different value later refuses to start. Unset takes `<public host>/log`, else
        /// a name made from the log's key.
        origin: Option<LogOrigin> = "";
        /// Longest wait from one batch of entries to the next while links are waiting, "0s" to
        /// "60s". Longer means fewer checkpoints and later proofs.
        merge_delay: Delay = "200ms";
        /// Form of the lines on standard error: "auto" is text on a terminal and JSON, an object a
        /// line, elsewhere. What is said is chosen by `--log`.
        format: LogFormat = "auto";
        /// How much of a client's address the line of a request shows: "full", "truncate" to the
        /// first 24 bits of IPv4 and 48 of IPv6, or "none".
        ip: LoggedAddresses = "truncate";
    }
    /// Metrics, for Prometheus.
    metrics: Metrics {
        /// Address and port of `GET /metrics`, in plain HTTP and for anybody who reaches it. Unset
        /// answers it where clients are answered, but only to this machine and not through a proxy.
        listen: Option<Address> = "";
    }
    /// Rules for names.
    names: Names {
        /// How long a released name is kept for the key that had it: "30d", "0s" frees it at once
        /// for anybody, "never" keeps it for ever.
        release_after: Waiting = "30d";
    }
    /// The toxme API.
    toxme: Toxme {
        /// Whether requests that come neither over TLS nor from this machine are refused. Turning
        /// it off lets the network read and change what clients send.
        require_secure: bool = "true";
        /// Whether a new name must be sealed by the key of its Tox ID. Turning it off lets anybody
        /// register any Tox ID, as the original server did.
        strict_possession: bool = "true";
        /// Whether `name@domain` is looked up at the server of that domain, for clients that ask here
        /// for names elsewhere. Answers are passed on unverified, and kept for 5 minutes. An address
        /// may have another server asked 60 times an hour.
        remote_lookups: bool = "false";
    }
    /// Proofs of accounts elsewhere. Services that the server does not know are described in
    /// `[[platform]]` sections.
    proofs: Proofs {
        /// How long a proof that was found good is good before it is looked at again.
        recheck_after: Waiting = "3d";
        /// File with the token of a Discord bot, which sees the channels people post in. Unset leaves
        /// Discord out.
        discord_token_file: Option<PathBuf> = "";
        /// File with the bearer token of Twitter's API v2. Unset leaves "api" out of `twitter`.
        twitter_token_file: Option<PathBuf> = "";
        /// File with a token of GitHub, which allows 5,000 requests an hour instead of 60. It needs no
        /// permissions.
        github_token_file: Option<PathBuf> = "";
        /// Ways to a tweet in the order in which they are tried: "syndication" and "oembed" need no
        /// key.
        twitter: TwitterOrder = "syndication, oembed, api";
        /// Services to leave out.
        disabled: SwitchedOff = "";
        /// Most matches, and most links of a chain, on one page of an answer of the ProofService API: 1
        /// to 100.
        page_size: PageSize = "40";
        /// What `/healthz` calls this installation, such as "production".
        environment: Title = "unknown";
    }
    /// Copies of proofs on Arweave, where anybody reads them and nobody removes them.
    arweave: Arweave {
        /// What `[upstreams] arweave` is: "gateway" is paid for by the wallet of the key, "bundler" takes
        /// signed items on the account of the key, "none" makes no copies.
        mode: ArweaveMode = "none";
        /// File of the key, as Arweave's wallets write it (JWK). Needed unless mode is "none".
        key_file: Option<PathBuf> = "";
        /// Most AR that one transaction may cost by way of a gateway; it carries up to 16 links, as a
        /// rule in 256 KiB. A copy that costs more waits.
        fee_max: Ar = "0.1";
    }
    /// The pages for people with a browser.
    web: Web {
        /// Whether there are pages: `/`, search, `/u/NAME`, the forms. Without them the server speaks
        /// its protocols only.
        enabled: bool = "true";
        /// Whether the public list `/friends/0` is shown: names whose owners chose to be listed.
        people: bool = "true";
        /// What the site calls itself. Unset takes the home domain.
        title: Option<Title> = "";
        /// How to reach whoever runs the server, at the foot of every page: an `https:` or `mailto:`
        /// address.
        contact: Option<Contact> = "";
    }
    /// Limits on what one address may do.
    limits: Limits {
        /// Whether rate limits apply. Turn it off for load tests only.
        enabled: bool = "true";
        /// Most connections of clients at once; fewer where the system gives this process fewer
        /// descriptors. One more takes the place of the connection that has done nothing for the
        /// longest time, and is refused where all are busy.
        connections: Clients = "16384";
        /// Most connections at once of one address, or of one /64 network of IPv6. Trusted proxies
        /// may have any number.
        connections_per_address: Clients = "256";
    }
    /// Services of others that this server asks. Only at a URL that is not the default may the host be
    /// in your own network or on this machine.
    upstreams: Upstreams {
        /// Toxme API of other domains, for remote_lookups; `{host}` stands for the domain. A URL
        /// without `{host}` sends all look-ups to one host of your choice, which may be in your own
        /// network.
        toxme: Upstream = "https://{host}/api";
        /// API of GitHub, for proofs in gists.
        github_api: Upstream = "https://api.github.com";
        /// Content of GitHub's gists.
        github_gist_raw: Upstream = "https://gist.githubusercontent.com";
        /// Posts on Twitter as other sites embed them, for proofs in posts.
        twitter_syndication: Upstream = "https://cdn.syndication.twimg.com";
        /// The same by oEmbed, asked when syndication has no answer.
        twitter_oembed: Upstream = "https://publish.twitter.com";
        /// API of Twitter, asked when there is a token for it.
        twitter_api: Upstream = "https://api.twitter.com";
        /// DNS over HTTPS in JSON, the whole endpoint, such as `https://cloudflare-dns.com/dns-query`:
        /// proofs in TXT records are then read there only. Unset asks the system's name servers.
        dns_over_https: Option<Upstream> = "";
        /// Servers of the fediverse; `{host}` stands for the domain of an account.
        activitypub: Upstream = "https://{host}";
        /// Public files of Keybase accounts; `{identity}` stands for the account.
        keybase_pub: Upstream = "https://{identity}.keybase.pub";
        /// Web servers of domains, for proofs at `/.well-known`; `{host}` stands for the domain.
        https: Upstream = "https://{host}";
        /// Minds, for proofs in posts.
        minds: Upstream = "https://www.minds.com";
        /// Steam, for proofs in profiles.
        steam: Upstream = "https://steamcommunity.com";
        /// Accounts of .bit, for proofs in their records.
        dotbit: Upstream = "https://register-api.did.id";
        /// TikTok, for proofs in posts.
        tiktok: Upstream = "https://www.tiktok.com";
        /// API of Discord, asked when there is a token for it.
        discord_api: Upstream = "https://discord.com/api";
        /// Public pages of Telegram channels, for proofs in posts.
        telegram: Upstream = "https://t.me";
        /// Ethereum by JSON-RPC, the whole endpoint, for proofs in records of ENS names. Unset leaves
        /// these names out.
        ethereum_rpc: Option<Upstream> = "";
        /// Gateway or bundler of Arweave, asked when there is a mode for it.
        arweave: Upstream = "https://arweave.net";
    }
    /// How this server asks others.
    outbound: Outbound {
        /// PEM file of certificate authorities that other servers' certificates are checked with,
        /// besides the system's.
        ca_file: Option<PathBuf> = "";
        /// Whether hosts that clients choose may be in private networks and on this machine. For
        /// tests only: with it, anybody can have this server reach what only it can reach.
        allow_private: bool = "false";
        /// Address of the name server that is asked for hosts and for TXT records, with a port unless
        /// it is 53. Unset asks those of the system.
        resolver: Option<NameServer> = "";
    }
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// The file named by `--config`; without one, `sealbook.toml` of the working directory is read
    /// if it is there.
    pub(crate) file: Option<PathBuf>,
    /// `section.key=value`, as given with `--set`; of two for one key the later counts.
    pub(crate) set: Vec<String>,
}

/// A configuration, and the origin of each value.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    values: Values,
}

impl Loaded {
    /// Where the value of `section.key` comes from.
    pub(crate) fn origin(&self, key: &str) -> Origin {
        self.values.origin(key)
    }
}

/// The file read when none is named.
pub(crate) const DEFAULT_FILE: &str = "sealbook.toml";

/// Reads everything and resolves nothing: no name is looked up, no path but the file's is touched.
///
/// # Errors
/// All problems at once, each with its place.
pub(crate) fn load(
    given: &Given,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, Problems> {
    let mut values = Values::default();
    match &given.file {
        Some(path) => values.read_file(path),
        None if Path::new(DEFAULT_FILE).exists() => values.read_file(Path::new(DEFAULT_FILE)),
        None => {}
    }
    values.read_environment(environment);
    values.read_flags(&given.set);
    let config = Config::read(&mut values);
    if let Some(config) = &config {
        check_tls(config, &mut values);
        arweave::check(config, &mut values);
    }
    match config {
        Some(config) if values.problems.is_empty() => Ok(Loaded { config, values }),
        Some(_) | None => Err(Problems(values.problems)),
    }
}

/// Certificate and key come together.
fn check_tls(config: &Config, values: &mut Values) {
    let (given, missing) = match (&config.server.tls_cert, &config.server.tls_key) {
        (Some(_), None) => ("server.tls_cert", "server.tls_key"),
        (None, Some(_)) => ("server.tls_key", "server.tls_cert"),
        (Some(_), Some(_)) | (None, None) => return,
    };
    let place = values.origin(given).to_string();
    let said = format!("{given}: set {missing} too, TLS needs both");
    values.problems.push(Problem { place, said });
}

impl Config {
    /// Home domain of names, lower case.
    pub(crate) fn domain(&self) -> String {
        match (&self.server.domain, self.public_host()) {
            (Some(domain), _) => domain.as_str().to_owned(),
            (None, Some(host)) => host,
            (None, None) => "localhost".to_owned(),
        }
    }

    /// Host of the public URL.
    pub(crate) fn public_host(&self) -> Option<String> {
        self.server
            .public_url
            .as_ref()
            .map(|url| url.host().to_owned())
    }

    /// The services in `[upstreams]` that have a URL.
    pub(crate) fn services(&self) -> Vec<Service> {
        let url = |value: &Value| UpstreamUrl::parse(value.as_str()?);
        let keys = SECTIONS.iter().flat_map(|section| section.keys);
        let service = |(key, value): (&Key, Value)| {
            key.path.strip_prefix("upstreams.")?;
            Some(Service {
                name: key.name,
                url: url(&value)?,
                default: url(&(key.default_value)()),
            })
        };
        keys.zip(self.each()).filter_map(service).collect()
    }

    /// Directory of the key files.
    pub(crate) fn keys_dir(&self) -> PathBuf {
        let default = || self.server.data_dir.join("keys");
        self.keys.dir.clone().unwrap_or_else(default)
    }

    /// URL of the store.
    pub(crate) fn store_url(&self) -> StoreUrl {
        let default = || StoreUrl::of_dir(&self.server.data_dir.join(crate::wire_up::STORE));
        self.store.url.clone().unwrap_or_else(default)
    }

    /// How the store is opened.
    pub(crate) fn store_options(&self) -> store::Options {
        store::Options {
            connections: self.store.connections.0,
            ca_file: self.store.ca_file.clone(),
            password_file: self.store.password_file.clone(),
            ..store::Options::default()
        }
    }

    /// Whether the store forgets everything at the end of the process.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.store_url().is_in_memory()
    }

    /// What the value of a key is when it is unset, if it then has one.
    fn derived(&self, key: &str) -> Option<String> {
        match key {
            "server.domain" => Some(self.domain()),
            "keys.dir" => Some(self.keys_dir().display().to_string()),
            "store.url" => Some(self.store_url().to_string()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
