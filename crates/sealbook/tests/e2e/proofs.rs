//! The ProofService API over real HTTP, with services on this machine in the shape of the real ones: by
//! one server over files, and by two over a database, which take turns.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use client::avatar::{Avatar, AvatarKey};
use client::http::HttpOptions;
use client::proofs::{Action, Draft, Evidence, ProofClient, ProofError, Wanted};
use crypto::base58;
use crypto::ed25519::SigningKey as SolanaKey;
use crypto::secp256k1::SigningKey as EthereumKey;
use crypto::secret::Secret;
use pgrig::Postgres;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Place, Ran, Server, copy_dir};
use crate::postgres::wait_until;

/// What the services answer: bodies by the start of the path.
#[derive(Clone, Default)]
struct Services(Arc<Mutex<BTreeMap<String, String>>>);

impl Services {
    /// Listens on a free port; the port.
    fn start(&self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let own = own.clone();
                thread::spawn(move || own.answer(&stream.unwrap()));
            }
        });
        port
    }

    fn answer(&self, mut stream: &TcpStream) {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let first = lines.next().unwrap_or_default();
        lines.by_ref().take_while(|line| !line.is_empty()).count();
        let path = first.split(' ').nth(1).unwrap_or_default();
        let pages = self.0.lock().unwrap();
        let found = pages
            .iter()
            .rev()
            .find(|(start, _)| path.starts_with(*start));
        let (status, body) = found.map_or((404, "{}"), |(_, body)| (200, body.as_str()));
        let length = body.len();
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close");
        let _ = write!(
            stream,
            "{head}\r\ncontent-type: application/json\r\n\r\n{body}"
        );
    }

    fn put(&self, path: &str, body: &Value) {
        self.0.lock().unwrap().insert(path.into(), body.to_string());
    }
}

/// A directory whose upstreams are all on this machine.
struct World {
    place: Place,
    /// The arguments all servers have.
    arguments: Vec<String>,
    servers: Vec<Server>,
    /// Which of them is asked next.
    turn: Cell<usize>,
    services: Services,
    runtime: tokio::runtime::Runtime,
    _database: Option<Postgres>,
}

impl World {
    /// One server over files.
    fn new() -> Self {
        Self::of(1, None)
    }

    /// Two servers over a database.
    fn shared() -> Self {
        Self::of(
            2,
            Some(Postgres::start(pgrig::Settings::default()).unwrap()),
        )
    }

    fn of(servers: usize, database: Option<Postgres>) -> Self {
        let services = Services::default();
        let base = format!("http://127.0.0.1:{}", services.start());
        services.put(
            "/social/.well-known/nodeinfo",
            &json!({"links": [{
                "rel": "http://nodeinfo.diaspora.software/ns/schema/2.0",
                "href": format!("{base}/social/nodeinfo/2.0"),
            }]}),
        );
        services.put(
            "/social/nodeinfo/2.0",
            &json!({"software": {"name": "mastodon"}}),
        );
        let mut sets = vec![
            format!("upstreams.github_api={base}/github"),
            format!("upstreams.github_gist_raw={base}/raw"),
            format!("upstreams.twitter_syndication={base}/twitter"),
            format!("upstreams.twitter_oembed={base}/none"),
            format!("upstreams.dns_over_https={base}/dns"),
            format!("upstreams.keybase_pub={base}/keybase"),
            format!("upstreams.activitypub={base}/social"),
            "outbound.allow_private=true".to_owned(),
            "limits.enabled=false".to_owned(),
        ];
        sets.extend(database.iter().map(|it| format!("store.url={}", it.url())));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let mut world = Self {
            place: Place::new(),
            arguments: sets
                .into_iter()
                .flat_map(|it| ["--set".to_owned(), it])
                .collect(),
            servers: Vec::new(),
            turn: Cell::new(0),
            services,
            runtime,
            _database: database,
        };
        for number in 0..servers {
            let server = world.serve(number);
            world.servers.push(server);
        }
        world
    }

