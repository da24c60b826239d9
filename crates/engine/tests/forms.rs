//! Use cases of the web forms, of records that nobody proved, and of the reset of a password (toxme
//! spec, section 9; the design's rule for names without proof).

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::Settings;
use engine::chain::append::ChainHead;
use engine::moving::{Conversion, Order};
use engine::names::{AddForm, Caller, Edit, NameError, Profile, Pushed};
use engine::ports::store::Store;
use engine::statistics::statistics;
use engine::types::link::{Evidence, Link, Statement};
use engine::types::{Name, ToxId, UnixMillis, Visibility};
use testkit::{
    Fleet, Mode, ToxClient, World, audit, check_bundle, default_settings, faulty, memory, tox_id,
};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A world without rate limits.
async fn open_world() -> World {
    World::with(Settings {
        limits_enabled: false,
        ..default_settings()
    })
    .await
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn hex(client: &ToxClient) -> String {
    client.tox_id().to_string()[..64].to_owned()
}

async fn push(world: &World, client: &ToxClient, name: &str) -> Result<Pushed, NameError> {
    let sealed = client.push(name, 2, "hi", world.seconds());
    let names = world.engine.names();
    names.push(&World::caller(1), Some(sealed)).await
}

async fn release(world: &World, client: &ToxClient) -> Result<(), NameError> {
    let sealed = client.delete(world.seconds());
    world.engine.names().release(Some(sealed)).await
}

async fn add(world: &World, name: &str, tox_id: &str) -> Result<Pushed, NameError> {
    let form = AddForm {
        name,
        tox_id,
        bio: "by form",
        visibility: Visibility::Listed,
    };
    world.engine.names().add(&World::caller(1), form).await
}

/// Adds a name for a profile; its password.
async fn added(world: &World, name: &str, client: &ToxClient) -> String {
    let tox_id = client.tox_id().to_string();
    world.add_by_form(name, &tox_id).await
}

/// What an edit changes besides what a test says: nothing, and the name stays listed.
const NOTHING: Edit<'_> = Edit {
    tox_id: None,
    bio: None,
    visibility: Visibility::Listed,
};

async fn edit(
    world: &World,
    name: &str,
    password: &str,
    edit: Edit<'_>,
) -> Result<ChainHead, NameError> {
    let names = world.engine.names();
    names.edit(&World::caller(1), name, password, edit).await
}

async fn remove(world: &World, name: &str, password: &str) -> Result<(), NameError> {
    let names = world.engine.names();
    names.remove(&World::caller(1), name, password).await
}

async fn reset(world: &World, client: &ToxClient) -> Result<String, NameError> {
    let sealed = client.delete(world.seconds());
    let names = world.engine.names();
    let password = names
        .reset_password(&World::caller(1), Some(sealed))
        .await?;
    Ok(password.expose().clone())
}

async fn profile(world: &World, text: &str) -> Profile {
    world.engine.names().profile(&name(text)).await.unwrap()
}

async fn reverse(world: &World, client: &ToxClient) -> Option<String> {
    let found = world.engine.names().reverse(&hex(client)).await;
    found.ok().map(|name| name.to_string())
}

/// The names on a page of the public list, and whether another follows.
async fn people(world: &World, page: u64) -> (Vec<String>, bool) {
    let people = world.engine.names().people(page).await.unwrap();
    let entries = people.entries.iter().map(|entry| entry.name.to_string());
    (entries.collect(), people.has_more)
}

/// The newest link of a name, as the log proves it.
async fn proven_link(world: &World, name: &str) -> Link {
    world.sequence().await;
    let (_, link) = check_bundle(&world.engine, name).await.unwrap();
    link.unwrap()
}

/// What a link says of the proof of a record.
fn is_proven(link: &Link) -> bool {
    match link.statement {
        Statement::SetRecord { is_proven, .. } => is_proven,
        Statement::ReleaseHandle
        | Statement::AddKey(_)
        | Statement::MakeClaim(_)
        | Statement::RevokeClaim(_) => unreachable!("{link:?}"),
    }
}

macro_rules! assert_refused {
    ($outcome:expr, $pattern:pat) => {{
        let outcome = $outcome;
        assert!(matches!(&outcome, Err($pattern)), "{outcome:?}");
    }};
}

#[tokio::test]
async fn a_name_added_by_form_is_there_and_unproven() {
    let world = open_world().await;
    let alice = world.client(1);
    let id = format!(" {}\n", alice.tox_id().to_string().to_lowercase());
    let pushed = add(&world, "Alice", &id).await.unwrap();
    assert_eq!(pushed.head.seqno.get(), 1);
    let password = pushed.password.unwrap();
    let names = world.engine.names();
    let text = name("alice");
    let caller = World::caller(1);
    let guess = names.check_password(&caller, &text, password.expose());
    guess.await.unwrap();
    let seen = profile(&world, "alice").await;
    assert_eq!(seen.tox_id, alice.tox_id());
    assert_eq!(seen.bio.as_str(), "by form");
    assert_eq!(seen.visibility, Visibility::Listed);
    assert_eq!(seen.changed_at.seconds(), world.seconds());
    assert_eq!((seen.is_proven, seen.seqno.get()), (false, 1));
    let record = names.lookup("alice", None).await.unwrap();
    assert_eq!((record.tox_id, record.is_proven), (alice.tox_id(), false));
    let found = names.search(Some("ali"), Some(0)).await.unwrap();
    assert_eq!((found.len(), found[0].is_proven), (1, false));
    assert_eq!(people(&world, 0).await, (vec!["alice".into()], false));
    assert_eq!(reverse(&world, &alice).await, None);
    let link = proven_link(&world, "alice").await;
    assert_eq!(link.evidence, Evidence::Unproven);
    assert!(!is_proven(&link));
}

