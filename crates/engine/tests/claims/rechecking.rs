//! Claims are looked at again: what holds stays, what is contradicted turns, and what cannot be checked
//! is left as it was.

use std::time::Duration;

use engine::Settings;
use engine::ports::checker::Failure;
use engine::reconcile::Reconciler;
use engine::types::UnixMillis;
use testkit::is_in_memory;

use crate::town::{DAY, Persona, SECOND, Town, settings};

/// A town whose background checks have budgets.
pub(crate) async fn limited() -> Town {
    Town::with(Settings {
        limits_enabled: true,
        ..settings()
    })
    .await
}

async fn checked_at(town: &Town, by: &Persona, identity: &str) -> UnixMillis {
    town.claim(by, "github", identity).await.unwrap().checked_at
}

/// Lets time pass without anybody looking, then checks what is due.
pub(crate) async fn after(town: &Town, time: Duration) {
    town.clock.advance(time);
    town.recheck().await;
}

#[tokio::test]
async fn a_claim_is_checked_when_it_is_due_and_not_before() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    town.create(&alice, "github", "alice").await;
    let made = checked_at(&town, &alice, "alice").await;
    let github = town.service("github");
    assert_eq!(github.asked(), 1);
    after(&town, 3 * DAY - 60 * SECOND).await;
    assert_eq!(github.asked(), 0);
    assert_eq!(checked_at(&town, &alice, "alice").await, made);
    after(&town, 120 * SECOND).await;
    assert_eq!(github.asked(), 1);
    assert_eq!(github.with(|state| state.in_background), 1);
    let claim = town.claim(&alice, "github", "alice").await.unwrap();
    assert!(claim.is_valid);
    assert!(claim.checked_at > made);
    after(&town, DAY).await;
    assert_eq!(github.asked(), 0, "and then in three days again");
}

#[tokio::test]
async fn validity_turns_with_each_definite_answer() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    town.create(&alice, "github", "alice").await;
    let github = town.service("github");
    let view = async || town.claim(&alice, "github", "alice").await.unwrap();
    for (failure, reason) in [
        (Failure::NotFound, "it is in a mood"),
        (Failure::TextMissing, "it is in a mood"),
    ] {
        github.with(|state| state.moods.push_back(failure));
        after(&town, 3 * DAY + SECOND).await;
        let claim = view().await;
        assert_eq!(
            (claim.is_valid, claim.invalid_reason.as_str()),
            (false, reason)
        );
        let turned = claim.checked_at;
        after(&town, 3 * DAY + SECOND).await;
        let claim = view().await;
        assert!(claim.is_valid && claim.invalid_reason.is_empty());
        assert!(claim.checked_at > turned);
    }
    // Another signature in the post is none.
    github.with(|state| {
        for (_, signatures) in state.posts.values_mut() {
            *signatures = vec![Persona::new(2).sign("something else")];
        }
    });
    after(&town, 3 * DAY + SECOND).await;
    let claim = view().await;
    assert_eq!(
        (claim.is_valid, claim.invalid_reason.as_str()),
        (false, "bad signature")
    );
    // It stays listed, adds no link, and may be made anew.
    let changes = town.engine().claims().changes(0, 100).await.unwrap();
    assert_eq!(changes.len(), 1);
    town.create(&alice, "github", "alice").await;
    assert!(view().await.is_valid);
}

#[tokio::test]
async fn what_cannot_be_checked_never_flips_and_is_tried_sooner() {
    let (town, alice) = (limited().await, Persona::new(1));
    town.create(&alice, "github", "alice").await;
    let github = town.service("github");
    github.asked();
    let made = checked_at(&town, &alice, "alice").await;
    for failure in [
        Failure::Unreachable,
        Failure::TooLarge,
        Failure::ForbiddenAddress,
        Failure::Limited,
    ] {
        github.with(|state| state.moods.push_back(failure));
    }
    town.clock.advance(3 * DAY + SECOND);
    let mut tries = Vec::new();
    let start = town.clock_now();
    while tries.len() < 4 {
        town.recheck().await;
        if github.asked() > 0 {
            tries.push((town.clock_now() - start).as_secs() / 60);
        }
        town.clock.advance(30 * SECOND);
        // Nobody reads meanwhile: a look would start a check at once.
    }
    let pauses: Vec<u64> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        pauses.windows(2).all(|pair| pair[0] < pair[1]),
        "{pauses:?}"
    );
    assert!((4..=7).contains(&pauses[0]), "{pauses:?}");
    let row = town.view_at(0, &alice).await.unwrap();
    assert!(row.claims[0].is_valid);
    assert_eq!(
        row.claims[0].checked_at, made,
        "the last definite answer stands"
    );
    // An invalid one stays invalid too.
    town.recheck().await;
    github.with(|state| {
        state.moods.clear();
        state.moods.push_back(Failure::NotFound);
    });
    after(&town, 4 * DAY).await;
    assert!(
        !town
            .claim(&alice, "github", "alice")
            .await
            .unwrap()
            .is_valid
    );
    github.with(|state| state.moods.push_back(Failure::Unreachable));
    after(&town, 4 * DAY).await;
    assert!(!town.view_at(0, &alice).await.unwrap().claims[0].is_valid);
}

