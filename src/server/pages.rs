//! Pages of a log whose ids sort by time: Svix's list envelope, newest first.

use std::ops::Bound;

use super::port::PageQuery;
use crate::wire::bodies::PageBody;

/// One page out of sorted ids, newest first. `done` says that nothing is left in the direction
/// travelled (reference: Svix's lists).
pub fn page<'a, I, T>(
    query: &PageQuery,
    ids: impl Fn((Bound<&str>, Bound<&str>)) -> I,
    row: impl Fn(&String) -> Option<T>,
) -> PageBody<T>
where
    I: DoubleEndedIterator<Item = &'a String>,
{
    let backwards = query
        .iterator
        .as_deref()
        .and_then(|iterator| iterator.strip_prefix('-'));
    let wanted = query.limit + 1;
    let mut found: Vec<&String> = match (backwards, query.iterator.as_deref()) {
        (Some(newer_than), _) => ids((Bound::Excluded(newer_than), Bound::Unbounded))
            .take(wanted)
            .collect(),
        (None, Some(older_than)) => ids((Bound::Unbounded, Bound::Excluded(older_than)))
            .rev()
            .take(wanted)
            .collect(),
        (None, None) => ids((Bound::Unbounded, Bound::Unbounded))
            .rev()
            .take(wanted)
            .collect(),
    };
    let done = found.len() <= query.limit;
    found.truncate(query.limit);
    if backwards.is_some() {
        found.reverse();
    }
    PageBody {
        iterator: found.last().map(|id| (*id).clone()),
        prev_iterator: found.first().map(|id| format!("-{id}")),
        data: found.into_iter().filter_map(row).collect(),
        done,
    }
}
