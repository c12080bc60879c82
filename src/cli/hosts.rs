//! Where a webhook may be posted: this machine at once, any other only when its name was confirmed.

use std::io::{self, BufRead, IsTerminal, Write};

use reqwest::Url;

use super::output::{Stop, note, usage};
use crate::domain::visible;
use crate::io::config::is_loopback;

/// Reads the URL of a receiver.
pub fn receiver(option: &str, text: &str) -> Result<Url, Stop> {
    let url = Url::parse(text.trim()).map_err(|why| {
        usage(
            option,
            format!("this is no URL: {why}; it looks like http://127.0.0.1:3000/hooks"),
        )
    })?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(usage(option, "the URL is neither http nor https"));
    }
    Ok(url)
}

/// Whether a webhook may go there. On a terminal the name of another host is typed; without one,
/// `--yes` says that it is meant.
pub async fn confirmed(url: &Url, is_yes: bool) -> Result<bool, Stop> {
    let host = url.host_str().unwrap_or_default().to_owned();
    if is_yes || is_loopback(url) {
        return Ok(true);
    }
    let shown = visible(&host).into_owned();
    if !io::stdin().is_terminal() {
        note(&format!(
            "nothing was sent: {shown} is not this machine; confirm with --yes"
        ));
        return Ok(false);
    }
    let _ = write!(
        io::stderr(),
        "{shown} is not this machine. Type its name to send there: "
    );
    // On a thread of its own, so that ctrl-c is heard while the question stands.
    let (sender, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        let _ = sender.send(read.map(|_| answer));
    });
    let answer = answer
        .await
        .unwrap_or_else(|_| Ok(String::new()))
        .map_err(Stop::Output)?;
    let is_meant = answer.trim() == host;
    if !is_meant {
        note("nothing was sent");
    }
    Ok(is_meant)
}
