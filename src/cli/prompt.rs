//! Questions on a terminal; without one, nothing is done.

use std::io::{self, BufRead, IsTerminal, Write};

use super::output::{Stop, note};
use crate::domain::visible;

/// Asks a question that `y` or `yes` confirms. The answer is read on a thread of its own, so that
/// ctrl-c is heard while the question stands.
pub async fn confirmed(question: &str, if_not: &str) -> Result<bool, Stop> {
    if !io::stdin().is_terminal() {
        note(&format!("{if_not}: confirm with --yes"));
        return Ok(false);
    }
    let answer = asked(question).await?;
    let is_yes = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
    if !is_yes {
        note(if_not);
    }
    Ok(is_yes)
}

/// Asks for a number to be typed, so that nobody confirms many by habit.
pub async fn counted(n: usize, if_not: &str) -> Result<bool, Stop> {
    if !io::stdin().is_terminal() {
        note(&format!("{if_not}: confirm with --yes"));
        return Ok(false);
    }
    let answer = asked(&format!("Type {n} to send {n}: ")).await?;
    let is_meant = answer.trim() == n.to_string();
    if !is_meant {
        note(if_not);
    }
    Ok(is_meant)
}

/// The line typed after a question on stderr.
pub async fn asked(question: &str) -> Result<String, Stop> {
    let _ = write!(io::stderr(), "{}", visible(question));
    let (sender, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        let _ = sender.send(read.map(|_| answer));
    });
    answer
        .await
        .unwrap_or_else(|_| Ok(String::new()))
        .map_err(Stop::Output)
}
