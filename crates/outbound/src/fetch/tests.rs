//! What leaves, and what does not: listeners on loopback count who comes.
//!
//! The rule of these tests takes 127.0.0.2 for a public address, and the rest as it is.

mod upstreams;

use std::collections::HashMap;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::ports::remote_names::{RemoteFault, RemoteNames as _};
use engine::types::{Domain, Name, ToxId};
use flate2::Compression;
use flate2::write::GzEncoder;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::remote_names::{ToxmeServers, UPSTREAM};
use crate::resolve::ResolveError;

/// "Public" in these tests.
const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Nothing here takes so long; who waits for it stalls.
const PATIENCE: Duration = Duration::from_secs(60);

fn test_rule(address: IpAddr) -> bool {
    address != PUBLIC && is_special(address)
}

/// Answers each host with its lists in turn, the last one for ever.
#[derive(Default)]
struct Script {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    asked: AtomicUsize,
}

impl Script {
    fn tell(&self, host: &str, answers: &[&[IpAddr]]) {
        let answers = answers.iter().map(|list| list.to_vec()).collect();
        self.answers.lock().unwrap().insert(host.into(), answers);
    }
}

#[async_trait]
impl Resolve for Script {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let Some(lists) = answers.get_mut(host) else {
            return Err(ResolveError("no such host".into()));
        };
        if lists.len() > 1 {
            Ok(lists.remove(0))
        } else {
            Ok(lists[0].clone())
        }
    }
}

/// Pause between two bytes of a slow server.
const DRIP: Duration = Duration::from_millis(20);

/// What a server does with a connection, TLS being done.
#[derive(Clone)]
enum Play {
    /// Reads a request, writes these bytes, closes.
    Say(Vec<u8>),
    /// Reads a request, writes these bytes once, then others for ever.
    Endless(Vec<u8>, Vec<u8>),
    /// Reads a request, writes these bytes one after the other, slowly and again and again.
    Drip(Vec<u8>),
    /// Reads a request, writes these bytes, then nothing more.
    Hang(Vec<u8>),
    /// Says nothing from the first byte on: no TLS.
    Deaf,
}

/// A server over TLS at 127.0.0.2 and, as a trap, at 127.0.0.1 and ::1 of the same port.
struct Site {
    port: u16,
    /// Connections to the public address.
    visits: Arc<AtomicUsize>,
    /// Connections to the others.
    trapped: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
    ca: NamedTempFile,
    script: Arc<Script>,
}

impl Site {
    async fn new(play: Play) -> Self {
        Self::of(|_| play).await
    }

    /// A site that plays something that depends on its port.
    async fn of(play: impl FnOnce(u16) -> Play) -> Self {
        let (acceptor, ca) = tls();
        let (visits, trapped) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (public, port, traps) = listeners().await;
        for trap in traps {
            let (trapped, acceptor) = (trapped.clone(), acceptor.clone());
            run(
                trap,
                trapped,
                acceptor,
                Play::Say(ok("trapped")),
                Arc::default(),
            );
        }
        run(
            public,
            visits.clone(),
            acceptor,
            play(port),
            requests.clone(),
        );
        let script = Arc::new(Script::default());
        script.tell("a.example", &[&[PUBLIC]]);
        Self {
            port,
            visits,
            trapped,
            requests,
            ca,
            script,
        }
    }

    fn fetcher(&self) -> Fetcher {
        let options = FetchOptions {
            resolver: self.script.clone(),
            ca_file: Some(self.ca.path().into()),
            allow_private: false,
            upstreams: self.services(),
            rests: true,
            user_agent: "sealbook-test".into(),
        };
        Fetcher::with_rule(options, test_rule).unwrap()
    }

    fn services(&self) -> Vec<Service> {
        let [each, own, trap, fixed] = ["{host}", "127.0.0.1", "trap.example", "a.example"]
            .map(|host| format!("https://{host}:{}/api", self.port))
            .map(|url| UpstreamUrl::parse(&url).unwrap());
        let service = |name, url: &UpstreamUrl, default: Option<&UpstreamUrl>| Service {
            name,
            url: url.clone(),
            default: default.cloned(),
        };
        vec![
            service("each", &each, Some(&each)),
            service(UPSTREAM, &each, Some(&each)),
            // The operator chose this one and not those below.
            service("own", &own, Some(&fixed)),
            service("trap", &trap, Some(&trap)),
            service("fixed", &fixed, Some(&fixed)),
        ]
    }