#[tokio::test]
async fn a_page_instead_of_the_post_turns_a_claim_when_it_stays() {
    let (town, alice) = (limited().await, Persona::new(1));
    town.create(&alice, "github", "alice").await;
    let github = town.service("github");
    let view = async || town.claim(&alice, "github", "alice").await.unwrap();
    let made = view().await.checked_at;
    // One that passes, however often it is read meanwhile: a site that is being mended.
    github.with(|state| state.moods.extend([Failure::PageInstead; 5]));
    after(&town, 3 * DAY + SECOND).await;
    for _ in 0..4 {
        let claim = view().await;
        assert_eq!((claim.is_valid, claim.checked_at), (true, made));
        after(&town, 4 * SECOND).await;
    }
    view().await;
    after(&town, SECOND).await;
    let claim = view().await;
    assert!(claim.is_valid && claim.checked_at > made);
    // One that stays.
    github.with(|state| state.moods.extend([Failure::PageInstead; 2]));
    after(&town, 3 * DAY + SECOND).await;
    assert!(town.view_at(0, &alice).await.unwrap().claims[0].is_valid);
    after(&town, engine::limits::PAGE_DOUBTED).await;
    let claim = view().await;
    assert_eq!(
        (claim.is_valid, claim.invalid_reason.as_str()),
        (false, "it is in a mood")
    );
    after(&town, 3 * DAY + SECOND).await;
    assert!(view().await.is_valid, "it is back");
}

#[tokio::test]
async fn who_reads_an_overdue_claim_starts_a_check_whatever_the_back_off() {
    let (town, alice) = (limited().await, Persona::new(1));
    town.create(&alice, "github", "alice").await;
    let github = town.service("github");
    github.with(|state| state.moods.push_back(Failure::Unreachable));
    after(&town, 3 * DAY + SECOND).await;
    assert_eq!(github.asked(), 2, "made, and one that failed");
    after(&town, 10 * SECOND).await;
    assert_eq!(github.asked(), 0, "it backs off");
    let old = checked_at(&town, &alice, "alice").await;
    // Many readers are one check.
    for _ in 0..20 {
        assert_eq!(
            checked_at(&town, &alice, "alice").await,
            old,
            "the old answer, at once"
        );
        town.view_at(0, &alice).await.unwrap();
    }
    town.recheck().await;
    assert_eq!(github.asked(), 1);
    assert!(checked_at(&town, &alice, "alice").await > old);
    // A fresh one is left alone.
    town.recheck().await;
    assert_eq!(github.asked(), 0);
}

#[tokio::test]
async fn an_upstream_in_trouble_is_left_alone_and_the_others_are_not() {
    let town = limited().await;
    for number in 1..=20 {
        let by = Persona::new(number);
        town.create(&by, "github", &format!("user{number}")).await;
        town.create(&by, "dns", &format!("{number}.example")).await;
    }
    let (github, dns) = (town.service("github"), town.service("dns"));
    github.asked();
    dns.asked();
    github.with(|state| state.moods.extend([Failure::Unreachable; 500]));
    town.clock.advance(3 * DAY + SECOND);
    let mut dns_asked = 0;
    for _ in 0..60 {
        after(&town, SECOND).await;
        dns_asked += dns.asked();
    }
    assert_eq!(dns_asked, 20, "within its budget, all of them in a minute");
    let asked = github.asked();
    assert!((5..=8).contains(&asked), "then the breaker opens: {asked}");
    // One that says it is asked too much is left alone at once.
    dns.with(|state| state.moods.extend([Failure::Limited; 500]));
    town.clock.advance(4 * DAY);
    for _ in 0..50 {
        after(&town, SECOND).await;
    }
    assert_eq!(dns.asked(), 1);
    // Nothing has turned.
    for number in 1..=20 {
        let view = town.view_at(0, &Persona::new(number)).await.unwrap();
        assert!(view.claims.iter().all(|claim| claim.is_valid));
    }
}

