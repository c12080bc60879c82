//! A TCP proxy that breaks the connection after a request was passed on and before its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Stands between a client and a server; cuts where `marker` occurs in a request.
pub struct CuttingProxy {
    pub url: String,
    n_cut: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl CuttingProxy {
    /// Listens on loopback and passes everything on to `upstream` (`host:port`).
    pub async fn start(upstream: String, marker: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let n_cut = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&n_cut);
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&upstream).await.unwrap();
                tokio::spawn(pass(client, server, marker, Arc::clone(&count)));
            }
        });
        Self {
            url,
            n_cut,
            serving,
        }
    }

    /// How many requests lost their answer.
    pub fn n_cut(&self) -> usize {
        self.n_cut.load(Ordering::SeqCst)
    }
}

impl Drop for CuttingProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(client: TcpStream, server: TcpStream, marker: &str, count: Arc<AtomicUsize>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let is_cut = Arc::new(AtomicBool::new(false));
    let swallows = Arc::clone(&is_cut);
    let answers = tokio::spawn(async move {
        let mut chunk = vec![0; 65536];
        while let Ok(n_bytes @ 1..) = from_server.read(&mut chunk).await {
            // The server's answer is waited for, so that it is sure to have done its work.
            let is_over = swallows.load(Ordering::SeqCst);
            if is_over || to_client.write_all(&chunk[..n_bytes]).await.is_err() {
                break;
            }
        }
    });
    let mut chunk = vec![0; 65536];
    while let Ok(n_bytes @ 1..) = from_client.read(&mut chunk).await {
        let is_marked = chunk[..n_bytes]
            .windows(marker.len())
            .any(|window| window == marker.as_bytes());
        // Answers stop before the request goes on, so that none can slip through.
        is_cut.fetch_or(is_marked, Ordering::SeqCst);
        if to_server.write_all(&chunk[..n_bytes]).await.is_err() {
            break;
        }
        if is_marked {
            let _ = answers.await;
            count.fetch_add(1, Ordering::SeqCst);
            return;
        }
    }
    answers.abort();
}
