//! What could not be read, as a record of the journal keeps it.

use super::fields::{Fields, Writer};
use crate::domain::Unreadable;

/// A count of one, which records had before there was a count, is left out, and so is what a row is
/// known by where each is a loss of its own.
pub(super) fn write_unreadable(what: &Unreadable, to: &mut Writer) {
    to.text(1, what.place);
    to.text(2, &what.why);
    to.text(3, &what.excerpt);
    if what.count != 1 {
        to.number(4, what.count as i64);
    }
    if let Some(known_by) = what.known_by {
        to.number(5, known_by.cast_signed());
    }
}

pub(super) fn read_unreadable(from: Fields<'_>) -> Option<Unreadable> {
    Some(Unreadable {
        place: place(from.text(1)?),
        why: from.text(2)?.to_owned(),
        count: from.number(4).and_then(|n| n.try_into().ok()).unwrap_or(1),
        excerpt: from.text(3).unwrap_or_default().to_owned(),
        known_by: from.number(5).map(i64::cast_unsigned),
    })
}

/// The places where something could not be read.
fn place(name: &str) -> &'static str {
    const PLACES: [&str; 8] = [
        "stream",
        "tasks",
        "messages",
        "attempts",
        "endpoints",
        "assets",
        "openapi",
        "poll",
    ];
    PLACES
        .into_iter()
        .find(|known| *known == name)
        .unwrap_or("elsewhere")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_without_a_count_stands_for_one() {
        let mut old = Writer::default();
        old.text(1, "stream");
        old.text(2, "no JSON");
        old.text(3, "<html>");
        let read = |bytes: &[u8]| read_unreadable(Fields(bytes));
        let what = read(&old.0);
        assert_eq!(what.as_ref().map(|what| what.count), Some(1));
        let mut new = Writer::default();
        if let Some(what) = what {
            write_unreadable(&Unreadable { count: 7, ..what }, &mut new);
        }
        assert_eq!(read(&new.0).map(|what| what.count), Some(7));
    }
}
