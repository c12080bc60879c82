//! ctrl-c in the middle: no request is begun any more, and one under way has time to end.

use std::process::Command;

use serde_json::Value;

use super::{Child, Path, Point, Service, end};

fn interrupt(child: &Child) {
    let mut kill = Command::new("kill");
    let status = kill.args(["-INT", &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

fn state(service: &Service, folder: &Path) -> String {
    let mut command = service.command(folder, &["replays", "--json", "--offline"]);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    line["state"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::held_at(Point::Posting).await;
    let child = service.replay(folder.path());
    service.until_reached().await;
    interrupt(&child);
    service.answer.notify_one();
    let (code, states, said) = end(child).await;
    assert_eq!(code, Some(130), "{states:?} {said}");
    assert_eq!(states, ["planned", "sending", "accepted"], "{said}");
    assert_eq!(state(&service, folder.path()), "unknown");
    assert_eq!(service.n_posts(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_never_answered_does_not_hold_the_end_up() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::held_at(Point::Posting).await;
    let child = service.replay(folder.path());
    service.until_reached().await;
    interrupt(&child);
    let (code, states, said) = end(child).await;
    assert_eq!(code, Some(130), "{states:?} {said}");
    assert!(said.contains("may still arrive"), "{said}");
    assert_eq!(state(&service, folder.path()), "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_sent_yet_is_not_sent_any_more() {
    for (point, is_planned) in [(Point::Beginning, false), (Point::Planned, true)] {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::held_at(point).await;
        let child = service.replay(folder.path());
        service.until_reached().await;
        interrupt(&child);
        let (code, states, said) = end(child).await;
        assert_eq!(code, Some(130), "{states:?} {said}");
        assert_eq!(service.n_posts(), 0);
        if is_planned {
            assert_eq!(state(&service, folder.path()), "cancelled");
            assert!(said.contains("ended; 1 was not sent"), "{said}");
        }
    }
}
