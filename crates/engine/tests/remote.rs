//! Names at other domains.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use engine::names::{Elsewhere, NameError, RemoteRecord, Resolved};
use engine::ports::remote_names::RemoteFault;
use engine::types::ToxId;
use testkit::{FakeNames, World, default_settings, tox_id};

const HOST: Option<&str> = Some("localhost:8080");

async fn world(remote: &Arc<FakeNames>) -> World {
    World::asking(remote.clone(), default_settings()).await
}

fn id(byte: u8) -> ToxId {
    tox_id(&[byte; 32], [1, 2, 3, 4])
}

async fn resolve(world: &World, address: &str) -> Result<Resolved, NameError> {
    let caller = World::caller(1);
    world.engine.names().resolve(&caller, address, HOST).await
}

async fn remote(world: &World, address: &str) -> Result<RemoteRecord, NameError> {
    match resolve(world, address).await? {
        Resolved::Remote(record) => Ok(record),
        Resolved::Home(_) => unreachable!("{address} is elsewhere"),
    }
}

async fn fault(world: &World, address: &str) -> Elsewhere {
    match resolve(world, address).await {
        Err(NameError::Elsewhere(why)) => why,
        other => unreachable!("{address}: {other:?}"),
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn home_is_never_asked_for_elsewhere() {
    let fake = FakeNames::new();
    let world = world(&fake).await;
    let sealed = world.client(1).push("alice", 0, "", world.seconds());
    let (names, caller) = (world.engine.names(), World::caller(1));
    names.push(&caller, Some(sealed)).await.unwrap();
    for address in [
        "alice",
        "ALICE@example.test",
        "alice@Example.Test",
        "alice@localhost:8080",
        "alice@LOCALHOST",
        "alice@ｅxample.test",
    ] {
        let found = resolve(&world, address).await.unwrap();
        let Resolved::Home(record) = found else {
            unreachable!("{address} is home");
        };
        assert_eq!(record.tox_id, world.client(1).tox_id());
    }
    assert!(matches!(
        resolve(&world, "bob").await,
        Err(NameError::Unknown)
    ));
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn another_domain_is_asked_by_its_ascii_form() {
    let fake = FakeNames::new();
    fake.tell("zo\u{eb}@xn--bcher-kva.example", Ok(Some(id(7))));
    let world = world(&fake).await;
    let found = remote(&world, "ZOE\u{308}@B\u{fc}cher.Example")
        .await
        .unwrap();
    assert_eq!(found.name.as_str(), "zo\u{eb}");
    assert_eq!(found.domain.as_str(), "xn--bcher-kva.example");
    assert_eq!(found.tox_id, id(7));
    assert_eq!(fake.asked(), ["zo\u{eb}@xn--bcher-kva.example"]);
}

#[tokio::test]
async fn what_is_no_domain_is_not_asked() {
    let fake = FakeNames::new();
    let world = world(&fake).await;
    for domain in [
        "localhost:1",
        "127.0.0.1",
        "0x7f.1",
        "2130706433",
        "[::1]",
        "intranet",
        "b.example:443",
        "b.example.",
        "b.example/x",
        "xn--a.example",
        "b_c.example",
    ] {
        assert_eq!(
            fault(&world, &format!("bob@{domain}")).await,
            Elsewhere::NotADomain
        );
    }
    for half in ["@b.example", "bob@", "@", ""] {
        assert!(matches!(
            resolve(&world, half).await,
            Err(NameError::Malformed(_))
        ));
    }
    // No server has such names.
    for nobody in ["a b@c.example", "a@b@c.example", "a\u{202e}@c.example"] {
        assert!(matches!(
            resolve(&world, nobody).await,
            Err(NameError::Unknown)
        ));
    }
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn a_server_that_asks_nobody_says_so() {
    let world = World::new().await;
    for address in ["bob@b.example", "bob@127.0.0.1"] {
        assert_eq!(fault(&world, address).await, Elsewhere::Off);
        let names = world.engine.names();
        let refused = names.lookup(address, HOST).await;
        assert!(matches!(refused, Err(NameError::Elsewhere(Elsewhere::Off))));
    }
}

#[tokio::test]
async fn answers_are_kept_each_for_its_time() {
    let fake = FakeNames::new();
    let world = world(&fake).await;
    fake.tell("a@b.example", Ok(Some(id(1))));
    fake.tell("f@b.example", Err(RemoteFault::Unreachable));
    let mut asked = 0;
    for (address, kept_s) in [
        ("a@b.example", 300),
        ("n@b.example", 60),
        ("f@b.example", 15),
    ] {
        for (wait_s, questions) in [(0, 1), (kept_s - 1, 0), (1, 1), (kept_s - 1, 0)] {
            world.clock.advance(Duration::from_secs(wait_s));
            let _any = resolve(&world, address).await;
            asked += questions;
            assert_eq!(fake.asked().len(), asked, "{address} after {wait_s} s more");
        }
    }
    // What changed is seen then.
    fake.tell("a@b.example", Ok(Some(id(2))));
    world.clock.advance(Duration::from_secs(300));
    assert_eq!(remote(&world, "a@b.example").await.unwrap().tox_id, id(2));
}

#[tokio::test]
async fn failures_are_told_apart_and_ours_are_not_kept() {
    let fake = FakeNames::new();
    let world = world(&fake).await;
    for (fault_, why) in [
        (RemoteFault::Forbidden, Elsewhere::NotPublic),
        (RemoteFault::Unreachable, Elsewhere::Unreachable),
        (RemoteFault::Nonsense, Elsewhere::Nonsense),
    ] {
        let address = format!("{why:?}@b.example").to_lowercase();
        fake.tell(&address, Err(fault_));
        assert_eq!(fault(&world, &address).await, why);
        assert_eq!(fault(&world, &address).await, why);
    }
    assert_eq!(fake.asked().len(), 3);
    fake.tell("a@b.example", Err(RemoteFault::Busy));
    assert!(matches!(
        resolve(&world, "a@b.example").await,
        Err(NameError::Busy)
    ));
    fake.tell("a@b.example", Err(RemoteFault::Ours("x")));
    assert!(matches!(
        resolve(&world, "a@b.example").await,
        Err(NameError::Internal(_))
    ));
    fake.tell("a@b.example", Ok(Some(id(1))));
    remote(&world, "a@b.example").await.unwrap();
    assert_eq!(fake.asked().len(), 6);
}

#[tokio::test]
async fn equal_look_ups_share_one_request() {
    let fake = FakeNames::silent();
    fake.tell("a@b.example", Ok(Some(id(1))));
    let world = world(&fake).await;
    let mut all: Vec<_> = (0..20)
        .map(|_| Box::pin(remote(&world, "a@b.example")))
        .collect();
    for one in &mut all {
        assert!(poll(one.as_mut()).is_pending());
    }
    let mut other = pin!(remote(&world, "c@b.example"));
    assert!(poll(other.as_mut()).is_pending());
    assert_eq!(fake.asked(), ["a@b.example", "c@b.example"]);
    fake.answer(2);
    for one in all {
        assert_eq!(one.await.unwrap().tox_id, id(1));
    }
    assert!(matches!(other.await, Err(NameError::Unknown)));
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn who_waits_takes_over_from_who_gave_up() {
    let fake = FakeNames::silent();
    fake.tell("a@b.example", Ok(Some(id(1))));
    let world = world(&fake).await;
    let mut first = Box::pin(remote(&world, "a@b.example"));
    let mut second = Box::pin(remote(&world, "a@b.example"));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    drop(first);
    assert!(poll(second.as_mut()).is_pending());
    assert_eq!(fake.asked().len(), 2);
    fake.answer(1);
    assert_eq!(second.await.unwrap().tox_id, id(1));
}

#[tokio::test]
async fn nobody_waits_for_another_s_request_for_ever() {
    let fake = FakeNames::silent();
    let world = world(&fake).await;
    let mut first = Box::pin(remote(&world, "a@b.example"));
    let mut second = Box::pin(remote(&world, "a@b.example"));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    world.clock.advance(Duration::from_secs(5));
    let waited = second.await;
    assert!(matches!(
        waited,
        Err(NameError::Elsewhere(Elsewhere::Unreachable))
    ));
    fake.answer(1);
    assert!(matches!(first.await, Err(NameError::Unknown)));
}

#[tokio::test]
async fn who_takes_over_has_what_is_left_of_its_time() {
    let fake = FakeNames::silent();
    fake.tell("a@b.example", Err(RemoteFault::Unreachable));
    let world = world(&fake).await;
    let mut first = Box::pin(remote(&world, "a@b.example"));
    let mut second = Box::pin(remote(&world, "a@b.example"));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    world.clock.advance(Duration::from_secs(3));
    drop(first);
    assert!(poll(second.as_mut()).is_pending());
    let seconds = [5, 2].map(Duration::from_secs);
    assert_eq!(fake.within(), seconds);
    fake.answer(1);
    let unreachable = NameError::Elsewhere(Elsewhere::Unreachable);
    let answer = second.await.unwrap_err();
    assert_eq!(answer.to_string(), unreachable.to_string());
    // Two seconds say nothing of the domain: the next question is asked, and then with all its time.
    fake.answer(1);
    assert_eq!(fault(&world, "a@b.example").await, Elsewhere::Unreachable);
    assert_eq!(fake.within().len(), 3);
    assert_eq!(fault(&world, "a@b.example").await, Elsewhere::Unreachable);
    assert_eq!(fake.within().len(), 3);
}

#[tokio::test]
async fn an_address_has_sixty_questions_an_hour_and_what_is_known_is_free() {
    let fake = FakeNames::new();
    let world = world(&fake).await;
    fake.tell("a@b.example", Ok(Some(id(1))));
    for number in 0..59 {
        let _absent = resolve(&world, &format!("n{number}@b.example")).await;
    }
    for _ in 0..100 {
        remote(&world, "a@b.example").await.unwrap();
    }
    let limited = resolve(&world, "c@b.example").await;
    assert!(matches!(limited, Err(NameError::Limited(_))), "{limited:?}");
    remote(&world, "a@b.example").await.unwrap();
    assert_eq!(fake.asked().len(), 60);
    // Others, pushes and look-ups at home have allowances of their own.
    let names = world.engine.names();
    let other = names.resolve(&World::caller(2), "c@b.example", HOST).await;
    assert!(matches!(other, Err(NameError::Unknown)));
    let home = resolve(&world, "c@example.test").await;
    assert!(matches!(home, Err(NameError::Unknown)));
    world.clock.advance(Duration::from_secs(60));
    let again = resolve(&world, "d@b.example").await;
    assert!(matches!(again, Err(NameError::Unknown)));
}
