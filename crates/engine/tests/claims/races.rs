//! Several who want the same: one has it, whatever the order of their steps.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use engine::claims::{ClaimError, Posted, Posting};
use engine::types::ClaimAction;
use proptest::prelude::*;
use testkit::audit;

use crate::town::{Persona, Town, With, caller, cases, posting};

type Asked<'a> = Pin<Box<dyn Future<Output = Result<Posted, ClaimError>> + 'a>>;

/// Postings of one avatar over one link, each of another account.
async fn rivals(town: &Town, by: &Persona, count: usize) -> Vec<Posting> {
    let mut rivals = Vec::new();
    for number in 0..count {
        rivals.push(town.ready(by, "dns", &format!("{number}.example")).await);
    }
    rivals
}

/// Polls requests in the order of `turns`, each on its own process, and then until all have ended.
async fn race(
    town: &Town,
    postings: &[Posting],
    turns: &[prop::sample::Index],
) -> Vec<Result<Posted, ClaimError>> {
    let by = caller();
    let claims: Vec<_> = (0..postings.len())
        .map(|at| town.worlds[at % town.worlds.len()].engine.claims())
        .collect();
    let mut asked: Vec<Asked<'_>> = claims
        .iter()
        .zip(postings)
        .map(|(claims, posting)| Box::pin(claims.post(&by, posting)) as Asked<'_>)
        .collect();
    let mut ended: Vec<Option<_>> = asked.iter().map(|_| None).collect();
    let mut poll = |at: usize| {
        if ended[at].is_none() {
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(done) = asked[at].as_mut().poll(&mut context) {
                ended[at] = Some(done);
            }
        }
        ended.iter().all(Option::is_some)
    };
    for turn in turns {
        poll(turn.index(postings.len()));
    }
    for turn in 0..2_000 {
        if poll(turn % postings.len()) {
            break;
        }
        town.step().await;
    }
    ended
        .into_iter()
        .map(|done| done.expect("each ends"))
        .collect()
}

/// One has won, and everybody else was told why not.
async fn check(town: &Town, by: &Persona, done: Vec<Result<Posted, ClaimError>>, links: u64) {
    let won = done.iter().filter(|done| done.is_ok()).count();
    assert_eq!(won, 1, "{done:?}");
    for lost in done.into_iter().filter_map(Result::err) {
        assert!(
            matches!(lost, ClaimError::Stale { .. } | ClaimError::UuidUsed(_)),
            "{lost}"
        );
        if matches!(lost, ClaimError::Stale { .. }) {
            assert!(
                lost.to_string()
                    .starts_with("bad signature: signed over prev")
            );
        }
    }
    let chain = town.engine().claims().chain(&by.avatar(), 1, 40).await;
    assert_eq!(chain.unwrap().total, links);
    let changes = town.engine().claims().changes(0, 100).await.unwrap();
    assert_eq!(changes.len() as u64, links);
    audit(town.engine()).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(48)))]

    #[test]
    fn of_writers_over_one_link_one_wins(
        writers in 2..5_usize,
        processes in 1..3_usize,
        has_link: bool,
        same: bool,
        turns in prop::collection::vec(any::<prop::sample::Index>(), 0..120),
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async {
            let (town, alice) = (Town::of(processes).await, Persona::new(1));
            if has_link {
                town.create(&alice, "dns", "first.example").await;
            }
            let mut postings = rivals(&town, &alice, writers).await;
            if same {
                postings = vec![postings[0].clone(); writers];
            }
            let done = race(&town, &postings, &turns).await;
            check(&town, &alice, done, 1 + u64::from(has_link)).await;
        });
    }
}

#[tokio::test]
async fn a_create_and_a_delete_over_one_link() {
    let (town, alice) = (Town::of(2).await, Persona::new(1));
    town.create(&alice, "dns", "first.example").await;
    let create = town.ready(&alice, "dns", "second.example").await;
    let prepared = town
        .prepare(&alice, ClaimAction::Delete, "dns", "first.example")
        .await;
    let delete = posting(&alice, ClaimAction::Delete, "dns", &prepared)
        .with(|posting| posting.extra.signature = Some(alice.sign(&prepared.payload)));
    let done = race(&town, &[create, delete], &[]).await;
    check(&town, &alice, done, 2).await;
}
