use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use crypto::arweave_key::{self, ArweaveKey};
use crypto::token::sha256;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use engine::ans104::{SignedItem, Tag, read_bundle, write_bundle};
use engine::ports::archive::{Archive, ArchiveError, ArchiveItem, Parcel, Sent};
use engine::ports::fetch::{
    FetchError, FetchLimits, Fetched, Method, Purpose, Request, Upstream, WebFetcher,
};
use serde_json::{Value, json};

use super::chunks::Chunks;
use super::transaction::{Transaction, Wrapping};
use super::{Bundler, Gateway, UPSTREAM, WINSTON_PER_AR};

const JWK: &str = include_str!("../../../crypto/vectors/arweave-key.json");
const ROOTS: &str = include_str!("../../vectors/arweave-data-roots.json");
const ANCHOR: &str = "cGFzdA";
const PRICE: u64 = 5_000_000;

/// A gateway that takes everything, and a bundler that says what it is told.
#[derive(Default)]
struct Weave {
    /// Transactions by id, and how many blocks they are in.
    transactions: BTreeMap<String, (Value, Option<u64>)>,
    chunks: Vec<Value>,
    height: u64,
    /// How many of the next requests are done and not answered.
    lost: usize,
    /// Answers in the place of its own, by the path, or its start up to a `/`.
    odd: BTreeMap<&'static str, (u16, String)>,
    /// What a bundler answers; `None` for the item's own id.
    said: VecDeque<Option<(u16, String)>>,
    items: Vec<Bytes>,
    posts: usize,
    /// Takes a transaction and says that it did not.
    refuses_after_all: bool,
}

impl Weave {
    fn answer(&mut self, request: &Request) -> (u16, String) {
        let path = request.path.as_str();
        let is_at =
            |start: &str| path == start || (start.ends_with('/') && path.starts_with(start));
        let odd = self.odd.iter().find(|(start, _)| is_at(start));
        if let Some((_, odd)) = odd {
            return odd.clone();
        }
        if let Some(id) = path
            .strip_prefix("/tx/")
            .and_then(|it| it.strip_suffix("/status"))
        {
            return match self.transactions.get(id) {
                Some((_, Some(blocks))) => {
                    let confirmed = json!({"number_of_confirmations": blocks, "block_height": 7});
                    (200, confirmed.to_string())
                }
                Some((_, None)) => (202, "Pending".into()),
                None => (404, "Not Found.".into()),
            };
        }
        match (request.method, path) {
            (Method::Get, "/tx_anchor") => (200, ANCHOR.into()),
            (Method::Get, "/info") => (200, json!({"height": self.height}).to_string()),
            (Method::Get, _) if path.starts_with("/price/") => (200, PRICE.to_string()),
            (Method::Post, "/tx") => {
                self.posts += 1;
                let transaction: Value = serde_json::from_slice(&request.body).unwrap();
                let id = transaction["id"].as_str().unwrap().to_owned();
                self.transactions.entry(id).or_insert((transaction, None));
                let status = if self.refuses_after_all { 400 } else { 200 };
                (status, "OK".into())
            }
            (Method::Post, "/chunk") => {
                self.chunks
                    .push(serde_json::from_slice(&request.body).unwrap());
                (200, "OK".into())
            }
            (Method::Post, "/tx/arweave") => {
                self.items.push(request.body.clone());
                let id = BASE64URL_NOPAD.encode(&sha256(&request.body[2..514]));
                let own = || (200, json!({"id": id, "winc": "0"}).to_string());
                self.said.pop_front().flatten().unwrap_or_else(own)
            }
            (Method::Get | Method::Post, _) => unreachable!("{path}"),
        }
    }
}

#[derive(Default)]
struct Web(Mutex<Weave>);

impl Web {
    fn with<T>(&self, change: impl FnOnce(&mut Weave) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }
}

#[async_trait]
impl WebFetcher for Web {
    async fn fetch(&self, request: Request, _: FetchLimits) -> Result<Fetched, FetchError> {
        assert_eq!(request.upstream, Upstream::Named(UPSTREAM));
        assert_eq!(request.purpose, Purpose::Background);
        let (status, body) = self.with(|weave| {
            let answer = weave.answer(&request);
            if weave.lost > 0 {
                weave.lost -= 1;
                return Err(FetchError::Unreachable);
            }
            Ok(answer)
        })?;
        Ok(Fetched {
            final_url: String::new(),
            status,
            headers: Vec::new(),
            retry_after: None,
            body: body.into(),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        })
    }

    fn locate(&self, _: &str, _: &[Upstream]) -> Option<(Upstream, String)> {
        None
    }
}

fn key() -> ArweaveKey {
    ArweaveKey::from_jwk(JWK.as_bytes()).unwrap()
}

