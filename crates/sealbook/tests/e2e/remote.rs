//! Names at other domains: real servers that ask each other over TLS.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;

use crate::harness::{Place, Server, troubles};

/// Writes `ca.pem`, and `cert.pem` with `key.pem` for both servers of a test.
fn make_certificates(place: &Place) {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca_cert = ca.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let hosts = ["a.localhost", "b.localhost", "127.0.0.1"].map(str::to_owned);
    let leaf = CertificateParams::new(hosts).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    fs::write(place.path("ca.pem"), ca_cert.pem()).unwrap();
    fs::write(place.path("cert.pem"), leaf.pem()).unwrap();
    fs::write(place.path("key.pem"), key.serialize_pem()).unwrap();
}

/// A server whose home domain is `<letter>.localhost`, which asks other domains on a port.
fn serve(place: &Place, letter: &str, others_port: u16, more: &[&str]) -> Server {
    let domain = format!("server.domain={letter}.localhost");
    let data_dir = format!("server.data_dir={letter}");
    let upstream = format!("upstreams.toxme=https://{{host}}:{others_port}/api");
    let common = [
        "server.tls_cert=cert.pem",
        "server.tls_key=key.pem",
        "toxme.remote_lookups=true",
        "outbound.ca_file=ca.pem",
        "outbound.allow_private=true",
        &domain,
        &data_dir,
        &upstream,
    ];
    let sets = common.iter().chain(more);
    let arguments: Vec<&str> = sets.flat_map(|set| ["--set", set]).collect();
    place.serve(&arguments)
}

fn port(server: &Server) -> u16 {
    let url = server.url();
    url.rsplit(':').next().unwrap().parse().unwrap()
}

/// What the command line is told of a name; else its exit code and words.
fn lookup(place: &Place, server: &Server, name: &str) -> Result<Value, (i32, String)> {
    let url = server.url();
    let remote = ["--url", &url, "--ca-file", "ca.pem"];
    let ran = place.run(&[&["--json", "lookup", name], &remote[..]].concat());
    match ran.code {
        0 => Ok(serde_json::from_str(&ran.stdout).unwrap()),
        code => Err((code, ran.stderr)),
    }
}

fn register(place: &Place, server: &Server, name: &str) -> Value {
    place.json(&["key", "new", "--out", name]);
    let url = server.url();
    let remote = ["--key", name, "--url", &url, "--ca-file", "ca.pem"];
    let pushed = place.json(&[&["push", name], &remote[..]].concat());
    pushed["tox_id"].clone()
}

#[test]
fn two_servers_resolve_each_other_s_names() {
    let place = Place::new();
    make_certificates(&place);
    // Each has to know the port of the other.
    let first_b = serve(&place, "b", 1, &[]);
    let listen_b = format!("server.listen=127.0.0.1:{}", port(&first_b));
    let a = serve(&place, "a", port(&first_b), &[]);
    first_b.stop();
    let b = serve(&place, "b", port(&a), &[&listen_b]);
    let (alice, bob) = (register(&place, &a, "alice"), register(&place, &b, "bob"));

    for (server, name, domain, tox_id) in [
        (&a, "bob@b.localhost", "b.localhost", &bob),
        (&b, "alice@A.Localhost", "a.localhost", &alice),
        (&a, "alice", "a.localhost", &alice),
        (&a, "alice@a.localhost", "a.localhost", &alice),
        // The host the client asked for is home too.
        (&b, "bob@127.0.0.1", "b.localhost", &bob),
    ] {
        let found = lookup(&place, server, name).unwrap();
        let expected = (tox_id, &Value::from(domain));
        assert_eq!((&found["tox_id"], &found["domain"]), expected, "{name}");
    }
    for (server, name) in [
        (&a, "alice@b.localhost"),
        (&b, "nobody@a.localhost"),
        (&a, "bob"),
    ] {
        let (code, said) = lookup(&place, server, name).unwrap_err();
        assert_eq!(code, 3, "{name}: {said}");
    }
    let (code, said) = lookup(&place, &a, "bob@10.0.0.1").unwrap_err();
    assert_eq!(code, 6, "{said}");
    assert!(
        said.contains("(-41)") && said.contains("no domain"),
        "{said}"
    );

    // What was answered is remembered; the rest cannot be asked any more.
    b.stop();
    let found = lookup(&place, &a, "bob@b.localhost").unwrap();
    assert_eq!(found["tox_id"], bob);
    let (code, said) = lookup(&place, &a, "carol@b.localhost").unwrap_err();
    assert_eq!(code, 6, "{said}");
    assert!(said.contains("cannot be reached"), "{said}");
    let (status, log) = a.stop();
    assert_eq!(status.code(), Some(0));
    assert!(log.contains("outbound.allow_private is on"), "{log}");
}

#[test]
fn servers_that_are_each_other_s_gateway_do_not_ask_in_circles() {
    let place = Place::new();
    make_certificates(&place);
    let gateway = |port: u16| format!("upstreams.toxme=https://127.0.0.1:{port}/api");
    let first_b = serve(&place, "b", 1, &[]);
    let (to_b, listen_b) = (
        gateway(port(&first_b)),
        format!("server.listen=127.0.0.1:{}", port(&first_b)),
    );
    let a = serve(&place, "a", 1, &[&to_b, "outbound.allow_private=false"]);
    first_b.stop();
    let b = serve(&place, "b", 1, &[&gateway(port(&a)), &listen_b]);
    let bob = register(&place, &b, "bob");
    let found = lookup(&place, &a, "bob@anywhere.example").unwrap();
    assert_eq!(found["tox_id"], bob);
    let (code, said) = lookup(&place, &a, "nobody@anywhere.example").unwrap_err();
    assert_eq!(code, 3, "{said}");
}

#[test]
fn private_networks_are_not_asked() {
    let place = Place::new();
    make_certificates(&place);
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let port = trap.local_addr().unwrap().port();
    let a = serve(&place, "a", port, &["outbound.allow_private=false"]);
    for domain in [
        "b.localhost",
        "localhost",
        "127.0.0.2",
        "0x7f.1",
        "db.internal",
    ] {
        let (code, said) = lookup(&place, &a, &format!("bob@{domain}")).unwrap_err();
        assert_eq!(code, 6, "{said}");
        assert!(said.contains("(-41)"), "{said}");
    }
    assert_eq!(trap.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let (status, log) = a.stop();
    assert_eq!((status.code(), troubles(&log)), (Some(0), vec![]));
}

#[test]
fn nobody_is_asked_unless_the_operator_says_so() {
    let place = Place::new();
    let server = place.serve(&[]);
    let refused = place.run(&["lookup", "bob@b.example", "--url", &server.url()]);
    assert_eq!(refused.code, 6);
    let said = refused.stderr;
    assert!(said.contains("its own domain only"), "{said}");
}

#[test]
fn a_server_that_cannot_ask_as_it_was_told_does_not_start() {
    let place = Place::new();
    let lookups = "toxme.remote_lookups=true";
    let refused = place.serve_refused(&["--set", lookups, "--set", "outbound.ca_file=absent.pem"]);
    assert_eq!(refused.code, 1);
    let said = refused.stderr;
    assert!(
        said.contains("outbound.ca_file: cannot read absent.pem"),
        "{said}"
    );
    for url in [
        "http://{host}/api",
        "https://{host}.example/api",
        "https://u@b.example/",
    ] {
        let refused = place.serve_refused(&["--set", &format!("upstreams.toxme={url}")]);
        let said = refused.stderr;
        assert!(
            said.contains("upstreams.toxme: expected an https URL"),
            "{said}"
        );
    }
}
