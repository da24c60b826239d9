use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::schema::{Key, Setting};
use super::*;

/// A value for every key that is not its default, as text and as TOML.
const SAMPLES: &[(&str, &str, &str)] = &[
    ("server.listen", "[::1]:9000", "\"[::1]:9000\""),
    (
        "server.data_dir",
        "/var/lib/sealbook",
        "\"/var/lib/sealbook\"",
    ),
    (
        "server.public_url",
        "https://names.example",
        "\"https://names.example\"",
    ),
    ("server.domain", "names.example", "\"names.example\""),
    (
        "server.trusted_proxies",
        "10.0.0.0/8,unix",
        "[\"10.0.0.0/8\", \"unix\"]",
    ),
    ("server.tls_cert", "/etc/cert.pem", "\"/etc/cert.pem\""),
    ("server.tls_key", "/etc/key.pem", "\"/etc/key.pem\""),
    ("keys.dir", "/etc/sealbook/keys", "\"/etc/sealbook/keys\""),
    ("store.url", "memory:", "\"memory:\""),
    ("store.connections", "32", "32"),
    ("store.ca_file", "/etc/ca.pem", "\"/etc/ca.pem\""),
    ("store.password_file", "/etc/pw", "\"/etc/pw\""),
    ("log.origin", "names.example/log", "\"names.example/log\""),
    ("log.merge_delay", "1s", "\"1s\""),
    ("log.format", "json", "\"json\""),
    ("log.ip", "none", "\"none\""),
    ("metrics.listen", "[::1]:9100", "\"[::1]:9100\""),
    ("names.release_after", "never", "\"never\""),
    ("toxme.require_secure", "false", "false"),
    ("toxme.strict_possession", "false", "false"),
    ("toxme.remote_lookups", "true", "true"),
    ("proofs.recheck_after", "12h", "\"12h\""),
    (
        "proofs.discord_token_file",
        "/etc/discord",
        "\"/etc/discord\"",
    ),
    (
        "proofs.twitter_token_file",
        "/etc/twitter",
        "\"/etc/twitter\"",
    ),
    ("proofs.github_token_file", "/etc/github", "\"/etc/github\""),
    ("proofs.twitter", "api, oembed", "[\"api\", \"oembed\"]"),
    ("proofs.disabled", "steam,tiktok", "[\"steam\", \"tiktok\"]"),
    ("proofs.page_size", "20", "20"),
    ("proofs.environment", "production", "\"production\""),
    ("arweave.mode", "gateway", "\"gateway\""),
    ("arweave.key_file", "/etc/arweave", "\"/etc/arweave\""),
    ("arweave.fee_max", "0.25", "\"0.25\""),
    ("web.enabled", "false", "false"),
    ("web.people", "false", "false"),
    ("web.title", "Names & keys", "\"Names & keys\""),
    (
        "web.contact",
        "mailto:me@names.example",
        "\"mailto:me@names.example\"",
    ),
    ("limits.enabled", "false", "false"),
    ("limits.connections", "5", "5"),
    ("limits.connections_per_address", "6", "6"),
    (
        "upstreams.toxme",
        "https://{host}:8443/api",
        "\"https://{host}:8443/api\"",
    ),
    (
        "upstreams.github_api",
        "http://127.0.0.1:9000/gh",
        "\"http://127.0.0.1:9000/gh\"",
    ),
    (
        "upstreams.github_gist_raw",
        "http://127.0.0.1:9000",
        "\"http://127.0.0.1:9000\"",
    ),
    (
        "upstreams.twitter_syndication",
        "http://127.0.0.1:9000",
        "\"http://127.0.0.1:9000\"",
    ),
    (
        "upstreams.twitter_oembed",
        "http://127.0.0.1:9000",
        "\"http://127.0.0.1:9000\"",
    ),
    (
        "upstreams.twitter_api",
        "http://127.0.0.1:9000",
        "\"http://127.0.0.1:9000\"",
    ),
    (
        "upstreams.dns_over_https",
        "https://dns.example/dns-query",
        "\"https://dns.example/dns-query\"",
    ),
    (
        "upstreams.activitypub",
        "http://127.0.0.1:9000/{host}",
        "\"http://127.0.0.1:9000/{host}\"",
    ),
    (
        "upstreams.keybase_pub",
        "http://127.0.0.1:9000/{identity}",
        "\"http://127.0.0.1:9000/{identity}\"",
    ),
    (
        "upstreams.https",
        "http://[::1]:9000/{host}",
        "\"http://[::1]:9000/{host}\"",
    ),
    (
        "upstreams.minds",
        "http://127.0.0.1:9000",
        "\"http://127.0.0.1:9000\"",
    ),
    (
        "upstreams.steam",
        "http://127.0.0.1:9000",
        "\"http://127.0.0.1:9000\"",
    ),
    (
        "upstreams.dotbit",
        "http://127.0.0.1:9000",
        "\"http://127.0.0.1:9000\"",
    ),
    (
        "upstreams.tiktok",
        "http://127.0.0.1:9000",
        "\"http://127.0.0.1:9000\"",
    ),
    (
        "upstreams.discord_api",
        "http://127.0.0.1:9000",
        "\"http://127.0.0.1:9000\"",
    ),
    (
        "upstreams.telegram",
        "http://127.0.0.1:9000",
        "\"http://127.0.0.1:9000\"",
    ),
    (
        "upstreams.ethereum_rpc",
        "http://127.0.0.1:8545",
        "\"http://127.0.0.1:8545\"",
    ),
    (
        "upstreams.arweave",
        "http://127.0.0.1:1984",
        "\"http://127.0.0.1:1984\"",
    ),
    ("outbound.ca_file", "/etc/ca.pem", "\"/etc/ca.pem\""),
    ("outbound.allow_private", "true", "true"),
    ("outbound.resolver", "9.9.9.9:5353", "\"9.9.9.9:5353\""),
];

fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

#[test]
fn an_upstream_is_the_operator_s_when_its_url_is() {
    let set = [
        "upstreams.minds=http://127.0.0.1:9000",
        "upstreams.steam=https://steamcommunity.com",
    ];
    let config = load_from("", &[], &set).1.unwrap().config;
    let services = config.services();
    let names = "toxme github_api github_gist_raw twitter_syndication twitter_oembed twitter_api \
        activitypub keybase_pub https minds steam dotbit tiktok discord_api telegram arweave";
    let found: Vec<_> = services.iter().map(|service| service.name).collect();
    assert_eq!(found, names.split_whitespace().collect::<Vec<_>>());
    for service in services {
        let is_default = service.default.as_ref() == Some(&service.url);
        assert_eq!(is_default, service.name != "minds", "{service:?}");
    }
    let set = ["upstreams.ethereum_rpc=http://127.0.0.1:8545"];
    let config = load_from("", &[], &set).1.unwrap().config;
    let all = config.services();
    let rpc = all.iter().find(|service| service.name == "ethereum_rpc");
    assert_eq!(rpc.unwrap().default, None);
}

/// What the key in question needs besides.
fn partner(key: &str) -> Option<&'static str> {
    match key {
        "server.tls_cert" => Some("server.tls_key=/partner"),
        "server.tls_key" => Some("server.tls_cert=/partner"),
        "arweave.mode" => Some("arweave.key_file=/partner"),
        _ => None,
    }
}

/// Loads from a file with this text, these variables and these flags.
fn load_from(
    file: &str,
    environment: &[(&str, &str)],
    set: &[&str],
) -> (String, Result<Loaded, Problems>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.toml");
    fs::write(&path, file).unwrap();
    let given = Given {
        file: Some(path.clone()),
        set: set.iter().map(|set| (*set).to_owned()).collect(),
    };
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    (path.display().to_string(), load(&given, environment))
}

fn shown_values(loaded: &Loaded) -> BTreeMap<String, Value> {
    serde_json::from_value(shown_json(loaded)).unwrap()
}

fn problems(file: &str, environment: &[(&str, &str)], set: &[&str]) -> String {
    let (path, loaded) = load_from(file, environment, set);
    loaded.err().unwrap().to_string().replace(&path, "FILE")
}

#[test]
fn every_key_has_a_sample() {
    let sampled: Vec<&str> = SAMPLES.iter().map(|(key, ..)| *key).collect();
    assert_eq!(keys().map(|key| key.path).collect::<Vec<_>>(), sampled);
}