    /// Starts a server, in a directory of its own.
    fn serve(&self, number: usize) -> Server {
        let data = format!("data{number}");
        let keys = self.place.path(&data).join("keys");
        if number > 0 && !keys.exists() {
            copy_dir(&self.place.path("data0/keys"), &keys);
        }
        let data = format!("server.data_dir={data}");
        let mut arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        arguments.extend(["--set", &data]);
        let server = self.place.serve(&arguments);
        wait_until("the server is ready", PATIENCE, || {
            server.get("/readyz").0 == 200
        });
        server
    }

    /// The next server's address: no two requests in a row go to one of several.
    fn url(&self) -> String {
        let turn = self.turn.get();
        self.turn.set((turn + 1) % self.servers.len());
        self.servers[turn].url()
    }

    fn client(&self) -> ProofClient {
        ProofClient::new(&self.url(), &HttpOptions::default()).unwrap()
    }

    fn draft(&self, wanted: &Wanted<'_>) -> Draft {
        let client = self.client();
        self.runtime.block_on(client.draft(wanted)).unwrap()
    }

    fn submit(&self, wanted: &Wanted<'_>, evidence: &Evidence<'_>) -> Result<(), String> {
        let client = self.client();
        let done = self.runtime.block_on(client.submit(wanted, evidence));
        done.map_err(|error| match error {
            ProofError::Refused {
                status: 400,
                message,
            } => message,
            other @ (ProofError::Http(_) | ProofError::Refused { .. } | ProofError::OtherDraft) => {
                panic!("not refused as it should be: {other}")
            }
        })
    }

    /// What a path answers.
    fn get(&self, path: &str) -> (u16, Value) {
        let url = format!("{}{path}", self.url());
        self.runtime.block_on(async {
            let answer = reqwest::get(url).await.unwrap();
            let status = answer.status().as_u16();
            (status, answer.json().await.unwrap())
        })
    }

    fn exists(&self, avatar: &Avatar, (platform, identity): (&str, &str)) -> (u16, Value) {
        let query = format!("platform={platform}&identity={identity}&public_key={avatar}");
        self.get(&format!("/v1/proof/exists?{query}"))
    }

    /// What the command line verifies of an avatar's chain.
    fn chain(&self, avatar: &Avatar) -> Value {
        let (avatar, url) = (avatar.to_string(), self.url());
        self.place
            .json(&["chain", &avatar, "--verify", "--url", &url])
    }

    /// Posts a text where the account of a service would.
    fn post(&self, platform: &str, identity: &str, avatar: &Avatar, text: &str) -> &'static str {
        let file = format!("{avatar}.json");
        let user = identity.split('@').next().unwrap();
        let (path, body, location) = match platform {
            "github" => (
                "/github/gists/abc".to_owned(),
                json!({
                    "owner": {"login": identity, "id": 7},
                    "files": {file.clone(): {"filename": file, "truncated": false, "content": text}},
                }),
                "abc",
            ),
            "twitter" => (
                "/twitter/tweet-result?id=99&".to_owned(),
                json!({
                    "__typename": "Tweet", "id_str": "99", "text": text,
                    "user": {"id_str": "5", "screen_name": identity},
                }),
                "99",
            ),
            "dns" => (
                format!("/dns?type=TXT&name={identity}"),
                json!({"Status": 0, "AD": true, "Answer": [{"type": 16, "data": format!("\"{text}\"")}]}),
                "",
            ),
            "keybase" => (
                format!("/keybase/NextID/{file}"),
                serde_json::from_str(text).unwrap(),
                "",
            ),
            "activitypub" => (
                "/social/api/v1/statuses/77".to_owned(),
                json!({
                    "id": "77", "account": {"id": "3", "acct": user},
                    "content": format!("<p>{}</p>", text.replace('\n', "<br>")),
                }),
                "77",
            ),
            other => panic!("no such service here: {other}"),
        };
        self.services.put(&path, &body);
        location
    }
}

fn avatar(byte: u8) -> AvatarKey {
    AvatarKey::new(Secret::new([byte; 32])).ok().unwrap()
}

fn wanted<'a>(
    action: Action,
    avatar: &'a Avatar,
    (platform, identity): (&'a str, &'a str),
) -> Wanted<'a> {
    Wanted {
        action,
        avatar,
        platform,
        identity,
    }
}

