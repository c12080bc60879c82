//! `reeltop endpoints stats`: what a Svix server counts, and what is said where it does not.

use super::recover::reeltop;
use super::{attempts, publish, svix_of, svix_server};
use crate::server::support::{Receiver, create_endpoint};

#[tokio::test(flavor = "multi_thread")]
async fn attempts_are_counted_by_the_server() {
    let server = svix_server().await;
    let receiver = Receiver::always(500).await;
    let endpoint = create_endpoint(&server, &receiver.url, &["task.*"]).await;
    let svix = svix_of(&server);
    for message in publish(&server, &svix, 2).await {
        attempts(&svix, &message, 1).await;
    }
    let (url, key) = (server.url(), server.api_key().to_owned());
    let stats = async |more: &[&str]| {
        let state = tempfile::tempdir().unwrap();
        let all = [&["endpoints", "stats"], more].concat();
        reeltop(&state, &url, &key, &all).await
    };
    let id = endpoint.id.as_str();
    let (code, lines, said) = stats(&[id, "--since", "1h", "--json"]).await;
    assert_eq!((code, lines.len()), (0, 1), "{lines:?} {said}");
    let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["endpoint_id"], id);
    assert_eq!(
        (&line["fail"], &line["success"]),
        (&2.into(), &0.into()),
        "{line}"
    );
    let (code, lines, said) = stats(&[id]).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("fail") && line.ends_with('2')),
        "{lines:?}"
    );
    let (code, _, said) = stats(&[id, "--since", "29d"]).await;
    assert!(code == 2 && said.contains("28 days"), "{code} {said}");
    let (code, _, said) = stats(&["ep_none"]).await;
    assert!(code == 1 && said.contains("check the id"), "{code} {said}");
    server.stop().await;
}
