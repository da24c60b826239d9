//! The chain of the vectors, link by link.

use engine::claims::Posting;
use engine::ports::checker::Extra;
use engine::types::{Avatar, ClaimAction, Uuid};
use serde_json::Value;

use crate::town::Town;

#[tokio::test]
async fn the_chain_of_the_vectors_is_accepted_and_shown_as_it_is() {
    let text = include_str!("../../vectors/proofservice.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
    let chain = &vectors["chain"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let avatar = Avatar::parse(&text(&chain["avatar"])).unwrap();
    let town = Town::named(&["twitter", "dns"]).await;
    let links = chain["links"].as_array().unwrap();
    for link in links {
        let (service, identity) = (text(&link["platform"]), text(&link["identity"]));
        let action = ClaimAction::parse(&text(&link["action"])).unwrap();
        let signature = engine::nextid::decode_base64(&text(&link["signature"])).unwrap();
        town.service(&service)
            .post(&identity, &identity, std::slice::from_ref(&signature));
        let posting = Posting {
            action,
            service,
            identity,
            location: String::new(),
            avatar,
            uuid: Uuid::parse(&text(&link["uuid"])).unwrap(),
            created_at: text(&link["created_at"]).parse().unwrap(),
            extra: Extra {
                signature: (action == ClaimAction::Delete).then_some(signature),
                ..Extra::default()
            },
        };
        let posted = town.post(&posting).await.unwrap();
        assert_eq!(posted.signature, text(&link["signature"]));
    }
    let shown = town.engine().claims().chain(&avatar, 1, 40).await.unwrap();
    assert_eq!(shown.links.len(), links.len());
    for (shown, link) in shown.links.iter().zip(links) {
        assert_eq!(shown.payload, text(&link["signature_payload"]));
        assert_eq!(shown.signature, text(&link["signature"]));
        assert_eq!(shown.uuid.to_string(), text(&link["uuid"]));
        assert_eq!(shown.action.as_str(), text(&link["action"]));
    }
    let claims = town.engine().claims();
    let view = claims.exists("twitter", "my_screen_name", &avatar).await;
    assert!(view.unwrap().is_some_and(|view| view.is_valid));
}