fn evidence(draft: &Draft) -> Evidence<'_> {
    Evidence {
        uuid: &draft.uuid,
        created_at: &draft.created_at,
        ..Evidence::default()
    }
}

/// Ethereum's and Solana's wallets: account, and its signature over a text.
fn wallet(platform: &str) -> (String, impl Fn(&str) -> String) {
    let is_solana = platform == "solana";
    let ethereum = EthereumKey::from_secret(Secret::new([9; 32])).ok().unwrap();
    let solana = SolanaKey::from_seed(&Secret::new([9; 32])).ok().unwrap();
    let account = if is_solana {
        base58::encode(solana.verifying_key().as_bytes())
    } else {
        let address = ethereum.public().address();
        let digits: String = address.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("0x{digits}")
    };
    let sign = move |text: &str| {
        if is_solana {
            return base58::encode(&solana.sign(text.as_bytes()));
        }
        engine::nextid::encode_signature(ethereum.sign_personal(text.as_bytes()).as_bytes())
    };
    (account, sign)
}

/// All changes, which are so many: their numbers have no gap.
fn changes(world: &World, count: u64) -> Vec<Value> {
    let (_, answer) = world.get("/v1/proofchain/changes?count=100");
    let changes = answer["links"].as_array().unwrap();
    let ids = changes.iter().map(|it| it["id"].as_u64().unwrap());
    assert!(ids.eq(1..=count), "{changes:?}");
    changes.clone()
}

/// Claims an account, and looks whether everybody sees it.
fn claim(world: &World, key: &AvatarKey, account: (&str, &str)) {
    let ((platform, identity), avatar) = (account, key.avatar());
    let create = wanted(Action::Create, &avatar, account);
    let draft = world.draft(&create);
    let signature = key.sign(&draft.sign_payload);
    let text = draft.post_content["default"].replace("%SIG_BASE64%", &signature);
    let by_wallet = wallet(platform).1(&draft.sign_payload);
    let mut evidence = evidence(&draft);
    if text.is_empty() {
        evidence.signature = Some(&signature);
        evidence.wallet_signature = Some(&by_wallet);
    } else {
        let location = world.post(platform, identity, &avatar, &text);
        evidence.location = Some(location).filter(|it| !it.is_empty());
    }
    assert_eq!(world.submit(&create, &evidence), Ok(()), "{platform}");

    let exact = format!("/v1/proof?platform={platform}&identity={identity}&exact=true");
    let (_, found) = world.get(&exact);
    assert_eq!(found["pagination"]["total"], 1, "{platform}: {found}");
    assert_eq!(found["ids"][0]["persona"], avatar.to_string());
    let (status, exists) = world.exists(&avatar, account);
    assert_eq!(
        (status, &exists["is_valid"]),
        (200, &json!(true)),
        "{platform}"
    );
}

/// Gives an account up.
fn give_up(world: &World, key: &AvatarKey, account: (&str, &str)) {
    let (platform, avatar) = (account.0, key.avatar());
    let delete = wanted(Action::Delete, &avatar, account);
    let draft = world.draft(&delete);
    let signature = key.sign(&draft.sign_payload);
    let by_wallet = wallet(platform).1(&draft.sign_payload);
    let mut evidence = evidence(&draft);
    if ["ethereum", "solana"].contains(&platform) {
        evidence.wallet_signature = Some(&by_wallet);
    } else {
        evidence.signature = Some(&signature);
    }
    assert_eq!(world.submit(&delete, &evidence), Ok(()), "{platform}");
    assert_eq!(world.exists(&avatar, account).0, 404, "{platform}");
}

#[test]
fn each_service_goes_from_draft_to_delete() {
    go_through_all_services(&World::new());
}

#[test]
fn each_service_goes_from_draft_to_delete_at_two_servers() {
    go_through_all_services(&World::shared());
}

