//! `sealbook platform test` against a service on this machine.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};

use crate::harness::Place;

/// Answers every request with a status and a body; the port.
fn service(status: u16, body: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                head.push(byte[0]);
            }
            let path = String::from_utf8(head).unwrap();
            assert!(path.starts_with("GET /p/77.json HTTP/1.1\r\n"), "{path}");
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    port
}

/// A directory with a configuration that describes that service.
fn place(status: u16, body: &Value) -> Place {
    let port = service(status, body.to_string());
    let place = Place::new();
    let file = format!(
        "[[platform]]\nname = \"forum\"\nurl = \"http://127.0.0.1:{port}/p/{{location}}.json\"\n\
         author = \"/user/name\"\ntext = \"/text\"\nlocation_pattern = \"[0-9]+\"\n"
    );
    fs::write(place.path("sealbook.toml"), file).unwrap();
    place
}

fn post(author: &str, text: &str) -> Value {
    json!({"user": {"name": author}, "text": text})
}

#[test]
fn each_step_is_shown() {
    let place = place(200, &post("Alice", "hello\nSig: AAAA\n\u{1b}[2J"));
    let ran = place.run(&["platform", "test", "forum", "alice", "77"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(
        lines[0].starts_with("url        \"http://127.0.0.1:"),
        "{lines:?}"
    );
    assert_eq!(
        lines[1..],
        [
            "status     200",
            "author     \"Alice\"",
            "text       \"hello\\nSig: AAAA\\n\\u{1b}[2J\"",
            "signature  \"AAAA\"",
        ]
    );
    let object = place.json(&["platform", "test", "forum", "alice", "77"]);
    assert_eq!(object["status"], 200);
    assert_eq!(object["signatures"], json!(["AAAA"]));
    assert_eq!(object["refused"], Value::Null);
}

#[test]
fn the_exit_code_says_where_it_ends() {
    for (status, body, code, said) in [
        (
            200,
            post("mallory", "Sig: AAAA"),
            4,
            "expect alice, got mallory",
        ),
        (200, post("alice", "hello"), 4, "there is no signature"),
        (200, json!([]), 6, "answered something else"),
        (404, json!({}), 3, "there is no such post"),
        (429, json!({}), 7, "asked less"),
        (500, json!({}), 6, "it answered 500"),
    ] {
        let place = place(status, &body);
        let ran = place.run(&["platform", "test", "forum", "alice", "77"]);
        assert_eq!(ran.code, code, "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}

#[test]
fn what_cannot_be_tried_is_told() {
    let place = place(200, &json!({}));
    let ran = place.run(&["platform", "test", "form", "alice", "77"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("there is forum"), "{}", ran.stderr);
    let ran = place.run(&["platform", "test", "forum", "alice", "../x"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}
