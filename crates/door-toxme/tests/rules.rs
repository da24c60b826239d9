//! What the directory promises, seen from outside.

use std::collections::HashSet;
use std::time::Duration;

use engine::names::Sealed;
use serde_json::{Value, json};
use testkit::{ToxClient, World, default_settings};

use crate::door::{Answered, Door, delete, lookup, push};

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Door {
    async fn push_code(&self, sealed: &Sealed) -> i64 {
        self.post(&push(sealed)).await.code()
    }

    async fn delete_code(&self, sealed: &Sealed) -> i64 {
        self.post(&delete(sealed)).await.code()
    }

    async fn lookup_code(&self, name: &str) -> i64 {
        self.post(&lookup(name)).await.code()
    }

    /// The name of a client's key, or the code.
    async fn reverse(&self, client: &ToxClient) -> Result<String, i64> {
        let id = &client.tox_id().to_string()[..64];
        let reply = self.post(&json!({"action": 5, "id": id})).await.reply();
        match reply["name"].as_str() {
            Some(name) => Ok(name.to_owned()),
            None => Err(reply["c"].as_i64().unwrap()),
        }
    }

    /// The names on one page of a search.
    async fn search(&self, fragment: &str, page: u64) -> Vec<String> {
        let body = json!({"action": 6, "name": fragment, "page": page});
        let reply = self.post(&body).await.ok();
        let name = |user: &Value| user["name"].as_str().unwrap().to_owned();
        reply["users"]
            .as_array()
            .unwrap()
            .iter()
            .map(name)
            .collect()
    }
}

#[tokio::test]
async fn a_sealed_request_works_once() {
    let door = Door::unlimited().await;
    let alice = door.world.client(1);
    let now = door.world.seconds();
    let (register, update) = (
        alice.push("alice", 1, "first", now),
        alice.push("alice", 1, "second", now),
    );
    let release = alice.delete(now);
    assert_eq!(door.push_code(&register).await, 0);
    assert_eq!(door.push_code(&register).await, -3);
    assert_eq!(
        door.push_code(&update).await,
        0,
        "two in one second are fine"
    );
    assert_eq!(door.delete_code(&release).await, 0);
    assert_eq!(door.push_code(&register).await, -3, "no way back");
    assert_eq!(door.lookup_code("alice").await, -42);
    let again = alice.push("alice", 1, "", now);
    assert_eq!(door.push_code(&again).await, 0);
    assert_eq!(door.delete_code(&release).await, -3);
    door.world.clock.advance(Duration::from_secs(301));
    for old in [&register, &update, &again] {
        assert_eq!(door.push_code(old).await, -3);
    }
    assert_eq!(door.lookup_code("alice").await, 0);
}

#[tokio::test]
async fn a_refused_request_may_be_sent_again() {
    let door = Door::unlimited().await;
    let (alice, bob) = (door.world.client(1), door.world.client(2));
    let now = door.world.seconds();
    door.register(&alice, "alice", 1, "").await;
    let wanted = bob.push("alice", 1, "", now);
    assert_eq!(door.push_code(&wanted).await, -25);
    assert_eq!(
        door.push_code(&alice.hand_over(&bob.tox_id(), "alice", now))
            .await,
        0
    );
    assert_eq!(door.push_code(&wanted).await, 0);
}

#[tokio::test]
async fn a_new_name_needs_the_key_of_its_tox_id() {
    let door = Door::unlimited().await;
    let (alice, mallory) = (door.world.client(1), door.world.client(2));
    let foreign = mallory.hand_over(&alice.tox_id(), "alice", door.world.seconds());
    assert_eq!(door.push_code(&foreign).await, -3);
    assert_eq!(door.lookup_code("alice").await, -42);

    let mut settings = default_settings();
    settings.strict_possession = false;
    let legacy = Door::over(World::with(settings).await);
    assert_eq!(legacy.push_code(&foreign).await, 0);
    let record = legacy.post(&lookup("alice")).await.ok();
    assert_eq!(record["tox_id"], alice.tox_id().to_string());
    assert_eq!(record["verify"]["status"], 3, "nobody asked alice");
    let own = alice.push("alice", 1, "", door.world.seconds());
    assert_eq!(legacy.push_code(&own).await, 0, "the record's key rules");
    let record = legacy.post(&lookup("alice")).await.ok();
    assert_eq!(record["verify"]["status"], 1);
}

