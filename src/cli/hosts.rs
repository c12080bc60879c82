//! Where a webhook may be posted: this machine at once, any other only when its name was confirmed.

use std::io::{self, IsTerminal};

use reqwest::Url;

use super::output::{Stop, note, usage};
use super::prompt::asked;
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
    let question = format!("{shown} is not this machine. Type its name to send there: ");
    let answer = asked(&question).await?;
    let is_meant = answer.trim() == host;
    if !is_meant {
        note("nothing was sent");
    }
    Ok(is_meant)
}