#[tokio::test]
async fn a_check_that_never_ends_holds_up_nobody_else() {
    let (town, alice) = (limited().await, Persona::new(1));
    town.create(&alice, "github", "alice").await;
    town.create(&alice, "dns", "a.example").await;
    town.service("github").with(|state| state.is_away = true);
    town.service("dns").asked();
    town.clock.advance(3 * DAY + SECOND);
    let start = town.clock_now();
    let tick = Reconciler::Recheck.tick(town.engine());
    // The other one is asked meanwhile.
    town.hanging(tick, "dns", 30 * SECOND).await.unwrap();
    let took = town.clock_now() - start;
    // A disk or a database takes its own time, more than this when others use it too.
    assert!(took <= 40 * SECOND || !is_in_memory(), "{took:?}");
    let view = town.view_at(0, &alice).await.unwrap();
    assert!(view.claims.iter().all(|claim| claim.is_valid));
}

#[tokio::test]
async fn a_rename_is_learned_and_an_unlearned_name_is_kept() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    town.create(&alice, "github", "alice").await;
    let github = town.service("github");
    let rename = |to: &str| {
        github.with(|state| state.alt_ids.insert("alice".into(), to.to_owned()));
    };
    for (told, expect) in [("42", "42"), ("", "42"), ("43", "43")] {
        rename(told);
        after(&town, 3 * DAY + SECOND).await;
        let view = town.claim(&alice, "github", "alice").await.unwrap();
        assert_eq!(view.alt_id, expect);
        let by_alt = crate::town::query(expect);
        let found = town.engine().claims().find(&by_alt).await.unwrap();
        assert_eq!(found.total, 1, "found by its new name");
    }
    let old = crate::town::query("42");
    assert_eq!(town.engine().claims().find(&old).await.unwrap().total, 0);
}

#[tokio::test]
async fn a_restart_forgets_nothing_and_a_process_that_died_is_made_up_for() {
    let (mut town, alice) = (Town::new().await, Persona::new(1));
    town.create(&alice, "github", "alice").await;
    town.service("github").asked();
    town.clock.advance(3 * DAY + SECOND);
    // A check that is dropped in its middle, as when the process dies.
    town.service("github").with(|state| state.is_away = true);
    let engine = town.engine().clone();
    let tick = Reconciler::Recheck.tick(&engine);
    tokio::select! {
        biased;
        _ = tick => unreachable!("the service is away"),
        () = town.until(|| town.service("github").asked() == 1) => {}
    }
    town.service("github").with(|state| state.is_away = false);
    town.join().await;
    town.worlds.remove(0);
    town.recheck().await;
    assert_eq!(
        town.service("github").asked(),
        0,
        "somebody may be at it still"
    );
    after(&town, 61 * SECOND).await;
    assert_eq!(town.service("github").asked(), 1);
    let claim = town.claim(&alice, "github", "alice").await.unwrap();
    assert!(claim.is_valid && claim.checked_at.seconds() + 120 > town.now_seconds());
}

#[tokio::test]
async fn of_several_processes_one_checks_each_claim() {
    let town = Town::of(3).await;
    for number in 1..=9 {
        let by = Persona::new(number);
        town.create(&by, "github", &format!("user{number}")).await;
    }
    let github = town.service("github");
    github.asked();
    town.clock.advance(3 * DAY + SECOND);
    // All of them read all of it, and all of them look for what is due.
    for process in 0..3 {
        for number in 1..=9 {
            town.view_at(process, &Persona::new(number)).await.unwrap();
        }
    }
    let ticks = town
        .worlds
        .iter()
        .map(|world| Box::pin(Reconciler::Recheck.tick(&world.engine)));
    let mut ticks: Vec<_> = ticks.collect();
    let mut left = ticks.len();
    while left > 0 {
        town.step().await;
        ticks.retain_mut(|tick| {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            tick.as_mut().poll(&mut context).is_pending()
        });
        left = ticks.len();
    }
    assert_eq!(github.asked(), 9);
    for number in 1..=9 {
        let view = town.view_at(2, &Persona::new(number)).await.unwrap();
        assert!(view.claims[0].checked_at.seconds() + 100 > town.now_seconds());
    }
}

#[tokio::test]
async fn a_claim_revoked_or_made_anew_during_its_check_is_left_alone() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    town.create(&alice, "github", "alice").await;
    town.clock.advance(3 * DAY + SECOND);
    let github = town.service("github");
    github.with(|state| state.is_away = true);
    let engine = town.engine().clone();
    let mut tick = Box::pin(Reconciler::Recheck.tick(&engine));
    github.asked();
    tokio::select! {
        biased;
        _ = &mut tick => unreachable!("the service is away"),
        () = town.until(|| github.asked() == 1) => {}
    }
    github.with(|state| state.is_away = false);
    town.create(&alice, "github", "alice").await;
    let renewed = checked_at(&town, &alice, "alice").await;
    // The old check ends without an answer, and changes nothing.
    town.clock.advance(30 * SECOND);
    town.during(tick).await.unwrap();
    assert_eq!(checked_at(&town, &alice, "alice").await, renewed);
    github.asked();
    after(&town, 2 * DAY).await;
    assert_eq!(github.asked(), 0, "due three days after it was made anew");
}
