//! Notes, keys, checkpoints and proof files: vectors, round trips, refusals.

use data_encoding::BASE64;
use merkle::note::{
    ALG_COSIGNATURE, Checkpoint, KeyName, NOTE_LEN_MAX, Note, NoteError, Signature, VerifierKey,
    cosigned_message,
};
use merkle::proof::ProofError;
use merkle::proof_file::{PROOF_FILE_LEN_MAX, ProofFile, ProofFileError};
use merkle::{Hash, SIZE_MAX, leaf_hash, node_hash};
use proptest::prelude::*;
use serde_json::Value;

pub(crate) fn vector(field: &str) -> String {
    let vectors: Value = serde_json::from_str(include_str!("../../vectors/note.json")).unwrap();
    vectors[field].as_str().unwrap().to_owned()
}

fn signed(text: &str, count: u8) -> Note {
    let signature = |n: u8| Signature {
        name: KeyName::parse(&format!("witness.example/{n}")).unwrap(),
        id: [n; 4],
        bytes: vec![n; 64],
    };
    Note {
        text: text.into(),
        signatures: (0..count).map(signature).collect(),
    }
}

#[test]
fn the_published_key_and_note_are_read() {
    let key = VerifierKey::parse(&vector("vkey")).unwrap();
    assert_eq!(key.to_string(), vector("vkey"));
    assert_eq!(key.name().as_str(), vector("name"));
    assert_eq!(key.id(), [0x53, 0x0d, 0x90, 0x3a]);
    assert_eq!((key.algorithm(), key.public().len()), (1, 32));
    let public = key.public().try_into().unwrap();
    assert_eq!(VerifierKey::ed25519(key.name().clone(), public), key);
    let (text, signature) = (vector("text"), vector("signature"));
    let published = format!("{text}\n\u{2014} {} {signature}\n", vector("name"));
    let note = Note::parse(published.as_bytes()).unwrap();
    assert_eq!(note.text, text);
    assert_eq!(note.signatures[0].id, key.id());
    assert_eq!(note.format(), published);
    let raw = BASE64.decode(signature.as_bytes()).unwrap();
    let keys = [key.clone()];
    let signers = note.verify_with(&keys, |asked, message, bytes| {
        asked == &key && message == text.as_bytes() && bytes == &raw[4..]
    });
    assert_eq!(signers.unwrap(), [&key]);
}

#[test]
fn sixteen_signatures_of_three_kilobytes_are_read() {
    let mut note = signed("origin\n1\nroot\n", 16);
    note.signatures
        .iter_mut()
        .for_each(|signature| signature.bytes = vec![9; 2_420]);
    assert!(note.format().len() <= NOTE_LEN_MAX);
    assert_eq!(Note::parse(note.format().as_bytes()), Ok(note));
}

#[test]
fn the_last_blank_line_ends_the_text() {
    let note = signed("one\n\n\u{2014} not a signature\n\ntwo\n", 2);
    assert_eq!(Note::parse(note.format().as_bytes()), Ok(note));
}

#[test]
fn other_forms_of_a_note_are_refused() {
    let good = signed("text\n", 1).format();
    let line = good.strip_prefix("text\n\n").unwrap();
    let malformed = [
        String::new(),
        "text\n".into(),
        "text\n\n".into(),
        "text\n\n\n".into(),
        line.into(),
        good.trim_end().into(),
        format!("{good}\n"),
        format!("{good}{}", line.replace('\u{2014}', "-")),
        good.replace("text", "te\rxt"),
        good.replace("text", "te\0xt"),
        good.replace("\u{2014} ", "\u{2014}  "),
        good.replace("\u{2014} ", "\u{2014}"),
        good.replace("=\n", "\n"),
        good.replace("=\n", "= \n"),
        "text\n\n\u{2014} name AAAAAA==\n".into(),
        "text\n\n\u{2014} name AAAAAA==AAAA\n".into(),
        "text\n\n\u{2014} name AAA=\n".into(),
        "text\n\n\u{2014} name AAAAAAB=\n".into(),
        "text\n\n\u{2014} name\n".into(),
    ];
    for text in malformed {
        let error = Note::parse(text.as_bytes()).unwrap_err();
        assert!(
            matches!(error, NoteError::Malformed | NoteError::KeyName),
            "{text:?}: {error}"
        );
    }
    assert_eq!(Note::parse(b"text\n\n\xff\n"), Err(NoteError::Malformed));
    assert_eq!(
        Note::parse(&vec![b'a'; NOTE_LEN_MAX + 1]),
        Err(NoteError::TooLong)
    );
}

