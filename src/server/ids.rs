//! Ids in Svix's form: a prefix and 27 base62 characters that sort by time, like a KSUID.

use std::sync::atomic::{AtomicI64, Ordering};

use sha2::{Digest, Sha256};
use uuid::Uuid;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// KSUIDs count seconds from this unix time, so that 32 bits last until 2150.
const EPOCH_US: i64 = 1_400_000_000_000_000;
const LENGTH: usize = 27;

/// Makes ids that are strictly increasing, even within one microsecond.
///
/// A KSUID sorts by whole seconds only; ours carry the microsecond too, because the logs are
/// listed and paged by id.
#[derive(Debug, Default)]
pub struct IdMint {
    last_us: AtomicI64,
}

impl IdMint {
    /// A new id, `prefix` + 27 characters, for something that happened at `at_us` (unix
    /// microseconds). Two ids never compare the other way round than they were asked for.
    pub fn mint(&self, prefix: &str, at_us: i64) -> String {
        let wanted = at_us.saturating_sub(EPOCH_US).max(0);
        let step = |last: i64| Some(wanted.max(last.saturating_add(1)));
        let before = self
            .last_us
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, step);
        let us = wanted.max(before.unwrap_or_else(|last| last).saturating_add(1));
        let seconds = (us / 1_000_000) as u32;
        let fraction = (us % 1_000_000) as u32;
        let mut bytes = [0_u8; 20];
        let (time, noise) = bytes.split_at_mut(8);
        time.copy_from_slice(&((u64::from(seconds) << 32) | u64::from(fraction)).to_be_bytes());
        noise.copy_from_slice(&random_bytes::<12>());
        let mut id = String::with_capacity(prefix.len() + LENGTH);
        id.push_str(prefix);
        id.push_str(&base62(bytes));
        id
    }
}

/// Bytes that nobody can guess: version 4 UUIDs, which come from the system's generator, hashed
/// so that their fixed bits do not show. At most 32 bytes.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut hash = Sha256::new();
    for _ in 0..3 {
        hash.update(Uuid::new_v4().as_bytes());
    }
    let mut bytes = [0_u8; N];
    for (byte, random) in bytes.iter_mut().zip(hash.finalize()) {
        *byte = random;
    }
    bytes
}

/// A new API key, in the form of the service's (`sk_…`).
pub fn api_key() -> String {
    format!("sk_local_{}", base62(random_bytes::<20>()))
}

/// 160 bits as 27 digits, the most significant first, so that text order is number order.
fn base62(mut bytes: [u8; 20]) -> String {
    let mut digits = [b'0'; LENGTH];
    for digit in digits.iter_mut().rev() {
        let mut rest: u32 = 0;
        for byte in &mut bytes {
            let value = (rest << 8) | u32::from(*byte);
            *byte = (value / 62) as u8;
            rest = value % 62;
        }
        *digit = ALPHABET.get(rest as usize).copied().unwrap_or(b'0');
    }
    digits.iter().map(|&digit| char::from(digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_svix_form_and_sort_by_time() {
        let mint = IdMint::default();
        let now = 1_790_000_000_000_000;
        let mut ids: Vec<String> = (0..200).map(|n| mint.mint("msg_", now + n / 50)).collect();
        ids.push(mint.mint("msg_", now + 5_000_000));
        // A clock that was set back does not break the order.
        ids.push(mint.mint("msg_", now - 5_000_000));
        assert!(
            ids.iter().all(|id| id.len() == 31 && id.is_ascii()),
            "{ids:?}"
        );
        assert!(ids.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn digits_hold_the_whole_number() {
        assert_eq!(base62([0; 20]), "0".repeat(27));
        // The greatest KSUID there can be, from the KSUID specification.
        assert_eq!(base62([0xff; 20]), "aWgEPTl1tmebfsQzFP4bxwgy80V");
    }

    #[test]
    fn secrets_differ() {
        assert_ne!(random_bytes::<24>(), random_bytes::<24>());
        assert_ne!(api_key(), api_key());
    }
}
