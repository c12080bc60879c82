//! What a delivery service may offer beside its logs and its resend.

/// One such part (Svix; reference: its API, open source and Cloud).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Offer {
    /// How a message stands at each endpoint, with the time of its next try.
    Destinations,
    /// Attempts at an endpoint, counted.
    Stats,
    /// Headers that an endpoint is sent beside its own.
    Headers,
    /// The signing secret of an endpoint.
    Secret,
    /// Sends an endpoint everything that failed since a time.
    Recover,
    /// Sends an endpoint an example of an event.
    SendExample,
    /// Sends an endpoint everything that was never tried.
    ReplayMissing,
    /// Sends an endpoint everything that matches a filter.
    BulkReplay,
    /// Headers of the request and the answer of one attempt.
    AttemptHeaders,
    /// Gives an endpoint another signing secret.
    Rotate,
}

/// Every part, in the order in which they are shown.
pub const OFFERS: [Offer; 10] = [
    Offer::Destinations,
    Offer::Stats,
    Offer::Headers,
    Offer::Secret,
    Offer::Recover,
    Offer::SendExample,
    Offer::ReplayMissing,
    Offer::BulkReplay,
    Offer::AttemptHeaders,
    Offer::Rotate,
];

impl Offer {
    /// Its name, as the API of Svix has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Destinations => "destinations",
            Self::Stats => "stats",
            Self::Headers => "headers",
            Self::Secret => "secret",
            Self::Recover => "recover",
            Self::SendExample => "send-example",
            Self::ReplayMissing => "replay-missing",
            Self::BulkReplay => "bulk-replay",
            Self::AttemptHeaders => "attempt headers",
            Self::Rotate => "rotate secret",
        }
    }
}