#[tokio::test]
async fn a_form_is_checked_as_a_push_is() {
    let world = open_world().await;
    let alice = world.client(1);
    let id = alice.tox_id().to_string();
    for (text, tox_id) in [
        ("bob", "".to_owned()),
        ("bob", id[..75].to_owned()),
        ("bob", format!("{}0000", &id[..72])),
        ("bob", format!("tox:{id}")),
    ] {
        assert_refused!(add(&world, text, &tox_id).await, NameError::Malformed(_));
    }
    assert_refused!(add(&world, "a b", &id).await, NameError::Character);
    assert_refused!(add(&world, "", &id).await, NameError::Invalid);
    assert_refused!(add(&world, &"x".repeat(64), &id).await, NameError::Invalid);
    assert_refused!(add(&world, "Admin", &id).await, NameError::Invalid);
    // The name's own fault is told first.
    assert_refused!(add(&world, "a b", "").await, NameError::Character);
    let long = AddForm {
        name: "bob",
        tox_id: &id,
        bio: &"x".repeat(1373),
        visibility: Visibility::Private,
    };
    let names = world.engine.names();
    let refused = names.add(&World::caller(1), long).await;
    assert_refused!(refused, NameError::Malformed(_));
    world.sequence().await;
    assert_eq!(audit(&world.engine).await.links().count(), 0);
}

#[tokio::test]
async fn a_form_takes_no_name_and_no_key_that_somebody_has() {
    let world = open_world().await;
    let (alice, bob, carol) = (world.client(1), world.client(2), world.client(3));
    push(&world, &alice, "alice").await.unwrap();
    added(&world, "bob", &bob).await;
    let (a, b, c) = (alice.tox_id(), bob.tox_id(), carol.tox_id());
    for (text, id, is_taken) in [
        // Even for the owner.
        ("alice", &a, true),
        ("alice", &c, true),
        ("bob", &b, true),
        ("alice", &b, true),
        ("dave", &a, false),
        ("dave", &b, false),
    ] {
        let outcome = add(&world, text, &id.to_string()).await;
        match is_taken {
            true => assert_refused!(outcome, NameError::Taken),
            false => assert_refused!(outcome, NameError::KeyBoundElsewhere),
        }
    }
    // Another nospam is another Tox ID of the same key.
    let other = tox_id(&bob.key(), [9; 4]).to_string();
    let outcome = add(&world, "dave", &other).await;
    assert_refused!(outcome, NameError::KeyBoundElsewhere);
}

#[tokio::test]
async fn a_form_waits_for_a_released_name_like_a_stranger() {
    let world = open_world().await;
    let (alice, bob) = (world.client(1), world.client(2));
    push(&world, &alice, "alice").await.unwrap();
    release(&world, &alice).await.unwrap();
    for client in [&alice, &bob] {
        // Nobody proves here to be who gave the name up.
        let id = client.tox_id().to_string();
        assert_refused!(add(&world, "alice", &id).await, NameError::Taken);
    }
    world.clock.advance(30 * DAY);
    added(&world, "alice", &bob).await;
    // It is not for the old key any more.
    assert_refused!(push(&world, &alice, "alice").await, NameError::Taken);
    release(&world, &bob).await.unwrap();
    assert_refused!(push(&world, &alice, "alice").await, NameError::Taken);
    push(&world, &bob, "alice").await.unwrap();
}

#[tokio::test]
async fn a_push_by_the_key_proves_the_record_and_voids_the_password() {
    let world = open_world().await;
    let (alice, bob) = (world.client(1), world.client(2));
    let old = added(&world, "alice", &alice).await;
    assert_refused!(push(&world, &bob, "alice").await, NameError::Taken);
    let pushed = push(&world, &alice, "alice").await.unwrap();
    let new = pushed
        .password
        .expect("who filled the form in is locked out");
    assert_eq!(pushed.head.seqno.get(), 2);
    let seen = profile(&world, "alice").await;
    assert_eq!((seen.is_proven, seen.bio.as_str()), (true, "hi"));
    assert_eq!(reverse(&world, &alice).await.as_deref(), Some("alice"));
    let refused = edit(&world, "alice", &old, NOTHING).await;
    assert_refused!(refused, NameError::WrongPassword);
    edit(&world, "alice", new.expose(), NOTHING).await.unwrap();
    let again = push(&world, &alice, "alice").await.unwrap();
    assert!(again.password.is_none(), "from now on the password stays");
    let link = proven_link(&world, "alice").await;
    assert!(is_proven(&link));
    assert!(matches!(link.evidence, Evidence::Boxed { kid: Some(_) }));
}

