//! Lists: a window found by id, and a selection that stays with its row, whatever comes in.

use crate::domain::{History, Time};

/// Where a window is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place<K> {
    First,
    Last,
    /// At this row, with so many rows above it.
    At {
        key: K,
        above: usize,
    },
}

impl<K> Place<K> {
    /// Its place in a window of so many rows: a lower window has fewer of them above the row, which
    /// itself is never left out.
    #[must_use]
    pub fn within(self, height: usize) -> Self {
        match self {
            Self::At { key, above } => Self::At {
                key,
                above: above.min(height.saturating_sub(1)),
            },
            end => end,
        }
    }
}

/// The rows of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice<K> {
    pub keys: Vec<K>,
    /// Matching rows before the window.
    pub before: usize,
    /// Matching rows in all.
    pub matching: usize,
}

/// The list of a screen.
pub trait Listed {
    type Key: Clone + PartialEq;

    fn cursor(&self) -> &Cursor<Self::Key>;

    fn cursor_mut(&mut self) -> &mut Cursor<Self::Key>;

    /// Rows ever seen, for the count of new ones.
    fn ever(&self, history: &History) -> u64;

    /// A window on the list as things stand at a time.
    fn window(
        &self,
        history: &History,
        place: &Place<Self::Key>,
        height: usize,
        now: Time,
    ) -> Slice<Self::Key>;

    /// The window that is on the screen.
    fn shown(&self, history: &History, height: usize, now: Time) -> Slice<Self::Key> {
        let place = self.cursor().place().within(height);
        self.window(history, &place, height, now)
    }

    /// What an action acts on.
    fn current(&self, history: &History, now: Time) -> Option<Self::Key> {
        self.cursor().current(|| {
            let window = self.window(history, &Place::First, 1, now);
            window.keys.into_iter().next()
        })
    }

    /// Moves the selection, `rows` rows at a time.
    fn step(&mut self, step: Step, rows: usize, history: &History, now: Time) {
        let mut cursor = std::mem::take(self.cursor_mut());
        let ever = self.ever(history);
        cursor.step(step, rows, ever, |place, height| {
            self.window(history, &place, height, now)
        });
        *self.cursor_mut() = cursor;
    }
}

/// Writes the parts of [`Listed`] that are alike in every list.
macro_rules! cursor_of {
    ($key:ty) => {
        type Key = $key;

        fn cursor(&self) -> &Cursor<$key> {
            &self.cursor
        }

        fn cursor_mut(&mut self) -> &mut Cursor<$key> {
            &mut self.cursor
        }
    };
}
pub(super) use cursor_of;

/// A move of the selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Up(usize),
    Down(usize),
    /// By so many rows, keeping the selection's place on the screen.
    PageUp(usize),
    PageDown(usize),
    First,
    Last,
}

impl Step {
    /// The line that stands at the top after a step. A screen that grew since keeps no way beyond
    /// the end that had to be taken back.
    pub fn scrolled(self, top: usize, max: usize) -> usize {
        let top = top.min(max);
        match self {
            Self::Up(n) | Self::PageUp(n) => top.saturating_sub(n),
            Self::Down(n) | Self::PageDown(n) => (top + n).min(max),
            Self::First => 0,
            Self::Last => max,
        }
    }
}

/// A selection by id. Until the user moves, it follows the top of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor<K> {
    chosen: Option<K>,
    above: usize,
    /// The row that the last frame showed as selected: what was seen is what is acted on.
    shown: Option<K>,
    /// Whether the last frame showed that there is no row.
    is_bare: bool,
    /// Rows ever seen when following stopped.
    stopped_at: u64,
}

impl<K> Default for Cursor<K> {
    fn default() -> Self {
        Self {
            chosen: None,
            above: 0,
            shown: None,
            is_bare: false,
            stopped_at: 0,
        }
    }
}

impl<K: Clone + PartialEq> Cursor<K> {
    pub fn is_following(&self) -> bool {
        self.chosen.is_none()
    }

    /// Where the window lies.
    pub fn place(&self) -> Place<K> {
        match &self.chosen {
            None => Place::First,
            Some(key) => Place::At {
                key: key.clone(),
                above: self.above,
            },
        }
    }