fn go_through_all_services(world: &World) {
    let key = avatar(1);
    let (ethereum, solana) = (wallet("ethereum").0, wallet("solana").0);
    let accounts = [
        ("github", "alice"),
        ("twitter", "alice_a"),
        ("dns", "example.com"),
        ("keybase", "alice"),
        ("activitypub", "alice@social.example"),
        ("ethereum", ethereum.as_str()),
        ("solana", solana.as_str()),
    ];
    accounts
        .iter()
        .for_each(|account| claim(world, &key, *account));
    let chain = world.chain(&key.avatar());
    assert_eq!(chain["verified"], true);
    assert_eq!(chain["claimed"].as_array().unwrap().len(), accounts.len());

    accounts
        .iter()
        .for_each(|account| give_up(world, &key, *account));
    let chain = world.chain(&key.avatar());
    assert_eq!(chain["claimed"], json!([]));
    assert_eq!(chain["links"].as_array().unwrap().len(), 2 * accounts.len());
    for link in changes(world, 2 * accounts.len() as u64) {
        let inclusion = link["log"]["inclusion"].as_str().unwrap();
        assert_eq!(world.get(inclusion).0, 200, "{inclusion}");
    }
}

/// What a browser shows of claims, at one server and at two that take turns.
fn look_at_pages(world: &World) {
    let key = avatar(1);
    let own = key.avatar().to_string();
    let wallet = wallet("ethereum").0;
    for account in [("github", "alice"), ("ethereum", &wallet)] {
        claim(world, &key, account);
    }
    let page = |path: &str| {
        let turn = world.turn.get();
        world.turn.set((turn + 1) % world.servers.len());
        world.servers[turn].get(path)
    };
    let link = format!("href=\"/avatars/{own}\"");
    // A part of a name is looked for in memory, which may be a second behind the other server.
    for q in ["alice", "GitHub/alice", "lic", &wallet, &own, &own[2..]] {
        wait_until("the account is found", PATIENCE, || {
            let (status, text) = page(&format!("/search?q={q}"));
            assert_eq!(status, 200, "{q}: {text}");
            text.contains(&link) && text.contains("mark holds")
        });
    }
    assert!(!page("/search?q=dns:alice").1.contains(&link));
    for _ in 0..2 {
        let (status, text) = page(&format!("/avatars/{own}"));
        assert_eq!(status, 200, "{text}");
        for shown in [
            "https://github.com/alice\"",
            "https://gist.github.com/abc\"",
            &wallet,
        ] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        assert_eq!(text.matches("mark holds").count(), 2, "{text}");
        let home = page("/").1;
        let (_, healthz) = world.get("/healthz");
        for platform in healthz["platforms"].as_array().unwrap() {
            let shown = format!("<code>{}</code>", platform.as_str().unwrap());
            assert!(home.contains(&shown), "{shown}: {home}");
        }
    }
    assert_eq!(page(&format!("/avatars/{}", &own[2..])).0, 308);
    assert_eq!(page(&format!("/avatars/{}", avatar(2).avatar())).0, 404);
    give_up(world, &key, ("github", "alice"));
    let (status, text) = page(&format!("/avatars/{own}"));
    assert_eq!(status, 200);
    assert!(
        text.contains("gives up") && text.contains("3 links"),
        "{text}"
    );
}

#[test]
fn pages_show_claims() {
    look_at_pages(&World::new());
}

#[test]
fn pages_show_claims_at_two_servers() {
    look_at_pages(&World::shared());
}

#[test]
fn without_pages_there_are_none_of_avatars() {
    let place = Place::new();
    let server = place.serve(&["--set", "web.enabled=false"]);
    let path = format!("/avatars/{}", avatar(1).avatar());
    assert_eq!(server.get(&path), (404, "nothing here\n".to_owned()));
}

/// Nobody proves anything where no service is checked, and the pages do not speak of it.
#[test]
fn pages_of_a_server_that_checks_nothing_do_not_ask_for_proofs() {
    let place = Place::new();
    let all = "activitypub,dns,dotbit,ethereum,github,https,minds,nextid,solana,steam,telegram,\
               tiktok,twitter";
    let server = place.serve(&["--set", &format!("proofs.disabled={all}")]);
    server.wait_ready();
    assert!(server.get("/healthz").1.contains("\"platforms\":[]"));
    let home = server.get("/").1;
    assert!(
        !home.contains("prove start") && !home.contains("github/alice"),
        "{home}"
    );
    let found = server.get("/search?q=github/alice");
    assert_eq!(found.0, 200);
    assert!(found.1.contains("No account found"), "{}", found.1);
}

