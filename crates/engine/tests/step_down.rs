//! A process that stops gives the lead of the log back.

use testkit::{World, default_settings, empty_shared_store};

/// Two processes over one store and one clock.
async fn two_worlds() -> (World, World) {
    let clock = World::start_clock();
    let store = empty_shared_store(&clock).await;
    let first = World::join(store.clone(), clock.clone(), default_settings(), 1).await;
    let second = World::join(store, clock, default_settings(), 2).await;
    (first, second)
}

async fn push(world: &World, byte: u8) {
    let name = format!("name{byte}");
    let sealed = world.client(byte).push(&name, 1, "", world.seconds());
    let caller = World::caller(byte);
    let pushed = world.engine.names().push(&caller, Some(sealed)).await;
    assert_eq!(pushed.expect("the push is accepted").head.seqno.get(), 1);
}

#[tokio::test]
async fn the_next_process_sequences_at_once() {
    let (first, second) = two_worlds().await;
    push(&first, 1).await;
    first.sequence().await;
    let size = first.engine.log().head().size;

    push(&second, 2).await;
    second.sequence().await;
    assert_eq!(second.engine.log().head().size, size, "the first one leads");

    second
        .engine
        .log()
        .step_down()
        .await
        .expect("nothing to do");
    second.sequence().await;
    assert_eq!(
        second.engine.log().head().size,
        size,
        "the lease is not the second's to give"
    );

    first
        .engine
        .log()
        .step_down()
        .await
        .expect("the lease goes");
    second.sequence().await;
    assert_eq!(second.engine.log().head().size, size + 2);
}
