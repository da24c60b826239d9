//! What a page about one avatar shows, and which claims somebody was found for.

use engine::claims::{Described, Standing};
use engine::types::ClaimAction;

use crate::rechecking::after;
use crate::town::{DAY, Persona, SECOND, Town, With, posting, query};

async fn described(town: &Town, of: &Persona) -> Option<Described> {
    let claims = town.engine().claims();
    claims.describe(&of.avatar()).await.unwrap()
}

/// One avatar claims to be another, which signs too.
async fn vouch(town: &Town, by: &Persona, other: &Persona) {
    let name = other.avatar().to_string();
    let prepared = town.prepare(by, ClaimAction::Create, "nextid", &name).await;
    let posting = posting(by, ClaimAction::Create, "nextid", &prepared).with(|posting| {
        posting.extra.signature = Some(by.sign(&prepared.payload));
        posting.extra.target_signature = Some(other.sign_text(&prepared.payload));
    });
    town.post(&posting).await.unwrap();
}

#[tokio::test]
async fn an_avatar_is_described_with_the_places_of_its_posts() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    assert_eq!(described(&town, &alice).await, None, "never seen");
    let mut places = Vec::new();
    for (service, identity) in [("dns", "a.example"), ("github", "alice"), ("dns", "b")] {
        let posting = town.ready(&alice, service, identity).await;
        town.post(&posting).await.unwrap();
        places.insert(0, posting.location);
        town.clock.advance(SECOND);
    }
    let found = described(&town, &alice).await.unwrap();
    let names: Vec<&str> = found
        .view
        .claims
        .iter()
        .map(|it| it.identity.as_str())
        .collect();
    assert_eq!(names, ["b", "alice", "a.example"], "newest first");
    assert_eq!(found.locations, places);
    assert!(found.locations[1].starts_with("at-"), "{places:?}");
    assert_eq!(found.view.avatar, alice.avatar());

    town.delete(&alice, "github", "alice").await.unwrap();
    let found = described(&town, &alice).await.unwrap();
    assert_eq!((found.view.claims.len(), found.locations.len()), (2, 2));
    for identity in ["a.example", "b"] {
        town.delete(&alice, "dns", identity).await.unwrap();
    }
    let found = described(&town, &alice).await.unwrap();
    assert_eq!(found.view.claims, [], "its chain is still there to be read");
}

#[tokio::test]
async fn an_avatar_that_another_one_names_is_described_while_it_does() {
    let (town, phone, desk) = (Town::new().await, Persona::new(1), Persona::new(2));
    vouch(&town, &phone, &desk).await;
    let found = described(&town, &desk).await.unwrap();
    assert_eq!(found.view.aliases, [phone.avatar()]);
    assert_eq!((found.view.claims.len(), found.view.activated_at), (0, 0));
    let found = described(&town, &phone).await.unwrap();
    assert_eq!(found.view.aliases, [desk.avatar()]);
    let name = desk.avatar().to_string();
    town.delete(&phone, "nextid", &name).await.unwrap();
    assert_eq!(described(&town, &desk).await, None);
}

#[tokio::test]
async fn a_claim_holds_or_not_or_could_not_be_checked_lately() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    town.create(&alice, "github", "alice").await;
    let standing = async || {
        let found = described(&town, &alice).await.unwrap();
        town.engine().claims().standing(&found.view.claims[0])
    };
    assert_eq!(standing().await, Standing::Holds);
    let github = town.service("github");
    let posts = github.with(|state| std::mem::take(&mut state.posts));
    after(&town, 3 * DAY + SECOND).await;
    assert_eq!(standing().await, Standing::Contradicted);
    github.with(|state| state.posts = posts);
    after(&town, 3 * DAY + SECOND).await;
    assert_eq!(standing().await, Standing::Holds);

    // From now on nobody looks. What is due has an hour.
    town.clock.advance(3 * DAY + 3000 * SECOND);
    assert_eq!(
        standing().await,
        Standing::Holds,
        "a check may be on its way"
    );
    town.clock.advance(601 * SECOND);
    assert_eq!(standing().await, Standing::Unchecked);
    town.recheck().await;
    assert_eq!(standing().await, Standing::Holds);
}

#[tokio::test]
async fn what_somebody_was_found_for_is_told_from_the_rest() {
    let town = Town::new().await;
    town.service("dns")
        .with(|state| state.alt_ids.insert("x.example".into(), "Al-Other".into()));
    for (number, service, identity) in [
        (1, "dns", "alice"),
        (1, "github", "alice"),
        (1, "dns", "x.example"),
        (2, "dns", "Malice.example"),
        (2, "github", "bob"),
    ] {
        town.create(&Persona::new(number), service, identity).await;
    }
    for (service, identity, exact) in [
        (None, "ALICE", true),
        (None, "ALICE", false),
        (Some("dns"), "alice", true),
        (Some("dns"), "alice", false),
        (None, "al", false),
        (None, "al-other", true),
        (Some("github"), "o", false),
        (None, "nobody", false),
        (Some("nowhere"), "alice", true),
    ] {
        let query = query(identity).with(|query| {
            query.service = service.map(str::to_owned);
            query.identities.push(String::new());
            query.exact = exact;
        });
        let page = town.engine().claims().find(&query).await.unwrap();
        let claims = page.avatars.iter().flat_map(|view| &view.claims);
        let met = claims.filter(|claim| query.is_met_by(claim)).count();
        assert_eq!(met as u64, page.total, "{service:?} {identity} {exact}");
    }
    let key = Persona::new(1).avatar().to_string();
    let query = query(&key).with(|query| query.service = Some("nextid".into()));
    let page = town.engine().claims().find(&query).await.unwrap();
    assert!(
        page.avatars[0]
            .claims
            .iter()
            .all(|claim| query.is_met_by(claim))
    );
}