#[tokio::test]
async fn a_record_without_proof_does_not_keep_its_key_from_another_name() {
    let world = open_world().await;
    let (alice, bob) = (world.client(1), world.client(2));
    let old = added(&world, "squat", &alice).await;
    // Only the key itself may do so: nobody else learns anything, nor takes anything away.
    let stranger = bob.hand_over(&alice.tox_id(), "other", world.seconds());
    let names = world.engine.names();
    let refused = names.push(&World::caller(1), Some(stranger)).await;
    assert_refused!(refused, NameError::Malformed(_));
    push(&world, &bob, "bob").await.unwrap();
    let onto = bob.hand_over(&alice.tox_id(), "bob", world.seconds());
    let refused = names.push(&World::caller(1), Some(onto)).await;
    assert_refused!(refused, NameError::KeyBoundElsewhere);
    // A push that is refused gives nothing up.
    assert_refused!(push(&world, &alice, "bob").await, NameError::Taken);
    assert_eq!(profile(&world, "squat").await.tox_id, alice.tox_id());

    let pushed = push(&world, &alice, "alice").await.unwrap();
    assert_eq!(pushed.head.seqno.get(), 1);
    assert!(pushed.password.is_some());
    assert_refused!(names.lookup("squat", None).await, NameError::Unknown);
    assert_refused!(names.profile(&name("squat")).await, NameError::Unknown);
    assert_refused!(
        edit(&world, "squat", &old, NOTHING).await,
        NameError::WrongPassword
    );
    assert_eq!(names.search(Some("squat"), Some(0)).await.unwrap(), []);
    assert_eq!(reverse(&world, &alice).await.as_deref(), Some("alice"));
    // Both changes are in the log, and the old name waits as any that was given up.
    world.sequence().await;
    let (seqno, link) = check_bundle(&world.engine, "squat").await.unwrap();
    assert_eq!(seqno, 2);
    assert_eq!(link.unwrap().statement, Statement::ReleaseHandle);
    let carol = world.client(3).tox_id().to_string();
    assert_refused!(add(&world, "squat", &carol).await, NameError::Taken);
    release(&world, &alice).await.unwrap();
    push(&world, &alice, "squat").await.unwrap();
    world.sequence().await;
    assert_eq!(audit(&world.engine).await.links().count(), 6);
}

#[tokio::test]
async fn the_key_removes_a_record_without_proof() {
    let world = open_world().await;
    let alice = world.client(1);
    let old = added(&world, "alice", &alice).await;
    release(&world, &alice).await.unwrap();
    let names = world.engine.names();
    assert_refused!(names.lookup("alice", None).await, NameError::Unknown);
    assert_refused!(
        remove(&world, "alice", &old).await,
        NameError::WrongPassword
    );
    assert_eq!(people(&world, 0).await, (vec![], false));
}

#[tokio::test]
async fn an_edit_changes_what_the_form_says_and_keeps_the_rest() {
    let world = open_world().await;
    let alice = world.client(1);
    let password = push(&world, &alice, "alice").await.unwrap().password;
    let password = password.unwrap().expose().clone();
    world.clock.advance(SECOND);
    let id = tox_id(&alice.key(), [7; 4]).to_string();
    let blank = Edit {
        tox_id: Some("  "),
        bio: Some("\n"),
        visibility: Visibility::Private,
    };
    let both = Edit {
        tox_id: Some(&id),
        bio: Some("new\nwords"),
        visibility: Visibility::Searchable,
    };
    for (given, tox_id, bio, seqno) in [
        (blank, alice.tox_id(), "hi", 2),
        (both, ToxId::parse(&id).unwrap(), "new words", 3),
        (NOTHING, ToxId::parse(&id).unwrap(), "new words", 4),
    ] {
        // As people write it.
        let head = edit(&world, "ALICE", &password.to_uppercase(), given).await;
        assert_eq!(head.unwrap().seqno.get(), seqno);
        let seen = profile(&world, "alice").await;
        assert_eq!((seen.tox_id, seen.bio.as_str()), (tox_id, bio));
        assert_eq!(seen.visibility, given.visibility);
        assert_eq!(seen.seqno.get(), seqno);
        assert_eq!(seen.changed_at.seconds(), world.seconds());
        assert!(seen.is_proven, "its key has proved itself before");
        let is_told = given.visibility > Visibility::Private;
        assert_eq!(reverse(&world, &alice).await.is_some(), is_told);
    }
    let link = proven_link(&world, "alice").await;
    assert_eq!(link.evidence, Evidence::Password);
    assert!(is_proven(&link));
    // The key still rules.
    push(&world, &alice, "alice").await.unwrap();
}