#[test]
fn a_domain_is_one_account_however_it_is_written() {
    let (world, key) = (World::new(), avatar(1));
    let own = key.avatar();
    for spelling in ["B\u{fc}cher.Example.", "XN--bcher-kva.example"] {
        let create = wanted(Action::Create, &own, ("dns", spelling));
        let draft = world.draft(&create);
        let payload: Value = serde_json::from_str(&draft.sign_payload).unwrap();
        assert_eq!(payload["identity"], "xn--bcher-kva.example");
        let signature = key.sign(&draft.sign_payload);
        let text = draft.post_content["default"].replace("%SIG_BASE64%", &signature);
        world.post("dns", "xn--bcher-kva.example", &own, &text);
        assert_eq!(world.submit(&create, &evidence(&draft)), Ok(()));
    }
    for spelling in [
        "b\u{fc}cher.example",
        "B\u{dc}CHER.example",
        "bu\u{308}cher.example",
        "xn--Bcher-kva.example",
    ] {
        let exact = format!("/v1/proof?platform=dns&identity={spelling}&exact=true");
        let (_, found) = world.get(&exact);
        assert_eq!(found["pagination"]["total"], 1, "{spelling}: {found}");
        let claim = &found["ids"][0]["proofs"][0];
        assert_eq!(claim["identity"], "xn--bcher-kva.example");
        assert_eq!(claim["alt_id"], "b\u{fc}cher.example");
        assert_eq!(world.exists(&own, ("dns", spelling)).0, 200, "{spelling}");
    }
    give_up(&world, &key, ("dns", "b\u{fc}cher.example"));
    // The resolver's word stands beside a link that it showed, and nowhere else.
    let said: Vec<Value> = changes(&world, 3)
        .iter()
        .map(|link| link["log"]["dnssec"].clone())
        .collect();
    assert_eq!(said, [json!(true), json!(true), Value::Null]);
}

#[test]
fn what_is_not_true_is_refused() {
    let world = World::new();
    let (alice, mallory) = (avatar(1), avatar(2));
    let own = alice.avatar();
    let account = ("github", "alice");
    let create = wanted(Action::Create, &own, account);
    let draft = world.draft(&create);
    let signed_by = |key: &AvatarKey| {
        draft.post_content["default"].replace("%SIG_BASE64%", &key.sign(&draft.sign_payload))
    };
    let evidence = Evidence {
        location: Some("abc"),
        ..evidence(&draft)
    };
    world.post("github", "bob", &own, &signed_by(&alice));
    let refused = world.submit(&create, &evidence).unwrap_err();
    assert!(refused.contains("gist owner mismatch"), "{refused}");
    world.post("github", "alice", &own, &signed_by(&mallory));
    let refused = world.submit(&create, &evidence).unwrap_err();
    assert!(refused.starts_with("bad signature"), "{refused}");

    world.post("github", "alice", &own, &signed_by(&alice));
    let stale = world.draft(&create);
    assert_eq!(world.submit(&create, &evidence), Ok(()));
    let refused = world.submit(&create, &evidence).unwrap_err();
    assert!(refused.contains("used already"), "{refused}");
    let text =
        stale.post_content["default"].replace("%SIG_BASE64%", &alice.sign(&stale.sign_payload));
    world.post("github", "alice", &own, &text);
    let evidence = Evidence {
        uuid: &stale.uuid,
        created_at: &stale.created_at,
        ..evidence
    };
    let refused = world.submit(&create, &evidence).unwrap_err();
    assert!(refused.contains("signed over prev null"), "{refused}");
}

#[test]
fn of_many_links_for_one_predecessor_one_wins() {
    race(&World::new());
}

#[test]
fn of_many_links_for_one_predecessor_at_two_servers_one_wins() {
    race(&World::shared());
}