    /// Which row of the window is selected. If the chosen one is gone, the one in its place is.
    /// The window lies as [`Place::within`] has it, so that it holds the chosen one.
    pub fn row_in(&self, keys: &[K]) -> Option<usize> {
        let last = keys.len().checked_sub(1)?;
        Some(match &self.chosen {
            None => 0,
            Some(key) => keys
                .iter()
                .position(|other| other == key)
                .unwrap_or(self.above.min(last)),
        })
    }

    /// Notes what a frame showed as selected.
    pub fn saw(&mut self, key: Option<K>) {
        if let (Some(chosen), Some(key)) = (&mut self.chosen, &key) {
            // The chosen row left the list, and another took its place before the user's eyes.
            chosen.clone_from(key);
        }
        self.is_bare &= key.is_none();
        self.shown = key;
    }

    /// Notes that a frame showed no row. What was chosen is chosen again where it comes back.
    pub fn saw_none(&mut self) {
        self.is_bare = true;
        self.shown = None;
    }

    /// What an action acts on: the row last shown as selected, else the chosen one, else the first;
    /// nothing where no row was shown.
    pub fn current(&self, first: impl FnOnce() -> Option<K>) -> Option<K> {
        if self.is_bare {
            return None;
        }
        self.shown
            .clone()
            .or_else(|| self.chosen.clone())
            .or_else(first)
    }

    /// Back to the top, following.
    pub fn follow(&mut self) {
        *self = Self::default();
    }

    /// Rows that came since following stopped, out of all rows ever seen.
    pub fn missed(&self, ever: u64) -> u64 {
        if self.is_following() {
            0
        } else {
            ever.saturating_sub(self.stopped_at)
        }
    }

    /// Chooses a row, with so many rows above it.
    pub fn choose(&mut self, key: K, above: usize, ever: u64) {
        if self.chosen.is_none() {
            self.stopped_at = ever;
        }
        self.is_bare = false;
        self.shown = Some(key.clone());
        self.chosen = Some(key);
        self.above = above;
    }

    /// Moves the selection over a list that `window` shows, `rows` rows at a time.
    pub fn step(
        &mut self,
        step: Step,
        rows: usize,
        ever: u64,
        window: impl Fn(Place<K>, usize) -> Slice<K>,
    ) {
        let rows = rows.max(1);
        match step {
            Step::First => self.follow(),
            Step::Last => {
                if let Some(key) = window(Place::Last, 1).keys.pop() {
                    self.choose(key, rows - 1, ever);
                }
            }
            Step::Up(n) | Step::PageUp(n) => self.step_up(n, step, rows, ever, window),
            Step::Down(n) | Step::PageDown(n) => self.step_down(n, step, rows, ever, window),
        }
    }

    /// The selected row and its place on the screen, as things are now.
    fn here(
        &self,
        rows: usize,
        window: &impl Fn(Place<K>, usize) -> Slice<K>,
    ) -> Option<(K, usize)> {
        let place = match (&self.chosen, &self.shown) {
            (None, Some(shown)) => Place::At {
                key: shown.clone(),
                above: 0,
            },
            _ => self.place(),
        };
        let slice = window(place.within(rows), rows);
        let row = match &self.shown {
            Some(shown) => slice.keys.iter().position(|key| key == shown),
            None => None,
        };
        let row = row.or_else(|| self.row_in(&slice.keys))?;
        Some((slice.keys.get(row)?.clone(), row))
    }

    fn step_up(
        &mut self,
        n: usize,
        step: Step,
        rows: usize,
        ever: u64,
        window: impl Fn(Place<K>, usize) -> Slice<K>,
    ) {
        let Some((key, row)) = self.here(rows, &window) else {
            return;
        };
        let slice = window(
            Place::At {
                key: key.clone(),
                above: n,
            },
            n + 1,
        );
        let at = slice
            .keys
            .iter()
            .position(|other| *other == key)
            .unwrap_or(0);
        if at == 0 {
            // Already at the top: one more step up follows again.
            self.follow();
            return;
        }
        let target = at.saturating_sub(n);
        let above = match step {
            Step::PageUp(_) => row,
            _ => row.saturating_sub(at - target),
        };
        if let Some(key) = slice.keys.into_iter().nth(target) {
            self.choose(key, above, ever);
        }
    }

