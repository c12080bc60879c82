//! How a message stands at an endpoint, and how all of them in memory do, counted as they come,
//! change and go.

use hashbrown::HashMap;

use super::super::id::{AttemptId, EndpointId};

/// How one message stands at one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointOutcome {
    pub endpoint: EndpointId,
    pub state: OutcomeState,
    /// Attempts of every trigger.
    pub n_attempts: usize,
    /// Attempts that the service made by itself.
    pub n_automatic: usize,
    /// The newest attempt.
    pub last: AttemptId,
}

/// How a message stands at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutcomeState {
    /// An attempt succeeded.
    Delivered,
    /// The newest attempt is still under way.
    Sending,
    /// The service gave it up on purpose.
    Canceled,
    /// No attempt succeeded, and the newest failed.
    Failed,
}

impl OutcomeState {
    /// Its word in queries and machine output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Sending => "sending",
            Self::Canceled => "canceled",
            Self::Failed => "failed",
        }
    }
}

/// How many messages stand how at one endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    pub delivered: usize,
    pub failing: usize,
    /// Under way, or given up on purpose.
    pub other: usize,
}

impl Standing {
    fn count(&mut self, state: OutcomeState) -> &mut usize {
        match state {
            OutcomeState::Delivered => &mut self.delivered,
            OutcomeState::Failed => &mut self.failing,
            OutcomeState::Sending | OutcomeState::Canceled => &mut self.other,
        }
    }
}

/// The standing at every endpoint that a message in memory was tried at.
#[derive(Debug, Default)]
pub(super) struct Standings(HashMap<EndpointId, Standing>);

impl Standings {
    pub fn get(&self, endpoint: &EndpointId) -> Option<Standing> {
        self.0.get(endpoint).copied()
    }

    pub fn add(&mut self, outcomes: &[EndpointOutcome]) {
        for outcome in outcomes {
            let standing = self.0.entry(outcome.endpoint.clone()).or_default();
            *standing.count(outcome.state) += 1;
        }
    }

    pub fn remove(&mut self, outcomes: &[EndpointOutcome]) {
        for outcome in outcomes {
            if let Some(standing) = self.0.get_mut(&outcome.endpoint) {
                let count = standing.count(outcome.state);
                *count = count.saturating_sub(1);
                if *standing == Standing::default() {
                    self.0.remove(&outcome.endpoint);
                }
            }
        }
    }
}
