//! The worked example of docs/LOG-FORMAT.md: its numbers are those of a directory with one name,
//! recomputed here from the document's formulas alone.

use std::fmt::Write as _;
use std::path::Path;

use client::link::Visibility;
use client::tlog::LogClient;
use crypto::token::sha256;
use data_encoding::{BASE64, HEXLOWER};
use merkle::note::VerifierKey;
use serde_json::Value;

use crate::copied::Copied;
use crate::server::Server;

const BEGIN: &str = "<!-- example: checked by crates/client/tests/client/example.rs -->\n```text\n";
const END: &str = "```\n";

/// `SHA-256` of the parts joined.
fn hash(parts: &[&[u8]]) -> [u8; 32] {
    sha256(&parts.concat())
}

/// One named value, in lines of 32 bytes.
fn show(text: &mut String, name: &str, bytes: &[u8]) {
    for (at, line) in bytes.chunks(32).enumerate() {
        let name = if at == 0 { name } else { "" };
        let _ = writeln!(text, "{name:<16}{}", HEXLOWER.encode(line));
    }
}

fn decoded(body: &Value, path: &str) -> Vec<u8> {
    let text = body.pointer(path).unwrap().as_str().unwrap();
    BASE64.decode(text.as_bytes()).unwrap()
}

async fn bundle(server: &Server) -> Value {
    let client = reqwest::Client::builder().build().unwrap();
    let url = format!("{}/log/names/alice", server.address);
    let response = client.get(url).send().await.unwrap();
    response.json().await.unwrap()
}

/// Everything from the name down to the checkpoint, each value by its formula.
async fn example(server: &Server, log: &LogClient) -> String {
    let body = bundle(server).await;
    let (salt, link) = (
        decoded(&body, "/present/opening/salt"),
        decoded(&body, "/present/opening/link"),
    );
    let copied = Copied::of(log).await;
    let entries: Vec<&[u8]> = copied.bundles[&0].chunks(80).map(|row| &row[2..]).collect();
    let [first, second, third] = entries[..] else {
        panic!("the example has three entries");
    };

    let label = hash(&[b"sealbook/label/v1\0\x01alice"]);
    let commitment = hash(&[b"sealbook/link/v1\0", &salt, &link]);
    let map_root = hash(&[&[2], &label, &[0, 0, 0, 1], &commitment]);
    let leaves = entries.iter().map(|entry| hash(&[&[0], entry]));
    let leaves: Vec<[u8; 32]> = leaves.collect();
    let left = hash(&[&[1], &leaves[0], &leaves[1]]);
    let root = hash(&[&[1], &left, &leaves[2]]);

    assert_eq!(&first[38..70], [0; 32], "the first map is empty");
    assert_eq!(&second[2..34], label);
    assert_eq!(&second[38..70], commitment);
    assert_eq!(&third[38..70], map_root);
    let note = String::from_utf8(copied.newest).unwrap();
    assert_eq!(note.lines().nth(2).unwrap(), BASE64.encode(&root));

    let key: VerifierKey = log.key().await.unwrap();
    let mut text = String::new();
    let values: [(&str, &[u8]); 13] = [
        ("label", &label),
        ("link", &link),
        ("salt", &salt),
        ("commitment", &commitment),
        ("entry 0", first),
        ("entry 1", second),
        ("map root", &map_root),
        ("entry 2", third),
        ("leaf hash 0", &leaves[0]),
        ("leaf hash 1", &leaves[1]),
        ("leaf hash 2", &leaves[2]),
        ("node 0-1", &left),
        ("root", &root),
    ];
    for (name, bytes) in values {
        show(&mut text, name, bytes);
    }
    let _ = write!(text, "\n{key}\n\n{note}");
    text
}

#[tokio::test]
async fn the_document_shows_these_numbers() {
    let server = Server::start().await;
    server.push(1, "Alice", Visibility::Listed).await;
    let expected = example(&server, &server.log()).await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/LOG-FORMAT.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (_, after) = document.split_once(BEGIN).expect("the example is marked");
    let (shown, _) = after.split_once(END).expect("the example ends");
    assert_eq!(shown, expected, "the example should read:\n{expected}");
}