    async fn get(&self, host: &str) -> Result<Fetched, FetchError> {
        self.fetcher().fetch(get(host), limits()).await
    }

    fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }

    fn trapped(&self) -> usize {
        self.trapped.load(Ordering::SeqCst)
    }
}

/// Reads, and follows redirects to any public host.
fn get(host: &str) -> Request {
    let upstream = Upstream::At("each", Domain::parse(host).unwrap());
    Request {
        follow: Follow::Public,
        ..Request::get(upstream, "")
    }
}

fn limits() -> FetchLimits {
    FetchLimits {
        timeout: PATIENCE,
        body_bytes_max: 1000,
        redirects_max: 3,
    }
}

fn short() -> FetchLimits {
    FetchLimits {
        timeout: Duration::from_millis(300),
        ..limits()
    }
}

/// A certificate for the hosts of these tests, and the file of its authority.
fn tls() -> (TlsAcceptor, NamedTempFile) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_cert = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let names = ["a.example", "b.example", "127.0.0.1"].map(str::to_owned);
    let leaf = CertificateParams::new(names).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(ca_cert.pem().as_bytes()).unwrap();
    let secret = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], secret)
        .unwrap();
    (Arc::new(config).into(), file)
}

/// One port that is free at the public address and at the others; ::1 where the system has it.
async fn listeners() -> (TcpListener, u16, Vec<TcpListener>) {
    loop {
        let public = TcpListener::bind((PUBLIC, 0)).await.unwrap();
        let port = public.local_addr().unwrap().port();
        if let Ok(trap) = TcpListener::bind((LOOPBACK, port)).await {
            let mut traps = vec![trap];
            traps.extend(TcpListener::bind(("::1", port)).await.ok());
            return (public, port, traps);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
fn run(
    listener: TcpListener,
    count: Arc<AtomicUsize>,
    acceptor: TlsAcceptor,
    play: Play,
    requests: Arc<Mutex<Vec<String>>>,
) {
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(perform(
                stream,
                acceptor.clone(),
                play.clone(),
                requests.clone(),
            ));
        }
    });
}