#[test]
fn names_and_keys_are_strict() {
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb", "a\u{2003}", "a\u{7f}"] {
        assert_eq!(KeyName::parse(name), Err(NoteError::KeyName), "{name:?}");
    }
    let vkey = vector("vkey");
    for wrong in [
        "",
        "a",
        "a+b",
        "a+b+c",
        &vkey.replace("530d903a", "530D903A"),
        &vkey.replace("530d903a", "530d903b"),
        &vkey.replace("example", "other"),
        &vkey.replace("AekyeR", "AukyeR"),
        &vkey[..vkey.len() - 4],
        &format!("{vkey}AAAA"),
        &format!("{vkey}\n"),
    ] {
        assert_eq!(VerifierKey::parse(wrong), Err(NoteError::Key), "{wrong:?}");
    }
    let name = KeyName::parse("witness.example/w").unwrap();
    for key in [vec![], vec![1], vec![1; 32], vec![4; 34], vec![9]] {
        assert_eq!(VerifierKey::new(name.clone(), key), Err(NoteError::Key));
    }
    let cosigner = VerifierKey::cosigner(name.clone(), &[7; 32]);
    assert_eq!(cosigner.algorithm(), ALG_COSIGNATURE);
    assert_ne!(
        cosigner.id(),
        VerifierKey::ed25519(name.clone(), &[7; 32]).id()
    );
    assert_eq!(VerifierKey::parse(&cosigner.to_string()), Ok(cosigner));
    let unknown = VerifierKey::new(name, vec![6; 1_313]).unwrap();
    assert_eq!(VerifierKey::parse(&unknown.to_string()), Ok(unknown));
}

#[test]
fn signatures_by_known_keys_must_all_be_good() {
    let known = VerifierKey::parse(&vector("vkey")).unwrap();
    let other = VerifierKey::ed25519(KeyName::parse("other").unwrap(), &[1; 32]);
    let by = |key: &VerifierKey, bytes: &[u8]| Signature {
        name: key.name().clone(),
        id: key.id(),
        bytes: bytes.into(),
    };
    let check = |_: &VerifierKey, _: &[u8], bytes: &[u8]| bytes == b"good";
    let note = |signatures| Note {
        text: "text\n".into(),
        signatures,
    };
    let keys = [known.clone()];
    let verdict = |signatures| {
        note(signatures)
            .verify_with(&keys, check)
            .map(|keys| keys.len())
    };
    assert_eq!(verdict(vec![]), Err(NoteError::Unsigned));
    assert_eq!(verdict(vec![by(&other, b"good")]), Err(NoteError::Unsigned));
    assert_eq!(
        verdict(vec![by(&other, b"bad"), by(&known, b"good")]),
        Ok(1)
    );
    assert_eq!(
        verdict(vec![by(&known, b"bad")]),
        Err(NoteError::BadSignature)
    );
    let mixed = vec![by(&known, b"good"), by(&known, b"bad")];
    assert_eq!(verdict(mixed), Err(NoteError::BadSignature));
    let mut same_id = by(&other, b"bad");
    same_id.id = known.id();
    assert_eq!(verdict(vec![same_id, by(&known, b"good")]), Ok(1));
    let both = [known.clone(), other.clone()];
    let note = note(vec![by(&other, b"good"), by(&known, b"good")]);
    assert_eq!(note.verify_with(&both, check).unwrap(), [&known, &other]);
}

#[test]
fn a_cosignature_covers_time_and_text() {
    assert_eq!(
        cosigned_message(17, "a\nb\n"),
        b"cosignature/v1\ntime 17\na\nb\n"
    );
}

#[test]
fn checkpoints_are_three_lines() {
    let checkpoint = Checkpoint {
        origin: "log.example/log".into(),
        size: 70_000,
        root: leaf_hash(b"root"),
    };
    let text = checkpoint.to_string();
    let root = checkpoint.root.to_base64();
    assert_eq!(text, format!("log.example/log\n70000\n{root}\n"));
    assert_eq!(Checkpoint::parse(&text), Ok(checkpoint));
    for wrong in [
        format!("{text}extension\n"),
        format!("{text}\n"),
        text.trim_end().into(),
        text.replace("70000", "070000"),
        text.replace("70000", "+70000"),
        text.replace("70000", "-1"),
        text.replace("70000", ""),
        text.replace("70000", "18446744073709551616"),
        text.replace("70000", &(SIZE_MAX + 1).to_string()),
        text.replace("log.example/log", ""),
        text.replace("log.example", "log\texample"),
        text.replace('=', ""),
        text.replace(&root, &root[4..]),
        text.replace('\n', "\r\n"),
        String::new(),
    ] {
        assert_eq!(
            Checkpoint::parse(&wrong),
            Err(NoteError::MalformedCheckpoint),
            "{wrong:?}"
        );
    }
}

fn proof_file(extra: Option<Vec<u8>>) -> ProofFile {
    let (left, right) = (leaf_hash(b"left"), leaf_hash(b"right"));
    let root = node_hash(&left, &right);
    let checkpoint = Checkpoint {
        origin: "log.example/log".into(),
        size: 2,
        root,
    };
    let checkpoint = signed(&checkpoint.to_string(), 2);
    ProofFile {
        extra,
        index: 1,
        path: vec![left],
        checkpoint,
    }
}

