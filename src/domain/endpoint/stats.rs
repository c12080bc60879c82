//! Attempts at an endpoint, as the service counts them.

/// Attempts at an endpoint by how they stand; a message that was tried six times counts six times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    pub success: u64,
    pub pending: u64,
    pub sending: u64,
    pub fail: u64,
    pub canceled: u64,
}

/// The longest time that Svix counts over, and what it counts over by itself, in days (Svix API,
/// "Endpoint Stats").
pub const COUNTED_DAYS: u64 = 28;
