//! Find: by whole names and by parts, sorted and in pages, as the document of the API corrected.

use engine::Settings;
use engine::claims::{ClaimError, Order, Query, Sort};

use crate::town::{Persona, SECOND, Town, With, query, settings};

async fn names(town: &Town, query: &Query) -> Vec<String> {
    let page = town.engine().claims().find(query).await.unwrap();
    let claims = page.avatars.into_iter().flat_map(|view| view.claims);
    claims.map(|claim| claim.identity).collect()
}

fn fuzzy(identity: &str) -> Query {
    query(identity).with(|query| query.exact = false)
}

#[tokio::test]
async fn whole_names_and_parts_of_them_in_any_case() {
    let (town, alice, bob) = (Town::new().await, Persona::new(1), Persona::new(2));
    // One service keeps the case of names.
    town.create(&alice, "dns", "Al%ice_.Example").await;
    town.clock.advance(SECOND);
    town.create(&bob, "github", "ALICE").await;
    assert_eq!(names(&town, &query("alice")).await, ["alice"]);
    assert_eq!(
        names(&town, &query("AL%ICE_.example")).await,
        ["Al%ice_.Example"]
    );
    assert_eq!(
        names(&town, &fuzzy("ICE")).await,
        ["alice", "Al%ice_.Example"]
    );
    assert_eq!(
        names(&town, &fuzzy("l%i")).await,
        ["Al%ice_.Example"],
        "no pattern"
    );
    assert_eq!(names(&town, &fuzzy("a_i")).await, [""; 0]);
    let github = fuzzy("ice").with(|query| query.service = Some("github".into()));
    assert_eq!(names(&town, &github).await, ["alice"]);
    let nowhere = query("alice").with(|query| query.service = Some("nowhere".into()));
    assert_eq!(names(&town, &nowhere).await, [""; 0]);
}

#[tokio::test]
async fn a_service_holds_for_every_account_asked_for() {
    let (town, alice, bob) = (Town::new().await, Persona::new(1), Persona::new(2));
    town.create(&alice, "github", "alice").await;
    town.create(&bob, "dns", "bob").await;
    for exact in [true, false] {
        let both = query("alice").with(|query| {
            query
                .identities
                .extend(["".into(), "bob".into(), "alice".into()]);
            query.exact = exact;
        });
        let page = town.engine().claims().find(&both).await.unwrap();
        assert_eq!((page.total, page.avatars.len()), (2, 2), "{exact}");
        let github = both.with(|query| query.service = Some("github".into()));
        assert_eq!(names(&town, &github).await, ["alice"], "{exact}");
    }
}

#[tokio::test]
async fn a_query_names_somebody_but_not_too_many() {
    let town = Town::new().await;
    let claims = town.engine().claims();
    for identities in [vec![], vec![String::new()]] {
        let empty = Query {
            identities,
            ..query("")
        };
        assert!(matches!(
            claims.find(&empty).await,
            Err(ClaimError::Malformed(_))
        ));
    }
    let many = query("a").with(|query| query.identities = vec!["a".into(); 51]);
    assert!(matches!(
        claims.find(&many).await,
        Err(ClaimError::Malformed(_))
    ));
}

#[tokio::test]
async fn an_avatar_is_found_by_its_key_in_every_form_with_all_its_claims() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    for identity in ["b", "a", "c"] {
        town.create(&alice, "dns", identity).await;
        town.clock.advance(SECOND);
    }
    let key = alice.avatar().to_string();
    for form in [key.clone(), key[2..].to_uppercase()] {
        let query = query(&form).with(|query| query.service = Some("nextid".into()));
        let page = town.engine().claims().find(&query).await.unwrap();
        assert_eq!((page.total, page.avatars.len()), (3, 1));
        assert_eq!(page.avatars[0].avatar, alice.avatar());
        assert_eq!(names(&town, &query).await, ["c", "a", "b"], "newest first");
        let sorted = query.with(|query| {
            query.sort = Sort::Identity;
            query.order = Order::Asc;
        });
        assert_eq!(names(&town, &sorted).await, ["a", "b", "c"]);
    }
    let nobody = query("0x00").with(|query| query.service = Some("nextid".into()));
    assert_eq!(town.engine().claims().find(&nobody).await.unwrap().total, 0);
}

#[tokio::test]
async fn pages_are_of_claims_and_avatars_stand_where_their_first_match_is() {
    let town = Town::new().await;
    let personas: Vec<Persona> = (1..4).map(Persona::new).collect();
    // Seven claims: 1 has a0 a3 a6, 2 has a1 a4, 3 has a2 a5.
    for number in 0..7 {
        let by = &personas[number % 3];
        town.create(by, "dns", &format!("a{number}")).await;
        town.clock.advance(SECOND);
    }
    let page = async |page: u64, per: u32| {
        let query = fuzzy("a").with(|query| {
            query.page = page;
            query.per = per;
            query.order = Order::Asc;
        });
        town.engine().claims().find(&query).await.unwrap()
    };
    let first = page(1, 3).await;
    assert_eq!(
        (first.total, first.per, first.current, first.next),
        (7, 3, 1, 2)
    );
    let avatars: Vec<_> = first.avatars.iter().map(|view| view.avatar).collect();
    let expected: Vec<_> = personas.iter().map(Persona::avatar).collect();
    assert_eq!(avatars, expected);
    assert_eq!(first.avatars[0].claims.len(), 3, "all claims of each");
    let last = page(3, 3).await;
    assert_eq!((last.current, last.next, last.avatars.len()), (3, 0, 1));
    let beyond = page(4, 3).await;
    assert_eq!((beyond.total, beyond.current, beyond.next), (7, 4, 0));
    assert!(beyond.avatars.is_empty());
    let zero = page(0, 0).await;
    assert_eq!((zero.current, zero.per, zero.next), (1, 1, 2));
    let far = page(u64::MAX, 100).await;
    assert_eq!((far.next, far.avatars.len()), (0, 0));
}