    fn step_down(
        &mut self,
        n: usize,
        step: Step,
        rows: usize,
        ever: u64,
        window: impl Fn(Place<K>, usize) -> Slice<K>,
    ) {
        let Some((key, row)) = self.here(rows, &window) else {
            return;
        };
        let slice = window(
            Place::At {
                key: key.clone(),
                above: 0,
            },
            n + 1,
        );
        let at = slice
            .keys
            .iter()
            .position(|other| *other == key)
            .unwrap_or(0);
        let target = (at + n).min(slice.keys.len().saturating_sub(1));
        let above = match step {
            Step::PageDown(_) => row,
            _ => (row + target - at).min(rows - 1),
        };
        if let Some(key) = slice.keys.into_iter().nth(target) {
            self.choose(key, above, ever);
        }
    }
}

/// A window on a list whose rows can be counted off.
pub fn slice_of<K>(
    len: usize,
    place: &Place<K>,
    height: usize,
    index_of: impl Fn(&K) -> Option<usize>,
    key_at: impl Fn(usize) -> Option<K>,
) -> Slice<K> {
    let furthest = len.saturating_sub(height);
    let start = match place {
        Place::First => 0,
        Place::Last => furthest,
        Place::At { key, above } => index_of(key)
            .map_or(0, |at| at.saturating_sub(*above))
            .min(furthest),
    };
    Slice {
        keys: (start..len.min(start + height))
            .filter_map(key_at)
            .collect(),
        before: start,
        matching: len,
    }
}

/// A selection in a short list of a detail page: by id, the first row until the user moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick<K> {
    chosen: Option<K>,
    /// Where it stood, so that a neighbor takes over when it goes.
    index: usize,
}

impl<K> Default for Pick<K> {
    fn default() -> Self {
        Self {
            chosen: None,
            index: 0,
        }
    }
}

impl<K: Clone + PartialEq> Pick<K> {
    /// A pick of this row.
    pub fn of(key: K) -> Self {
        Self {
            chosen: Some(key),
            index: 0,
        }
    }

    pub fn row_in(&self, keys: &[K]) -> Option<usize> {
        let last = keys.len().checked_sub(1)?;
        let found = self
            .chosen
            .as_ref()
            .and_then(|chosen| keys.iter().position(|key| key == chosen));
        Some(found.unwrap_or(self.index.min(last)))
    }