#[tokio::test]
async fn a_name_can_be_handed_over() {
    let door = Door::unlimited().await;
    let clients: Vec<ToxClient> = (1..=3).map(|byte| door.world.client(byte)).collect();
    let [alice, bob, carol] = clients.as_slice() else {
        unreachable!()
    };
    let now = door.world.seconds();
    door.register(alice, "shop", 1, "").await;
    door.register(carol, "carol", 1, "").await;

    let taken = alice.hand_over(&carol.tox_id(), "shop", now);
    assert_eq!(door.push_code(&taken).await, -26);
    let handed = door
        .post(&push(&alice.hand_over(&bob.tox_id(), "shop", now)))
        .await
        .ok();
    assert_eq!(
        handed["password"],
        Value::Null,
        "an update keeps the password"
    );

    assert_eq!(door.push_code(&alice.push("shop", 1, "", now)).await, -25);
    assert_eq!(door.delete_code(&alice.delete(now)).await, -30);
    assert_eq!(door.reverse(alice).await, Err(-30));
    assert_eq!(door.reverse(bob).await, Err(-30), "bob was not asked");
    let record = door.post(&lookup("shop")).await.ok();
    assert_eq!(record["tox_id"], bob.tox_id().to_string());
    assert_eq!(record["verify"]["status"], 3);
    let taken = door.post(&push(&bob.push("shop", 1, "", now))).await.ok();
    assert!(
        taken["password"].is_string(),
        "alice's is not for bob's name"
    );
    assert_eq!(door.reverse(bob).await.as_deref(), Ok("shop"));
    assert_eq!(
        door.push_code(&alice.push("alice", 1, "", now)).await,
        0,
        "the old key is free"
    );
    assert_eq!(
        door.push_code(&carol.push("shop", 1, "", now)).await,
        -26,
        "that the key has a name is said before that the name is taken"
    );
}

#[tokio::test]
async fn a_deleted_name_is_gone_at_once_and_kept_from_others() {
    let door = Door::unlimited().await;
    let (alice, bob) = (door.world.client(1), door.world.client(2));
    let first = door.register(&alice, "alice", 2, "").await;
    assert_eq!(door.search("lic", 0).await, ["alice"]);
    assert_eq!(
        door.delete_code(&alice.delete(door.world.seconds())).await,
        0
    );
    assert_eq!(door.lookup_code("alice").await, -42);
    assert_eq!(door.reverse(&alice).await, Err(-30));
    assert_eq!(door.search("lic", 0).await, Vec::<String>::new());

    let grabs = async || {
        door.push_code(&bob.push("alice", 1, "", door.world.seconds()))
            .await
    };
    assert_eq!(grabs().await, -25);
    door.world.clock.advance(30 * DAY - Duration::from_secs(1));
    assert_eq!(grabs().await, -25);
    let second = door.register(&alice, "alice", 1, "").await;
    assert_ne!(first, second, "a new registration has a new password");
    assert_eq!(
        door.delete_code(&alice.delete(door.world.seconds())).await,
        0
    );
    door.world.clock.advance(30 * DAY);
    assert_eq!(grabs().await, 0);
    assert_eq!(
        door.push_code(&alice.push("alice2", 1, "", door.world.seconds()))
            .await,
        0,
        "the key was free all the time"
    );
}

#[tokio::test]
async fn an_operator_may_free_names_at_once() {
    let mut settings = default_settings();
    settings.release_after = Some(Duration::ZERO);
    let door = Door::over(World::with(settings).await);
    let (alice, bob) = (door.world.client(1), door.world.client(2));
    door.register(&alice, "alice", 1, "").await;
    assert_eq!(
        door.delete_code(&alice.delete(door.world.seconds())).await,
        0
    );
    door.register(&bob, "alice", 1, "").await;
}

#[tokio::test]
async fn privacy_decides_who_finds_a_name() {
    let door = Door::unlimited().await;
    let alice = door.world.client(1);
    for (privacy, found) in [(2, true), (0, false), (1, true), (-1, false), (7, true)] {
        let sealed = alice.push("alice", privacy, "", door.world.seconds());
        assert_eq!(door.push_code(&sealed).await, 0);
        assert_eq!(door.lookup_code("alice").await, 0);
        assert_eq!(
            !door.search("alice", 0).await.is_empty(),
            found,
            "{privacy}"
        );
        assert_eq!(door.reverse(&alice).await.is_ok(), found, "{privacy}");
    }
}

#[tokio::test]
async fn a_search_has_pages_of_30_in_order() {
    let door = Door::unlimited().await;
    for byte in 0..65_u8 {
        let client = door.world.client(byte + 1);
        // Registered backwards.
        door.register(&client, &format!("n%{:02}_x", 64 - byte), 1, "")
            .await;
    }
    let mut all = Vec::new();
    for (page, count) in [(0, 30), (1, 30), (2, 5), (3, 0), (u64::MAX, 0)] {
        let names = door.search("_X", page).await;
        assert_eq!(names.len(), count, "page {page}");
        all.extend(names);
    }
    let expected: Vec<String> = (0..65).map(|number| format!("n%{number:02}_x")).collect();
    assert_eq!(all, expected);
    for (fragment, count) in [
        ("%", 30),
        ("%0_", 0),
        ("%1_x", 0),
        ("1_", 7),
        ("*", 0),
        ("n?", 0),
    ] {
        assert_eq!(door.search(fragment, 0).await.len(), count, "{fragment}");
    }
}

