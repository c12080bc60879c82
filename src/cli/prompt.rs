//! Questions on a terminal; without one, nothing is done.

use std::io::{self, BufRead, IsTerminal, Write};

use super::output::Stop;
use crate::domain::visible;

/// What came of a question. That nobody could be asked is a fault of the command's line, that
/// somebody said no is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    Yes,
    Declined,
    NoTerminal,
}

impl Reply {
    /// Goes on after a yes. Else says that nothing was done: exit code 1 where it was declined,
    /// 2 where there was nobody to ask.
    pub fn or_stop(self, if_not: &str) -> Result<(), Stop> {
        match self {
            Self::Yes => Ok(()),
            Self::Declined => Err(Stop::Declined(if_not.to_owned())),
            Self::NoTerminal => Err(Stop::Usage(format!("{if_not}: confirm with --yes"))),
        }
    }
}

/// Asks a question that `y` or `yes` confirms.
pub async fn confirmed(question: &str) -> Result<Reply, Stop> {
    let is_yes = |answer: &str| matches!(answer.to_lowercase().as_str(), "y" | "yes");
    asked(&format!("{question} [y/N] "), is_yes).await
}

/// Asks for a number to be typed, so that nobody does something to many by habit.
pub async fn counted(n: usize, what: &str) -> Result<Reply, Stop> {
    let wanted = n.to_string();
    asked(&format!("Type {n} to {what} {n}: "), |answer| {
        answer == wanted
    })
    .await
}

/// Asks on stderr, where a terminal shows it and another takes the answer. The end of the input,
/// ctrl-d, is a no. The answer is read on a thread of its own, so that ctrl-c is heard while the
/// question stands.
pub async fn asked(question: &str, is_yes: impl Fn(&str) -> bool) -> Result<Reply, Stop> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(Reply::NoTerminal);
    }
    let _ = write!(io::stderr(), "{}", visible(question));
    let mut line = QuestionLine { is_open: true };
    let (sender, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        let _ = sender.send(read.map(|_| answer));
    });
    let answer = answer.await.unwrap_or_else(|_| Ok(String::new()))?;
    line.is_open = !answer.ends_with('\n');
    drop(line);
    Ok(if is_yes(answer.trim()) {
        Reply::Yes
    } else {
        Reply::Declined
    })
}

/// The line a question stands on. Where no answer ends it (ctrl-c, ctrl-d), what is written next
/// begins another.
struct QuestionLine {
    is_open: bool,
}

impl Drop for QuestionLine {
    fn drop(&mut self) {
        if self.is_open {
            let _ = writeln!(io::stderr());
        }
    }
}