async fn perform(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    play: Play,
    requests: Arc<Mutex<Vec<String>>>,
) {
    if matches!(play, Play::Deaf) {
        let _held = stream;
        return std::future::pending().await;
    }
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let mut request = Vec::new();
    // Closing on what was not read would cut off the answer.
    while !is_whole(&request) {
        match stream.read_buf(&mut request).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    requests
        .lock()
        .unwrap()
        .push(String::from_utf8(request).unwrap());
    // Writing fails when the client has had enough.
    let _ = match play {
        Play::Say(bytes) => stream.write_all(&bytes).await,
        Play::Endless(first, more) => {
            let mut result = stream.write_all(&first).await;
            while result.is_ok() {
                result = stream.write_all(&more).await;
            }
            result
        }
        Play::Drip(bytes) => loop {
            for byte in &bytes {
                if stream.write_all(&[*byte]).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
                tokio::time::sleep(DRIP).await;
            }
        },
        Play::Hang(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.flush().await;
            std::future::pending().await
        }
        Play::Deaf => Ok(()),
    };
    let _ = stream.shutdown().await;
}

/// Whether a request has its body too.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let head = head.to_lowercase();
    let length = head.split("\r\ncontent-length: ").nth(1);
    let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn ok(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

fn redirect(status: u16, location: &str) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\n");
    format!("{head}content-length: 0\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn a_public_host_is_asked_over_tls_and_nothing_is_added() {
    let site = Site::new(Play::Say(ok("hello"))).await;
    let fetched = site.get("a.example").await.unwrap();
    assert_eq!((fetched.status, &fetched.body[..]), (200, &b"hello"[..]));
    assert_eq!(fetched.peer, PUBLIC);
    assert_eq!(
        fetched.final_url,
        format!("https://a.example:{}/api", site.port)
    );
    let requests = site.requests.lock().unwrap();
    let request = requests[0].to_lowercase();
    assert!(request.starts_with("get /api http/1.1\r\n"), "{request}");
    assert!(
        request.contains("user-agent: sealbook-test\r\n"),
        "{request}"
    );
    for header in [
        "cookie",
        "referer",
        "accept-language",
        "authorization",
        "proxy",
        "range",
    ] {
        assert!(!request.contains(&format!("\n{header}")), "{request}");
    }
    assert!(request.contains("accept-encoding: gzip\r\n"), "{request}");
    assert_eq!((site.visits(), site.trapped()), (1, 0));
}

#[tokio::test]
async fn no_connection_is_kept_to_a_stranger_s_host() {
    let site = Site::new(Play::Say(ok("hello"))).await;
    let fetcher = site.fetcher();
    for visits in 1..=3 {
        fetcher.fetch(get("a.example"), limits()).await.unwrap();
        assert_eq!(site.visits(), visits);
    }
}

#[tokio::test]
async fn addresses_that_are_not_public_are_never_dialled() {
    let site = Site::new(Play::Say(ok("hello"))).await;
    for address in [
        "127.0.0.1",
        "127.0.0.3",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:7f00:2",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001::1",
        "fc00::1",
        "fd00::1",
        "fe80::1",
        "ff02::1",
        "255.255.255.255",
        "224.0.0.1",
    ] {
        site.script
            .tell("a.example", &[&[address.parse().unwrap()]]);
        let refused = site.get("a.example").await.unwrap_err();
        assert_eq!(refused, FetchError::ForbiddenAddress, "{address}");
    }
    assert_eq!((site.visits(), site.trapped()), (0, 0));
}

#[tokio::test]
async fn of_mixed_addresses_the_public_ones_are_dialled() {
    let site = Site::new(Play::Say(ok("hello"))).await;
    let v6 = "::1".parse().unwrap();
    site.script
        .tell("a.example", &[&[LOOPBACK, v6, PUBLIC, LOOPBACK]]);
    assert_eq!(site.get("a.example").await.unwrap().peer, PUBLIC);
    assert_eq!((site.visits(), site.trapped()), (1, 0));
}

#[tokio::test]
async fn a_list_of_addresses_is_cut() {
    // Nobody listens at the first four.
    let site = Site::new(Play::Say(ok("hello"))).await;
    let mut list = vec![PUBLIC; 5];
    list.splice(0..4, (3..7).map(|last| IpAddr::from([127, 0, 0, last])));
    site.script.tell("a.example", &[&list]);
    let options = FetchOptions {
        resolver: site.script.clone(),
        ca_file: Some(site.ca.path().into()),
        allow_private: false,
        upstreams: site.services(),
        rests: true,
        user_agent: "sealbook-test".into(),
    };
    let fetcher = Fetcher::with_rule(options, |_| false).unwrap();
    let refused = fetcher.fetch(get("a.example"), limits()).await;
    assert_eq!(refused.unwrap_err(), FetchError::Unreachable);
    assert_eq!(site.visits(), 0);
}

#[tokio::test]
async fn a_name_server_that_changes_its_answer_gains_nothing() {
    let site = Site::new(Play::Say(ok("hello"))).await;
    site.script.tell("a.example", &[&[PUBLIC], &[LOOPBACK]]);
    let fetcher = site.fetcher();
    // What was looked at is what is dialled: the name server is asked once.
    let fetched = fetcher.fetch(get("a.example"), limits()).await.unwrap();
    assert_eq!(fetched.peer, PUBLIC);
    assert_eq!(site.script.asked.load(Ordering::SeqCst), 1);
    let refused = fetcher.fetch(get("a.example"), limits()).await;
    assert_eq!(refused.unwrap_err(), FetchError::ForbiddenAddress);
    assert_eq!((site.visits(), site.trapped()), (1, 0));
}

#[tokio::test]
async fn redirects_lead_to_public_hosts_only() {
    for status in [301, 302, 303, 307, 308] {
        for place in [
            "//b.example:PORT/x",
            "https://b.example:PORT/x",
            "https://127.0.0.1:PORT/",
            "https://[::1]:PORT/",
            "https://2130706433:PORT/",
            "https://0x7f.1:PORT/",
            "https://0177.0.0.1:PORT/",
            "https://localhost:PORT/",
            "https://localhost.:PORT/",
            "https://a.example@127.0.0.1:PORT/",
            "https://a.example/",
            "http://a.example:PORT/",
            "file:///etc/passwd",
            "gopher://a.example:PORT/",
        ] {
            let site = Site::of(|port| {
                Play::Say(redirect(status, &place.replace("PORT", &port.to_string())))
            })
            .await;
            site.script.tell("b.example", &[&[LOOPBACK]]);
            let refused = site.get("a.example").await.unwrap_err();
            assert_eq!(refused, FetchError::ForbiddenAddress, "{status} {place}");
            assert_eq!((site.visits(), site.trapped()), (1, 0), "{status} {place}");
        }
    }
}

#[tokio::test]
async fn every_hop_of_a_redirect_is_looked_at_anew() {
    let site = Site::new(Play::Say(redirect(302, "/again"))).await;
    site.script
        .tell("a.example", &[&[PUBLIC], &[PUBLIC], &[LOOPBACK]]);
    let refused = site.get("a.example").await.unwrap_err();
    assert_eq!(refused, FetchError::ForbiddenAddress);
    assert_eq!((site.visits(), site.trapped()), (2, 0));
}

#[tokio::test]
async fn redirects_have_a_bound_and_a_post_follows_none() {
    let site = Site::of(|port| Play::Say(redirect(307, &format!("//b.example:{port}/")))).await;
    site.script.tell("b.example", &[&[PUBLIC]]);
    let refused = site.get("a.example").await.unwrap_err();
    assert_eq!((refused, site.visits()), (FetchError::TooManyRedirects, 4));
    let post = Request {
        method: Method::Post,
        ..get("a.example")
    };
    let refused = site.fetcher().fetch(post, limits()).await.unwrap_err();
    assert_eq!((refused, site.visits()), (FetchError::TooManyRedirects, 5));
}

#[tokio::test]
async fn an_operator_s_own_host_may_be_private() {
    let site = Site::new(Play::Say(ok("hello"))).await;
    let request = Request {
        upstream: Upstream::Named("own"),
        path: "/x".into(),
        ..get("a.example")
    };
    let fetched = site.fetcher().fetch(request, limits()).await.unwrap();
    assert_eq!(
        (&fetched.body[..], fetched.peer),
        (&b"trapped"[..], LOOPBACK)
    );
    for upstream in [Upstream::Named("each"), Upstream::Named("unknown")] {
        let request = Request {
            upstream,
            ..get("a.example")
        };
        let refused = site.fetcher().fetch(request, limits()).await;
        assert!(matches!(refused, Err(FetchError::Unsendable(_))));
    }
    assert_eq!(site.trapped(), 1);
}

#[tokio::test]
async fn headers_that_are_none_are_not_sent() {
    let site = Site::new(Play::Say(ok("hello"))).await;
    for (name, value) in [
        ("a b", "c"),
        ("a", "b\r\nx: y"),
        ("Host", "b.example"),
        ("content-length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("connection", "upgrade"),
        ("expect", "100-continue"),
        ("accept-encoding", "br"),
    ] {
        let request = Request {
            headers: vec![(name.into(), value.into())],
            ..get("a.example")
        };
        let refused = site.fetcher().fetch(request, limits()).await;
        assert!(matches!(refused, Err(FetchError::Unsendable(_))));
    }
    assert_eq!(site.visits(), 0);
}

#[tokio::test]
async fn a_certificate_of_another_host_or_authority_is_refused_before_anything_is_said() {
    let site = Site::new(Play::Say(ok("hello"))).await;
    site.script.tell("c.example", &[&[PUBLIC]]);
    assert_eq!(
        site.get("c.example").await.unwrap_err(),
        FetchError::Unreachable
    );
    let (_, other_ca) = tls();
    let other = Site {
        ca: other_ca,
        ..site
    };
    assert_eq!(
        other.get("a.example").await.unwrap_err(),
        FetchError::Unreachable
    );
    assert!(other.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_host_nobody_knows_is_unreachable() {
    let site = Site::new(Play::Deaf).await;
    assert_eq!(
        site.get("nobody.example").await.unwrap_err(),
        FetchError::Unreachable
    );
}

#[tokio::test]
async fn bodies_have_a_bound() {
    let chunk = |length: usize| {
        [
            format!("{length:x}\r\n").as_bytes(),
            &vec![b'x'; length],
            b"\r\n",
        ]
        .concat()
    };
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let no_length = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    let promised = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n".to_vec();
    for play in [
        Play::Hang(promised),
        Play::Say(ok(&"x".repeat(1001))),
        Play::Endless(chunked.clone(), chunk(64)),
        Play::Endless(no_length, vec![b'x'; 4096]),
        Play::Hang([chunked, chunk(1001)].concat()),
    ] {
        let site = Site::new(play).await;
        assert_eq!(
            site.get("a.example").await.unwrap_err(),
            FetchError::TooLarge
        );
    }
    let site = Site::new(Play::Say(ok(&"x".repeat(1000)))).await;
    assert_eq!(site.get("a.example").await.unwrap().body.len(), 1000);
}

fn encoded(encoding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\n");
    let head = format!("{head}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn compressed_bodies_are_read_as_far_as_they_were_asked_for() {
    let whole = "x".repeat(1000);
    let two = [gzip(b"one "), gzip(b"two")].concat();
    for (bytes, expect) in [
        (encoded("gzip", &gzip(b"hello")), "hello"),
        (encoded("X-GZIP", &gzip(b"hello")), "hello"),
        (encoded("gzip", &gzip(whole.as_bytes())), whole.as_str()),
        (encoded("gzip", &two), "one two"),
        (encoded("gzip", b""), ""),
        (encoded("identity", b"hello"), "hello"),
    ] {
        let site = Site::new(Play::Say(bytes)).await;
        assert_eq!(site.get("a.example").await.unwrap().body, expect);
    }
    let mut damaged = gzip(b"hello");
    *damaged.last_mut().unwrap() ^= 1;
    let cut = &gzip(whole.as_bytes())[..20];
    for bytes in [
        encoded("br", b"abc"),
        encoded("deflate", b"abc"),
        encoded("zstd", b"abc"),
        encoded("identity, gzip", &gzip(b"hello")),
        encoded("gzip\r\ncontent-encoding: gzip", &gzip(&gzip(b"hello"))),
        encoded("gzip", b"abc"),
        encoded("gzip", b"<html>not compressed at all</html>"),
        encoded("gzip", &damaged),
        encoded("gzip", cut),
        encoded("gzip", &[gzip(b"hello"), b"rest".to_vec()].concat()),
    ] {
        let site = Site::new(Play::Say(bytes)).await;
        assert_eq!(
            site.get("a.example").await.unwrap_err(),
            FetchError::Encoded
        );
    }
}

/// A member of gzip that never ends: what begins it, and a piece that may follow itself, which is
/// `bytes` zeros.
fn endless_gzip(bytes: usize) -> (Vec<u8>, Vec<u8>) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.flush().unwrap();
    let first = encoder.get_ref().len();
    encoder.write_all(&vec![0; bytes]).unwrap();
    encoder.flush().unwrap();
    let all = encoder.get_ref();
    (all[..first].to_vec(), all[first..].to_vec())
}

#[tokio::test]
async fn a_bomb_stops_at_the_bound() {
    let limits = FetchLimits {
        timeout: PATIENCE,
        ..FetchLimits::POST
    };
    let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n";
    // A megabyte of zeros is a kilobyte: ten gigabytes are ten megabytes, and this goes on for ever.
    let (first, more) = endless_gzip(1 << 20);
    assert!(more.len() < 2000);
    let site = Site::new(Play::Endless([&head[..], &first].concat(), more.clone())).await;
    let refused = site.fetcher().fetch(get("a.example"), limits).await;
    assert_eq!(refused.unwrap_err(), FetchError::TooLarge);
    // In one piece.
    let piece = [first, more.repeat(100)].concat();
    let site = Site::new(Play::Hang(encoded("gzip", &piece))).await;
    let refused = site.fetcher().fetch(get("a.example"), limits).await;
    assert_eq!(refused.unwrap_err(), FetchError::TooLarge);
    // Members and blocks of nothing, and a name of a file that does not end.
    let (first, nothing) = ([&head[..], &endless_gzip(0).0].concat(), b"\0\0\0\xff\xff");
    let members = [head.to_vec(), gzip(b"").repeat(20)].concat();
    let named = [&head[..], b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"].concat();
    for (play, expect) in [
        (
            Play::Endless(first, nothing.repeat(1000)),
            FetchError::TooLarge,
        ),
        (
            Play::Endless(members, gzip(b"").repeat(100)),
            FetchError::TooLarge,
        ),
        (Play::Endless(named, vec![b'x'; 4096]), FetchError::Encoded),
    ] {
        let site = Site::new(play).await;
        let refused = site.fetcher().fetch(get("a.example"), limits).await;
        assert_eq!(refused.unwrap_err(), expect);
    }
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let line = |count: usize| "x-header: x\r\n".repeat(count);
    let long = format!("x: {}\r\n", "y".repeat(1 << 20));
    let huge = format!("HTTP/1.1 200 OK\r\n{long}content-length: 0\r\n\r\n");
    let many = format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", line(101));
    for bytes in [
        "hello\n".to_owned(),
        "<html>an answer as in HTTP/0.9</html>\r\n\r\n".to_owned(),
        "HTTP/1.1 OK\r\n\r\n".to_owned(),
        "HTTP/9.9 200 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab".to_owned(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_owned(),
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n".to_owned(),
        many,
        huge,
        String::new(),
    ] {
        let site = Site::new(Play::Say(bytes.clone().into())).await;
        let refused = site.get("a.example").await;
        assert_eq!(refused.unwrap_err(), FetchError::Unreachable, "{bytes:?}");
        assert_eq!(site.visits(), 1, "it is not tried again: {bytes:?}");
    }
}

#[tokio::test]
async fn endless_heads_end() {
    for (first, more) in [
        ("HTTP/1.1 200 OK\r\n", "x: y\r\n"),
        ("HTTP/1.1 200 OK\r\nx: ", "yyyyyyyyyyyyyyyy"),
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
    ] {
        let site = Site::new(Play::Endless(first.into(), more.into())).await;
        let refused = site.fetcher().fetch(get("a.example"), short()).await;
        assert_eq!(refused.unwrap_err(), FetchError::Unreachable, "{more:?}");
    }
}

#[tokio::test]
async fn slow_servers_are_given_up_wherever_they_stall() {
    for play in [
        Play::Deaf,
        Play::Hang(Vec::new()),
        Play::Hang(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Play::Hang(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na".to_vec()),
        Play::Drip(b"HTTP/1.1 200 OK\r\nx: yyyyyyyyyyyyyyyyyyyyyyyyyyyy".to_vec()),
        Play::Drip(b"HTTP/1.1 200 OK\r\n\r\nslowly, slowly".to_vec()),
    ] {
        let site = Site::new(play).await;
        let refused = site.fetcher().fetch(get("a.example"), short()).await;
        assert_eq!(refused.unwrap_err(), FetchError::Unreachable);
    }
}

#[tokio::test]
async fn a_host_sees_four_at_once() {
    let site = Site::new(Play::Hang(Vec::new())).await;
    let fetcher = Arc::new(site.fetcher());
    let mut all = tokio::task::JoinSet::new();
    let mut start = |limits| {
        let fetcher = fetcher.clone();
        all.spawn(async move { fetcher.fetch(get("a.example"), limits).await })
    };
    let held: Vec<_> = (0..4).map(|_| start(limits())).collect();
    while site.visits() < 4 {
        tokio::task::yield_now().await;
    }
    for _ in 0..26 {
        start(short());
    }
    let mut busy = 0;
    for _ in 0..26 {
        match all.join_next().await.unwrap().unwrap() {
            Err(FetchError::Busy) => busy += 1,
            other => unreachable!("{other:?}"),
        }
    }
    // Ten are refused at once; sixteen wait until their time is over, which is no fault of the host's.
    assert_eq!((busy, site.visits()), (26, 4));
    drop(held);
}

#[tokio::test]
async fn who_gives_up_frees_the_turn() {
    let site = Site::new(Play::Hang(Vec::new())).await;
    let fetcher = site.fetcher();
    for _ in 0..2 {
        for _ in 0..4 {
            let given_up = fetcher.fetch(get("a.example"), short()).await;
            assert_eq!(given_up.unwrap_err(), FetchError::Unreachable);
        }
    }
    assert!(site.visits() >= 1);
}

#[tokio::test]
async fn toxme_servers_of_every_style_are_understood() {
    let id = "56A1ADE4B65B86BCD51CC73E2CD4E542179F47959FE3E0E21B4B0ACDADE51855D34D34D37CB5";
    let reply = |status: &str, body: &str| {
        let head = format!("HTTP/1.1 {status}\r\nServer: TornadoServer/3.2\r\n");
        let kind = "Content-Type: application/json; charset=UTF-8\r\n";
        let length = body.len();
        format!("{head}{kind}Content-Length: {length}\r\n\r\n{body}")
    };
    let found = ToxId::parse(id);
    for (status, body, expect) in [
        (
            "200 OK",
            format!(r#"{{"c": 0, "name": "bob", "regdomain": "a.example", "tox_id": "{id}"}}"#),
            Ok(found),
        ),
        (
            "200 OK",
            format!(r#"{{"tox_id":"{id}","name":"bob","c":0}}"#),
            Ok(found),
        ),
        ("400 Bad Request", r#"{"c": -42}"#.into(), Ok(None)),
        ("200 OK", r#"{"c":-42}"#.into(), Ok(None)),
        (
            "400 Bad Request",
            r#"{"c": -41}"#.into(),
            Err(RemoteFault::Nonsense),
        ),
        (
            "500 Internal Server Error",
            "<html></html>".into(),
            Err(RemoteFault::Nonsense),
        ),
        ("200 OK", "x".repeat(20_000), Err(RemoteFault::Nonsense)),
        (
            "301 Moved\r\nLocation: /",
            String::new(),
            Err(RemoteFault::Nonsense),
        ),
    ] {
        let site = Site::new(Play::Say(reply(status, &body).into())).await;
        let servers = ToxmeServers::new(Arc::new(site.fetcher()));
        let (domain, name) = (Domain::parse("a.example"), Name::parse("bob"));
        let (domain, name) = (domain.unwrap(), name.unwrap());
        let answer = servers.lookup(&domain, &name, PATIENCE).await;
        assert_eq!(answer, expect, "{status} {body}");
        let requests = site.requests.lock().unwrap();
        let request = requests[0].to_lowercase();
        assert!(request.starts_with("post /api http/1.1\r\n"), "{request}");
        assert!(
            request.contains("content-type: application/json\r\n"),
            "{request}"
        );
        assert!(
            request.ends_with(r#"{"action":3,"name":"bob"}"#),
            "{request}"
        );
        assert_eq!(requests.len(), 1);
    }
}

#[tokio::test]
async fn a_bad_file_of_authorities_is_named() {
    let with = |ca_file| {
        Fetcher::new(FetchOptions {
            resolver: Arc::new(Script::default()),
            ca_file: Some(ca_file),
            allow_private: false,
            upstreams: Vec::new(),
            rests: true,
            user_agent: "x".into(),
        })
        .err()
        .unwrap()
    };
    let empty = NamedTempFile::new().unwrap();
    let error = with(empty.path().into());
    assert!(
        matches!(error, FetchSetupError::NoAuthority { .. }),
        "{error}"
    );
    let error = with("/nonexistent/ca.pem".into());
    assert!(matches!(error, FetchSetupError::CaFile { .. }), "{error}");
}