#[test]
fn every_default_can_be_read_and_is_what_the_reference_says() {
    let loaded = load(&Given::default(), []).unwrap();
    for key in keys() {
        let shown = &shown_values(&loaded)[key.path];
        let derived = loaded.config.derived(key.path);
        let expected = derived.map_or_else(|| (key.default_value)(), Value::String);
        assert_eq!(shown["value"], expected, "{}", key.path);
    }
    let config = loaded.config;
    assert_eq!(config.server.listen.0.to_string(), "127.0.0.1:8080");
    assert_eq!(config.domain(), "localhost");
    assert_eq!(config.store_url().expose(), "file:./data/store");
    assert_eq!(config.store_options().connections, 16);
    assert_eq!(config.keys_dir(), Path::new("./data/keys"));
    let days = config.names.release_after.0.unwrap().as_secs() / 86400;
    assert_eq!(days, 30);
    assert_eq!(config.log.merge_delay.0.as_millis(), 200);
    assert!(config.toxme.require_secure && config.toxme.strict_possession);
    assert!(config.web.enabled && config.web.people);
    assert!(config.limits.enabled);
    assert!(!config.toxme.remote_lookups && !config.outbound.allow_private);
}

#[test]
fn every_key_is_read_from_every_source() {
    for (key, text, toml) in SAMPLES {
        let (section, name) = key.split_once('.').unwrap();
        let file = format!("\n[{section}]\n  {name} = {toml}\n");
        let variable = format!("SEALBOOK_{}__{}", section, name).to_uppercase();
        let flag = format!("{key}={text}");
        let expected: Value = serde_json::from_str(toml).unwrap();
        let column = name.len() + 6;
        for (file, environment, set, origin) in [
            (file.as_str(), None, None, format!("FILE:3:{column}")),
            ("", Some((variable.as_str(), *text)), None, variable.clone()),
            ("", None, Some(flag.as_str()), format!("--set {key}")),
        ] {
            let environment: Vec<_> = environment.into_iter().collect();
            let set: Vec<_> = partner(key).into_iter().chain(set).collect();
            let (path, loaded) = load_from(file, &environment, &set);
            let shown = shown_values(&loaded.unwrap())[*key].clone();
            let found = shown["origin"].as_str().unwrap().replace(&path, "FILE");
            assert_eq!((shown["value"].clone(), found), (expected.clone(), origin));
        }
    }
}

