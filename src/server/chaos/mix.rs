//! The changing mix: what is on, for how long, and what follows, all drawn from the seed.

use std::time::Duration;

use fastrand::Rng;

use super::fault::{FAULTS, Fault, FaultSet};

/// What no client can make up for while it lasts is left out.
const LEFT_OUT: FaultSet = FaultSet::of(&[Fault::NoTasks]);
/// Seconds of calm, of a refusal, and of anything else.
const CALM: std::ops::Range<f64> = 2.0..5.0;
const REFUSED: std::ops::Range<f64> = 1.5..4.0;
const DISTURBED: std::ops::Range<f64> = 2.0..6.0;
/// Most faults that are on together.
const TOGETHER: usize = 3;

/// Some faults for some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spell {
    pub faults: FaultSet,
    pub lasts: Duration,
}

/// Draws one spell after another.
#[derive(Debug)]
pub struct Mix {
    rng: Rng,
}

impl Mix {
    pub fn new(seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
        }
    }

    /// A quarter of the spells are calm and a quarter refuse, so that what refuses always passes.
    pub fn next(&mut self) -> Spell {
        let all: FaultSet = FAULTS.iter().map(|(fault, ..)| *fault).collect();
        let refusals = FaultSet::OF_ANSWERS;
        let others = all.without(refusals).without(LEFT_OUT);
        let (faults, seconds) = match self.rng.u8(0..4) {
            0 => (FaultSet::CALM, CALM),
            1 => (self.some_of(refusals, 1), REFUSED),
            _ => {
                let n_faults = self.rng.usize(1..=TOGETHER);
                (self.some_of(others, n_faults), DISTURBED)
            }
        };
        let share = self.rng.f64();
        let lasts = seconds.start + (seconds.end - seconds.start) * share;
        Spell {
            faults,
            lasts: Duration::from_secs_f64(lasts),
        }
    }

    fn some_of(&mut self, set: FaultSet, n_faults: usize) -> FaultSet {
        let mut faults: Vec<Fault> = set.iter().collect();
        self.rng.shuffle(&mut faults);
        faults.into_iter().take(n_faults).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_mix_and_every_fault_has_its_turn() {
        let spells = |seed| {
            let mut mix = Mix::new(seed);
            (0..400).map(|_| mix.next()).collect::<Vec<_>>()
        };
        let first = spells(3);
        assert_eq!(first, spells(3));
        assert_ne!(first, spells(4));
        let seen = first
            .iter()
            .fold(FaultSet::CALM, |seen, spell| seen.and(spell.faults));
        assert_eq!(seen.iter().count(), FAULTS.len() - 1, "{seen:?}");
        for spell in &first {
            let n_refusals = spell
                .faults
                .iter()
                .filter(|fault| FaultSet::OF_ANSWERS.has(*fault))
                .count();
            assert!(n_refusals == 0 || spell.faults.iter().count() == 1);
            assert!(spell.lasts < Duration::from_secs(6), "everything passes");
        }
        assert!(first.iter().any(|spell| spell.faults == FaultSet::CALM));
    }
}
