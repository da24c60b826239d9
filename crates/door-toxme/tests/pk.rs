//! `GET /pk`.

use crate::door::{Answered, Door, connection, request, snapshot};

#[tokio::test]
async fn keys_are_told_over_secure_connections() {
    let door = Door::new().await;
    let keys = door.send(request("GET", "/pk?x=1", "")).await;
    snapshot("pk__get__keys", &keys);

    let mut plain = request("GET", "/pk", "");
    plain
        .extensions_mut()
        .insert(connection("203.0.113.7:4000", false));
    let refused = door.send(plain).await;
    assert_eq!(refused.status, 200, "as the original has it");
    snapshot("pk__get__insecure", &refused);
}

#[tokio::test]
async fn only_get_and_head_are_its_methods() {
    let door = Door::new().await;
    let refused = door.send(request("POST", "/pk", "{}")).await;
    snapshot("pk__post__wrong_method", &refused);
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let refused = door.send(request(method, "/pk", "")).await;
        assert_eq!(refused.code(), -1, "{method}");
    }
    let head = door.send(request("HEAD", "/pk", "")).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}
