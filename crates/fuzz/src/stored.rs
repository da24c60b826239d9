//! What is read back from disks: rows, links, journals, keys.

use client::profile::Profile;
use data_encoding::HEXLOWER;
use engine::types::link::Link;

/// A row of any table: a key behind its length, and a value.
pub(crate) fn row(data: &[u8]) {
    let Some((length, rest)) = data.split_first() else {
        return;
    };
    if let Some((key, value)) = rest.split_at_checked(usize::from(*length)) {
        // Nothing more is promised of what is refused.
        let _is_row = engine::parsers::stored_row(key, value);
    }
}

/// Links, as the server stores them and as the client reads them.
pub(crate) fn link(data: &[u8]) {
    let (server, client) = (Link::decode(data), client::link::Link::decode(data));
    if let Ok(link) = &server {
        let written = link.encode();
        assert_eq!(Link::decode(&written).as_ref(), Ok(link));
        assert!(
            client::link::Link::decode(&written).is_ok(),
            "the client reads whatever the server writes"
        );
    }
    if let (Ok(server), Ok(client)) = (server, client) {
        assert_eq!(server.label.0, client.label);
        assert_eq!(server.seqno.get(), client.seqno);
        assert_eq!(server.prev.map(|hash| hash.0), client.prev);
        assert_eq!(server.created_at.0, client.created_at_ms);
    }
}

/// The embedded store's marks of commits.
pub(crate) fn commit_marks(data: &[u8]) {
    // The promises are checked inside.
    let _newest = store::parsers::commit_marks(data);
}

/// The embedded store's journal.
pub(crate) fn journal(data: &[u8]) {
    // The promises are checked inside.
    let _batches = store::parsers::journal(data);
}

/// The server's key files.
pub(crate) fn key_file(data: &[u8]) {
    match outbound::signer_file::parse_key(data) {
        Ok(key) => {
            let digits = data.trim_ascii().to_ascii_lowercase();
            assert_eq!(HEXLOWER.encode(key.expose()).as_bytes(), digits);
            assert!(!format!("{key:?}").contains(&HEXLOWER.encode(key.expose())));
        }
        Err(said) => assert!(said.len() < 80, "a message quotes nothing: {said}"),
    }
}

/// A user's profile file.
pub(crate) fn profile(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Profile::parse(text) {
        Ok(profile) => {
            let written = profile.to_json();
            let again = Profile::parse(written.expose()).expect("its own form");
            assert_eq!(again.tox_id(), profile.tox_id());
            assert_eq!(again.nospam, profile.nospam);
        }
        Err(said) => assert!(said.to_string().len() < 100, "a message quotes nothing"),
    }
}
