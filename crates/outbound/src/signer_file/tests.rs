use std::os::unix::fs::PermissionsExt;

use crypto::boxed::{BoxPublicKey, seal};
use crypto::ed25519::{VerifyingKey, x25519_public};

use super::*;
use crate::system::OsRng;

fn public(keys: &ServerKeys) -> [[u8; 32]; 5] {
    [
        keys.log.public_key(),
        keys.toxme.public_key(),
        keys.record.public_key(),
        *keys.commitment.expose(),
        *keys.pepper.expose(),
    ]
}

fn contents(dir: &Path) -> Vec<Vec<u8>> {
    FILES
        .iter()
        .map(|name| fs::read(dir.join(name)).unwrap())
        .collect()
}

fn made() -> (tempfile::TempDir, ServerKeys) {
    let dir = tempfile::tempdir().unwrap();
    let keys = open(&dir.path().join("keys"), true, &OsRng).unwrap();
    (dir, keys)
}

#[test]
fn the_first_run_makes_five_different_keys_for_the_owner_alone() {
    let (dir, keys) = made();
    let dir = dir.path().join("keys");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), FILES.len());
    assert_eq!(
        fs::metadata(&dir).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for name in FILES {
        let mode = fs::metadata(dir.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let mut texts = contents(&dir);
    assert!(texts.iter().all(|text| text.len() == 65));
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), FILES.len());
    assert!(keys.log.public_key() != keys.record.public_key());
}

#[test]
fn later_runs_read_the_same_keys_and_write_nothing() {
    let (dir, keys) = made();
    let dir = dir.path().join("keys");
    let before = contents(&dir);
    for store_is_empty in [true, false] {
        let again = open(&dir, store_is_empty, &OsRng).unwrap();
        assert_eq!(public(&again), public(&keys));
    }
    assert_eq!(contents(&dir), before);
}

#[test]
fn the_toxme_key_belongs_to_the_record_key() {
    for keys in [made().1, ephemeral(&OsRng).unwrap()] {
        let record = VerifyingKey::from_bytes(&keys.record.public_key()).unwrap();
        assert_eq!(x25519_public(&record).0, keys.toxme.public_key());
    }
}

#[test]
fn the_keys_sign_and_open() {
    let (_dir, keys) = made();
    let verifying = VerifyingKey::from_bytes(&keys.log.public_key()).unwrap();
    let signature = keys.log.sign(b"text").unwrap();
    assert_eq!(verifying.verify_strict(b"text", &signature), Ok(()));

    let sender = BoxSecretKey::from_bytes([7; 32]);
    let to = BoxPublicKey(keys.toxme.public_key());
    let sealed = seal(&sender, &to, &[1; 24], b"push").unwrap();
    let opened = keys.toxme.open(&sender.public().0, &[1; 24], &sealed);
    assert_eq!(opened.unwrap(), b"push");
    let refused = keys.toxme.open(&sender.public().0, &[2; 24], &sealed);
    assert_eq!(refused.unwrap_err(), engine::ports::keys::OpenError);
}

#[test]
fn no_keys_are_made_for_a_store_that_is_not_empty() {
    let dir = tempfile::tempdir().unwrap();
    let error = open(dir.path(), false, &OsRng).err().unwrap();
    assert!(matches!(error, KeyError::Missing { .. }));
    let text = error.to_string();
    assert!(text.contains("log.key is missing"), "{text}");
    assert!(text.contains("put the key files"), "{text}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn every_missing_file_is_named_and_nothing_is_written() {
    for name in FILES {
        let (dir, _) = made();
        let dir = dir.path().join("keys");
        fs::remove_file(dir.join(name)).unwrap();
        for store_is_empty in [true, false] {
            let error = open(&dir, store_is_empty, &OsRng).err().unwrap();
            let text = error.to_string();
            assert!(text.contains(&format!("{name} is missing")), "{text}");
            assert_eq!(matches!(error, KeyError::Partial { .. }), store_is_empty);
            assert_eq!(fs::read_dir(&dir).unwrap().count(), FILES.len() - 1);
        }
    }
}

/// The state after a cut at any step of making the keys.
#[test]
fn a_first_start_that_was_cut_short_goes_on() {
    // While they are written: any number of files, the last one torn.
    for written in 0..=FILES.len() {
        let dir = tempfile::tempdir().unwrap();
        let unfinished = dir.path().join("unfinished");
        fs::create_dir(&unfinished).unwrap();
        for name in FILES.iter().take(written) {
            fs::write(unfinished.join(name), "ab").unwrap();
        }
        let keys = open(dir.path(), true, &OsRng).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), FILES.len());
        let again = open(dir.path(), true, &OsRng).unwrap();
        assert_eq!(public(&again), public(&keys));
    }
    // While they are moved: any number of them in their places.
    for moved in 0..=FILES.len() {
        let (dir, keys) = made();
        let dir = dir.path().join("keys");
        let finished = dir.join("finished");
        fs::create_dir(&finished).unwrap();
        for name in FILES.iter().skip(moved) {
            fs::rename(dir.join(name), finished.join(name)).unwrap();
        }
        let again = open(&dir, true, &OsRng).unwrap();
        assert_eq!(public(&again), public(&keys), "the same keys");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), FILES.len());
    }
}

