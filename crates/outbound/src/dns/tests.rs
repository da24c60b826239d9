//! A resolver against a name server of our own on loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;

/// What the name server answers.
enum Zone {
    /// The records; each is a list of character-strings.
    Texts(Vec<Vec<Vec<u8>>>),
    /// This code of RFC 1035 and nothing else.
    Code(u8),
}

const REFUSED: u8 = 5;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;
/// Truncated: ask again over TCP.
const TC: u8 = 2;

/// The answer to a question, as bytes; cut to its header and question when it is longer than fits.
fn answer(question: &[u8], zone: &Zone, bytes_max: usize) -> Vec<u8> {
    let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let (texts, code): (&[_], u8) = match zone {
        Zone::Texts(texts) => (texts, 0),
        Zone::Code(code) => (&[], *code),
    };
    let mut bytes = question[..2].to_vec();
    bytes.extend([0x85, 0x80 | code, 0, 1]);
    bytes.extend(u16::try_from(texts.len()).unwrap().to_be_bytes());
    bytes.extend([0, 0, 0, 0]);
    bytes.extend(&question[12..end]);
    for strings in texts {
        // The name of the question, TXT, IN, an hour.
        bytes.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 14, 16]);
        let length: usize = strings.iter().map(|string| string.len() + 1).sum();
        bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        for string in strings {
            bytes.push(u8::try_from(string.len()).unwrap());
            bytes.extend(string);
        }
    }
    if bytes.len() > bytes_max {
        bytes.truncate(end);
        bytes[2] |= TC;
        bytes[6..8].fill(0);
    }
    bytes
}

/// A name server, and how often it was asked over UDP.
#[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
async fn name_server(zone: Zone) -> (SocketAddr, Arc<AtomicUsize>) {
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = udp.local_addr().unwrap();
    let tcp = TcpListener::bind(address).await.unwrap();
    let zone = Arc::new(zone);
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, of_udp) = (asked.clone(), zone.clone());
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            count.fetch_add(1, Ordering::SeqCst);
            let answer = answer(&buffer[..length], &of_udp, 512);
            udp.send_to(&answer, from).await.unwrap();
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let length = stream.read_u16().await.unwrap();
            let mut question = vec![0; length.into()];
            stream.read_exact(&mut question).await.unwrap();
            let answer = answer(&question, &zone, usize::MAX);
            stream
                .write_u16(u16::try_from(answer.len()).unwrap())
                .await
                .unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    });
    (address, asked)
}

async fn txt(zone: Zone) -> Result<Vec<String>, DnsError> {
    let (address, _) = name_server(zone).await;
    let records = TxtRecords::of_server(address).unwrap();
    records.txt(&Domain::parse("names.example").unwrap()).await
}

fn texts(records: &[&[&str]]) -> Zone {
    let strings = |record: &&[&str]| record.iter().map(|it| it.as_bytes().to_vec()).collect();
    Zone::Texts(records.iter().map(strings).collect())
}

#[tokio::test]
async fn character_strings_of_a_record_are_joined() {
    let found = txt(texts(&[
        &["v=spf1 -all"],
        &["ps:true;v:1;", "sig:", "", "AA=="],
        &[""],
    ]))
    .await;
    assert_eq!(found.unwrap(), ["v=spf1 -all", "ps:true;v:1;sig:AA==", ""]);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_replaced() {
    let found = txt(Zone::Texts(vec![vec![b"a\xffb".to_vec()]])).await;
    assert_eq!(found.unwrap(), ["a\u{fffd}b"]);
}

#[tokio::test]
async fn that_there_is_nothing_is_told_from_that_nobody_answers() {
    assert_eq!(txt(Zone::Code(NXDOMAIN)).await, Err(DnsError::NotFound));
    assert_eq!(txt(texts(&[])).await, Err(DnsError::NotFound));
    assert_eq!(txt(Zone::Code(SERVFAIL)).await, Err(DnsError::Unreachable));
    assert_eq!(txt(Zone::Code(REFUSED)).await, Err(DnsError::Unreachable));
    let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let records = TxtRecords::of_server(address).unwrap();
    let domain = Domain::parse("names.example").unwrap();
    assert_eq!(records.txt(&domain).await, Err(DnsError::Unreachable));
}

#[tokio::test]
async fn long_answers_come_whole_and_bounded() {
    let long = "x".repeat(255);
    let record = vec![long.as_bytes().to_vec(); 40];
    let found = txt(Zone::Texts(vec![record; 3])).await.unwrap();
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|text| text.len() == RECORD_BYTES_MAX));
    let many: Vec<Vec<Vec<u8>>> = (0..300)
        .map(|at| vec![at.to_string().into_bytes()])
        .collect();
    let found = txt(Zone::Texts(many)).await.unwrap();
    assert_eq!(found.len(), RECORDS_MAX);
}

#[tokio::test]
async fn every_question_is_asked() {
    let (address, asked) = name_server(Zone::Code(NXDOMAIN)).await;
    let records = TxtRecords::of_server(address).unwrap();
    let domain = Domain::parse("names.example").unwrap();
    for _ in 0..3 {
        assert_eq!(records.txt(&domain).await, Err(DnsError::NotFound));
    }
    assert!(asked.load(Ordering::SeqCst) >= 3);
}
