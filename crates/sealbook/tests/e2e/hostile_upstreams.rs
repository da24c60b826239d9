//! Services that answer what no service should, asked by the real server: each claim is refused as the
//! client's to mend, and nothing of it is left.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use client::avatar::AvatarKey;
use crypto::secret::Secret;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Place, Server, troubles};
use crate::postgres::wait_until;

/// What a service does with every request.
#[derive(Clone)]
enum Play {
    /// Sends these bytes and hangs up.
    Say(Vec<u8>),
    /// Sends this head, and blanks for as long as anybody takes them: 10 GiB.
    Endless(&'static str),
}

/// A port where a play is given, and how often it was.
#[derive(Clone)]
struct Stage {
    port: u16,
    play: Arc<Mutex<Play>>,
    visits: Arc<AtomicUsize>,
}

impl Stage {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stage = Self {
            port: listener.local_addr().unwrap().port(),
            play: Arc::new(Mutex::new(Play::Say(Vec::new()))),
            visits: Arc::default(),
        };
        let own = stage.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                own.visits.fetch_add(1, Ordering::SeqCst);
                let play = own.play.lock().unwrap().clone();
                thread::spawn(move || perform(stream.unwrap(), play));
            }
        });
        stage
    }

    fn give(&self, play: Play) {
        *self.play.lock().unwrap() = play;
    }
}

/// Whoever listens may hang up at any moment.
fn perform(mut stream: TcpStream, play: Play) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request);
    let _ = match play {
        Play::Say(bytes) => stream.write_all(&bytes),
        Play::Endless(head) => {
            let blanks = vec![b' '; 1 << 20];
            let mut sent = stream.write_all(head.as_bytes());
            for _ in 0..10 << 10 {
                sent = sent.and_then(|()| stream.write_all(&blanks));
            }
            sent
        }
    };
}

fn answer(head: &str, body: &[u8]) -> Play {
    let length = body.len();
    let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    Play::Say([head.as_bytes(), body].concat())
}

/// Platforms, an account, a place, and the upstreams that are asked.
const PLATFORMS: [(&str, &str, &str, &[&str]); 10] = [
    ("github", "alice", "abc", &["github_api", "github_gist_raw"]),
    (
        "twitter",
        "alice",
        "99",
        &["twitter_syndication", "twitter_oembed"],
    ),
    ("dns", "example.com", "", &["dns_over_https"]),
    ("https", "example.com", "", &["https"]),
    ("keybase", "alice", "", &["keybase_pub"]),
    (
        "activitypub",
        "alice@social.example",
        "77",
        &["activitypub"],
    ),
    ("minds", "alice", "77", &["minds"]),
    ("dotbit", "alice.bit", "", &["dotbit"]),
    ("steam", "76561198092541763", "", &["steam"]),
    ("tiktok", "alice", "77", &["tiktok"]),
];

struct World {
    _place: Place,
    server: Server,
    stage: Stage,
    key: AvatarKey,
}

impl World {
    fn new() -> Self {
        Self::with(&[])
    }

    /// One whose configuration says more.
    fn with(more: &[&str]) -> Self {
        let (place, stage) = (Place::new(), Stage::new());
        let upstreams = PLATFORMS.iter().flat_map(|(_, _, _, names)| *names);
        let mut sets: Vec<String> = upstreams
            .map(|name| format!("upstreams.{name}=http://127.0.0.1:{}/{name}", stage.port))
            .collect();
        sets.push("limits.enabled=false".to_owned());
        sets.extend(more.iter().map(|set| (*set).to_owned()));
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let server = place.serve(&sets);
        let key = AvatarKey::new(Secret::new([1; 32])).ok().unwrap();
        Self {
            _place: place,
            server,
            stage,
            key,
        }
    }

