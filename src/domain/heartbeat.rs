//! How often a stream says that it is alive, learned from its comments.

use super::time::SECOND;

/// Comments whose distances are remembered.
const REMEMBERED: usize = 4;
/// A stream is never held to more than one sign of life in so long, in microseconds.
const LEAST: i64 = 3 * SECOND;

/// The distances between the latest comments of one connection. Comments are a server's heartbeat
/// (HTML standard, "server-sent events", authoring notes): one that sends them every second and then
/// nothing for ten is not alive as far as anybody can tell, whatever the configured limit says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heartbeat {
    last: Option<i64>,
    gaps: [i64; REMEMBERED],
    n_gaps: usize,
}

impl Heartbeat {
    /// A comment came, at this monotonic time in microseconds.
    pub fn heard(&mut self, at: i64) {
        if let Some(last) = self.last.replace(at) {
            self.gaps[self.n_gaps % REMEMBERED] = at.saturating_sub(last).max(0);
            self.n_gaps += 1;
        }
    }

    /// How long nothing may come, in microseconds: at most what is configured; less where the
    /// heartbeat is known and quicker. One beat may be missed.
    pub fn patience(&self, configured: i64) -> i64 {
        let longest = self.gaps.iter().max().copied().unwrap_or(0);
        if self.n_gaps < REMEMBERED {
            return configured;
        }
        let learned = longest.saturating_mul(2).saturating_add(SECOND);
        configured.min(learned.max(LEAST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beats(seconds: &[i64]) -> Heartbeat {
        let mut heartbeat = Heartbeat::default();
        for at in seconds {
            heartbeat.heard(at * SECOND);
        }
        heartbeat
    }

    #[test]
    fn a_quick_heartbeat_shortens_the_patience_and_nothing_lengthens_it() {
        let configured = 20 * SECOND;
        assert_eq!(beats(&[0, 2, 4, 6]).patience(configured), configured);
        assert_eq!(beats(&[0, 2, 4, 6, 8]).patience(configured), 5 * SECOND);
        assert_eq!(beats(&[0, 0, 0, 0, 0]).patience(configured), LEAST);
        assert_eq!(beats(&[0, 15, 30, 45, 60]).patience(configured), configured);
        assert_eq!(beats(&[0, 2, 4, 6, 8]).patience(SECOND), SECOND);
    }

    #[test]
    fn a_heartbeat_that_slows_down_is_learned_anew() {
        let slower = [0, 2, 4, 6, 8, 14, 20, 26, 32];
        assert_eq!(beats(&slower).patience(20 * SECOND), 13 * SECOND);
        // A clock that is set back is no beat.
        assert_eq!(beats(&[9, 8, 7, 6, 5]).patience(20 * SECOND), LEAST);
    }
}
