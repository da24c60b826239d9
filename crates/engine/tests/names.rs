//! Use cases of names, rule by rule (toxme spec, sections 2 to 7).

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::Settings;
use engine::names::{Caller, Elsewhere, NameError, Pushed, Sealed};
use engine::reconcile::Reconciler;
use engine::types::link::{Evidence, Statement};
use engine::types::{Kid, Name, Visibility};
use testkit::{ToxClient, World, audit, check_bundle, default_settings, tox_id};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A world without rate limits.
async fn open_world() -> World {
    World::with(Settings {
        limits_enabled: false,
        ..default_settings()
    })
    .await
}

async fn released_after(release_after: Option<Duration>) -> World {
    World::with(Settings {
        limits_enabled: false,
        release_after,
        ..default_settings()
    })
    .await
}

async fn send(world: &World, sealed: Sealed) -> Result<Pushed, NameError> {
    let caller = World::caller(1);
    world.engine.names().push(&caller, Some(sealed)).await
}

async fn push(world: &World, client: &ToxClient, name: &str) -> Result<Pushed, NameError> {
    send(world, client.push(name, 1, "hi", world.seconds())).await
}

async fn release(world: &World, client: &ToxClient) -> Result<(), NameError> {
    let sealed = client.delete(world.seconds());
    world.engine.names().release(Some(sealed)).await
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

async fn try_password(world: &World, text: &str, password: &str) -> Result<(), NameError> {
    let (names, caller) = (world.engine.names(), World::caller(1));
    names.check_password(&caller, &name(text), password).await
}

/// The names a search finds on one page.
async fn found(world: &World, fragment: &str, page: u64) -> Vec<String> {
    let found = world
        .engine
        .names()
        .search(Some(fragment), Some(page))
        .await;
    found
        .unwrap()
        .iter()
        .map(|found| found.name.to_string())
        .collect()
}

fn hex(key: [u8; 32]) -> String {
    key.iter().map(|byte| format!("{byte:02X}")).collect()
}

macro_rules! assert_refused {
    ($outcome:expr, $pattern:pat) => {{
        let outcome = $outcome;
        assert!(matches!(&outcome, Err($pattern)), "{outcome:?}");
    }};
}

#[tokio::test]
async fn a_name_is_registered_looked_up_and_found() {
    let world = open_world().await;
    let alice = world.client(1);
    let sealed = alice.push("Alice", 2, " two\r\nlines ", world.seconds());
    let pushed = send(&world, sealed).await.unwrap();
    let password = pushed.password.expect("a new name has a password");
    assert_eq!(password.expose().split('-').count(), 6);
    assert_eq!(pushed.head.seqno.get(), 1);
    let record = world.engine.names().lookup("aLICE", None).await.unwrap();
    assert_eq!(record.name, name("alice"));
    assert_eq!(record.tox_id, alice.tox_id());
    assert_eq!(record.bio.as_str(), "two lines");
    assert_eq!(record.visibility, Visibility::Listed);
    assert_eq!(record.changed_at.seconds(), world.seconds());
    let names = world.engine.names();
    assert_eq!(
        names.reverse(&hex(alice.key())).await.unwrap(),
        name("alice")
    );
    assert_eq!(found(&world, "LIC", 0).await, ["alice"]);
    names
        .check_password(&World::caller(1), &name("alice"), password.expose())
        .await
        .unwrap();
}

#[tokio::test]
async fn an_update_changes_all_but_the_password() {
    let world = open_world().await;
    let alice = world.client(1);
    let password = push(&world, &alice, "alice")
        .await
        .unwrap()
        .password
        .unwrap();
    world.clock.advance(Duration::from_secs(5));
    let other = tox_id(&alice.key(), [9, 9, 9, 9]);
    let update = send(&world, alice.hand_over(&other, "alice", world.seconds())).await;
    let update = update.unwrap();
    assert!(update.password.is_none());
    assert_eq!(update.head.seqno.get(), 2);
    let names = world.engine.names();
    let record = names.lookup("alice", None).await.unwrap();
    assert_eq!((record.tox_id, record.bio.as_str()), (other, ""));
    assert_eq!(record.changed_at.seconds(), world.seconds());
    names
        .check_password(&World::caller(1), &name("alice"), password.expose())
        .await
        .unwrap();
    // Two pushes of one second are both taken.
    push(&world, &alice, "alice").await.unwrap();
    assert_eq!(
        push(&world, &alice, "alice")
            .await
            .unwrap()
            .head
            .seqno
            .get(),
        4
    );
}

#[tokio::test]
async fn after_a_hand_over_only_the_new_key_rules() {
    let world = open_world().await;
    let (old, new) = (world.client(1), world.client(2));
    let password = push(&world, &old, "alice").await.unwrap().password.unwrap();
    let handed = old.hand_over(&new.tox_id(), "alice", world.seconds());
    send(&world, handed).await.unwrap();
    assert_refused!(push(&world, &old, "alice").await, NameError::Taken);
    assert_refused!(release(&world, &old).await, NameError::UnknownKey);
    let names = world.engine.names();
    assert_refused!(names.reverse(&hex(old.key())).await, NameError::UnknownKey);
    // The new key was not asked.
    assert!(!names.lookup("alice", None).await.unwrap().is_proven);
    assert_refused!(names.reverse(&hex(new.key())).await, NameError::UnknownKey);
    names
        .check_password(&World::caller(1), &name("alice"), password.expose())
        .await
        .unwrap();
    // The old key is free at once.
    push(&world, &old, "bob").await.unwrap();
    // The new one takes the name by a push of its own, and with it the password.
    let taken = push(&world, &new, "alice").await.unwrap();
    let old_password = try_password(&world, "alice", password.expose()).await;
    assert_refused!(old_password, NameError::WrongPassword);
    let own = taken.password.expect("a password that the old owner lacks");
    try_password(&world, "alice", own.expose()).await.unwrap();
    assert!(names.lookup("alice", None).await.unwrap().is_proven);
    assert_eq!(names.reverse(&hex(new.key())).await.unwrap(), name("alice"));
    let again = push(&world, &new, "alice").await.unwrap();
    assert!(again.password.is_none());
    // A name is not handed to a key that has one.
    let onto_bob = new.hand_over(&old.tox_id(), "alice", world.seconds());
    assert_refused!(send(&world, onto_bob).await, NameError::KeyBoundElsewhere);
}

/// Who is named by another key has no less of a say than who is named in a form.
#[tokio::test]
async fn a_name_handed_to_a_key_that_was_not_asked_does_not_hold_it() {
    let world = open_world().await;
    let (thief, alice) = (world.client(1), world.client(2));
    push(&world, &thief, "junk").await.unwrap();
    let handed = thief.hand_over(&alice.tox_id(), "junk", world.seconds());
    assert!(send(&world, handed).await.unwrap().password.is_none());
    world.sequence().await;
    let (_, link) = check_bundle(&world.engine, "junk").await.unwrap();
    let link = link.unwrap();
    let sealed_by = Some(Kid::curve25519(&thief.key()));
    assert_eq!(link.evidence, Evidence::Boxed { kid: sealed_by });
    let Statement::SetRecord { is_proven, .. } = link.statement else {
        unreachable!("{link:?}");
    };
    assert!(!is_proven);
    // The key takes the name it wants, and gives the other up.
    let own = push(&world, &alice, "alice").await.unwrap();
    assert!(own.password.is_some());
    let names = world.engine.names();
    assert_refused!(names.lookup("junk", None).await, NameError::Unknown);
    assert_eq!(
        names.reverse(&hex(alice.key())).await.unwrap(),
        name("alice")
    );

    // Or deletes it, or confirms it by a reset.
    for (byte, is_kept) in [(3, false), (4, true)] {
        let (thief, owner) = (world.client(byte), world.client(byte + 10));
        let text = format!("junk{byte}");
        push(&world, &thief, &text).await.unwrap();
        let handed = thief.hand_over(&owner.tox_id(), &text, world.seconds());
        send(&world, handed).await.unwrap();
        if is_kept {
            let (sealed, caller) = (owner.delete(world.seconds()), World::caller(1));
            names.reset_password(&caller, Some(sealed)).await.unwrap();
            assert!(names.lookup(&text, None).await.unwrap().is_proven);
        } else {
            release(&world, &owner).await.unwrap();
            assert_refused!(names.lookup(&text, None).await, NameError::Unknown);
        }
    }
}

/// The key that a form named takes the record from whoever filled the form in, even when it hands it
/// on at once.
#[tokio::test]
async fn a_record_that_is_handed_on_unproven_gets_a_new_password() {
    let world = open_world().await;
    let (alice, bob) = (world.client(1), world.client(2));
    let old = world.add_by_form("shop", &alice.tox_id().to_string()).await;
    let handed = alice.hand_over(&bob.tox_id(), "shop", world.seconds());
    let new = send(&world, handed).await.unwrap().password.unwrap();
    let names = world.engine.names();
    let guess = try_password(&world, "shop", &old).await;
    assert_refused!(guess, NameError::WrongPassword);
    try_password(&world, "shop", new.expose()).await.unwrap();
    assert!(!names.lookup("shop", None).await.unwrap().is_proven);
}

#[tokio::test]
async fn a_new_name_needs_the_key_of_its_id_unless_the_switch_says_no() {
    let world = open_world().await;
    let (alice, thief) = (world.client(1), world.client(2));
    let forged = || thief.hand_over(&alice.tox_id(), "alice", world.seconds());
    assert_refused!(send(&world, forged()).await, NameError::Malformed(_));
    push(&world, &alice, "private").await.unwrap();
    // Nor does the thief learn that the key has a name.
    assert_refused!(send(&world, forged()).await, NameError::Malformed(_));

    let world = World::with(Settings {
        strict_possession: false,
        ..default_settings()
    })
    .await;
    let (alice, other) = (world.client(1), world.client(2));
    let pushed = other.hand_over(&alice.tox_id(), "alice", world.seconds());
    let told = send(&world, pushed).await.unwrap().password.unwrap();
    let names = world.engine.names();
    assert!(!names.lookup("alice", None).await.unwrap().is_proven);
    // The key of the ID rules from then on.
    assert_refused!(push(&world, &other, "alice").await, NameError::Taken);
    assert!(
        push(&world, &alice, "alice")
            .await
            .unwrap()
            .password
            .is_some()
    );
    assert!(names.lookup("alice", None).await.unwrap().is_proven);
    let guess = try_password(&world, "alice", told.expose()).await;
    assert_refused!(guess, NameError::WrongPassword);
    let again = other.hand_over(&alice.tox_id(), "bob", world.seconds());
    assert_refused!(send(&world, again).await, NameError::KeyBoundElsewhere);
}

#[tokio::test]
async fn a_key_bound_elsewhere_comes_before_a_name_taken() {
    let world = open_world().await;
    let (alice, bob) = (world.client(1), world.client(2));
    push(&world, &alice, "alice").await.unwrap();
    assert_refused!(push(&world, &bob, "alice").await, NameError::Taken);
    assert_refused!(push(&world, &bob, "ALICE").await, NameError::Taken);
    push(&world, &bob, "bob").await.unwrap();
    assert_refused!(
        push(&world, &bob, "alice").await,
        NameError::KeyBoundElsewhere
    );
    assert_refused!(
        push(&world, &bob, "carol").await,
        NameError::KeyBoundElsewhere
    );
    // A taken name, sealed by a stranger for the owner's own ID.
    let stranger = world.client(3);
    let sealed = stranger.hand_over(&alice.tox_id(), "alice", world.seconds());
    assert_refused!(send(&world, sealed).await, NameError::Taken);
}

#[tokio::test]
async fn names_nobody_may_have_are_told_apart() {
    let world = open_world().await;
    let alice = world.client(1);
    for reserved in ["admin", "Root", "u", "_", "api", ".well-known", "friends"] {
        assert_refused!(push(&world, &alice, reserved).await, NameError::Invalid);
    }
    assert_refused!(push(&world, &alice, "").await, NameError::Invalid);
    assert_refused!(
        push(&world, &alice, &"x".repeat(64)).await,
        NameError::Invalid
    );
    for bad in ["a b", "a@b", "a/b", "a\nb", "a\u{202e}b", "a\u{e0041}b"] {
        assert_refused!(push(&world, &alice, bad).await, NameError::Character);
    }
    push(&world, &alice, &"é".repeat(63)).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_read_is_malformed() {
    let world = open_world().await;
    let (alice, bob) = (world.client(1), world.client(2));
    let names = world.engine.names();
    let caller = World::caller(1);
    assert_refused!(names.push(&caller, None).await, NameError::Malformed(_));
    assert_refused!(names.release(None).await, NameError::Malformed(_));
    let sealed = alice.push("alice", 1, "", world.seconds());
    let mut other_sender = sealed.clone();
    other_sender.sender = bob.key();
    let mut low_order = sealed.clone();
    low_order.sender = [0; 32];
    let mut cut = sealed.clone();
    cut.ciphertext = cut.ciphertext.slice(..15);
    for bad in [
        other_sender,
        low_order,
        cut,
        alice.seal(b"{}"),
        alice.seal(b""),
    ] {
        assert_refused!(send(&world, bad.clone()).await, NameError::Malformed(_));
        assert_refused!(names.release(Some(bad)).await, NameError::Malformed(_));
    }
    let bio = "x".repeat(1373);
    let long = alice.push("alice", 1, &bio, world.seconds());
    assert_refused!(send(&world, long).await, NameError::Malformed(_));
    send(&world, sealed).await.unwrap();
}

#[tokio::test]
async fn timestamps_fit_a_window_of_300_s() {
    let world = open_world().await;
    let alice = world.client(1);
    let now = world.seconds();
    for (seconds, fits) in [
        (now - 301, false),
        (now + 301, false),
        (now - 300, true),
        (now + 300, true),
    ] {
        let pushed = send(&world, alice.push("alice", 1, "", seconds)).await;
        assert_eq!(pushed.is_ok(), fits, "{seconds}");
    }
    let names = world.engine.names();
    for seconds in [0, now - 301, now + 301] {
        let outcome = names.release(Some(alice.delete(seconds))).await;
        assert_refused!(outcome, NameError::Malformed(_));
    }
    names.release(Some(alice.delete(now + 300))).await.unwrap();
}

#[tokio::test]
async fn a_sealed_request_is_accepted_once() {
    let world = released_after(Some(Duration::ZERO)).await;
    let (alice, bob) = (world.client(1), world.client(2));
    let names = world.engine.names();
    let future = world.seconds() + 300;
    let registration = alice.push("alice", 1, "first", future);
    send(&world, registration.clone()).await.unwrap();
    send(&world, alice.push("alice", 1, "second", future))
        .await
        .unwrap();
    // An old update does not undo a new one.
    assert_refused!(
        send(&world, registration.clone()).await,
        NameError::Malformed(_)
    );
    let deletion = alice.delete(future);
    names.release(Some(deletion.clone())).await.unwrap();
    // Nor does it bring back what was deleted.
    assert_refused!(
        send(&world, registration.clone()).await,
        NameError::Malformed(_)
    );
    push(&world, &alice, "alice").await.unwrap();
    let again = names.release(Some(deletion.clone())).await;
    assert_refused!(again, NameError::Malformed(_));
    // For as long as the timestamp fits, and after a sweep, and after that.
    for step in [299, 300, 2, 60, 3600] {
        world.clock.advance(Duration::from_secs(step));
        world.settle(Reconciler::Sweep).await;
        assert_refused!(
            send(&world, registration.clone()).await,
            NameError::Malformed(_)
        );
        let again = names.release(Some(deletion.clone())).await;
        assert_refused!(again, NameError::Malformed(_));
    }
    // A refused request is not used up.
    let early = bob.push("alice", 1, "", world.seconds());
    assert_refused!(send(&world, early.clone()).await, NameError::Taken);
    release(&world, &alice).await.unwrap();
    send(&world, early).await.unwrap();
}

#[tokio::test]
async fn the_sweep_removes_replay_marks_and_ended_windows_only() {
    let world = World::new().await;
    push(&world, &world.client(1), "alice").await.unwrap();
    let names = world.engine.names();
    let guess = names
        .check_password(&World::caller(1), &name("alice"), "x")
        .await;
    assert_refused!(guess, NameError::WrongPassword);
    let rows = async |tag: u8| {
        let range = engine::ports::store::KeyRange {
            start: vec![tag].into(),
            end: Some(vec![tag + 1].into()),
        };
        let forward = engine::ports::store::Direction::Forward;
        let now = engine::ports::store::Freshness::Now;
        world
            .store
            .scan(range, forward, 9, now)
            .await
            .unwrap()
            .len()
    };
    // A guess is counted for the name and for its network.
    for (advance, seen, guards) in [(0, 1, 2), (659, 1, 2), (2, 0, 2), (2_938, 0, 2), (1, 0, 0)] {
        world.clock.advance(Duration::from_secs(advance));
        if Reconciler::Heartbeat.is_needed(&world.engine) {
            // Or the sweep would remove this process's row, and then rest.
            world.settle(Reconciler::Heartbeat).await;
        }
        world.settle(Reconciler::Sweep).await;
        assert_eq!(
            (rows(0x64).await, rows(0x65).await),
            (seen, guards),
            "{advance}"
        );
    }
}

#[tokio::test]
async fn only_the_key_itself_gives_its_name_up() {
    let world = open_world().await;
    let (alice, thief) = (world.client(1), world.client(2));
    push(&world, &alice, "alice").await.unwrap();
    let text = format!(
        r#"{{"public_key": "{}", "timestamp": {}}}"#,
        hex(alice.key()),
        world.seconds()
    );
    let names = world.engine.names();
    let forged = names.release(Some(thief.seal(text.as_bytes()))).await;
    assert_refused!(forged, NameError::Malformed(_));
    assert_refused!(release(&world, &thief).await, NameError::UnknownKey);
    release(&world, &alice).await.unwrap();
    assert_refused!(release(&world, &alice).await, NameError::UnknownKey);
    assert_refused!(names.lookup("alice", None).await, NameError::Unknown);
    assert_refused!(
        names.reverse(&hex(alice.key())).await,
        NameError::UnknownKey
    );
    assert_eq!(found(&world, "alice", 0).await, [""; 0]);
}

#[tokio::test]
async fn a_released_name_waits_for_others_and_not_for_its_key() {
    let world = released_after(Some(30 * DAY)).await;
    let (alice, bob) = (world.client(1), world.client(2));
    let first = push(&world, &alice, "alice")
        .await
        .unwrap()
        .password
        .unwrap();
    release(&world, &alice).await.unwrap();
    assert_refused!(push(&world, &bob, "alice").await, NameError::Taken);
    let second = push(&world, &alice, "alice").await.unwrap().password;
    let second = second.expect("a new registration has a new password");
    assert_ne!(first.expose(), second.expose());
    let names = world.engine.names();
    let old = names
        .check_password(&World::caller(1), &name("alice"), first.expose())
        .await;
    assert_refused!(old, NameError::WrongPassword);
    release(&world, &alice).await.unwrap();
    // The key itself is free at once.
    push(&world, &alice, "carol").await.unwrap();
    world.clock.advance(30 * DAY - Duration::from_secs(1));
    world.settle(Reconciler::Sweep).await;
    assert_refused!(push(&world, &bob, "alice").await, NameError::Taken);
    world.clock.advance(Duration::from_secs(1));
    push(&world, &bob, "alice").await.unwrap();
    world.settle(Reconciler::Sweep).await;
    assert_refused!(
        push(&world, &alice, "alice").await,
        NameError::KeyBoundElsewhere
    );
}

#[tokio::test]
async fn a_released_name_may_be_free_at_once_or_never() {
    let world = released_after(Some(Duration::ZERO)).await;
    let (alice, bob) = (world.client(1), world.client(2));
    push(&world, &alice, "alice").await.unwrap();
    release(&world, &alice).await.unwrap();
    push(&world, &bob, "alice").await.unwrap();

    let world = released_after(None).await;
    let (alice, bob) = (world.client(1), world.client(2));
    push(&world, &alice, "alice").await.unwrap();
    release(&world, &alice).await.unwrap();
    world.clock.advance(10_000 * DAY);
    world.settle(Reconciler::Sweep).await;
    assert_refused!(push(&world, &bob, "alice").await, NameError::Taken);
    push(&world, &alice, "alice").await.unwrap();
}

#[tokio::test]
async fn thirteen_pushes_an_hour_refill_one_by_one() {
    let world = World::new().await;
    let names = world.engine.names();
    let at = |address: &str| Caller {
        address: address.parse::<IpAddr>().unwrap(),
    };
    let attempt = async |address: &str| names.push(&at(address), None).await.unwrap_err();
    for (address, neighbour, stranger) in [
        ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"),
    ] {
        for _ in 0..13 {
            assert!(matches!(attempt(address).await, NameError::Malformed(_)));
        }
        let NameError::Limited(limited) = attempt(neighbour).await else {
            unreachable!("an unreadable envelope is charged as any other");
        };
        let step = Duration::from_secs(3600) / 13;
        assert!(limited.retry_after <= step + Duration::from_secs(1));
        assert!(matches!(attempt(stranger).await, NameError::Malformed(_)));
        // Refused attempts cost nothing: one more passes after one step, whatever was tried.
        for _ in 0..50 {
            assert!(matches!(attempt(address).await, NameError::Limited(_)));
        }
        world.clock.advance(limited.retry_after);
        assert!(matches!(attempt(address).await, NameError::Malformed(_)));
        assert!(matches!(attempt(address).await, NameError::Limited(_)));
        world.clock.advance(Duration::from_secs(3600));
        world.settle(Reconciler::Sweep).await;
        for _ in 0..13 {
            assert!(matches!(attempt(address).await, NameError::Malformed(_)));
        }
        assert!(matches!(attempt(address).await, NameError::Limited(_)));
    }
}

#[tokio::test]
async fn releases_and_reads_are_not_limited() {
    let world = released_after(Some(Duration::ZERO)).await;
    let alice = world.client(1);
    for _ in 0..20 {
        push(&world, &alice, "alice").await.unwrap();
        world.engine.names().lookup("alice", None).await.unwrap();
        release(&world, &alice).await.unwrap();
    }
}

#[tokio::test]
async fn ten_guesses_of_a_password_an_hour_are_counted_exactly() {
    let world = World::new().await;
    let password = push(&world, &world.client(1), "alice")
        .await
        .unwrap()
        .password;
    let password = password.unwrap();
    let names = world.engine.names();
    let guess = async |text: &str, password: &str| {
        names
            .check_password(&World::caller(1), &name(text), password)
            .await
    };
    for _ in 0..9 {
        assert_refused!(guess("alice", "wrong").await, NameError::WrongPassword);
    }
    guess("alice", password.expose()).await.unwrap();
    world.clock.advance(Duration::from_secs(600));
    let NameError::Limited(limited) = guess("alice", password.expose()).await.unwrap_err() else {
        unreachable!("the eleventh guess is refused, though it is right");
    };
    assert_eq!(limited.retry_after, Duration::from_secs(3000));
    // A name nobody has behaves the same, and has its own count.
    for _ in 0..10 {
        assert_refused!(guess("nobody", "x").await, NameError::WrongPassword);
    }
    assert_refused!(guess("nobody", "x").await, NameError::Limited(_));
    world.clock.advance(Duration::from_millis(2_999_999));
    assert_refused!(
        guess("alice", password.expose()).await,
        NameError::Limited(_)
    );
    world.clock.advance(Duration::from_millis(1));
    guess("alice", password.expose()).await.unwrap();
    // A clock set back does not lock anybody out for longer than a window.
    world.clock.set_back(10 * DAY);
    guess("alice", password.expose()).await.unwrap();
}

#[tokio::test]
async fn searches_come_in_order_in_pages_and_show_public_names_only() {
    let world = open_world().await;
    for number in (0..65_u8).rev() {
        let privacy = if number % 13 == 0 {
            0
        } else {
            i64::from(number % 3) + 1
        };
        let client = world.client(number + 1);
        let sealed = client.push(&format!("user{number:02}"), privacy, "bio", world.seconds());
        send(&world, sealed).await.unwrap();
    }
    let all: Vec<String> = (0..65)
        .filter(|number| number % 13 != 0)
        .map(|number| format!("user{number:02}"))
        .collect();
    assert_eq!(found(&world, "uSeR", 0).await, all[..30]);
    assert_eq!(found(&world, "ser", 1).await, all[30..]);
    for page in [2, 3, u64::MAX] {
        assert_eq!(found(&world, "user", page).await, [""; 0]);
    }
    assert_eq!(found(&world, "ser07", 0).await, ["user07"]);
    for literal in ["%", "_", "*", "user?", "x\ny", "."] {
        assert_eq!(found(&world, literal, 0).await, [""; 0], "{literal}");
    }
    let names = world.engine.names();
    // The page is looked at first.
    assert_refused!(names.search(None, None).await, NameError::Page);
    assert_refused!(names.search(Some("user"), None).await, NameError::Page);
    assert_refused!(names.search(None, Some(0)).await, NameError::Invalid);
    assert_refused!(names.search(Some(""), Some(0)).await, NameError::Invalid);
    let long = "x".repeat(64);
    assert_refused!(names.search(Some(&long), Some(0)).await, NameError::Invalid);
    let bio = names.search(Some("user07"), Some(0)).await.unwrap();
    assert_eq!(bio[0].bio.as_str(), "bio");
}

#[tokio::test]
async fn a_change_of_visibility_shows_at_once() {
    let world = open_world().await;
    let alice = world.client(1);
    let names = world.engine.names();
    for (privacy, is_public) in [(1, true), (0, false), (2, true), (-5, false), (7, true)] {
        let sealed = alice.push("alice", privacy, "", world.seconds());
        send(&world, sealed).await.unwrap();
        let found = found(&world, "alice", 0).await;
        assert_eq!(!found.is_empty(), is_public, "{privacy}");
        let reverse = names.reverse(&hex(alice.key())).await;
        assert_eq!(reverse.is_ok(), is_public, "{privacy}");
        assert!(names.lookup("alice", None).await.is_ok());
    }
}

#[tokio::test]
async fn reverse_look_ups_tell_an_unknown_key_from_no_key() {
    let world = open_world().await;
    let alice = world.client(1);
    push(&world, &alice, "alice").await.unwrap();
    let names = world.engine.names();
    let key = hex(alice.key());
    assert_eq!(
        names.reverse(&key.to_lowercase()).await.unwrap(),
        name("alice")
    );
    assert_refused!(names.reverse("").await, NameError::Malformed(_));
    let id = alice.tox_id().to_string();
    for bad in [&id[..], &key[..63], &"g".repeat(64), &"é".repeat(32)] {
        assert_refused!(names.reverse(bad).await, NameError::InvalidId);
    }
    assert_refused!(names.reverse(&"0".repeat(64)).await, NameError::UnknownKey);
}

#[tokio::test]
async fn look_ups_go_home_and_nowhere_else() {
    let world = open_world().await;
    push(&world, &world.client(1), "alice").await.unwrap();
    let names = world.engine.names();
    let host = Some("localhost:18443");
    for home in [
        "alice",
        "ALICE",
        "alice@example.test",
        "alice@EXAMPLE.test",
        "alice@localhost",
        "alice@localhost:18443",
    ] {
        assert!(names.lookup(home, host).await.is_ok(), "{home}");
    }
    for half in ["", "@", "@example.test", "alice@"] {
        assert_refused!(names.lookup(half, host).await, NameError::Malformed(_));
    }
    for elsewhere in ["alice@example.org", "alice@localhost:1", "a@b@c"] {
        assert_refused!(
            names.lookup(elsewhere, host).await,
            NameError::Elsewhere(Elsewhere::Off)
        );
    }
    assert_refused!(
        names.lookup("alice@localhost", None).await,
        NameError::Elsewhere(Elsewhere::Off)
    );
    for unknown in ["bob", "a b", "alice@x@example.test", &"x".repeat(64)] {
        assert_refused!(names.lookup(unknown, host).await, NameError::Unknown);
    }
    let bracketed = names.lookup("alice@[::1]", Some("[::1]:18443")).await;
    assert!(bracketed.is_ok());
}

#[tokio::test]
async fn status_is_blurred_within_its_bounds() {
    let world = open_world().await;
    let names = world.engine.names();
    for number in 0..100 {
        push(&world, &world.client(number + 1), &format!("n{number}"))
            .await
            .unwrap();
        for _ in 0..5 {
            names.lookup(&format!("n{number}"), None).await.unwrap();
        }
    }
    world.clock.advance(Duration::from_millis(90_900));
    let seen: Vec<_> = (0..300).map(|_| names.status()).collect();
    for status in &seen {
        assert_eq!(status.uptime_s, 90);
        assert!([400, 500, 600].contains(&status.lookups), "{status:?}");
        assert!([0, 100, 200].contains(&status.names), "{status:?}");
    }
    assert!(seen.iter().any(|status| status.lookups != seen[0].lookups));
    for number in 0..100 {
        release(&world, &world.client(number + 1)).await.unwrap();
    }
    assert!((0..300).all(|_| names.status().names <= 100));
}

#[tokio::test]
async fn memorabilia_are_signed_as_the_vector_says() {
    let world = open_world().await;
    let memorabilia: [u8; 64] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let signed = world.engine.names().countersign(&memorabilia).unwrap();
    let signature: String = signed[..64]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        signature,
        "91ad473ae89dd1e7c2983ec2d0445fef4dd124e377a4b673b249267ed80b604f\
         a7d7d2b08b54990390a8760c616bc15607aa3ab9c3bfc97f7dd59e1734b8ed04"
    );
    assert_eq!(signed[64..], memorabilia);
    assert_eq!(
        hex(world.engine.names().sign_key()),
        "03A107BFF3CE10BE1D70DD18E74BC09967E4D6309BA50D5F1DDC8664125531B8"
    );
    assert_eq!(
        hex(world.engine.names().box_key()),
        "8F40C5ADB68F25624AE5B214EA767A6EC94D829D3D7B5E1AD1BA6F3E2138285F"
    );
}

#[tokio::test]
async fn a_release_erases_what_the_links_said_and_nothing_else() {
    let world = open_world().await;
    let (alice, bob) = (world.client(1), world.client(2));
    for _ in 0..3 {
        push(&world, &alice, "alice").await.unwrap();
    }
    push(&world, &bob, "bob").await.unwrap();
    world.sequence().await;
    let before = audit(&world.engine).await.entries.len();
    release(&world, &alice).await.unwrap();
    world.settle(Reconciler::Deliver).await;
    world.sequence().await;
    let audit = audit(&world.engine).await;
    assert_eq!(audit.entries.len(), before + 2, "entries stay");
    let (seqno, link) = check_bundle(&world.engine, "alice").await.unwrap();
    assert_eq!(seqno, 4);
    assert!(link.is_some(), "that it was released stays known");
    assert!(
        check_bundle(&world.engine, "bob")
            .await
            .unwrap()
            .1
            .is_some()
    );
    if world.store.is_shared() {
        // Other processes find a released name for a while.
        world.clock.advance(Duration::from_secs(300));
        world.settle(Reconciler::Sweep).await;
    }
    // No row of the store holds the name or the key any more.
    let all = engine::ports::store::KeyRange {
        start: vec![0].into(),
        end: None,
    };
    let forward = engine::ports::store::Direction::Forward;
    let now = engine::ports::store::Freshness::Now;
    let rows = world.store.scan(all, forward, u32::MAX, now).await.unwrap();
    let holds = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|part| part == what);
    let erased = [&b"alice"[..], &alice.key()];
    for (key, _, value) in &rows {
        let left = erased
            .iter()
            .find(|what| holds(key, what) || holds(value, what));
        assert_eq!(left, None, "{key:?}");
    }
    for kept in [&b"bob"[..], &bob.key()] {
        assert!(rows.iter().any(|(key, ..)| holds(key, kept)));
    }
}

