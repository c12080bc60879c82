//! `reeltop serve` as a process: what it prints and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn serve(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_reeltop"))
        .arg("serve")
        .args(arguments)
        .env_remove("REELTOP_SERVE_KEY")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Sends a signal by name and gives exit code and time until the end.
fn end(mut child: Child, signal: &str) -> (Option<i32>, Duration) {
    let started = Instant::now();
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([&format!("-{signal}"), &pid])
            .status()
            .unwrap()
            .success()
    );
    let code = child.wait().unwrap().code();
    (code, started.elapsed())
}

#[test]
fn json_is_one_line_and_a_signal_ends_it_with_0() {
    for signal in ["TERM", "INT"] {
        let mut child = serve(&["--json", "--simulate", "600", "--time-scale", "60"]);
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let keys: Vec<&String> = ready.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["url", "api_key", "seed"]);
        assert!(
            ready["url"]
                .as_str()
                .unwrap()
                .starts_with("http://127.0.0.1:")
        );
        let (code, took) = end(child, signal);
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(1), "{took:?}");
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "nothing else is on stdout");
    }
}

/// The first tasks of a server that simulates, as a client sees them.
fn first_tasks(seed: &[&str]) -> Vec<String> {
    let simulating = ["--json", "--simulate", "6000"];
    let mut child = serve(&[&simulating[..], seed].concat());
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let home = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let ids = loop {
        let output = Command::new(env!("CARGO_BIN_EXE_reeltop"))
            .args(["tasks", "--json", "--no-journal", "--url"])
            .arg(ready["url"].as_str().unwrap())
            .env("ASPECT_API_KEY", ready["api_key"].as_str().unwrap())
            .env("HOME", home.path())
            .env("XDG_CONFIG_HOME", home.path())
            .env("XDG_STATE_HOME", home.path())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let tasks = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let ids = tasks.map(|task: Value| task["id"].as_str().unwrap().to_owned());
        let ids: Vec<String> = ids.collect();
        if ids.len() > 2 {
            break ids;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{text}");
    };
    assert_eq!(end(child, "TERM").0, Some(0));
    ids
}

#[test]
fn each_run_has_ids_of_its_own_unless_a_seed_is_given() {
    let (first, second) = (first_tasks(&[]), first_tasks(&[]));
    assert!(first.iter().all(|id| !second.contains(id)));
    let (first, second) = (first_tasks(&["--seed", "7"]), first_tasks(&["--seed", "7"]));
    assert!(first.iter().any(|id| second.contains(id)));
}

#[test]
fn a_key_that_was_given_is_not_printed_and_one_that_was_made_is() {
    for (arguments, shown) in [(&["--api-key", "sk_given"][..], false), (&[][..], true)] {
        let mut child = serve(arguments);
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while !text.contains("reeltop --url ") {
            assert!(out.read_line(&mut text).unwrap() > 0, "{text}");
        }
        assert!(!text.contains("sk_given"));
        assert_eq!(text.contains("ASPECT_API_KEY=sk_local_"), shown, "{text}");
        assert_eq!(end(child, "TERM").0, Some(0));
    }
}

#[test]
fn an_address_that_cannot_be_had_is_one_clear_sentence() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    for (addr, code, words) in [
        (taken.as_str(), 1, "is in use"),
        ("192.0.2.1:0", 1, "no address of this machine"),
    ] {
        let output = serve(&["--addr", addr]).wait_with_output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(words) && text.lines().count() == 1, "{text}");
    }
    drop(holder);
}

#[test]
fn numbers_and_names_that_are_no_use_are_refused_by_name() {
    let mut cases = Vec::new();
    for scale in ["0", "-1", "nan", "inf", "1e-20", "1e7"] {
        cases.push((["serve", "--time-scale", scale], "--time-scale"));
    }
    for rate in ["-1", "nan", "inf", "-inf"] {
        cases.push((["serve", "--simulate", rate], "--simulate"));
        cases.push((["demo", "--rate", rate], "--rate"));
    }
    for bound in ["--max-tasks", "--max-messages"] {
        cases.push((["serve", bound, "0"], bound));
    }
    for command in ["serve", "demo"] {
        cases.push((
            [command, "--chaos", "crlf,gremlins"],
            "no fault \"gremlins\"; there are",
        ));
    }
    for (arguments, words) in cases {
        let output = Command::new(env!("CARGO_BIN_EXE_reeltop"))
            .args(arguments)
            .env_remove("REELTOP_SERVE_KEY")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn the_faults_are_listed_for_who_asks() {
    for command in ["serve", "demo"] {
        let output = Command::new(env!("CARGO_BIN_EXE_reeltop"))
            .args([command, "--chaos", "list"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{command}: {text}");
        let n_faults = reeltop::server::chaos::FAULTS.len();
        assert_eq!(text.lines().count(), n_faults + 1, "{text}");
        assert!(
            text.contains("stale-snapshot ") && text.contains("\nall "),
            "{text}"
        );
    }
}

/// The most memory that a process ever had, in bytes.
#[cfg(target_os = "linux")]
fn peak_of(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.unwrap().trim().trim_end_matches(" kB");
    kibibytes.parse::<u64>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[test]
fn lines_of_100_mib_cost_no_memory() {
    use std::io::Write;

    let mut child = serve(&[
        "--chaos",
        "line-100mib",
        "--simulate",
        "6000",
        "--time-scale",
        "60",
        "--api-key",
        "k",
    ]);
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap();
    let readers = [(); 2].map(|()| {
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let request = "GET /events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\r\n";
        socket.write_all(request.as_bytes()).unwrap();
        std::thread::spawn(move || {
            let (mut buffer, mut n_all) = (vec![0; 1 << 18], 0);
            while n_all < 100 << 20 {
                let n_bytes = socket.read(&mut buffer).unwrap();
                assert!(n_bytes > 0, "the stream ended");
                n_all += n_bytes;
            }
        })
    });
    for reader in readers {
        reader.join().unwrap();
    }
    let peak = peak_of(&child);
    assert!(peak < 100 << 20, "{} MiB", peak >> 20);
    assert_eq!(end(child, "TERM").0, Some(0));
}

#[test]
fn a_key_that_no_client_could_send_is_refused_and_not_repeated() {
    for (key, words) in [
        ("", "must not be empty"),
        (" sk_hidden", "white space"),
        ("sk_hidden ", "white space"),
        ("sk_hiddén", "ASCII"),
        ("sk_hidden\n", "ASCII"),
    ] {
        for command in ["serve", "demo"] {
            let output = Command::new(env!("CARGO_BIN_EXE_reeltop"))
                .arg(command)
                .env("REELTOP_SERVE_KEY", key)
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let text = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{text}");
            assert!(text.contains(words) && !text.contains("sk_hidd"), "{text}");
        }
        let output = serve(&["--api-key", key]).wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(
            !String::from_utf8(output.stderr)
                .unwrap()
                .contains("sk_hidd")
        );
    }
}
