//! Bytes on a socket, for answers that no sound server gives: each connection's request is told to
//! a script, which says what to write and whether to hang up. And a gate, which stands between a
//! client and a server and can be shut.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What to answer.
pub enum Reply {
    /// Write and hang up.
    Close(Vec<u8>),
    /// Write and stay silent.
    Hold(Vec<u8>),
    /// Write, wait until it is told to go on, write the rest and stay silent.
    Later(Vec<u8>, Arc<Notify>, Vec<u8>),
    /// Write, and break the connection off once the other side had time to read.
    Reset(Vec<u8>),
    /// Let the server at this URL answer.
    Pass(String),
}

/// An answer with a length, after which the connection is closed.
pub fn answer(status: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Close(
        format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}").into(),
    )
}

/// The head of a stream, and its first bytes.
pub fn stream(bytes: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{bytes}"
    )
    .into()
}

/// A server that follows a script.
pub struct Scripted {
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Scripted {
    /// `script` gets the number of the request, from 0, and its head.
    pub async fn start(script: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_on(listener, script)
    }

    /// The same on a listener that is there already.
    pub fn start_on(
        listener: TcpListener,
        script: impl Fn(usize, &str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, script) = (Arc::clone(&requests), Arc::new(script));
        let serving = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&log), Arc::clone(&script)));
            }
        });
        Self {
            url,
            requests,
            serving,
        }
    }

    /// The heads of the requests so far, in lower case.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    mut socket: TcpStream,
    log: Arc<Mutex<Vec<String>>>,
    script: Arc<impl Fn(usize, &str) -> Reply>,
) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let told = head;
    let head = String::from_utf8_lossy(&told).to_lowercase();
    let number = {
        let mut log = log.lock().unwrap();
        log.push(head.clone());
        log.len() - 1
    };
    match script(number, &head) {
        Reply::Close(bytes) => {
            let _ = socket.write_all(&bytes).await;
            let _ = socket.shutdown().await;
        }
        Reply::Hold(bytes) => {
            let _ = socket.write_all(&bytes).await;
            // What still comes of the request is read over, until the other side closes.
            while matches!(socket.read(&mut byte).await, Ok(n) if n > 0) {}
        }
        Reply::Later(bytes, go_on, rest) => {
            let _ = socket.write_all(&bytes).await;
            go_on.notified().await;
            let _ = socket.write_all(&rest).await;
            let _ = socket.read(&mut byte).await;
        }
        Reply::Reset(bytes) => {
            let _ = socket.write_all(&bytes).await;
            // A reset throws away what was not read, and nobody says when it was.
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            let _ = socket.set_zero_linger();
        }
        Reply::Pass(url) => {
            let upstream = url.trim_start_matches("http://");
            let mut server = TcpStream::connect(upstream).await.unwrap();
            // One request a connection, so that the script is told of each.
            let line = told.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            let (line, rest) = told.split_at(line);
            let told = [line, b"connection: close\r\n", rest].concat();
            let _ = server.write_all(&told).await;
            let _ = tokio::io::copy_bidirectional(&mut socket, &mut server).await;
        }
    }
}

/// A proxy that passes everything on while it is open; shutting it cuts every connection.
pub struct Gate {
    pub url: String,
    is_open: Arc<AtomicBool>,
    shut: Arc<Notify>,
    serving: JoinHandle<()>,
}

impl Gate {
    pub async fn start(server: &str) -> Self {
        let upstream = server.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let is_open = Arc::new(AtomicBool::new(true));
        let shut = Arc::new(Notify::new());
        let (open, notify) = (Arc::clone(&is_open), Arc::clone(&shut));
        let serving = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if !open.load(Ordering::SeqCst) {
                    continue;
                }
                let (upstream, notify) = (upstream.clone(), Arc::clone(&notify));
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(upstream).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        () = notify.notified() => {}
                    }
                });
            }
        });
        Self {
            url,
            is_open,
            shut,
            serving,
        }
    }

    pub fn shut(&self) {
        self.is_open.store(false, Ordering::SeqCst);
        self.shut.notify_waiters();
    }

    pub fn open(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