#[tokio::test]
async fn an_index_loaded_anew_finds_the_same() {
    let world = open_world().await;
    for number in 0..40 {
        let sealed = world.client(number + 1);
        let sealed = sealed.push(
            &format!("n{number:02}"),
            i64::from(number % 2),
            "",
            world.seconds(),
        );
        send(&world, sealed).await.unwrap();
    }
    world.clock.advance(Duration::from_secs(1));
    release(&world, &world.client(2)).await.unwrap();
    let before = (found(&world, "n", 0).await, found(&world, "n", 1).await);
    assert_eq!(before.0.len(), 19);
    let settings = default_settings();
    let again = World::join(
        world.store.clone(),
        world.clock.clone(),
        settings.clone(),
        7,
    )
    .await;
    assert_eq!(
        (found(&again, "n", 0).await, found(&again, "n", 1).await),
        before
    );
    let unloaded = World::open(world.store.clone(), world.clock.clone(), settings).await;
    let search = unloaded.unwrap();
    let search = search.names().search(Some("n"), Some(0)).await;
    assert_refused!(search, NameError::Loading);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_pushes_for_one_name_at_once_one_wins() {
    let world = Arc::new(open_world().await);
    let seconds = world.seconds();
    let mut tasks = tokio::task::JoinSet::new();
    for byte in 1..=64 {
        let world = world.clone();
        tasks.spawn(async move {
            let sealed = world.client(byte).push("alice", 1, "", seconds);
            let pushed = world
                .engine
                .names()
                .push(&World::caller(byte), Some(sealed))
                .await;
            (byte, pushed)
        });
    }
    let mut winners = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done.unwrap() {
            (byte, Ok(pushed)) => winners.push((byte, pushed)),
            (_, outcome) => assert_refused!(outcome, NameError::Taken),
        }
    }
    assert_eq!(winners.len(), 1);
    let (byte, pushed) = &winners[0];
    assert!(pushed.password.is_some());
    let record = world.engine.names().lookup("alice", None).await.unwrap();
    assert_eq!(record.tox_id, world.client(*byte).tox_id());
    world.sequence().await;
    assert_eq!(audit(&world.engine).await.links().count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn updates_and_releases_at_once_leave_every_fact_in_agreement() {
    let world = Arc::new(released_after(Some(Duration::ZERO)).await);
    let seconds = world.seconds();
    let mut tasks = tokio::task::JoinSet::new();
    // Two profiles that fight for one name, each from several devices.
    for number in 0..96_u64 {
        let world = world.clone();
        tasks.spawn(async move {
            let byte = if number % 2 == 0 { 1 } else { 2 };
            // The timestamp tells the nonces of the devices apart.
            let (client, at) = (world.client(byte), seconds + number);
            let names = world.engine.names();
            if number % 6 > 3 {
                names.release(Some(client.delete(at))).await.map(|()| None)
            } else {
                let privacy = i64::try_from(number % 3).unwrap();
                let sealed = client.push("alice", privacy, "", at);
                let pushed = names.push(&World::caller(byte), Some(sealed)).await;
                pushed.map(|pushed| Some(pushed.head))
            }
        });
    }
    let mut links = 0;
    while let Some(done) = tasks.join_next().await {
        match done.unwrap() {
            Ok(_) => links += 1,
            // Lost every race, as may happen where a commit takes its time; nothing was written.
            Err(NameError::Internal(internal)) if internal.is_unavailable() => {}
            outcome => assert_refused!(outcome, NameError::Taken | NameError::UnknownKey),
        }
    }
    let names = world.engine.names();
    let record = names.lookup("alice", None).await.ok();
    let is_public = record
        .as_ref()
        .is_some_and(|record| record.visibility > Visibility::Private);
    assert_eq!(
        found(&world, "alice", 0).await.len(),
        usize::from(is_public)
    );
    for byte in [1, 2] {
        let reverse = names.reverse(&hex(world.client(byte).key())).await.is_ok();
        let holds = record
            .as_ref()
            .is_some_and(|r| r.tox_id == world.client(byte).tox_id());
        assert_eq!(reverse, holds && is_public);
    }
    world.sequence().await;
    assert_eq!(audit(&world.engine).await.links().count(), links);
}