    pub fn current<'a>(&self, keys: &'a [K]) -> Option<&'a K> {
        keys.get(self.row_in(keys)?)
    }

    pub fn step(&mut self, step: Step, keys: &[K]) {
        let Some(row) = self.row_in(keys) else {
            return;
        };
        let last = keys.len() - 1;
        self.index = match step {
            Step::Up(n) | Step::PageUp(n) => row.saturating_sub(n),
            Step::Down(n) | Step::PageDown(n) => (row + n).min(last),
            Step::First => 0,
            Step::Last => last,
        };
        self.chosen = keys.get(self.index).cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(rows: &[u32], place: &Place<u32>, height: usize) -> Slice<u32> {
        slice_of(
            rows.len(),
            place,
            height,
            |key| rows.iter().position(|row| row == key),
            |at| rows.get(at).copied(),
        )
    }

    fn selected(cursor: &Cursor<u32>, rows: &[u32], height: usize) -> (Option<u32>, Vec<u32>) {
        let slice = window(rows, &cursor.place().within(height), height);
        let row = cursor.row_in(&slice.keys);
        (row.map(|row| slice.keys[row]), slice.keys)
    }

    #[test]
    fn the_selection_stays_with_its_row_when_others_come_and_go() {
        let mut rows = vec![5, 4, 3, 2, 1];
        let mut cursor = Cursor::default();
        cursor.step(Step::Down(2), 3, 5, |place, height| {
            window(&rows, &place, height)
        });
        assert_eq!(selected(&cursor, &rows, 3), (Some(3), vec![5, 4, 3]));
        rows.splice(0..0, [8, 7, 6]);
        assert_eq!(selected(&cursor, &rows, 3), (Some(3), vec![5, 4, 3]));
        assert_eq!(cursor.missed(8), 3);
        rows.retain(|row| *row != 5);
        assert_eq!(selected(&cursor, &rows, 3), (Some(3), vec![6, 4, 3]));
    }

    #[test]
    fn following_shows_the_top_and_acts_on_what_was_shown() {
        let mut rows = vec![2, 1];
        let mut cursor = Cursor::default();
        cursor.saw(Some(2));
        rows.insert(0, 3);
        assert_eq!(selected(&cursor, &rows, 2).0, Some(3));
        assert_eq!(cursor.current(|| rows.first().copied()), Some(2));
        cursor.step(Step::Down(1), 2, 3, |place, height| {
            window(&rows, &place, height)
        });
        assert_eq!(selected(&cursor, &rows, 2).0, Some(1));
    }

    #[test]
    fn a_row_that_leaves_gives_its_place_to_a_neighbor() {
        let mut rows = vec![5, 4, 3, 2, 1];
        let mut cursor = Cursor::default();
        cursor.step(Step::Down(1), 3, 5, |place, height| {
            window(&rows, &place, height)
        });
        rows.remove(1);
        let (neighbor, _) = selected(&cursor, &rows, 3);
        cursor.saw(neighbor);
        assert!(neighbor.is_some());
        rows.insert(0, 6);
        assert_eq!(selected(&cursor, &rows, 3).0, neighbor);
    }

    #[test]
    fn ends_and_pages() {
        let rows: Vec<u32> = (0..100).collect();
        let mut cursor = Cursor::default();
        let go = |cursor: &mut Cursor<u32>, step| {
            cursor.step(step, 10, 100, |place, height| window(&rows, &place, height));
        };
        go(&mut cursor, Step::Last);
        assert_eq!(
            selected(&cursor, &rows, 10),
            (Some(99), (90..100).collect())
        );
        go(&mut cursor, Step::PageUp(10));
        assert_eq!(selected(&cursor, &rows, 10).0, Some(89));
        go(&mut cursor, Step::PageDown(10));
        assert_eq!(selected(&cursor, &rows, 10).0, Some(99));
        go(&mut cursor, Step::First);
        assert!(cursor.is_following());
        go(&mut cursor, Step::Down(3));
        go(&mut cursor, Step::Up(1));
        assert_eq!(selected(&cursor, &rows, 10), (Some(2), (0..10).collect()));
        go(&mut cursor, Step::Up(9));
        assert_eq!(selected(&cursor, &rows, 10).0, Some(0));
        go(&mut cursor, Step::Up(1));
        assert!(cursor.is_following());
    }

    #[test]
    fn a_lower_window_keeps_the_selection_and_a_higher_one_has_it_where_it_was() {
        let rows: Vec<u32> = (0..100).collect();
        let mut cursor = Cursor::default();
        let go = |cursor: &mut Cursor<u32>, step, height| {
            cursor.step(step, height, 100, |place, height| {
                window(&rows, &place, height)
            });
        };
        go(&mut cursor, Step::Down(9), 30);
        for height in [30, 4, 1, 30] {
            let (row, shown) = selected(&cursor, &rows, height);
            cursor.saw(row);
            assert_eq!(row, Some(9), "{height} rows");
            assert_eq!(shown.len(), height);
        }
        assert_eq!(selected(&cursor, &rows, 30).1[0], 0);
        go(&mut cursor, Step::Up(1), 4);
        assert_eq!(selected(&cursor, &rows, 4), (Some(8), vec![6, 7, 8, 9]));
        go(&mut cursor, Step::Down(1), 30);
        assert_eq!(selected(&cursor, &rows, 4), (Some(9), vec![6, 7, 8, 9]));
    }

    #[test]
    fn an_empty_list_takes_every_step() {
        let mut cursor: Cursor<u32> = Cursor::default();
        for step in [Step::Up(1), Step::Down(1), Step::First, Step::Last] {
            cursor.step(step, 10, 0, |place, height| window(&[], &place, height));
            assert!(cursor.is_following());
        }
    }
}