#[tokio::test]
async fn an_edit_to_another_key_is_without_proof() {
    let world = open_world().await;
    let (alice, bob, carol) = (world.client(1), world.client(2), world.client(3));
    let password = push(&world, &alice, "alice").await.unwrap().password;
    let password = password.unwrap().expose().clone();
    push(&world, &bob, "bob").await.unwrap();
    let onto = |id: &ToxId| id.to_string();
    let id = onto(&bob.tox_id());
    let to = |tox_id| Edit {
        tox_id: Some(tox_id),
        ..NOTHING
    };
    let refused = edit(&world, "alice", &password, to(&id)).await;
    assert_refused!(refused, NameError::KeyBoundElsewhere);
    let id = onto(&carol.tox_id());
    edit(&world, "alice", &password, to(&id)).await.unwrap();
    let seen = profile(&world, "alice").await;
    assert_eq!((seen.tox_id, seen.is_proven), (carol.tox_id(), false));
    assert_eq!(reverse(&world, &carol).await, None);
    assert!(!is_proven(&proven_link(&world, "alice").await));
    // The old key is free, and has no say any more.
    assert_refused!(push(&world, &alice, "alice").await, NameError::Taken);
    assert_refused!(reset(&world, &alice).await, NameError::UnknownKey);
    push(&world, &alice, "alice2").await.unwrap();
    // The new one has.
    let new = push(&world, &carol, "alice").await.unwrap().password;
    assert!(new.is_some());
    let refused = edit(&world, "alice", &password, NOTHING).await;
    assert_refused!(refused, NameError::WrongPassword);
}

#[tokio::test]
async fn only_the_password_edits_and_removes() {
    let world = open_world().await;
    let alice = world.client(1);
    let password = added(&world, "alice", &alice).await;
    for (text, guess) in [
        ("alice", "bab-bab-bab-bab-bab-bab"),
        ("alice", ""),
        ("nobody", password.as_str()),
        ("no name", password.as_str()),
        ("", ""),
    ] {
        let refused = edit(&world, text, guess, NOTHING).await;
        assert_refused!(refused, NameError::WrongPassword);
        assert_refused!(remove(&world, text, guess).await, NameError::WrongPassword);
    }
    for bad in [
        Edit {
            tox_id: Some("12"),
            ..NOTHING
        },
        Edit {
            bio: Some(&"x".repeat(1373)),
            ..NOTHING
        },
    ] {
        let refused = edit(&world, "alice", &password, bad).await;
        assert_refused!(refused, NameError::Malformed(_));
    }
    assert_eq!(profile(&world, "alice").await.seqno.get(), 1);
    // It proves nothing about the key.
    edit(&world, "alice", &password, NOTHING).await.unwrap();
    assert!(!profile(&world, "alice").await.is_proven);
    let link = proven_link(&world, "alice").await;
    assert_eq!(link.evidence, Evidence::Password);
    assert!(!is_proven(&link));
    remove(&world, "Alice", &password).await.unwrap();
    let names = world.engine.names();
    assert_refused!(names.lookup("alice", None).await, NameError::Unknown);
    let again = remove(&world, "alice", &password).await;
    assert_refused!(again, NameError::WrongPassword);
    let link = proven_link(&world, "alice").await;
    assert_eq!(link.statement, Statement::ReleaseHandle);
    assert_eq!(link.evidence, Evidence::Password);
    // It waits for its key as after a delete.
    let bob = world.client(2);
    assert_refused!(push(&world, &bob, "alice").await, NameError::Taken);
    push(&world, &alice, "alice").await.unwrap();
}

#[tokio::test]
async fn forms_and_resets_share_the_limit_of_pushes() {
    let world = World::new().await;
    let (alice, caller) = (world.client(1), World::caller(9));
    let names = world.engine.names();
    let form = AddForm {
        name: "alice",
        tox_id: &alice.tox_id().to_string(),
        bio: "",
        visibility: Visibility::Private,
    };
    let bad = AddForm { tox_id: "", ..form };
    for _ in 0..4 {
        let refused = names.add(&caller, bad).await;
        assert_refused!(refused, NameError::Malformed(_));
        let refused = names.reset_password(&caller, None).await;
        assert_refused!(refused, NameError::Malformed(_));
        let refused = names.remove(&caller, "x", "y").await;
        assert_refused!(refused, NameError::WrongPassword);
    }
    names.push(&caller, None).await.unwrap_err();
    assert_refused!(names.add(&caller, form).await, NameError::Limited(_));
    let limited = names.edit(&caller, "x", "y", NOTHING).await;
    assert_refused!(limited, NameError::Limited(_));
    let limited = names.remove(&caller, "x", "y").await;
    assert_refused!(limited, NameError::Limited(_));
    let sealed = alice.delete(world.seconds());
    let limited = names.reset_password(&caller, Some(sealed)).await;
    assert_refused!(limited, NameError::Limited(_));
    names.add(&World::caller(8), form).await.unwrap();
}

/// A caller of another network than those of [`World::caller`].
fn elsewhere(network: u8) -> Caller {
    Caller {
        address: IpAddr::from([198, 51, network, 1]),
    }
}

