//! Twitter, by three ways.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use checkers::{Twitter, Way};
use crypto::secret::Secret;
use engine::ports::checker::{ClaimChecker, Failure, Found, Refusal};
use engine::ports::fetch::FetchError;

use crate::battery::{Case, NO_NAMES, normalised};
use crate::fake::{NOBODY, Reply, Web, world};
use crate::vectors::{Claim, vectors};

const ID: &str = "1504363098328924163";
const SYNDICATION: &str =
    "GET twitter_syndication /tweet-result?id=1504363098328924163&token=3na3ghomggp&lang=en";
const OEMBED: &str = "GET twitter_oembed /oembed?url=https%3A%2F%2Ftwitter.com%2Fmy_screen_name\
                      %2Fstatus%2F1504363098328924163&omit_script=1&dnt=1";
const TWEETS: &str = "GET twitter_api /2/tweets?ids=1504363098328924163\
                      &expansions=entities.mentions.username,author_id\
                      &tweet.fields=text,created_at,entities";
const USERS: &str = "GET twitter_api /2/users?ids=1469221200140574720&user.fields=username";
const AUTHOR: &str = "1469221200140574720";

fn twitter(order: &[Way]) -> Twitter {
    Twitter {
        token: order
            .contains(&Way::Api)
            .then(|| Secret::new("token".to_owned())),
        order: order.to_vec(),
    }
}

fn claim() -> Claim {
    Claim::of("twitter").at(ID)
}

fn case<'c>(checker: &'c Twitter, asked: &'c str, file: &str) -> Case<'c> {
    Case {
        checker,
        claim: claim(),
        replies: vec![(asked, Reply::file(file))],
        bases: Vec::new(),
        asked,
        empty: Failure::Unreachable,
    }
}

async fn check(order: &[Way], replies: &[(&str, Reply)]) -> Result<Found, Refusal> {
    let web = Web::of(replies);
    let checker = twitter(order);
    checker
        .check(&claim().claimed(), &world(&web, &NOBODY))
        .await
}

#[tokio::test]
async fn an_embedded_tweet_shows_its_authors_avatar() {
    let checker = twitter(&[Way::Syndication]);
    let case = case(&checker, SYNDICATION, "twitter/syndication.json");
    let found = case.run().await;
    assert_eq!(
        (found.alt_id.as_str(), found.location.as_str()),
        (AUTHOR, ID)
    );
    let refusal = case
        .refusal(Reply::file("twitter/syndication_other_author.json"))
        .await;
    assert_eq!(refusal.failure, Failure::WrongAuthor);
    assert_eq!(refusal.reason, "tweet is not sent by this account.");
    let refusal = case
        .refusal(Reply::file("twitter/syndication_without_signature.json"))
        .await;
    assert_eq!(refusal.failure, Failure::TextMissing);
    assert_eq!(refusal.reason, "Signature not found in tweet text.");
    for gone in [
        Reply::file("twitter/syndication_tombstone.json"),
        Reply::new(200, "{}"),
    ] {
        assert_eq!(case.failure(gone).await, Failure::NotFound);
    }
    let other = Reply::file("twitter/syndication.json").replaced(ID, "20");
    assert_eq!(
        case.failure(other).await,
        Failure::Unreachable,
        "another tweet"
    );
}

#[tokio::test]
async fn an_oembed_document_shows_it() {
    let checker = twitter(&[Way::Oembed]);
    let case = case(&checker, OEMBED, "twitter/oembed.json");
    let found = case.run().await;
    assert_eq!((found.alt_id.as_str(), found.location.as_str()), ("", ID));
    let other = Reply::file("twitter/oembed_other_author.json");
    assert_eq!(case.failure(other).await, Failure::WrongAuthor);
    let other = Reply::file("twitter/oembed_without_signature.json");
    assert_eq!(case.failure(other).await, Failure::TextMissing);
    let good = || Reply::file("twitter/oembed.json");
    let elsewhere = good().replaced(
        "\"author_url\": \"https://twitter.com/My_Screen_Name\"",
        "\"author_url\": \"https://evil.example/My_Screen_Name\"",
    );
    assert_eq!(case.failure(elsewhere).await, Failure::Unreachable);
    let other = good().replaced(&format!("/status/{ID}\""), "/status/20\"");
    assert_eq!(
        case.failure(other).await,
        Failure::Unreachable,
        "another tweet"
    );
}

#[tokio::test]
async fn the_api_shows_it() {
    let checker = twitter(&[Way::Api]);
    let mut case = case(&checker, TWEETS, "twitter/api_tweets.json");
    case.replies
        .push((USERS, Reply::file("twitter/api_users.json")));
    let found = case.run().await;
    assert_eq!(
        (found.alt_id.as_str(), found.location.as_str()),
        (AUTHOR, ID)
    );
    // The author is among those mentioned, or has to be asked for.
    let found = case
        .with(
            TWEETS,
            Reply::file("twitter/api_tweets_without_author.json"),
        )
        .await;
    assert_eq!(found.unwrap().alt_id, AUTHOR);
    let missing = Reply::file("twitter/api_not_found.json");
    assert_eq!(case.failure(missing).await, Failure::NotFound);
    let limited = Reply::file("twitter/api_rate_limited.json").status(429);
    assert_eq!(
        case.failure(limited.retry_after(900)).await,
        Failure::Limited
    );
    let other = Reply::file("twitter/api_tweets.json").replaced(
        "\"author_id\": \"1469221200140574720\"",
        "\"author_id\": \"1404267126010486784\"",
    );
    assert_eq!(
        case.failure(other).await,
        Failure::WrongAuthor,
        "somebody who is mentioned"
    );
}

