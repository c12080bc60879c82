//! The receiver beside the dashboard: real deliveries of the demo on its screen.

use crate::pty::Pty;

#[test]
fn the_demo_shows_what_it_receives_and_whether_it_verifies() {
    let mut pty = Pty::start(&["demo", "--listen", "--rate", "600"], &[], 120, 40);
    pty.sees("6 Received");
    pty.keys("6");
    pty.sees("✓ verified");
    pty.keys("\r");
    // A frame may come in pieces; this is of its last line.
    let page = pty.sees("\"event_type\"");
    for part in ["✓ verified: ", "svix-signature", "BODY"] {
        assert!(page.contains(part), "{page}");
    }
    pty.keys("v");
    pty.sees("looked at again");
    pty.keys("q");
    pty.end();
}

#[test]
fn what_cannot_be_listened_at_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("--listen={}", taken.local_addr().unwrap());
    let ran = super::run(&["demo", &listen]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("127.0.0.1"), "{}", ran.stderr);
    let ran = super::run(&["--listen", "tasks"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}
