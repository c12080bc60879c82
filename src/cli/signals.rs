//! The signals that end a command which has something to put in order first.

use std::io;

use super::INTERRUPTED;
use crate::io::ended::heard_here;

/// Exit code of a command that SIGTERM ended.
#[cfg(unix)]
const TERMINATED: u8 = 143;
/// Exit code of a command whose terminal was closed.
#[cfg(unix)]
const HUNG_UP: u8 = 129;

/// Listens from its making on, so that no signal is missed.
pub struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    /// Not where it was started to outlive its terminal, as with nohup.
    #[cfg(unix)]
    hang_up: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    #[cfg(unix)]
    pub fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        heard_here();
        // Before it is listened to, which ends that it is ignored.
        let hang_up = match ignores_hang_up() {
            Some(true) => None,
            Some(false) | None => Some(signal(SignalKind::hangup())?),
        };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up,
        })
    }

    #[cfg(not(unix))]
    pub fn install() -> io::Result<Self> {
        heard_here();
        Ok(Self {})
    }

    /// Waits for one, and gives the exit code that goes with it.
    #[cfg(unix)]
    pub async fn wait(&mut self) -> u8 {
        let hang_up = &mut self.hang_up;
        let ended_terminal = async {
            match hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPTED,
            _ = self.terminate.recv() => TERMINATED,
            _ = ended_terminal => HUNG_UP,
        }
    }

    #[cfg(not(unix))]
    pub async fn wait(&mut self) -> u8 {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        INTERRUPTED
    }
}

/// Whether this process was started with SIGHUP ignored, where the system tells.
#[cfg(unix)]
fn ignores_hang_up() -> Option<bool> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))?;
    // Signal N is the bit N - 1, and this one is 1.
    let bits = u64::from_str_radix(ignored.trim(), 16).ok()?;
    Some(bits & 1 == 1)
}