#[tokio::test]
async fn guesses_by_form_are_counted_for_the_name_and_the_network() {
    let world = World::new().await;
    let password = added(&world, "alice", &world.client(1)).await;
    let names = world.engine.names();
    for number in 0..10 {
        // From many addresses of one network.
        let caller = World::caller(100 + number);
        let refused = match number % 2 {
            0 => names.remove(&caller, "alice", "wrong").await,
            _ => names
                .edit(&caller, "alice", "wrong", NOTHING)
                .await
                .map(|_| ()),
        };
        assert_refused!(refused, NameError::WrongPassword);
    }
    let right = names.remove(&World::caller(99), "alice", &password).await;
    assert_refused!(right, NameError::Limited(_));
    // Neither another name nor the owner is kept out by that.
    let other = names.remove(&World::caller(99), "bob", "wrong").await;
    assert_refused!(other, NameError::WrongPassword);
    let caller = elsewhere(1);
    let edited = names.edit(&caller, "alice", &password, NOTHING);
    edited.await.unwrap();
    let right = names.remove(&World::caller(99), "alice", &password).await;
    assert_refused!(right, NameError::Limited(_));
    world.clock.advance(Duration::from_secs(3600));
    let right = names.remove(&World::caller(99), "alice", &password).await;
    right.unwrap();
}

#[tokio::test]
async fn guesses_from_everywhere_have_a_limit_too() {
    if !testkit::is_in_memory() {
        return;
    }
    let world = World::new().await;
    let password = added(&world, "alice", &world.client(1)).await;
    let names = world.engine.names();
    for number in 0..1000_u16 {
        let caller = elsewhere(u8::try_from(number / 10).unwrap());
        let wrong = names.remove(&caller, "alice", "wrong").await;
        assert_refused!(wrong, NameError::WrongPassword);
    }
    let right = names.remove(&World::caller(1), "alice", &password).await;
    assert_refused!(right, NameError::Limited(_));
    // Its key still rules.
    reset(&world, &world.client(1)).await.unwrap();
}

#[tokio::test]
async fn a_reset_gives_the_key_a_new_password_and_makes_no_link() {
    let world = open_world().await;
    let (alice, bob) = (world.client(1), world.client(2));
    let pushed = push(&world, &alice, "alice").await.unwrap();
    let old = pushed.password.unwrap().expose().clone();
    let before = profile(&world, "alice").await;
    world.clock.advance(SECOND);
    let new = reset(&world, &alice).await.unwrap();
    assert_eq!(new.split('-').count(), 6);
    assert_eq!(profile(&world, "alice").await, before);
    let names = world.engine.names();
    let refused = names
        .check_password(&World::caller(1), &name("alice"), &old)
        .await;
    assert_refused!(refused, NameError::WrongPassword);
    names
        .check_password(&World::caller(1), &name("alice"), &new)
        .await
        .unwrap();
    assert_refused!(reset(&world, &bob).await, NameError::UnknownKey);
    world.sequence().await;
    assert_eq!(audit(&world.engine).await.links().count(), 1);
}