#[test]
fn proof_files_have_the_documented_form() {
    let file = proof_file(Some(b"extra".into()));
    let expected = format!(
        "c2sp.org/tlog-proof@v1\nextra ZXh0cmE=\nindex 1\n{}\n\n{}",
        leaf_hash(b"left").to_base64(),
        file.checkpoint.format()
    );
    assert_eq!(file.to_string(), expected);
    assert_eq!(ProofFile::parse(expected.as_bytes()), Ok(file.clone()));
    assert_eq!(file.verify(&leaf_hash(b"right")).unwrap().size, 2);
    assert_eq!(
        file.verify(&leaf_hash(b"left")),
        Err(ProofError::RootMismatch)
    );
    let plain = proof_file(None);
    assert_eq!(
        ProofFile::parse(plain.to_string().as_bytes()),
        Ok(plain.clone())
    );
    let lone = ProofFile {
        path: vec![],
        index: 0,
        ..plain
    };
    assert_eq!(ProofFile::parse(lone.to_string().as_bytes()), Ok(lone));
}

#[test]
fn other_forms_of_a_proof_file_are_refused() {
    let good = proof_file(Some(b"extra".into())).to_string();
    let hash_line = format!("{}\n", leaf_hash(b"left").to_base64());
    for wrong in [
        good.replace("@v1", "@v2"),
        good.replace("index 1\n", ""),
        good.replace("index 1", "index 01"),
        good.replace("index 1", "index -1"),
        good.replace("index 1", "index  1"),
        good.replace("index 1", &format!("index {SIZE_MAX}")),
        good.replace("extra ZXh0cmE=", "extra ZXh0cmE"),
        good.replace("extra ZXh0cmE=", "extra"),
        good.replace("extra ZXh0cmE=\n", "extra ZXh0cmE=\nextra ZXh0cmE=\n"),
        good.replace(&hash_line, "AAAA\n"),
        good.replace(&hash_line, &hash_line.repeat(64)),
        good.replace('\n', "\r\n"),
        format!("\n{good}"),
        "c2sp.org/tlog-proof@v1\nindex 1\n".into(),
    ] {
        assert_eq!(
            ProofFile::parse(wrong.as_bytes()),
            Err(ProofFileError::Malformed),
            "{wrong}"
        );
    }
    let unsigned = "c2sp.org/tlog-proof@v1\nindex 0\n\nlog\n1\nroot\n";
    let error = ProofFile::parse(unsigned.as_bytes());
    assert_eq!(error, Err(ProofFileError::Note(NoteError::Malformed)));
    let long = vec![b'a'; PROOF_FILE_LEN_MAX + 1];
    assert_eq!(ProofFile::parse(&long), Err(ProofFileError::TooLong));
    let mut no_checkpoint = proof_file(None);
    no_checkpoint.checkpoint.text = "only text\n".into();
    assert_eq!(
        no_checkpoint.verify(&Hash::ZERO),
        Err(ProofError::Malformed)
    );
}

fn any_name() -> impl Strategy<Value = KeyName> {
    "[a-z0-9./é-]{1,40}".prop_map(|name| KeyName::parse(&name).unwrap())
}

fn any_signature() -> impl Strategy<Value = Signature> {
    let bytes = proptest::collection::vec(any::<u8>(), 1..100);
    (any_name(), any::<[u8; 4]>(), bytes).prop_map(|(name, id, bytes)| Signature {
        name,
        id,
        bytes,
    })
}

fn any_note() -> impl Strategy<Value = Note> {
    let signatures = proptest::collection::vec(any_signature(), 1..20);
    ("([^\\x00-\\x1f]{0,20}\n){1,5}", signatures)
        .prop_map(|(text, signatures)| Note { text, signatures })
}

proptest! {
    #[test]
    fn notes_round_trip(note in any_note()) {
        prop_assert_eq!(Note::parse(note.format().as_bytes()), Ok(note));
    }

    #[test]
    fn keys_round_trip(name in any_name(), public: [u8; 32]) {
        let key = VerifierKey::ed25519(name, &public);
        prop_assert_eq!(VerifierKey::parse(&key.to_string()), Ok(key));
    }

    #[test]
    fn checkpoints_round_trip(origin in "[^\\x00-\\x1f\\x7f-\\x9f]{1,40}", size in 0..=SIZE_MAX, root: [u8; 32]) {
        let checkpoint = Checkpoint { origin, size, root: Hash(root) };
        prop_assert_eq!(Checkpoint::parse(&checkpoint.to_string()), Ok(checkpoint));
    }

    #[test]
    fn proof_files_round_trip(
        extra: Option<Vec<u8>>,
        index in 0..SIZE_MAX,
        path in proptest::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..=63),
        checkpoint in any_note(),
    ) {
        let file = ProofFile { extra, index, path, checkpoint };
        prop_assert_eq!(ProofFile::parse(file.to_string().as_bytes()), Ok(file));
    }

    #[test]
    fn what_parses_formats_to_the_same_text(note in any_note(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut text = note.format().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(read) = Note::parse(&text) {
            prop_assert!(read.format().into_bytes() == text);
        }
        let file = ProofFile { extra: None, index: 7, path: vec![Hash::ZERO; 3], checkpoint: note };
        let mut text = file.to_string().into_bytes();
        let at = at % text.len();
        text[at] = byte;
        if let Ok(read) = ProofFile::parse(&text) {
            prop_assert!(read.to_string().into_bytes() == text);
        }
    }
}