#[tokio::test]
async fn names_are_one_whatever_their_case_and_composition() {
    let door = Door::unlimited().await;
    let (zoe, other) = (door.world.client(1), door.world.client(2));
    door.register(&zoe, "ZOE\u{308}", 1, "").await;
    for spelling in [
        "zo\u{eb}",
        "ZO\u{cb}",
        "Zoe\u{308}",
        "zo\u{eb}@EXAMPLE.test",
    ] {
        let record = door.post(&lookup(spelling)).await.ok();
        assert_eq!(record["name"], "zo\u{eb}");
    }
    assert_eq!(door.search("O\u{cb}", 0).await, ["zo\u{eb}"]);
    let sealed = other.push("zo\u{eb}", 1, "", door.world.seconds());
    assert_eq!(door.push_code(&sealed).await, -25);
}

#[tokio::test]
async fn a_bio_is_one_line() {
    let door = Door::unlimited().await;
    door.register(&door.world.client(1), "alice", 1, " one\r\n\r\ntwo ")
        .await;
    let body = json!({"action": 6, "name": "alice", "page": 0});
    assert_eq!(door.post(&body).await.ok()["users"][0]["bio"], "one two");
}

#[tokio::test]
async fn thirteen_pushes_an_hour_good_or_bad_and_everything_else_unlimited() {
    let door = Door::new().await;
    let alice = door.world.client(1);
    let now = door.world.seconds();
    for attempt in 0..6 {
        assert_eq!(
            door.push_code(&alice.push("alice", 1, "", now)).await,
            0,
            "{attempt}"
        );
        let unreadable = door.post(&json!({"action": 1})).await;
        assert_eq!(unreadable.code(), -3);
    }
    assert_eq!(door.push_code(&alice.push("a b", 1, "", now)).await, -27);
    for _ in 0..20 {
        let refused = door.post(&push(&alice.push("alice", 1, "", now))).await;
        assert_eq!((refused.code(), refused.status), (-4, 400));
        assert_eq!(refused.headers["retry-after"], "277");
    }
    let stranger = door.world.client(9);
    for _ in 0..20 {
        assert_eq!(door.lookup_code("alice").await, 0);
        assert_eq!(door.search("alice", 0).await.len(), 1);
        assert_eq!(door.delete_code(&stranger.delete(now)).await, -30);
    }
    door.world.clock.advance(Duration::from_secs(277));
    let later = alice.push("alice", 1, "", door.world.seconds());
    assert_eq!(
        door.push_code(&later).await,
        0,
        "who waited as told may go on"
    );
    assert_eq!(door.push_code(&alice.push("alice", 1, "", now)).await, -4);
}

#[tokio::test]
async fn passwords_are_six_syllables_and_never_repeat() {
    let door = Door::unlimited().await;
    let mut seen = HashSet::new();
    for byte in 1..=20 {
        let client = door.world.client(byte);
        let password = door.register(&client, &format!("name{byte}"), 0, "").await;
        let syllables: Vec<&str> = password.split('-').collect();
        assert_eq!(syllables.len(), 6, "{password}");
        for syllable in syllables {
            let letters: Vec<char> = syllable.chars().collect();
            let vowels = letters.iter().map(|letter| "aeiou".contains(*letter));
            assert_eq!(
                vowels.collect::<Vec<_>>(),
                [false, true, false],
                "{password}"
            );
        }
        assert!(seen.insert(password));
    }
}

#[tokio::test]
async fn status_counts_look_ups_and_names_roughly() {
    let door = Door::unlimited().await;
    for byte in 1..=120 {
        door.register(&door.world.client(byte), &format!("name{byte}"), 0, "")
            .await;
        for _ in 0..3 {
            assert_eq!(door.lookup_code(&format!("name{byte}")).await, 0);
        }
    }
    let mut different = HashSet::new();
    for _ in 0..50 {
        let reply = door.post(&json!({"action": 4})).await.ok();
        let count = |field: &str| reply[field].as_u64().unwrap();
        assert!((260..=560).contains(&count("rs")), "{reply}");
        assert!((20..=320).contains(&count("uc")), "{reply}");
        assert_eq!((count("rs") % 100, count("uc") % 100), (0, 0));
        different.insert((count("rs"), count("uc")));
    }
    assert!(different.len() > 1, "rolled anew each time");
}