fn gateway() -> (Gateway, Arc<Web>) {
    let web = Arc::new(Web::default());
    (Gateway::new(web.clone(), key(), PRICE), web)
}

fn bundler() -> (Bundler, Arc<Web>) {
    let web = Arc::new(Web::default());
    (Bundler::new(web.clone(), key()), web)
}

async fn items(archive: &dyn Archive, count: usize, bytes: usize) -> Vec<SignedItem> {
    let mut items = Vec::new();
    for number in 0..count {
        let item = ArchiveItem {
            tags: vec![Tag::new("ProofService-UUID", &number.to_string())],
            data: vec![b'a'; bytes].into(),
        };
        items.push(archive.sign(&item).await.unwrap());
    }
    items
}

async fn parcel(archive: &dyn Archive, count: usize, bytes: usize) -> Parcel {
    let items = items(archive, count, bytes).await;
    let wrapping = archive.pack(&items).await.unwrap();
    Parcel { items, wrapping }
}

fn refusal<T: std::fmt::Debug>(done: Result<T, ArchiveError>) -> String {
    match done.unwrap_err() {
        ArchiveError::Refused(why) => why,
        ArchiveError::Unreachable => unreachable!("it was reached"),
    }
}

#[test]
fn data_is_cut_as_arweave_s_own_library_cuts_it() {
    let vectors: Value = serde_json::from_str(ROOTS).unwrap();
    let vectors = vectors["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 16);
    for vector in vectors {
        let length = usize::try_from(vector["bytes"].as_u64().unwrap()).unwrap();
        let byte = |at: usize| u8::try_from((at * 31 + (at >> 8) * 7) & 0xff).unwrap();
        let data: Vec<u8> = (0..length).map(byte).collect();
        let cut = Chunks::of(&data);
        assert_eq!(
            BASE64URL_NOPAD.encode(&cut.root),
            vector["data_root"],
            "{length}"
        );
        let ends: Vec<usize> = cut.chunks.iter().map(|chunk| chunk.range.end).collect();
        assert_eq!(json!(ends), vector["chunk_ends"]);
        let paths: Vec<u8> = cut.chunks.iter().flat_map(|it| it.path.clone()).collect();
        assert_eq!(HEXLOWER.encode(&sha256(&paths)), vector["paths_sha256"]);
    }
}

#[tokio::test]
async fn a_transaction_is_sent_once_and_kept_after_ten_blocks() {
    let (gateway, web) = gateway();
    let parcel = parcel(&gateway, 3, 900).await;
    assert_eq!(web.with(|weave| weave.posts), 0, "packing sends nothing");
    assert_eq!(gateway.send(&parcel).await, Ok(Sent::Pending));
    assert_eq!(gateway.send(&parcel).await, Ok(Sent::Pending));
    for (blocks, sent) in [(1, Sent::Pending), (9, Sent::Pending), (10, Sent::Kept)] {
        web.with(|weave| {
            let known = weave.transactions.values_mut();
            known.for_each(|(_, blocks_of_it)| *blocks_of_it = Some(blocks));
        });
        assert_eq!(gateway.send(&parcel).await, Ok(sent));
    }
    let (posts, chunks) = web.with(|weave| (weave.posts, weave.chunks.len()));
    assert_eq!((posts, chunks), (1, 0));

    let transaction = web.with(|weave| weave.transactions.values().next().unwrap().0.clone());
    let bytes = |name: &str| {
        let text = transaction[name].as_str().unwrap();
        BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()
    };
    let data = bytes("data");
    let ids: Vec<_> = read_bundle(&data)
        .unwrap()
        .iter()
        .map(|item| item.id)
        .collect();
    assert!(ids.iter().eq(parcel.items.iter().map(|item| &item.id)));
    let wrapping = Wrapping::read(&parcel.wrapping).unwrap();
    let hash = Transaction::new(&wrapping, &data).hash();
    let signature = bytes("signature").try_into().unwrap();
    let owner = bytes("owner").try_into().unwrap();
    assert_eq!(arweave_key::verify(&owner, &hash, &signature), Ok(()));
    assert_eq!(&owner, key().owner());
    assert_eq!(bytes("id"), sha256(&signature));
    assert_eq!(bytes("data_root"), Chunks::of(&data).root);
    for (name, value) in [
        ("last_tx", ANCHOR),
        ("reward", "5000000"),
        ("quantity", "0"),
        ("target", ""),
        ("data_size", &data.len().to_string()),
    ] {
        assert_eq!(transaction[name], value, "{name}");
    }
    assert_eq!(transaction["format"], 2);
}

/// Whatever answer is lost, nothing is paid twice.
#[tokio::test]
async fn a_lost_answer_costs_nothing() {
    let (gateway, web) = gateway();
    let items = items(&gateway, 1, 100).await;
    web.with(|weave| weave.lost = 1);
    assert_eq!(gateway.pack(&items).await, Err(ArchiveError::Unreachable));
    let wrapping = gateway.pack(&items).await.unwrap();
    let parcel = Parcel { items, wrapping };
    // Of the status; of the height; then of the transaction itself.
    for (lost_after, posts) in [(0, 0), (1, 0), (2, 1)] {
        let web = web.clone();
        let done = {
            let lossy = Lossy {
                web: web.clone(),
                left: Mutex::new(lost_after),
            };
            let gateway = Gateway::new(Arc::new(lossy), key(), PRICE);
            gateway.send(&parcel).await
        };
        assert_eq!(done, Err(ArchiveError::Unreachable));
        assert_eq!(web.with(|weave| weave.posts), posts);
    }
    assert_eq!(gateway.send(&parcel).await, Ok(Sent::Pending));
    let (posts, known) = web.with(|weave| (weave.posts, weave.transactions.len()));
    assert_eq!((posts, known), (1, 1));
}

/// Loses the answer behind this many others.
struct Lossy {
    web: Arc<Web>,
    left: Mutex<usize>,
}

#[async_trait]
impl WebFetcher for Lossy {
    async fn fetch(&self, request: Request, limits: FetchLimits) -> Result<Fetched, FetchError> {
        let fetched = self.web.fetch(request, limits).await;
        let mut left = self.left.lock().unwrap();
        *left = left.checked_sub(1).ok_or(FetchError::Unreachable)?;
        fetched
    }

    fn locate(&self, _: &str, _: &[Upstream]) -> Option<(Upstream, String)> {
        None
    }
}

/// Of two workers that send it at once one is refused.
#[tokio::test]
async fn a_transaction_that_another_worker_sent_is_no_failure() {
    let (gateway, web) = gateway();
    let parcel = parcel(&gateway, 1, 100).await;
    web.with(|weave| weave.refuses_after_all = true);
    assert_eq!(gateway.send(&parcel).await, Ok(Sent::Pending));
    assert_eq!(web.with(|weave| weave.posts), 1);
}

#[tokio::test]
async fn a_transaction_that_the_network_forgot_is_made_anew_when_it_can_come_no_more() {
    let (gateway, web) = gateway();
    web.with(|weave| weave.height = 1000);
    let first = parcel(&gateway, 1, 100).await;
    assert_eq!(gateway.send(&first).await, Ok(Sent::Pending));
    web.with(|weave| {
        weave.transactions.clear();
        weave.height = 1100;
    });
    assert_eq!(gateway.send(&first).await, Ok(Sent::Pending));
    let (posts, known) = web.with(|weave| (weave.posts, weave.transactions.len()));
    assert_eq!((posts, known), (2, 1), "the same is sent again");
    web.with(|weave| {
        weave.transactions.clear();
        weave.height = 1101;
    });
    assert_eq!(gateway.send(&first).await, Ok(Sent::Void));
    assert_eq!(web.with(|weave| weave.posts), 2);
    let wrapping = gateway.pack(&first.items).await.unwrap();
    let second = Parcel { wrapping, ..first };
    assert_eq!(gateway.send(&second).await, Ok(Sent::Pending));
    // What no gateway made, as of a bundler before it, is no transaction.
    for wrapping in ["", "{}", r#"{"owner":"AA"}"#] {
        let wrapping = wrapping.into();
        let parcel = Parcel {
            wrapping,
            ..second.clone()
        };
        assert_eq!(gateway.send(&parcel).await, Ok(Sent::Void));
    }
}

#[tokio::test]
async fn much_data_goes_in_chunks_behind_its_transaction() {
    let (gateway, web) = gateway();
    let parcel = parcel(&gateway, 10, 60_000).await;
    let data = write_bundle(&parcel.items).unwrap();
    assert_eq!(gateway.send(&parcel).await, Ok(Sent::Pending));
    let (transaction, chunks) = web.with(|weave| {
        let transaction = weave.transactions.values().next().unwrap().0.clone();
        (transaction, weave.chunks.clone())
    });
    assert_eq!(transaction["data"], "");
    assert_eq!(chunks.len(), 3);
    let mut sent = Vec::new();
    for chunk in &chunks {
        assert_eq!(chunk["data_root"], transaction["data_root"]);
        assert_eq!(chunk["data_size"], data.len().to_string());
        let bytes = BASE64URL_NOPAD.decode(chunk["chunk"].as_str().unwrap().as_bytes());
        sent.extend(bytes.unwrap());
        assert_eq!(chunk["offset"], (sent.len() - 1).to_string());
    }
    assert_eq!(sent, data);
    // Nobody knows whether all of them came.
    assert_eq!(gateway.send(&parcel).await, Ok(Sent::Pending));
    assert_eq!(web.with(|weave| (weave.posts, weave.chunks.len())), (1, 6));
}

#[tokio::test]
async fn a_price_above_the_bound_is_not_paid() {
    let web = Arc::new(Web::default());
    let gateway = Gateway::new(web.clone(), key(), PRICE - 1);
    let items = items(&gateway, 1, 100).await;
    let said = refusal(gateway.pack(&items).await);
    assert!(
        said.ends_with("bytes cost 0.000005 AR, arweave.fee_max is 0.000004999999"),
        "{said}"
    );
    assert_eq!(5 * WINSTON_PER_AR / 1_000_000, PRICE);
}

#[tokio::test]
async fn what_a_gateway_says_besides_is_told_to_the_operator() {
    for (path, status, body, said) in [
        ("/tx_anchor", 200, "", "the question for an anchor"),
        ("/tx_anchor", 200, "no anchor", "the question for an anchor"),
        ("/tx_anchor", 404, ANCHOR, "the question for an anchor"),
        ("/info", 200, "<html>", "the question for blocks"),
        ("/info", 200, r#"{"height":-1}"#, "the question for blocks"),
        ("/price/", 200, "1.5", "the question for a price"),
        ("/price/", 403, "1", "the question for a price"),
    ] {
        let (gateway, web) = gateway();
        let items = items(&gateway, 1, 100).await;
        web.with(|weave| weave.odd.insert(path, (status, body.into())));
        let why = refusal(gateway.pack(&items).await);
        assert_eq!(
            why,
            format!("{said} was answered with status {status}: {body:?}")
        );
        for status in [408, 429, 500, 503] {
            web.with(|weave| weave.odd.insert(path, (status, "later".into())));
            assert_eq!(gateway.pack(&items).await, Err(ArchiveError::Unreachable));
        }
    }
    let (gateway, web) = gateway();
    let parcel = parcel(&gateway, 1, 100).await;
    let long = format!("Invalid\u{7} {}", "x".repeat(500));
    for (path, status, body, said) in [
        (
            "/tx/",
            200,
            "<html>",
            "the question for a transaction was answered with status 200: \"<html>\"",
        ),
        (
            "/tx/",
            400,
            "",
            "the question for a transaction was answered with status 400: \"\"",
        ),
        (
            "/tx",
            400,
            &long,
            "a transaction was answered with status 400: \"Invalid\\u{7} xx",
        ),
    ] {
        web.with(|weave| {
            weave.odd.clear();
            weave.odd.insert(path, (status, body.into()));
        });
        let why = refusal(gateway.send(&parcel).await);
        assert!(why.starts_with(said), "{why}");
        assert!(why.len() < 300, "{why}");
    }
    let confirmed = r#"{"number_of_confirmations":-3,"block_height":17}"#;
    web.with(|weave| weave.odd.insert("/tx/", (200, confirmed.into())));
    web.with(|weave| weave.odd.remove("/tx"));
    assert_eq!(gateway.send(&parcel).await, Ok(Sent::Pending));
    // Some gateways say so of one that waits for a block.
    web.with(|weave| weave.odd.insert("/tx/", (200, "Pending".into())));
    assert_eq!(gateway.send(&parcel).await, Ok(Sent::Pending));
}

#[tokio::test]
async fn a_bundler_takes_items_one_by_one() {
    let (bundler, web) = bundler();
    let sent = parcel(&bundler, 2, 300).await;
    assert_eq!(sent.wrapping, Bytes::new());
    assert_eq!(bundler.send(&sent).await, Ok(Sent::Kept));
    let taken = web.with(|weave| std::mem::take(&mut weave.items));
    assert!(taken.iter().eq(sent.items.iter().map(|item| &item.bytes)));

    // One that it has already.
    let words = Some((202, "Data item already uploaded".into()));
    web.with(|weave| weave.said.extend([words.clone(), words]));
    assert_eq!(bundler.send(&sent).await, Ok(Sent::Kept));
    let other = json!({"id": "A".repeat(43)}).to_string();
    for (status, body, said) in [
        (402, "", "the account of the key has too little credit"),
        (400, "bad", "an item was answered with status 400: \"bad\""),
        (200, &other, "an item was answered with status 200: "),
    ] {
        web.with(|weave| weave.said.push_back(Some((status, body.into()))));
        let why = refusal(bundler.send(&sent).await);
        assert!(why.starts_with(said), "{why}");
    }
    web.with(|weave| weave.said.push_back(Some((503, String::new()))));
    assert_eq!(bundler.send(&sent).await, Err(ArchiveError::Unreachable));
}

#[tokio::test]
async fn no_item_is_made_of_too_much() {
    let (bundler, _) = bundler();
    let item = ArchiveItem {
        tags: Vec::new(),
        data: vec![0; 64 << 10].into(),
    };
    let why = refusal(bundler.sign(&item).await);
    assert_eq!(why, "a data item of more than 64 KiB");
}