#[tokio::test]
async fn sorted_by_activation_an_avatar_counts_once() {
    let town = Town::new().await;
    let personas: Vec<Persona> = (1..4).map(Persona::new).collect();
    for round in 0..2 {
        for (number, by) in personas.iter().enumerate() {
            town.create(by, "dns", &format!("same{round}{number}"))
                .await;
            town.clock.advance(SECOND);
        }
    }
    // The first one is active again, by a delete.
    town.delete(&personas[0], "dns", "same00").await.unwrap();
    for exact in [false, true] {
        let query = fuzzy("same").with(|query| {
            query.sort = Sort::ActivatedAt;
            query.exact = exact;
            if exact {
                let names = ["same01", "same02", "same10", "same11", "same12"];
                query.identities = names.map(str::to_owned).to_vec();
            }
        });
        let page = town.engine().claims().find(&query).await.unwrap();
        let avatars: Vec<_> = page.avatars.iter().map(|view| view.avatar).collect();
        let expected: Vec<_> = [0, 2, 1].map(|at: usize| personas[at].avatar()).to_vec();
        assert_eq!((page.total, avatars), (3, expected), "{exact}");
        let newest = page.avatars[0].activated_at.unsigned_abs();
        assert_eq!(newest, town.now_seconds());
        assert_eq!(
            page.avatars[1].claims[0].identity, "same12",
            "by when they were made"
        );
    }
}

#[tokio::test]
async fn an_account_claimed_by_very_many_is_found_in_memory() {
    let town = Town::with(Settings {
        limits_enabled: false,
        ..settings()
    })
    .await;
    let many = engine::limits::EXACT_ROWS_MAX as usize + 10;
    for number in 0..many {
        let mut secret = [7_u8; 32];
        secret[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let by = Persona::of(secret);
        town.create(&by, "dns", "same").await;
    }
    let page = town.engine().claims().find(&query("same")).await.unwrap();
    assert_eq!(page.total, many as u64);
    assert_eq!((page.avatars.len(), page.next), (40, 2));
}

#[tokio::test]
async fn parts_of_names_wait_for_the_index_and_whole_names_do_not() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    town.create(&alice, "dns", "a.example").await;
    let ports = engine::ports::Ports {
        checkers: Vec::new(),
        ..testkit::World::ports(town.store.clone(), town.clock.clone())
    };
    let engine = engine::Engine::open(ports, settings()).await.unwrap();
    let loading = engine.claims().find(&fuzzy("exam")).await;
    assert!(matches!(loading, Err(ClaimError::Loading)));
    assert_eq!(
        engine
            .claims()
            .find(&query("a.example"))
            .await
            .unwrap()
            .total,
        1
    );
    engine.load_claims().await.unwrap();
    assert_eq!(engine.claims().find(&fuzzy("exam")).await.unwrap().total, 1);
}

#[tokio::test]
async fn every_process_finds_what_any_of_them_accepts() {
    let town = Town::of(3).await;
    for number in 0..12_u8 {
        let by = Persona::new(number + 1);
        let posting = town.ready(&by, "dns", &format!("{number}.example")).await;
        town.post_at(usize::from(number) % 3, &posting)
            .await
            .unwrap();
    }
    town.delete(&Persona::new(1), "dns", "0.example")
        .await
        .unwrap();
    for _ in 0..40 {
        town.step().await;
    }
    for world in &town.worlds {
        let found = world
            .engine
            .claims()
            .find(&fuzzy(".example"))
            .await
            .unwrap();
        assert_eq!(found.total, 11);
    }
}

#[tokio::test]
async fn a_chain_is_shown_in_pages_oldest_first() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    for number in 0..5 {
        town.create(&alice, "dns", &format!("{number}")).await;
    }
    let claims = town.engine().claims();
    let page = async |page, per| claims.chain(&alice.avatar(), page, per).await.unwrap();
    let first = page(1, 2).await;
    assert_eq!((first.total, first.current, first.next), (5, 1, 2));
    let seqnos: Vec<_> = first.links.iter().map(|link| link.seqno).collect();
    assert_eq!(seqnos, [1, 2]);
    let last = page(3, 2).await;
    assert_eq!((last.next, last.links[0].identity.as_str()), (0, "4"));
    for beyond in [4, u64::MAX] {
        let beyond = page(beyond, 2).await;
        assert_eq!((beyond.next, beyond.links.len()), (0, 0));
    }
    let nobody = claims
        .chain(&Persona::new(9).avatar(), 1, 40)
        .await
        .unwrap();
    assert_eq!((nobody.total, nobody.links.len()), (0, 0));
}