#[tokio::test]
async fn the_token_goes_to_the_api_alone() {
    let checker = twitter(&[Way::Syndication, Way::Oembed, Way::Api]);
    let nothing = Reply::new(500, "");
    let web = Web::of(&[
        (SYNDICATION, nothing.clone()),
        (OEMBED, nothing),
        (
            TWEETS,
            Reply::file("twitter/api_tweets_without_author.json"),
        ),
        (USERS, Reply::file("twitter/api_users.json")),
    ]);
    checker
        .check(&claim().claimed(), &world(&web, &NOBODY))
        .await
        .unwrap();
    let secrets = web.requests().into_iter().map(|request| {
        let mut names = request.headers.iter().map(|(name, _)| name);
        names.any(|name| name == "authorization")
    });
    assert_eq!(secrets.collect::<Vec<_>>(), [false, false, true, true]);
}

#[tokio::test]
async fn ways_are_tried_in_order_until_one_shows_the_tweet() {
    use Way::{Api, Oembed, Syndication};
    let good = [
        (SYNDICATION, Reply::file("twitter/syndication.json")),
        (OEMBED, Reply::file("twitter/oembed.json")),
        (TWEETS, Reply::file("twitter/api_tweets.json")),
    ];
    for (order, asked) in [
        (&[Syndication, Oembed, Api], SYNDICATION),
        (&[Oembed, Api, Syndication], OEMBED),
        (&[Api, Syndication, Oembed], TWEETS),
    ] {
        let web = Web::of(&good);
        let checker = twitter(order);
        checker
            .check(&claim().claimed(), &world(&web, &NOBODY))
            .await
            .unwrap();
        assert_eq!(web.asked(), [asked]);
    }
    for first in [
        Reply::new(404, ""),
        Reply::new(429, ""),
        Reply::new(200, "<html>"),
        Reply::failed(FetchError::Unreachable),
    ] {
        let found = check(
            &[Syndication, Oembed],
            &[(SYNDICATION, first), good[1].clone()],
        )
        .await;
        assert!(found.is_ok());
    }
}

/// The text of a retweet is the other's, under the name of whoever repeats it.
#[tokio::test]
async fn a_retweet_shows_nothing() {
    for (way, asked, file) in [
        (Way::Syndication, SYNDICATION, "twitter/syndication.json"),
        (Way::Api, TWEETS, "twitter/api_tweets.json"),
    ] {
        let start = "\"text\": \"";
        let repeated = format!("{start}RT @mallory: ");
        let retweet = Reply::file(file).replaced(start, &repeated);
        let checker = twitter(&[way]);
        let refusal = case(&checker, asked, file).refusal(retweet).await;
        assert_eq!(refusal.failure, Failure::WrongAuthor);
        assert_eq!(refusal.reason, "the tweet repeats somebody else's");
    }
}

#[tokio::test]
async fn a_tweet_of_a_protected_account_is_not_there() {
    let checker = twitter(&[Way::Oembed]);
    let case = case(&checker, OEMBED, "twitter/oembed.json");
    let hidden = Reply::file("twitter/oembed_protected.json").status(403);
    assert_eq!(case.failure(hidden).await, Failure::NotFound);
}

#[tokio::test]
async fn an_author_is_not_looked_for_by_another_way() {
    let other = Reply::file("twitter/syndication_other_author.json");
    let refused = check(&[Way::Syndication, Way::Oembed], &[(SYNDICATION, other)]).await;
    assert_eq!(refused.unwrap_err().failure, Failure::WrongAuthor);
}

#[tokio::test]
async fn that_there_is_none_counts_for_more_than_that_nobody_answers() {
    let order = [Way::Syndication, Way::Oembed];
    let (missing, shut) = (Reply::new(404, ""), Reply::new(503, ""));
    let both = [(SYNDICATION, missing.clone()), (OEMBED, shut.clone())];
    assert_eq!(
        check(&order, &both).await.unwrap_err().failure,
        Failure::NotFound
    );
    let both = [(SYNDICATION, shut.clone()), (OEMBED, missing)];
    assert_eq!(
        check(&order, &both).await.unwrap_err().failure,
        Failure::NotFound
    );
    let both = [(SYNDICATION, shut.clone()), (OEMBED, shut)];
    assert_eq!(
        check(&order, &both).await.unwrap_err().failure,
        Failure::Unreachable
    );
}

#[tokio::test]
async fn signatures_may_be_emoji() {
    let emoji = Reply::file("twitter/syndication_emoji.json");
    let found = check(&[Way::Syndication], &[(SYNDICATION, emoji)])
        .await
        .unwrap();
    let text = vectors()["proof_post_signature"]["base64"].clone();
    let signature = BASE64_STANDARD.decode(text.as_str().unwrap()).unwrap();
    assert_eq!(found.signatures, [signature]);
}

#[tokio::test]
async fn names_and_numbers_are_checked() {
    let checker = twitter(&[Way::Syndication]);
    assert_eq!(
        normalised(&checker, "My_Screen_Name").await.unwrap(),
        "my_screen_name"
    );
    for name in NO_NAMES {
        assert_eq!(normalised(&checker, name).await, None, "{name:?}");
    }
    for id in ["0", "-1", "+5", "9223372036854775808", "1.5", "0x10", "٣"] {
        let web = Web::default();
        let claim = Claim::of("twitter").at(id);
        let refused = checker.check(&claim.claimed(), &world(&web, &NOBODY)).await;
        assert_eq!(refused.unwrap_err().failure, Failure::Malformed, "{id}");
    }
}

#[test]
fn without_a_token_the_api_is_no_way() {
    let checker = Twitter {
        token: None,
        order: vec![Way::Api],
    };
    assert!(!checker.can_work());
    assert!(twitter(&[Way::Api]).can_work());
    assert!(!twitter(&[]).can_work());
}