#[tokio::test]
async fn a_reset_is_sealed_by_the_key_it_names_fresh_and_taken_once() {
    let world = open_world().await;
    let (alice, mallory) = (world.client(1), world.client(2));
    push(&world, &alice, "alice").await.unwrap();
    push(&world, &mallory, "mallory").await.unwrap();
    let (now, caller) = (world.seconds(), World::caller(1));
    let names = world.engine.names();
    let for_alice = format!(r#"{{"public_key": "{}", "timestamp": {now}}}"#, hex(&alice));
    for bad in [
        mallory.seal(for_alice.as_bytes()),
        alice.seal(b"{}"),
        alice.seal(b"[]"),
        alice.delete(now - 301),
        alice.delete(now + 301),
    ] {
        let refused = names.reset_password(&caller, Some(bad)).await;
        assert_refused!(refused, NameError::Malformed(_));
    }
    let sealed = alice.delete(now);
    let first = names.reset_password(&caller, Some(sealed.clone())).await;
    let again = names.reset_password(&caller, Some(sealed.clone())).await;
    assert_refused!(again, NameError::Malformed(_));
    // The payload is that of a delete. What was accepted as one is not accepted as the other.
    let as_delete = names.release(Some(sealed)).await;
    assert_refused!(as_delete, NameError::Malformed(_));
    let (first, text) = (first.unwrap(), name("alice"));
    let right = names.check_password(&caller, &text, first.expose());
    right.await.unwrap();
}

#[tokio::test]
async fn an_order_that_names_its_action_is_taken_for_no_other() {
    let world = open_world().await;
    let (alice, caller) = (world.client(1), World::caller(1));
    push(&world, &alice, "alice").await.unwrap();
    let order = |action: &str| {
        let (key, now) = (hex(&alice), world.seconds());
        let text = format!(r#"{{"public_key": "{key}", "timestamp": {now}, "action": {action}}}"#);
        Some(alice.seal(text.as_bytes()))
    };
    let names = world.engine.names();
    for other in ["2", "1", "\"7\"", "null", "7.0", "[7]"] {
        let refused = names.reset_password(&caller, order(other)).await;
        assert_refused!(refused, NameError::Malformed(_));
    }
    names.reset_password(&caller, order("7")).await.unwrap();
    for other in ["7", "true"] {
        let refused = names.release(order(other)).await;
        assert_refused!(refused, NameError::Malformed(_));
    }
    names.release(order("2")).await.unwrap();
}

#[tokio::test]
async fn a_reset_proves_a_record_that_a_form_added() {
    let world = open_world().await;
    let alice = world.client(1);
    let old = added(&world, "alice", &alice).await;
    world.clock.advance(SECOND);
    let new = reset(&world, &alice).await.unwrap();
    let seen = profile(&world, "alice").await;
    assert_eq!((seen.is_proven, seen.seqno.get()), (true, 2));
    assert_eq!(
        (seen.bio.as_str(), seen.tox_id),
        ("by form", alice.tox_id())
    );
    assert_eq!(seen.changed_at.seconds(), world.seconds());
    assert_eq!(reverse(&world, &alice).await.as_deref(), Some("alice"));
    assert_refused!(
        remove(&world, "alice", &old).await,
        NameError::WrongPassword
    );
    let link = proven_link(&world, "alice").await;
    assert!(is_proven(&link));
    assert!(matches!(link.evidence, Evidence::Boxed { kid: Some(_) }));
    remove(&world, "alice", &new).await.unwrap();
}

#[tokio::test]
async fn the_public_list_comes_newest_first_in_pages_of_30() {
    let world = open_world().await;
    for byte in 1..=70 {
        world.clock.advance(SECOND);
        let client = world.client(byte);
        // Every seventh is not on it.
        let privacy = i64::from(byte % 7 != 0) + i64::from(byte % 7 > 1);
        let text = format!("n{byte:02}");
        let sealed = client.push(&text, privacy, "words", world.seconds());
        let names = world.engine.names();
        names.push(&World::caller(1), Some(sealed)).await.unwrap();
    }
    let listed = |range: std::ops::RangeInclusive<u8>| -> Vec<String> {
        let numbers = range.rev().filter(|byte| byte % 7 > 1);
        numbers.map(|byte| format!("n{byte:02}")).collect()
    };
    let all = listed(1..=70);
    assert_eq!(all.len(), 50);
    assert_eq!(people(&world, 0).await, (all[..30].to_vec(), true));
    assert_eq!(people(&world, 1).await, (all[30..].to_vec(), false));
    for page in [2, 3, 1 << 40, u64::MAX] {
        assert_eq!(people(&world, page).await, (vec![], false), "{page}");
    }
    let first = &world.engine.names().people(0).await.unwrap().entries[0];
    assert_eq!((first.bio.as_str(), first.seqno.get()), ("words", 1));
    assert!(first.is_proven);

    // A change moves to the front, a hidden or deleted name goes.
    world.clock.advance(SECOND);
    push(&world, &world.client(2), "n02").await.unwrap();
    let hidden = world.client(69).push("n69", 1, "", world.seconds());
    let names = world.engine.names();
    names.push(&World::caller(1), Some(hidden)).await.unwrap();
    release(&world, &world.client(68)).await.unwrap();
    let front = |page: &(Vec<String>, bool)| page.0[..3].to_vec();
    let expect = ["n02", "n67", "n66"];
    assert_eq!(front(&people(&world, 0).await), expect);
    // A reset makes nobody newer.
    reset(&world, &world.client(66)).await.unwrap();
    let settings = default_settings();
    let (store, clock) = (world.store.clone(), world.clock.clone());
    let again = World::join(store, clock, settings.clone(), 7).await;
    for page in [0, 1] {
        assert_eq!(people(&again, page).await, people(&world, page).await);
    }
    let unloaded = World::open(world.store.clone(), world.clock.clone(), settings).await;
    let unloaded = unloaded.unwrap();
    let refused = unloaded.names().people(0).await;
    assert_refused!(refused, NameError::Loading);
}

#[tokio::test]
async fn forms_of_one_process_are_seen_by_the_others() {
    let settings = Settings {
        limits_enabled: false,
        release_after: Some(Duration::ZERO),
        ..default_settings()
    };
    let fleet = Fleet::of(3, settings).await;
    fleet.run(3 * SECOND).await;
    let (a, b, c) = (fleet.world(0), fleet.world(1), fleet.world(2));
    let seen = async |expect: &[&str]| {
        fleet.run(SECOND).await;
        for world in [a, b, c] {
            assert_eq!(people(world, 0).await.0, expect);
            let found = world.engine.names().search(Some("al"), Some(0)).await;
            assert_eq!(found.unwrap().len(), expect.len());
        }
    };
    let (alice, bob) = (a.client(1), a.client(2));
    let password = added(a, "alice", &alice).await;
    seen(&["alice"]).await;
    fleet.clock.advance(SECOND);
    added(b, "al", &bob).await;
    seen(&["al", "alice"]).await;
    // Edited elsewhere, it is the newest everywhere.
    edit(c, "alice", &password, NOTHING).await.unwrap();
    seen(&["alice", "al"]).await;
    // The key takes another name: one goes, one comes.
    push(b, &alice, "alicia").await.unwrap();
    seen(&["alicia", "al"]).await;
    let refused = edit(c, "alice", &password, NOTHING).await;
    assert_refused!(refused, NameError::WrongPassword);
    // A password that one process has replaced is wrong on all at once.
    let old = reset(a, &alice).await.unwrap();
    let new = reset(b, &alice).await.unwrap();
    for world in [a, b, c] {
        let refused = remove(world, "alicia", &old).await;
        assert_refused!(refused, NameError::WrongPassword);
    }
    remove(c, "alicia", &new).await.unwrap();
    seen(&["al"]).await;
}

#[tokio::test]
async fn a_name_that_gives_way_goes_with_the_commit_that_takes_the_key() {
    for (mode, is_done) in [(Mode::Fail, false), (Mode::PersistThenFail, true)] {
        let clock = World::start_clock();
        let (store, faults) = faulty(memory(&clock));
        let world = World::join(Arc::new(store), clock, default_settings(), 0).await;
        let alice = world.client(1);
        added(&world, "squat", &alice).await;
        faults.fail_commit(1, mode);
        let failed = push(&world, &alice, "alice").await;
        assert_refused!(failed, NameError::Internal(_));
        faults.clear();
        let names = world.engine.names();
        let (held, free) = if is_done {
            ("alice", "squat")
        } else {
            ("squat", "alice")
        };
        assert_eq!(profile(&world, held).await.is_proven, is_done);
        let gone = names.profile(&name(free)).await;
        assert_refused!(gone, NameError::Unknown);
        assert_eq!(people(&world, 0).await.0, [held]);
        let expect = is_done.then_some("alice");
        assert_eq!(reverse(&world, &alice).await.as_deref(), expect);
        world.clock.advance(2 * SECOND);
        world.sequence().await;
        let links = audit(&world.engine).await.links().count();
        assert_eq!(links, if is_done { 3 } else { 1 });
        push(&world, &alice, "alice").await.unwrap();
    }
}

#[tokio::test]
async fn records_without_proof_are_counted_and_move_to_another_store() {
    let clock = World::start_clock();
    let store: Arc<dyn Store> = Arc::new(memory(&clock));
    let world = World::join(store.clone(), clock.clone(), default_settings(), 0).await;
    let (alice, bob) = (world.client(1), world.client(2));
    added(&world, "alice", &alice).await;
    let password = added(&world, "bob", &bob).await;
    push(&world, &bob, "bobby").await.unwrap();
    world.sequence().await;
    let found = statistics(store.clone(), |_, _| {}).await.unwrap();
    for (table, rows) in [
        ("names", 2),
        ("tox_records", 2),
        ("tox_keys", 2),
        ("tombstones", 1),
    ] {
        let of = found.tables.iter().find(|of| of.name == Some(table));
        assert_eq!(of.unwrap().rows, rows, "{table}");
    }
    let to: Arc<dyn Store> = Arc::new(memory(&clock));
    let order = Order {
        id: [1; 16],
        from: "here".into(),
        to: "there".into(),
        now: UnixMillis(0),
    };
    world.clock.advance(DAY);
    let mut conversion = Conversion::begin(store, to.clone(), order).await.unwrap();
    conversion.copy(|_| {}).await.unwrap();
    conversion.compare(|_| {}).await.unwrap();
    conversion.finish().await.unwrap();
    let moved = World::join(to, clock, default_settings(), 1).await;
    for text in ["alice", "bobby"] {
        assert_eq!(profile(&moved, text).await, profile(&world, text).await);
    }
    assert_eq!(people(&moved, 0).await, people(&world, 0).await);
    assert_eq!(reverse(&moved, &alice).await, None);
    assert_eq!(reverse(&moved, &bob).await.as_deref(), Some("bobby"));
    let refused = edit(&moved, "bob", &password, NOTHING).await;
    assert_refused!(refused, NameError::WrongPassword);
    let other = add(&moved, "carol", &alice.tox_id().to_string()).await;
    assert_refused!(other, NameError::KeyBoundElsewhere);
    push(&moved, &alice, "alicia").await.unwrap();
    assert_eq!(audit(&moved.engine).await.links().count(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_forms_at_once_one_wins() {
    let world = Arc::new(open_world().await);
    let mut tasks = tokio::task::JoinSet::new();
    for byte in 1..=32_u8 {
        let world = world.clone();
        tasks.spawn(async move {
            // Half fight for a name, half for a key.
            let (text, owner) = match byte % 2 {
                0 => ("alice".to_owned(), byte),
                _ => (format!("name{byte}"), 99),
            };
            let id = world.client(owner).tox_id().to_string();
            (byte, add(&world, &text, &id).await)
        });
    }
    let mut winners = [0, 0];
    while let Some(done) = tasks.join_next().await {
        match done.unwrap() {
            (byte, Ok(_)) => winners[usize::from(byte % 2)] += 1,
            // Lost every race, as may happen where a commit takes its time; nothing was written.
            (_, Err(NameError::Internal(internal))) if internal.is_unavailable() => {}
            (byte, outcome) => match byte % 2 {
                0 => assert_refused!(outcome, NameError::Taken),
                _ => assert_refused!(outcome, NameError::KeyBoundElsewhere),
            },
        }
    }
    assert_eq!(winners, [1, 1]);
    world.sequence().await;
    assert_eq!(audit(&world.engine).await.links().count(), 2);
}

/// Whatever the order: who holds the newest password is the last to have been told one, and a
/// password that was replaced has changed nothing since.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn edits_against_resets_leave_one_password_that_is_right() {
    let world = Arc::new(open_world().await);
    let first = added(&world, "alice", &world.client(1)).await;
    let seconds = world.seconds();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..24_u64 {
        let (world, first) = (world.clone(), first.clone());
        tasks.spawn(async move {
            let names = world.engine.names();
            if number % 3 > 0 {
                let edited = edit(&world, "alice", &first, NOTHING).await;
                return edited.map(|head| (Some(head.seqno.get()), None));
            }
            // Each from a device of its own: the timestamp tells the nonces apart.
            let sealed = world.client(1).delete(seconds + number);
            let reset = names.reset_password(&World::caller(1), Some(sealed)).await;
            reset.map(|password| (None, Some(password.expose().clone())))
        });
    }
    let (mut edits, mut passwords) = (Vec::new(), Vec::new());
    while let Some(done) = tasks.join_next().await {
        match done.unwrap() {
            Ok((seqno, password)) => {
                edits.extend(seqno);
                passwords.extend(password);
            }
            Err(NameError::Internal(internal)) if internal.is_unavailable() => {}
            outcome => assert_refused!(outcome, NameError::WrongPassword),
        }
    }
    let names = world.engine.names();
    let alice = name("alice");
    let mut right = 0;
    for password in &passwords {
        right += usize::from(
            names
                .check_password(&World::caller(1), &alice, password)
                .await
                .is_ok(),
        );
    }
    assert_eq!(right, usize::from(!passwords.is_empty()));
    let seen = profile(&world, "alice").await;
    assert_eq!(seen.is_proven, !passwords.is_empty());
    // The form's link, one for each edit, and one for the reset that proved the key. Every edit was
    // before it: it took the first password.
    let links = 1 + edits.len() + usize::from(!passwords.is_empty());
    assert_eq!(usize::try_from(seen.seqno.get()).unwrap(), links);
    let last = edits.iter().max().copied().unwrap_or(1);
    assert_eq!(usize::try_from(last).unwrap(), edits.len() + 1);
    world.sequence().await;
    assert_eq!(audit(&world.engine).await.links().count(), links);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forms_and_keys_at_once_leave_every_fact_in_agreement() {
    let world = Arc::new(
        World::with(Settings {
            limits_enabled: false,
            release_after: Some(Duration::ZERO),
            ..default_settings()
        })
        .await,
    );
    let seconds = world.seconds();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..72_u64 {
        let world = world.clone();
        tasks.spawn(async move {
            let client = world.client(1);
            let names = world.engine.names();
            let (caller, at) = (World::caller(1), seconds + number);
            // One key and two names, by every way there is.
            let text = ["alice", "alicia"][usize::try_from(number % 2).unwrap()];
            let links = match number % 6 {
                0 | 1 => add(&world, text, &client.tox_id().to_string())
                    .await
                    .map(|_| ()),
                2 | 3 => {
                    let sealed = client.push(text, 2, "", at);
                    names.push(&caller, Some(sealed)).await.map(|_| ())
                }
                4 => names.release(Some(client.delete(at))).await,
                _ => names
                    .reset_password(&caller, Some(client.delete(at)))
                    .await
                    .map(|_| ()),
            };
            match links {
                Err(NameError::Internal(internal)) if internal.is_unavailable() => {}
                Ok(()) => {}
                outcome => assert_refused!(
                    outcome,
                    NameError::Taken | NameError::UnknownKey | NameError::KeyBoundElsewhere
                ),
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    // At most one of the names is there, and all that can be asked says the same of it.
    let names = world.engine.names();
    let mut held = Vec::new();
    for text in ["alice", "alicia"] {
        held.extend(names.profile(&name(text)).await.ok());
    }
    assert!(held.len() <= 1, "{held:?}");
    let text: Vec<String> = held.iter().map(|held| held.name.to_string()).collect();
    assert_eq!(people(&world, 0).await.0, text);
    let proven = held.iter().find(|held| held.is_proven);
    let expect = proven.map(|held| held.name.to_string());
    assert_eq!(reverse(&world, &world.client(1)).await, expect);
    let released = release(&world, &world.client(1)).await;
    assert_eq!(released.is_ok(), !held.is_empty());
    world.sequence().await;
    audit(&world.engine).await;
    for held in &held {
        let bundle = check_bundle(&world.engine, held.name.as_str()).await;
        assert_eq!(bundle.unwrap().0, held.seqno.get() + 1);
    }
}
