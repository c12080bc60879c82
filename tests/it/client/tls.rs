//! TLS with a certificate authority that only the configuration knows.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use base64::Engine;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reeltop::domain::FailureKind;
use reeltop::io::client::Client;
use reeltop::io::config::Source;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// An https server whose certificate a private authority signed.
struct Secure {
    addr: SocketAddr,
    authority: PathBuf,
    _folder: tempfile::TempDir,
    serving: JoinHandle<()>,
}

impl Secure {
    /// Answers `[]` to everything; its certificate is for this name.
    async fn start(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, &authority)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, pem(authority.der())).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(socket).await else {
                        return;
                    };
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        match stream.read_u8().await {
                            Ok(byte) => head.push(byte),
                            Err(_) => return,
                        }
                    }
                    let answer =
                        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]";
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self {
            addr,
            authority: path,
            _folder: folder,
            serving,
        }
    }

    fn url(&self) -> String {
        format!("https://{}", self.addr)
    }

    async fn tasks(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reeltop"));
        command
            .env_clear()
            .env("HOME", "/nonexistent")
            .env("ASPECT_API_KEY", "sk_test")
            .args(["tasks", "--json"])
            .args(arguments)
            .stdin(Stdio::null());
        let output: Output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap_or(-1), said)
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn pem(der: &CertificateDer<'_>) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_only_where_it_is_named() {
    let server = Secure::start("127.0.0.1").await;
    let url = server.url();
    let unknown = Client::new(&Source::new(&url, "sk_test")).unwrap();
    let failure = unknown.active_tasks().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.what.contains("certificate"), "{failure}");
    assert!(failure.hint.contains("--ca-file"), "{failure}");

    let authority = text(&server.authority);
    let (code, said) = server.tasks(&["--url", &url, "--ca-file", authority]).await;
    assert_eq!(code, 0, "{said}");

    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let profile = format!(
        "[profiles.lab]\nurl = \"{url}\"\nkey_env = \"ASPECT_API_KEY\"\nca_file = \"{authority}\"\n"
    );
    std::fs::write(&config, profile).unwrap();
    let named = ["--config", text(&config), "--profile", "lab"];
    let (code, said) = server.tasks(&named).await;
    assert_eq!(code, 0, "{said}");
    // What a profile trusts is not trusted of another server.
    let other = Secure::start("127.0.0.1").await;
    let there = other.url();
    let elsewhere = [&named[..], &["--url", &there]].concat();
    let (code, said) = server.tasks(&elsewhere).await;
    assert_eq!(code, 1, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_name_is_refused_whoever_signed_it() {
    let server = Secure::start("other.example").await;
    let arguments = ["--url", &server.url(), "--ca-file", text(&server.authority)];
    let (code, said) = server.tasks(&arguments).await;
    assert_eq!(code, 1);
    assert!(said.contains("certificate"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_a_sound_certificate_is_a_usage_error() {
    let server = Secure::start("127.0.0.1").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let wrong = pem(&CertificateDer::from(vec![1, 2, 3]));
    for (content, words) in [
        (None, "No such file"),
        (Some("no PEM"), "holds no certificate"),
        (Some(wrong.as_str()), "no sound certificate"),
        (
            Some("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"),
            "ca.pem",
        ),
    ] {
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let arguments = ["--url", &server.url(), "--ca-file", text(&path)];
        let (code, said) = server.tasks(&arguments).await;
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(words), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
