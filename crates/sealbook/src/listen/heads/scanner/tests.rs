use super::*;

const GOOD: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nGET / HTTP/1.1\r\n\r\n",
    "POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\na\nb\n",
    "POST / HTTP/1.1\r\nCONTENT-LENGTH:0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nx: a:b\r\ny:\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\n",
];

const BAD: &[&str] = &[
    "POST / HTTP/1.1\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n",
    "POST / HTTP/1.1\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\n",
    "POST / HTTP/1.1\r\ncontent-length: 4\r\nContent-Length: 4\r\n\r\n",
    "POST / HTTP/1.1\r\ncontent-length: 4, 4\r\n\r\n",
    "POST / HTTP/1.1\r\ncontent-length: +4\r\n\r\n",
    "POST / HTTP/1.1\r\ncontent-length: -4\r\n\r\n",
    "POST / HTTP/1.1\r\ncontent-length: 0x4\r\n\r\n",
    "POST / HTTP/1.1\r\ncontent-length:\r\n\r\n",
    "POST / HTTP/1.1\r\ncontent-length: 18446744073709551616\r\n\r\n",
    "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\ntransfer-encoding: identity\r\n\r\n",
    "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
    "POST / HTTP/1.1\r\ntransfer-encoding: \x0bchunked\r\n\r\n",
    "POST / HTTP/1.1\r\ncontent-length : 4\r\n\r\n",
    "POST / HTTP/1.1\r\n content-length: 4\r\n\r\n",
    "POST / HTTP/1.1\r\nx: a\r\n b\r\n\r\n",
    "POST / HTTP/1.1\r\nx: a\r\n\tcontent-length: 4\r\n\r\n",
    "POST / HTTP/1.1\r\nx: a\ncontent-length: 4\r\n\r\n",
    "GET / HTTP/1.1\nhost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: a\n\n",
    "GET / HTTP/1.1\r\nhost: a\r\n\n",
    "\nGET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nno colon\r\n\r\n",
    "POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\nxGET / HTTP/1.1\nhost: a\r\n\r\n",
];

/// What becomes of bytes that come `piece` at a time.
fn fed(bytes: &[u8], piece: usize) -> Result<(), Ambiguous> {
    let mut scanner = Scanner::default();
    bytes.chunks(piece).try_for_each(|part| scanner.feed(part))
}

#[test]
fn the_one_way_to_write_a_head_passes_and_others_do_not() {
    for piece in [1, 2, 3, 7, 1000] {
        for good in GOOD {
            assert_eq!(fed(good.as_bytes(), piece), Ok(()), "{piece} {good:?}");
        }
        for bad in BAD {
            assert_eq!(
                fed(bad.as_bytes(), piece),
                Err(Ambiguous),
                "{piece} {bad:?}"
            );
        }
        for first in GOOD.iter().filter(|good| !is_last(good)) {
            for bad in BAD {
                let both = format!("{first}{bad}");
                assert_eq!(
                    fed(both.as_bytes(), piece),
                    Err(Ambiguous),
                    "{piece} {both:?}"
                );
            }
        }
    }
}

/// Whether nothing behind it is a request.
fn is_last(good: &str) -> bool {
    good.contains("Chunked") || good.starts_with("PRI")
}

#[test]
fn a_head_without_an_end_is_not_kept() {
    let mut scanner = Scanner::default();
    assert_eq!(scanner.feed(b"GET / HTTP/1.1\r\nx: "), Ok(()));
    let many = [b'a'; 1024];
    let fed = (0..1000).try_for_each(|_| scanner.feed(&many));
    assert_eq!(fed, Err(Ambiguous));
    assert!(scanner.line.len() <= HEAD_BYTES_MAX);
}
