//! What a server offers, as fields of a record.

use super::fields::{Fields, Writer};
use crate::domain::{Abilities, Ability, Disabling, OFFERS, PublishedRetries};

/// The field of the first offer; the others follow in the order of [`OFFERS`].
const FIRST_OFFER: u8 = 16;

/// Writes abilities as the fields of a record.
pub(super) fn write_abilities(abilities: &Abilities, to: &mut Writer) {
    let all = [
        &abilities.stream,
        &abilities.resend,
        &abilities.endpoint_list,
        &abilities.messages,
        &abilities.attempts,
    ];
    for (at, ability) in all.into_iter().enumerate() {
        to.nested(at as u8 + 1, |to| write_ability(ability, to));
    }
    for (at, offer) in OFFERS.iter().enumerate() {
        if let Some(ability) = abilities.offers.get(offer) {
            to.nested(FIRST_OFFER + at as u8, |to| write_ability(ability, to));
        }
    }
    if let Some(retries) = &abilities.retry_schedule {
        to.nested(6, |to| {
            let delays = retries.delays.iter().flat_map(|delay| delay.to_le_bytes());
            to.bytes(1, &delays.collect::<Vec<u8>>());
            if let Some(floor) = retries.floor_after_timeout {
                to.bytes(2, &floor.to_le_bytes());
            }
            match retries.disabling {
                None => {}
                Some(Disabling::Never) => to.bytes(3, &[]),
                Some(Disabling::After(seconds)) => to.bytes(3, &seconds.to_le_bytes()),
            }
        });
    }
}

/// Reads them back.
pub(super) fn read_abilities(from: Fields<'_>) -> Abilities {
    let ability = |tag| read_ability(from.nested(tag).unwrap_or(Fields(&[])));
    let offers = OFFERS.iter().enumerate().filter_map(|(at, offer)| {
        let fields = from.nested(FIRST_OFFER + at as u8)?;
        Some((*offer, read_ability(fields)))
    });
    Abilities {
        stream: ability(1),
        resend: ability(2),
        endpoint_list: ability(3),
        messages: ability(4),
        attempts: ability(5),
        retry_schedule: from.nested(6).map(|retries| PublishedRetries {
            delays: (retries.bytes(1).unwrap_or_default().as_chunks().0.iter())
                .map(|delay| f64::from_le_bytes(*delay))
                .collect(),
            floor_after_timeout: (retries.bytes(2))
                .and_then(|floor| floor.try_into().ok())
                .map(f64::from_le_bytes),
            disabling: retries.bytes(3).and_then(|after| match after {
                [] => Some(Disabling::Never),
                after => Some(Disabling::After(f64::from_le_bytes(after.try_into().ok()?))),
            }),
        }),
        offers: offers.collect(),
    }
}

fn write_ability(ability: &Ability, to: &mut Writer) {
    match ability {
        Ability::Unknown => {}
        Ability::Offered(route) => to.text(1, route),
        Ability::Absent(why) => to.text(2, why),
    }
}

fn read_ability(fields: Fields<'_>) -> Ability {
    match (fields.text(1), fields.text(2)) {
        (Some(route), _) => Ability::Offered(route.to_owned()),
        (None, Some(why)) => Ability::Absent(why.to_owned()),
        (None, None) => Ability::Unknown,
    }
}