#[test]
fn keys_of_a_first_start_that_was_cut_short_replace_none() {
    let (dir, keys) = made();
    let dir = dir.path().join("keys");
    let finished = dir.join("finished");
    fs::create_dir(&finished).unwrap();
    fs::copy(dir.join(TOXME_KEY), finished.join(TOXME_KEY)).unwrap();
    let before = contents(&dir);
    let error = open(&dir, true, &OsRng).err().unwrap();
    assert!(
        error.to_string().contains("toxme.key is there too"),
        "{error}"
    );
    assert_eq!(contents(&dir), before);
    // A store that is not empty was made with the keys in their places.
    let again = open(&dir, false, &OsRng).unwrap();
    assert_eq!(public(&again), public(&keys));
}

#[test]
fn what_is_no_key_is_named_with_a_reason() {
    for (text, reason) in [
        (String::new(), "it has 0 characters instead of 64"),
        ("ab".repeat(31), "it has 62 characters instead of 64"),
        ("ab".repeat(33), "it has 66 characters instead of 64"),
        (
            format!("{}zz", "ab".repeat(31)),
            "character 63 is no hexadecimal digit",
        ),
        ("a".repeat(5000), "it has 5000 bytes"),
    ] {
        let (dir, _) = made();
        let path = dir.path().join("keys").join(RECORD_KEY);
        fs::write(&path, &text).unwrap();
        let error = open(&dir.path().join("keys"), false, &OsRng).err().unwrap();
        let expected = format!("{} is no key: {reason}", path.display());
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_key_file_may_be_upper_case_and_end_without_a_newline() {
    let (dir, keys) = made();
    let path = dir.path().join("keys").join(TOXME_KEY);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.trim_end().to_uppercase()).unwrap();
    let again = open(&dir.path().join("keys"), false, &OsRng).unwrap();
    assert_eq!(again.toxme.public_key(), keys.toxme.public_key());
}

#[test]
fn the_key_of_an_original_server_is_adopted_once_and_kept() {
    let place = tempfile::tempdir().unwrap();
    let (dir, file) = (place.path().join("keys"), place.path().join("key"));
    fs::write(
        &file,
        "000102030405060708090A0B0C0D0E0F101112131415161718191a1b1c1d1e1f",
    )
    .unwrap();
    let key = read_original(&file).unwrap();
    let keys = adopt(&dir, true, &key, &OsRng).unwrap();
    // The public keys of the toxme vectors for this seed.
    let hex = |bytes: [u8; 32]| data_encoding::HEXUPPER.encode(&bytes);
    assert_eq!(
        hex(keys.toxme.public_key()),
        "8F40C5ADB68F25624AE5B214EA767A6EC94D829D3D7B5E1AD1BA6F3E2138285F"
    );
    assert_eq!(
        hex(keys.record.public_key()),
        "03A107BFF3CE10BE1D70DD18E74BC09967E4D6309BA50D5F1DDC8664125531B8"
    );
    let before = contents(&dir);
    for store_is_empty in [true, false] {
        let again = adopt(&dir, store_is_empty, &key, &OsRng).unwrap();
        assert_eq!(public(&again), public(&keys));
        let opened = open(&dir, store_is_empty, &OsRng).unwrap();
        assert_eq!(public(&opened), public(&keys));
    }
    assert_eq!(contents(&dir), before);
}

#[test]
fn no_key_is_adopted_in_the_place_of_another() {
    let (dir, _) = made();
    let dir = dir.path().join("keys");
    let before = contents(&dir);
    let key = Secret::new([7; 32]);
    for store_is_empty in [true, false] {
        let refused = adopt(&dir, store_is_empty, &key, &OsRng).err().unwrap();
        assert!(
            matches!(&refused, KeyError::OtherToxmeKey { path } if *path == dir.join(TOXME_KEY))
        );
    }
    assert_eq!(contents(&dir), before);
    let absent = adopt(&dir.join("none"), false, &key, &OsRng);
    assert!(matches!(absent, Err(KeyError::Missing { .. })));
    assert!(!dir.join("none").exists());
}
