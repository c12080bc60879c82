//! What the journal and the ledger keep, for how long.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

/// The `[journal]` section; `assets/config.toml` says what each is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keeping {
    /// Whether there is a journal at all.
    pub enabled: bool,
    #[serde(deserialize_with = "age")]
    pub max_age: Duration,
    #[serde(deserialize_with = "size")]
    pub max_bytes: u64,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            enabled: true,
            max_age: Duration::from_hours(14 * 24),
            max_bytes: 512 << 20,
        }
    }
}

/// The `[ledger]` section: how long replays that have ended stay in the ledger. What is open never
/// leaves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerKeeping {
    /// Since the end.
    #[serde(deserialize_with = "age")]
    pub max_age: Duration,
    /// Replays in all; beyond it the oldest that have ended go.
    #[serde(deserialize_with = "rows")]
    pub max_rows: u32,
}

impl Default for LedgerKeeping {
    fn default() -> Self {
        Self {
            max_age: Duration::from_hours(90 * 24),
            max_rows: 100_000,
        }
    }
}

fn rows<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let rows = u32::deserialize(from)?;
    if rows == 0 {
        return Err(D::Error::custom("0 is too few, at least 1"));
    }
    Ok(rows)
}

/// Less holds no more than the blocks that are being built and written.
const MIN_BYTES: u64 = 8 << 20;

fn size<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let bytes = u64::deserialize(from)?;
    if bytes < MIN_BYTES {
        return Err(D::Error::custom(format!(
            "{bytes} is too small, at least {MIN_BYTES}"
        )));
    }
    Ok(bytes)
}

/// Reads `90m`, `36h`, `14d`.
fn age<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    let no_age = || D::Error::custom(format!("{text:?} is no age, try \"36h\" or \"14d\""));
    let at = text.len().saturating_sub(1);
    let (number, unit) = text.split_at_checked(at).ok_or_else(no_age)?;
    let minutes = match unit {
        "m" => 1,
        "h" => 60,
        "d" => 24 * 60,
        _ => return Err(no_age()),
    };
    let number: u32 = number.trim().parse().map_err(|_| no_age())?;
    if number == 0 {
        return Err(no_age());
    }
    Ok(Duration::from_mins(u64::from(number) * minutes))
}
