//! `reeltop causes`: one line for each cause, and the way from it to its messages.

use serde_json::Value;

use super::on;
use crate::server::support::{Receiver, attempts, create_endpoint, start};
use reeltop::server::Options;

#[tokio::test(flavor = "multi_thread")]
async fn causes_are_listed_and_lead_to_their_messages() {
    let server = start(Options::default()).await;
    let (broken, well) = (Receiver::always(500).await, Receiver::always(204).await);
    let failing = create_endpoint(&server, &broken.url, &["task.*"]).await;
    create_endpoint(&server, &well.url, &["task.*"]).await;
    for _ in 0..3 {
        server.backend().create_task("asset", &["proxy"]).unwrap();
    }
    attempts(&server, &format!("endpoint_id={}", failing.id), 3).await;

    let (code, lines, said) = on(&server, &["causes", "--json"]).await;
    assert_eq!((code, lines.len()), (0, 1), "{lines:?} {said}");
    let cause: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(cause["endpoint_id"], *failing.id, "{cause}");
    let id = cause["id"].as_str().unwrap();

    let (code, table, said) = on(&server, &["causes"]).await;
    assert_eq!((code, table.len()), (0, 2), "{table:?} {said}");
    assert!(table[0].starts_with("BROKEN  MESSAGES  TASKS"), "{table:?}");
    assert!(table[1].starts_with("3       3         3"), "{table:?}");
    let drill = format!("cause:{id}");
    assert!(said.contains(&drill), "{said}");

    let query = ["messages", "--json", "--query", &drill];
    let (code, messages, said) = on(&server, &query).await;
    assert_eq!((code, messages.len()), (0, 3), "{messages:?} {said}");
    let (_, none, _) = on(
        &server,
        &["messages", "--json", "--query", "cause:0000000000000000"],
    )
    .await;
    assert_eq!(none.len(), 0, "{none:?}");
    server.stop().await;
}
