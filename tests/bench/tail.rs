//! `reeltop tail` from loopback into a file, whole process, beside curl and the usual pipe.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::corpus;
use crate::{ROUNDS, median};

const N_EVENTS: usize = 600_000;

pub fn run() {
    let bytes: Arc<[u8]> = corpus::stream(N_EVENTS, 100_000, 3).bytes.into();
    let address = serve(bytes);
    let url = format!("http://{address}");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let pipe = format!("curl -sN {url}/events | sed -n 's/^data: //p' | jq -c .");
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        let mut reeltop = Command::new(env!("CARGO_BIN_EXE_reeltop"));
        reeltop
            .args([
                "tail",
                "--no-reconnect",
                "--url",
                &url,
                "--events-path",
                "/events",
            ])
            .env("ASPECT_API_KEY", "bench");
        times[0].push(timed(&mut reeltop, &out));
        assert_eq!(lines(&out), N_EVENTS, "tail");
        times[1].push(timed(
            Command::new("curl").args(["-sN", &format!("{url}/events")]),
            &out,
        ));
        times[2].push(timed(Command::new("sh").args(["-c", &pipe]), &out));
        assert_eq!(lines(&out), N_EVENTS, "jq");
    }
    println!(
        "\n{N_EVENTS} events from loopback into a file, whole process, {ROUNDS} interleaved rounds, medians"
    );
    println!("| command | events/s | x curl | x the jq pipe |\n|---|---|---|---|");
    let rate = |slot: usize| N_EVENTS as f64 / median(&times[slot]).as_secs_f64();
    for (slot, name) in [
        "reeltop tail > file",
        "curl -sN > file",
        "curl \\| sed \\| jq -c . > file",
    ]
    .iter()
    .enumerate()
    {
        println!(
            "| {name} | {:.0} | {:.2} | {:.1} |",
            rate(slot),
            rate(slot) / rate(1),
            rate(slot) / rate(2)
        );
    }
}

fn timed(command: &mut Command, out: &Path) -> Duration {
    let file = std::fs::File::create(out).unwrap();
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(file).status().unwrap();
    let took = start.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    took
}

fn lines(path: &Path) -> usize {
    memchr::memchr_iter(b'\n', &std::fs::read(path).unwrap()).count()
}

/// Answers every request with the whole stream in 64 KiB pieces, and closes.
fn serve(bytes: Arc<[u8]>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let bytes = Arc::clone(&bytes);
            std::thread::spawn(move || answer(connection.unwrap(), &bytes));
        }
    });
    address
}

fn answer(mut connection: TcpStream, bytes: &[u8]) {
    let mut request = BufReader::new(connection.try_clone().unwrap());
    let mut line = String::new();
    while request
        .read_line(&mut line)
        .is_ok_and(|n_bytes| n_bytes > 2)
    {
        line.clear();
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let mut send = |piece: &[u8]| connection.write_all(piece).is_ok();
    let _ = send(head.as_bytes()) && bytes.chunks(64 << 10).all(send);
}