#[test]
fn flags_win_over_environment_over_file_over_default() {
    let file = "[log]\nmerge_delay = \"1s\"\n";
    let environment = [("SEALBOOK_LOG__MERGE_DELAY", "2s")];
    let set = ["log.merge_delay=3s", "log.merge_delay = 4s"];
    for (file, environment, set, expected) in [
        (file, &environment[..], &set[..], 4000),
        (file, &environment[..], &[], 2000),
        (file, &[], &[], 1000),
        ("", &[], &[], 200),
    ] {
        let (_, loaded) = load_from(file, environment, set);
        let delay = loaded.unwrap().config.log.merge_delay.0;
        assert_eq!(delay.as_millis(), expected);
    }
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_the_nearest() {
    for (file, expected) in [
        (
            "[server]\nlisten = \"127.0.0.1:1\"\ntrusted_proxy = []\n",
            "FILE:3:1: server.trusted_proxy: unknown key, did you mean server.trusted_proxies?",
        ),
        (
            "[sever]\nlisten = \"127.0.0.1:1\"\n",
            "FILE:1:2: sever: unknown section, did you mean [server]?",
        ),
        (
            "log.mergedelay = \"1s\"",
            "FILE:1:5: log.mergedelay: unknown key, did you mean log.merge_delay?",
        ),
        (
            "[server]\nmerge_delay = \"1s\"",
            "FILE:2:1: server.merge_delay: unknown key, did you mean log.merge_delay?",
        ),
        (
            "server = 3",
            "FILE:1:1: server: is a section: write [server] and its keys below",
        ),
        (
            "[log]\nzzz = 1",
            "FILE:2:1: log.zzz: unknown key; see docs/CONFIG.md or `sealbook config default` for \
             all of them",
        ),
    ] {
        assert_eq!(problems(file, &[], &[]), expected);
    }
    let environment = [("SEALBOOK_SERVER__LISTN", "x")];
    assert_eq!(
        problems("", &environment, &[]),
        "SEALBOOK_SERVER__LISTN: unknown key, did you mean SEALBOOK_SERVER__LISTEN?"
    );
    assert_eq!(
        problems("", &[], &["server.lisen=x", "listen"]),
        "--set server.lisen: server.lisen: unknown key, did you mean server.listen?\n\
         --set listen: write it as section.key=value, such as server.listen=127.0.0.1:8081"
    );
}

#[test]
fn a_wrong_value_is_refused_with_its_place_and_what_was_expected() {
    for (file, expected) in [
        (
            "[server]\nlisten = 8080",
            "FILE:2:10: server.listen: expected an address and port such as \"127.0.0.1:8080\" or \
             \"[::]:443\", found a value of type integer",
        ),
        (
            "[limits]\nenabled = \"true\"",
            "FILE:2:11: limits.enabled: expected true or false, found \"true\" with quotes",
        ),
        (
            "[server]\ntrusted_proxies = [\"unix\", \"10.0.0.0/99\"]",
            "FILE:2:19: server.trusted_proxies: expected a list of addresses, networks or \
             \"unix\", found \"10.0.0.0/99\"",
        ),
        (
            "[server]\ntrusted_proxies = [1]",
            "FILE:2:19: server.trusted_proxies: expected a list of addresses, networks or \
             \"unix\", found a list with something that is not a string",
        ),
        (
            "[names]\nrelease_after = \"30 days\"",
            "FILE:2:17: names.release_after: expected a duration such as \"30d\" or \"12h\", or \
             \"never\", found \"30 days\"",
        ),
        (
            "[server]\nlisten = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"",
            "FILE:3:1: not TOML: duplicate key",
        ),
        (
            "[store]\nconnections = \"16\"",
            "FILE:2:15: store.connections: expected a number from 1 to 1000, found \"16\" with \
             quotes",
        ),
        (
            "[store]\nconnections = 99999999999999999999",
            "FILE:2:15: store.connections: expected a number from 1 to 1000, found a number that \
             is too large",
        ),
        (
            "# ä\n[server]\ntls_cert = \"/cert\"",
            "FILE:3:12: server.tls_cert: set server.tls_key too, TLS needs both",
        ),
    ] {
        assert_eq!(problems(file, &[], &[]), expected);
    }
    let environment = [("SEALBOOK_TOXME__REQUIRE_SECURE", "yes")];
    assert_eq!(
        problems("", &environment, &[]),
        "SEALBOOK_TOXME__REQUIRE_SECURE: toxme.require_secure: expected true or false, found \"yes\""
    );
}

#[test]
fn values_that_are_out_of_bounds_are_refused() {
    for set in [
        "server.listen=localhost:80",
        "server.listen=127.0.0.1",
        "server.data_dir=",
        "server.public_url=names.example",
        "server.public_url=ftp://names.example",
        "server.public_url=https://names.example/path",
        "server.public_url=https://me@names.example",
        "server.domain=-names.example",
        "server.domain=names..example",
        "server.domain=names example",
        "store.url=mysql://x",
        "store.url=postgres://",
        "store.connections=0",
        "store.connections=1001",
        "store.connections=-1",
        "store.connections=many",
        "store.url=file:",
        "log.origin=a b",
        "web.title=a\u{7}b",
        "web.title=Sixty-three characters, which is more than would fit on a page",
        "web.contact=me@names.example",
        "web.contact=javascript:alert(1)",
        "log.origin=a+b",
        "log.merge_delay=61s",
        "log.merge_delay=200",
        "log.merge_delay=ms",
        "log.merge_delay=-1s",
        "log.merge_delay=never",
        "names.release_after=99999999999999999999d",
        "names.release_after=9999999999999999d",
        "names.release_after=1w",
        "proofs.twitter=mail",
        "proofs.disabled=facebook",
        "arweave.mode=irys",
        "arweave.fee_max=0,1",
        "arweave.fee_max=.1",
        "arweave.fee_max=1.",
        "arweave.fee_max=-1",
        "arweave.fee_max=0.1234567890123",
        "arweave.fee_max=1000000.1",
        "arweave.fee_max=99999999999999999999",
        "outbound.resolver=dns.example",
        "outbound.resolver=9.9.9.9:0",
    ] {
        let said = problems("", &[], &[set]);
        let (key, value) = set.split_once('=').unwrap();
        assert!(
            said.starts_with(&format!("--set {key}: {key}: expected ")),
            "{said}"
        );
        assert!(said.contains(&format!("found {value:?}")), "{said}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let file = "[server]\nlisen = 1\ndata_dir = 2\n[log]\norigin = 3\n";
    assert_eq!(
        problems(file, &[], &["limits.enabled=4"]).lines().count(),
        4
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let given = Given {
        file: Some("/nonexistent/sealbook.toml".into()),
        set: Vec::new(),
    };
    let said = load(&given, []).err().unwrap().to_string();
    assert!(
        said.starts_with("/nonexistent/sealbook.toml: cannot read it: "),
        "{said}"
    );
}

#[test]
fn an_empty_string_unsets() {
    let file = "[server]\npublic_url = \"https://names.example\"\n";
    let (_, set) = load_from(file, &[], &[]);
    let config = set.unwrap().config;
    assert_eq!(config.public_host().unwrap(), "names.example");
    assert_eq!(config.domain(), "names.example");
    let (_, unset) = load_from(file, &[("SEALBOOK_SERVER__PUBLIC_URL", "")], &[]);
    assert_eq!(unset.unwrap().config.domain(), "localhost");
}

#[test]
fn variables_of_container_platforms_are_left_alone() {
    let environment = [
        ("SEALBOOK_SERVICE_HOST", "10.0.0.1"),
        ("SEALBOOK_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("OTHER__THING", "1"),
    ];
    assert!(load_from("", &environment, &[]).1.is_ok());
}

#[test]
fn durations_are_shown_with_the_largest_unit_that_fits() {
    for (given, expected) in [
        ("0ms", "0s"),
        ("0d", "0s"),
        ("48h", "2d"),
        ("36h", "36h"),
        ("90m", "90m"),
        ("120s", "2m"),
        ("1500ms", "1500ms"),
        ("never", "never"),
    ] {
        let (_, loaded) = load_from("", &[], &[&format!("names.release_after={given}")]);
        let shown = shown_values(&loaded.unwrap());
        assert_eq!(shown["names.release_after"]["value"], json!(expected));
    }
}

#[test]
fn the_default_file_says_the_same_with_and_without_its_comment_signs() {
    let file = default_file();
    let (_, commented) = load_from(&file, &[], &[]);
    let live: String = file
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let set = live.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(
        set.filter(|line| line.contains(" = ")).count(),
        keys().count()
    );
    let (_, live) = load_from(&live, &[], &[]);
    assert_eq!(
        shown(&commented.unwrap(), false),
        shown(&live.unwrap(), false)
    );
}

#[test]
fn show_writes_a_file_that_reads_back() {
    let set: Vec<String> = SAMPLES
        .iter()
        .map(|(key, text, _)| format!("{key}={text}"))
        .collect();
    let set: Vec<&str> = set.iter().map(String::as_str).collect();
    let (_, loaded) = load_from("", &[], &set);
    let loaded = loaded.unwrap();
    for with_origin in [false, true] {
        let text = shown(&loaded, with_origin);
        assert_eq!(text.contains("# --set server.listen"), with_origin);
        let (_, again) = load_from(&text, &[], &[]);
        assert_eq!(shown(&again.unwrap(), false), shown(&loaded, false));
    }
}

#[test]
fn the_reference_is_the_one_in_the_repository() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/CONFIG.md");
    let written = fs::read_to_string(path).unwrap();
    assert!(
        written == markdown(),
        "run `cargo run -p sealbook -- config default --markdown > docs/CONFIG.md`"
    );
}

#[test]
fn a_password_is_never_shown() {
    const SECRET: &str = "hunter2";
    let url = format!("postgres://me:{SECRET}@db.example:5432,db2.example/names?sslmode=require");
    let file = format!("[store]\nurl = \"{url}\"\n");
    let variable = [("SEALBOOK_STORE__URL", url.as_str())];
    let flag = format!("store.url={url}");
    for (file, environment, set) in [
        (file.as_str(), &[][..], &[][..]),
        ("", &variable[..], &[][..]),
        ("", &[][..], &[flag.as_str()][..]),
    ] {
        let loaded = load_from(file, environment, set).1.unwrap();
        assert_eq!(loaded.config.store_url().expose(), url);
        for text in [
            shown(&loaded, false),
            shown(&loaded, true),
            shown_json(&loaded).to_string(),
            format!("{loaded:?}{:?}", loaded.config),
            loaded.config.store_url().to_string(),
        ] {
            assert!(text.contains("me:***@db.example:5432,db2.example") && !text.contains(SECRET));
        }
    }
    for bad in [
        format!("store.url=mysql://me:{SECRET}@db"),
        format!("store.url postgres://me:{SECRET}@db"),
        format!("store.ulr=postgres://me:{SECRET}@db"),
        format!("postgres://me:{SECRET}@db/names?sslmode=require"),
        format!("store.url postgres://me:{SECRET}=1@db"),
        format!("store.connections=postgres://me:{SECRET}@db"),
    ] {
        let said = problems("", &[], &[&bad]);
        assert!(!said.contains(SECRET), "{said}");
    }
    let said = problems(
        &format!("[store]\nurl = \"postgre://me:{SECRET}@db\""),
        &[],
        &[],
    );
    assert!(
        said.contains("postgre://me:***@db") && !said.contains(SECRET),
        "{said}"
    );
}

const PLATFORM: &str = "[[platform]]\nname = \"forum\"\n\
                        url = \"https://forum.example/p/{location}.json\"\n\
                        author = \"/author\"\ntext = \"/text\"\nhtml = true\n";

#[test]
fn platforms_are_read_and_shown() {
    let file = format!("{PLATFORM}\n{}", PLATFORM.replace("forum\"", "other\""));
    let loaded = load_from(&file, &[], &[]).1.unwrap();
    let names = loaded.config.platforms.iter().map(|keys| &keys.name);
    assert_eq!(names.collect::<Vec<_>>(), ["forum", "other"]);
    let [forum, _] = loaded.config.platforms.as_slice() else {
        unreachable!("there are two");
    };
    assert_eq!(forum.author.as_deref(), Some("/author"));
    assert!(forum.html);
    let again = load_from(&shown(&loaded, true), &[], &[]).1.unwrap();
    assert_eq!(again.config.platforms, loaded.config.platforms);
    let object = shown_json(&loaded);
    assert_eq!(object["platform"][0]["url"], forum.url.as_str());
}

#[test]
fn what_is_wrong_with_a_platform_is_told_with_its_place() {
    for (from, to, place, said) in [
        (
            "forum\"",
            "github\"",
            "2:8",
            "platform.name: github is a service",
        ),
        ("https", "ftp", "3:7", "platform.url: expected an https URL"),
        (
            "/author",
            "author",
            "4:10",
            "platform.author: expected a JSON Pointer",
        ),
        (
            "true",
            "\"yes\"",
            "6:8",
            "platform.html: expected true or false",
        ),
        ("html", "htm", "6:7", "platform.htm: unknown key"),
        (
            "author = \"/author\"",
            "",
            "1:1",
            "platform.author: set author",
        ),
    ] {
        let told = problems(&PLATFORM.replace(from, to), &[], &[]);
        assert!(told.contains(&format!(":{place}: {said}")), "{to}: {told}");
    }
    for (file, said) in [
        (
            PLATFORM.replace("[[platform]]", "[platform]"),
            "write [[platform]]",
        ),
        ("platform = [1]".to_owned(), "write [[platform]]"),
        (format!("{PLATFORM}{PLATFORM}"), "there is a forum already"),
        (PLATFORM.repeat(65), "there are more than 64"),
    ] {
        let told = problems(&file, &[], &[]);
        assert!(told.contains(said), "{told}");
    }
}

#[test]
fn ways_to_a_tweet_are_named_once() {
    let said = problems("", &[], &["proofs.twitter=api,api"]);
    assert!(said.ends_with("found \"api\" twice"), "{said}");
}

#[test]
fn what_goes_to_arweave_is_signed_and_paid_within_bounds() {
    let config = |set: &[&str]| load_from("", &[], set).1.unwrap().config;
    assert_eq!(config(&[]).arweave.mode, ArweaveMode::None);
    for (amount, winston, shown) in [
        ("0", 0, "0"),
        ("0.1", 100_000_000_000, "0.1"),
        ("1", 1_000_000_000_000, "1"),
        ("10.50", 10_500_000_000_000, "10.5"),
        ("0.000000000001", 1, "0.000000000001"),
        ("1000000", 1_000_000_000_000_000_000, "1000000"),
    ] {
        let config = config(&[&format!("arweave.fee_max={amount}")]);
        assert_eq!(config.arweave.fee_max, Ar { winston });
        assert_eq!(config.arweave.fee_max.show(), shown);
    }
    let key = "set arweave.key_file too, what goes to Arweave is signed";
    let said = problems("", &[], &["arweave.mode=gateway"]);
    assert_eq!(said, format!("--set arweave.mode: arweave.mode: {key}"));
    let set = ["arweave.mode=bundler", "arweave.key_file=/key"];
    let url =
        "set upstreams.arweave too, to the bundler's URL, such as \"https://upload.ardrive.io/v1\"";
    let said = problems("", &[], &set);
    assert_eq!(said, format!("--set arweave.mode: arweave.mode: {url}"));
    let set = [set[0], set[1], "upstreams.arweave=http://127.0.0.1:1/v1"];
    assert_eq!(config(&set).arweave.mode, ArweaveMode::Bundler);
}