    fn ask(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, text) = self.server.post(path, &body.to_string());
        (status, serde_json::from_str(&text).unwrap())
    }

    /// What is handed in for an account, well signed.
    fn signed(&self, platform: &str, identity: &str, location: &str) -> (Value, String) {
        let mut body = json!({
            "action": "create", "platform": platform, "identity": identity,
            "public_key": self.key.avatar().to_string(),
        });
        let (status, draft) = self.ask("/v1/proof/payload", &body);
        assert_eq!(status, 200, "{draft}");
        let signature = self.key.sign(draft["sign_payload"].as_str().unwrap());
        for name in ["uuid", "created_at"] {
            body[name] = draft[name].clone();
        }
        body["proof_location"] = location.into();
        let text = draft["post_content"]["default"].as_str().unwrap();
        (body, text.replace("%SIG_BASE64%", &signature))
    }

    /// Hands a claim in, which is refused in so many words.
    fn refused(&self, what: &str, body: &Value) -> String {
        let (status, answer) = self.ask("/v1/proof", body);
        assert_eq!(status, 400, "{what}: {answer}");
        let said = answer["message"].as_str().unwrap();
        assert!(!said.is_empty() && said.len() < 300, "{what}: {said}");
        said.to_owned()
    }

    /// The links there are.
    fn links(&self) -> usize {
        let (status, text) = self.server.get("/v1/proofchain/changes");
        assert_eq!(status, 200, "{text}");
        let changes: Value = serde_json::from_str(&text).unwrap();
        changes["links"].as_array().unwrap().len()
    }

    /// That the server goes on, and found nothing that an operator has to look at.
    fn goes_on(self) {
        assert_eq!(self.server.get("/readyz").0, 200);
        let (status, log) = self.server.stop();
        assert!(status.success(), "{log}");
        let troubles = troubles(&log).into_iter();
        let errors: Vec<&str> = troubles.filter(|line| line.contains("\"ERROR\"")).collect();
        assert!(errors.is_empty() && !log.contains("panicked"), "{errors:?}");
    }
}

#[test]
fn whatever_a_service_answers_a_claim_is_refused_and_leaves_no_link() {
    let (world, trap) = (World::new(), Stage::new());
    let html = b"<!DOCTYPE html><html><head><title>Log in</title></head><body>no</body></html>";
    let elsewhere = format!("302 Found\r\nlocation: http://127.0.0.1:{}/x", trap.port);
    let metadata = "301 Moved\r\nlocation: http://169.254.169.254/latest/meta-data/";
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(1 << 20));
    let digits = format!("{{\"id\": {}}}", "9".repeat(900_000));
    let plays = [
        ("a page", answer("200 OK\r\ncontent-type: text/html", html)),
        ("nothing", Play::Say(Vec::new())),
        ("an empty body", answer("200 OK", b"")),
        (
            "10 GiB that are announced",
            Play::Endless("HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n"),
        ),
        (
            "10 GiB that are not",
            Play::Endless("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"),
        ),
        (
            "an endless head",
            Play::Endless("HTTP/1.1 200 OK\r\nx-padding: "),
        ),
        ("no HTTP", Play::Say(vec![0; 4096])),
        ("a way to this machine", answer(&elsewhere, b"")),
        ("a way to the machine's keeper", answer(metadata, b"")),
        ("a way to itself", answer("302 Found\r\nlocation: ?", b"")),
        ("its own fault", answer("500 Oops", html)),
        (
            "that it wants less",
            answer("429 Slow\r\nretry-after: 9", b""),
        ),
        (
            "no UTF-8",
            answer("200 OK", &[0xff, 0xfe, 0x00, 0xed, 0xa0]),
        ),
        ("a deep list", answer("200 OK", deep.as_bytes())),
        ("a long text", answer("200 OK", long.as_bytes())),
        ("a long number", answer("200 OK", digits.as_bytes())),
        ("a body cut off", answer("200 OK", b"{\"id\": \"")),
        (
            "damaged gzip",
            answer("200 OK\r\ncontent-encoding: gzip", b"\x1f\x8b"),
        ),
    ];
    for (platform, identity, location, _) in PLATFORMS {
        let (body, _) = world.signed(platform, identity, location);
        for (what, play) in &plays {
            world.stage.give(play.clone());
            let before = world.stage.visits.load(Ordering::SeqCst);
            world.refused(&format!("{platform}: {what}"), &body);
            let visits = world.stage.visits.load(Ordering::SeqCst);
            assert!(visits > before, "{platform} was not asked for {what}");
        }
    }
    assert_eq!(trap.visits.load(Ordering::SeqCst), 0, "nobody goes there");
    assert_eq!(world.links(), 0);
    world.goes_on();
}

