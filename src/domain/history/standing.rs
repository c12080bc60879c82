//! How the messages in memory stand at each endpoint, counted as they come, change and go.

use hashbrown::HashMap;

use super::super::id::EndpointId;
use super::deliveries::{EndpointOutcome, OutcomeState};

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
