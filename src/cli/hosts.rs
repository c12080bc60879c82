//! Where a webhook may be posted: this machine at once, any other only when its name was confirmed.

use reqwest::Url;

use super::output::{Stop, usage};
use super::prompt::{Reply, asked};
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

/// Whether the name of its host is asked for before anything is sent there.
pub fn is_asked(url: &Url, is_yes: bool) -> bool {
    !is_yes && !is_loopback(url)
}

/// What is to be known of that before it is done.
pub fn would_ask(url: &Url) -> String {
    let shown = visible(url.host_str().unwrap_or_default());
    format!(
        "{shown} is not this machine: sent in earnest, this asks on a terminal for that name to be \
         typed; without one it sends nothing unless --yes says that it is meant"
    )
}

/// Goes on where a webhook may go there. On a terminal the name of another host is typed; without
/// one, `--yes` says that it is meant.
pub async fn confirmed(url: &Url, is_yes: bool) -> Result<(), Stop> {
    if !is_asked(url, is_yes) {
        return Ok(());
    }
    let host = url.host_str().unwrap_or_default();
    let shown = visible(host);
    let question = format!("{shown} is not this machine. Type its name to send there: ");
    match asked(&question, |answer| answer == host).await? {
        Reply::NoTerminal => {
            Reply::NoTerminal.or_stop(&format!("nothing was sent: {shown} is not this machine"))
        }
        reply => reply.or_stop("nothing was sent"),
    }
}