fn race(world: &World) {
    let key = avatar(1);
    let own = key.avatar();
    let (account, sign) = wallet("ethereum");
    let create = wanted(Action::Create, &own, ("ethereum", &account));
    let drafts: Vec<Draft> = (0..8).map(|_| world.draft(&create)).collect();
    let signatures: Vec<_> = drafts
        .iter()
        .map(|draft| (key.sign(&draft.sign_payload), sign(&draft.sign_payload)))
        .collect();
    let mut posts = Vec::new();
    for (draft, (signature, by_wallet)) in drafts.iter().zip(&signatures) {
        let body = json!({
            "action": "create", "platform": "ethereum", "identity": account,
            "public_key": own.to_string(), "uuid": draft.uuid, "created_at": draft.created_at,
            "extra": {"signature": signature, "wallet_signature": by_wallet},
        });
        let post = reqwest::Client::builder()
            .build()
            .unwrap()
            .post(format!("{}/v1/proof", world.url()));
        posts.push(world.runtime.spawn(post.body(body.to_string()).send()));
    }
    let statuses = posts.into_iter().map(|post| {
        let answer = world.runtime.block_on(post).unwrap().unwrap();
        answer.status().as_u16()
    });
    let mut statuses: Vec<u16> = statuses.collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400, 400, 400, 400, 400, 400, 400]);
    for _ in &world.servers {
        changes(world, 1);
    }
}

/// Looks for an account by a part of its name, at one server.
fn is_found_by_a_part(server: &Server, part: &str) -> bool {
    let (status, page) = server.get(&format!("/v1/proof?identity={part}"));
    assert_eq!(status, 200, "{page}");
    let page: Value = serde_json::from_str(&page).unwrap();
    page["pagination"]["total"] == 1
}

#[test]
fn what_one_server_accepts_all_show_and_numbers_go_on_without_it() {
    let mut world = World::shared();
    for round in 0..2_u8 {
        let (key, account) = (avatar(round + 1), format!("some{round}body"));
        claim(&world, &key, ("github", &account));
        for server in &world.servers {
            // Whole names, chains and changes are read at once, parts of names within a second.
            let own = key.avatar();
            let (_, chain) = server.get(&format!("/v1/proofchain?public_key={own}"));
            assert!(chain.contains(&account), "{chain}");
            let exact = format!("/v1/proof?identity={account}&exact=true");
            assert!(server.get(&exact).1.contains(&own.to_string()));
            changes(&world, 2 * u64::from(round) + 1);
            wait_until("a part of the name is found", PATIENCE, || {
                is_found_by_a_part(server, &format!("ome{round}bod"))
            });
        }
        // Each of them is lost once: whoever led, the other one leads in the end.
        let lost = usize::from(round);
        world.servers.remove(lost).kill();
        world.turn.set(0);
        claim(&world, &key, ("dns", &format!("{account}.example")));
        changes(&world, 2 * u64::from(round) + 2);
        let back = world.serve(lost);
        world.servers.insert(lost, back);
    }
}

/// Passes requests on, and leaves the newest link out of every chain; answers the address.
fn keeping_back(server: &Server) -> String {
    let real = server.url().replace("http://", "");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let lines = BufReader::new(&client).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let mut server = TcpStream::connect(&real).unwrap();
            let head = head.join("\r\n");
            write!(server, "{head}\r\nconnection: close\r\n\r\n").unwrap();
            let mut answer = Vec::new();
            server.read_to_end(&mut answer).unwrap();
            if head.starts_with("GET /v1/proofchain?") {
                answer = without_the_last(&answer);
            }
            client.write_all(&answer).unwrap();
        }
    });
    format!("http://{address}")
}