#[test]
fn another_persons_post_binds_nobody_and_the_draft_stays_good() {
    let world = World::new();
    let (body, text) = world.signed("github", "alice", "abc");
    let file = format!("{}.json", world.key.avatar());
    let gist = |owner: Value, content: &str| {
        let gist = json!({"owner": owner, "files": {file.as_str(): {"content": content}}});
        answer("200 OK", gist.to_string().as_bytes())
    };
    for (what, play, said) in [
        (
            "another's",
            gist(json!({"login": "mallory", "id": 2}), &text),
            "gist owner mismatch",
        ),
        ("nobody's", gist(Value::Null, &text), "no owner"),
        (
            "one that says something else",
            gist(json!({"login": "alice", "id": 1}), "hello"),
            "not found or empty",
        ),
    ] {
        world.stage.give(play);
        let refusal = world.refused(what, &body);
        assert!(refusal.contains(said), "{refusal}");
    }
    let (tweet, words) = world.signed("twitter", "alice", "99");
    let said_by = |name: &str, text: String| {
        let tweet = json!({
            "__typename": "Tweet", "id_str": "99", "text": text,
            "user": {"id_str": "5", "screen_name": name},
        });
        answer("200 OK", tweet.to_string().as_bytes())
    };
    world.stage.give(said_by("mallory", words.clone()));
    let refusal = world.refused("another's tweet", &tweet);
    assert_eq!(refusal, "tweet is not sent by this account.");
    world
        .stage
        .give(said_by("alice", format!("RT @mallory: {words}")));
    let refusal = world.refused("a retweet", &tweet);
    assert_eq!(refusal, "the tweet repeats somebody else's");
    assert_eq!(world.links(), 0);

    world
        .stage
        .give(gist(json!({"login": "Alice", "id": 1}), &text));
    assert_eq!(world.ask("/v1/proof", &body), (201, json!({})));
    assert_eq!(world.links(), 1);
    world.goes_on();
}

/// A site of one page for all its addresses, when the file is gone.
#[test]
fn a_page_that_stays_where_a_sites_file_was_turns_the_claim() {
    let world = World::with(&["proofs.recheck_after=1s"]);
    let (body, file) = world.signed("https", "example.com", "");
    let page = b"<!doctype html><html><head><title>Shop</title></head><body></body></html>";
    let page = || answer("200 OK\r\ncontent-type: text/html; charset=utf-8", page);
    world.stage.give(page());
    let refusal = world.refused("a page", &body);
    let said = "json not found: example.com answers with a web page";
    assert!(refusal.contains(said), "{refusal}");
    let file = || answer("200 OK", file.as_bytes());
    world.stage.give(file());
    assert_eq!(world.ask("/v1/proof", &body), (201, json!({})));

    let own = world.key.avatar();
    let path = format!("/v1/proof/exists?platform=https&identity=example.com&public_key={own}");
    let standing = || {
        let (status, text) = world.server.get(&path);
        assert_eq!(status, 200, "{text}");
        serde_json::from_str::<Value>(&text).unwrap()
    };
    assert_eq!(standing()["is_valid"], true);
    world.stage.give(page());
    wait_until("the claim turns", PATIENCE, || {
        standing()["is_valid"] == false
    });
    let reason = standing()["invalid_reason"].to_string();
    assert!(reason.contains(said), "{reason}");
    world.stage.give(file());
    wait_until("the claim is good again", PATIENCE, || {
        standing()["is_valid"] == true
    });
    assert_eq!(world.links(), 1);
    world.goes_on();
}

/// Hosts that people name: what leads to the server's own network is refused before it is asked.
#[test]
fn no_claim_leads_into_the_servers_own_network() {
    let (place, trap) = (Place::new(), Stage::new());
    let server = place.serve(&["--set", "limits.enabled=false"]);
    let port = trap.port;
    let key = AvatarKey::new(Secret::new([1; 32])).ok().unwrap();
    let own = [
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        "[::1]".to_owned(),
        "2130706433".to_owned(),
        "0x7f.1".to_owned(),
        "169.254.169.254".to_owned(),
    ];
    for host in own {
        for (platform, identity) in [
            ("https", host.clone()),
            ("dns", host.clone()),
            ("activitypub", format!("alice@{host}")),
        ] {
            let body = json!({
                "action": "create", "platform": platform, "identity": identity,
                "public_key": key.avatar().to_string(), "proof_location": "1",
                "uuid": "cd04a475-4498-406d-b5a1-3c5f371f1f04", "created_at": "1",
            });
            for path in ["/v1/proof/payload", "/v1/proof"] {
                let (status, text) = server.post(path, &body.to_string());
                assert_eq!(status, 400, "{path} {identity}: {text}");
            }
        }
    }
    assert_eq!(trap.visits.load(Ordering::SeqCst), 0);
}