/// The answer with a chain that is shorter by a link.
fn without_the_last(answer: &[u8]) -> Vec<u8> {
    let answer = str::from_utf8(answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut body: Value = serde_json::from_str(body).unwrap();
    body["proof_chain"].as_array_mut().unwrap().pop().unwrap();
    let (body, kind) = (body.to_string(), "content-type: application/json");
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\n{kind}\r\ncontent-length: {length}");
    format!("{head}\r\nconnection: close\r\n\r\n{body}").into_bytes()
}

#[test]
fn a_server_that_keeps_the_newest_link_back_is_caught() {
    let (world, key) = (World::new(), avatar(1));
    let (account, _) = wallet("ethereum");
    claim(&world, &key, ("ethereum", &account));
    give_up(&world, &key, ("ethereum", &account));
    let (own, url) = (key.avatar().to_string(), keeping_back(&world.servers[0]));
    let shown = world.place.json(&["chain", &own, "--url", &url]);
    assert_eq!(shown["links"].as_array().unwrap().len(), 1);
    let ran = world.place.run(&["chain", &own, "--verify", "--url", &url]);
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    let said = "link 2: the log has it, and the server does not show it";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    let chain = world.chain(&key.avatar());
    assert_eq!(chain["links"].as_array().unwrap().len(), 2);
}

#[test]
fn what_signs_itself_is_proven_from_the_shell() {
    let (world, other) = (World::new(), avatar(2));
    let url = world.url();
    let prove = |verb: &str, platform: &str, rest: &[&str]| {
        let words = [&["prove", verb, platform], rest, &["--url", &url]].concat();
        world.place.run(&words)
    };
    let started = |platform: &str, account: &str| {
        let ran = prove("start", platform, &[account, "--out", "text"]);
        assert_eq!(ran.code, 0, "{platform}: {}", ran.stderr);
        std::fs::read_to_string(world.place.path("text")).unwrap()
    };
    let done = |ran: Ran| assert_eq!(ran.code, 0, "{}", ran.stderr);
    let refused = |ran: Ran, code: i32, said: &str| {
        assert_eq!(ran.code, code, "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    };

    let target = other.avatar().to_string();
    for (file, key) in [("other.json", &other), ("third.json", &avatar(3))] {
        std::fs::write(world.place.path(file), key.to_json().expose()).unwrap();
    }
    let by = |file| prove("check", "nextid", &[&target, "--target-key", file]);
    let text = started("nextid", &target);
    refused(prove("check", "nextid", &[&target]), 2, "--target-key");
    refused(by("third.json"), 2, "not of 0x");
    let wrong = avatar(3).sign(&text);
    let wrong = ["--target-signature", &wrong];
    refused(
        prove(
            "check",
            "nextid",
            &[&[target.as_str()], &wrong[..]].concat(),
        ),
        1,
        "not signed by the avatar",
    );
    done(by("other.json"));
    // The other form, for another avatar.
    let target = avatar(4).avatar().to_string();
    let signature = avatar(4).sign(&started("nextid", &target));
    let signature = client::signature_text::hexadecimal(&signature);
    done(prove(
        "check",
        "nextid",
        &[&target, "--target-signature", &signature],
    ));

    for platform in ["ethereum", "solana"] {
        let (account, sign) = wallet(platform);
        let signature = sign(&started(platform, &account));
        let signature = match platform {
            "ethereum" => format!("0x{}", client::signature_text::hexadecimal(&signature)),
            _ => signature,
        };
        done(prove(
            "check",
            platform,
            &[&account, "--wallet-signature", &signature],
        ));
    }
    let list = world.place.json(&["prove", "list", "--url", &url]);
    let proofs = list["proofs"].as_array().unwrap();
    assert_eq!(proofs.len(), 4, "{list}");
    let own = list["avatar"].as_str().unwrap();
    let chain = world.place.json(&["chain", own, "--verify", "--url", &url]);
    assert_eq!(chain["claimed"].as_array().unwrap().len(), 4);
}

#[test]
fn a_chain_of_nobody_is_not_found_and_a_wrong_key_of_the_log_is_told() {
    let world = World::new();
    let key = avatar(1);
    let url = world.url();
    let own = key.avatar().to_string();
    let ran = world.place.run(&["chain", &own, "--verify", "--url", &url]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let said = "has signed nothing, which ";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert_eq!(world.place.run(&["chain", "0x02", "--url", &url]).code, 2);
    assert_eq!(
        world
            .place
            .run(&["prove", "list", &own, "--url", &url])
            .code,
        3
    );
    let missing = world
        .place
        .run(&["prove", "check", "github", "alice", "--url", &url]);
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.contains("prove start"), "{}", missing.stderr);
}

/// What a newcomer types, and what he is told when it is not quite right.
#[test]
fn the_command_line_says_what_to_do_next() {
    let world = World::new();
    let url = world.url();
    let prove = |words: &[&str]| {
        let all = [&["prove"], words, &["--url", &url]].concat();
        world.place.run(&all)
    };
    let key_file = world.place.path(".config/sealbook/avatar.json");
    let unknown = prove(&["start", "facebook", "alice"]);
    assert_eq!(unknown.code, 1);
    let listed = format!("{url}/healthz lists");
    assert!(unknown.stderr.contains(&listed), "{}", unknown.stderr);
    assert!(!key_file.exists(), "no key is made for nothing");

    let started = prove(&["start", "github", "Alice"]);
    assert_eq!(started.code, 0, "{}", started.stderr);
    let kept = format!("secret key is in {}", key_file.display());
    assert!(started.stdout.contains(&kept), "{}", started.stdout);
    let then = format!("Then: sealbook prove check github Alice --location GIST_ID --url {url}\n");
    assert!(started.stdout.ends_with(&then), "{}", started.stdout);
    let missing = prove(&["check", "github", "Alice"]);
    assert_eq!(missing.code, 2);
    assert!(
        missing.stderr.contains("--location GIST_ID"),
        "{}",
        missing.stderr
    );

    let words = ["prove", "start", "github", "Alice", "--url", &url];
    let draft = world.place.json(&words);
    let avatar = Avatar::parse(draft["avatar"].as_str().unwrap()).unwrap();
    world.post("github", "alice", &avatar, draft["text"].as_str().unwrap());
    let place = "https://gist.github.com/alice/abc#file-proof";
    let proven = prove(&["check", "github", "Alice", "--location", place]);
    assert_eq!(proven.code, 0, "{}", proven.stderr);
    let chain = world.place.json(&["chain", "--verify", "--url", &url]);
    assert_eq!(chain["avatar"], avatar.to_string());
    assert_eq!(chain["links"][0]["proof_location"], "abc");

    let nothing = prove(&["delete", "github", "bob"]);
    assert_eq!(nothing.code, 3);
    assert!(nothing.stderr.contains("prove list"), "{}", nothing.stderr);
}

#[test]
fn one_avatar_vouches_for_another_of_the_same_person() {
    let world = World::new();
    let url = world.url();
    let file = |name: &str| world.place.path(name).display().to_string();
    let (phone, desk) = (file("phone.json"), file("it's the desk.json"));
    let start = |key: &str, platform: &str, identity: &str| {
        let words = [
            "prove", "start", platform, identity, "--key", key, "--url", &url,
        ];
        world.place.json(&words)
    };
    let of_desk = start(&desk, "dns", "example.com");
    let other = of_desk["avatar"].as_str().unwrap();
    let of_phone = start(&phone, "nextid", other);
    let words = [
        "prove", "check", "nextid", other, "--key", &phone, "--url", &url,
    ];
    let missing = world.place.run(&words);
    assert_eq!(missing.code, 2);
    assert!(
        missing.stderr.contains("--target-key"),
        "{}",
        missing.stderr
    );
    let wrong = world
        .place
        .run(&[&words[..], &["--target-key", &phone]].concat());
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    let done = world
        .place
        .run(&[&words[..], &["--target-key", &desk]].concat());
    assert_eq!(done.code, 0, "{}", done.stderr);
    let own = of_phone["avatar"].as_str().unwrap();
    let (_, found) = world.get(&format!("/v1/proof?platform=nextid&identity={own}"));
    assert_eq!(found["ids"][0]["alias"], json!([other]));
    let words = [
        "prove",
        "start",
        "dns",
        "example.com",
        "--key",
        &desk,
        "--url",
        &url,
    ];
    let again = world.place.run(&words);
    assert!(again.stdout.contains("--key '"), "{}", again.stdout);
}
