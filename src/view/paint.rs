//! Cells: pieces of text with a role put into a buffer. No other file of the view writes text.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::text::{cut, folds, width};
use super::theme::{Role, Theme};
use crate::app::Tone;
use crate::domain::visible;

/// A piece of text with its role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    pub text: Cow<'a, str>,
    pub role: Role,
    pub is_bold: bool,
}

/// A line of pieces.
pub type Pieces<'a> = Vec<Piece<'a>>;

/// A piece in a tone.
pub fn piece<'a>(tone: Tone, text: impl Into<Cow<'a, str>>) -> Piece<'a> {
    role(tone.into(), text)
}

/// A piece in a role.
pub fn role<'a>(role: Role, text: impl Into<Cow<'a, str>>) -> Piece<'a> {
    Piece {
        text: text.into(),
        role,
        is_bold: false,
    }
}

/// A piece in the plain role.
pub fn plain<'a>(text: impl Into<Cow<'a, str>>) -> Piece<'a> {
    role(Role::Text, text)
}

/// A piece that stays in the background.
pub fn dim<'a>(text: impl Into<Cow<'a, str>>) -> Piece<'a> {
    role(Role::Dim, text)
}

/// Words of the row models as pieces.
pub fn said(words: impl IntoIterator<Item = (Tone, String)>) -> Pieces<'static> {
    words
        .into_iter()
        .map(|(tone, text)| piece(tone, text))
        .collect()
}

/// More cells than any line has; what a text has beyond them is never measured.
const MANY_CELLS: usize = 1024;

/// Cells that the pieces take; each counts as [`MANY_CELLS`] or somewhat more at most.
pub fn pieces_width(pieces: &[Piece<'_>]) -> usize {
    pieces
        .iter()
        .map(|piece| width(&safe_start(&piece.text, MANY_CELLS)))
        .sum()
}

/// The start of a text that is enough for so many cells, made visible. A text of megabytes costs
/// no more than one that fits: what is left out beyond it shows as `…`.
pub fn safe_start(text: &str, cells: usize) -> Cow<'_, str> {
    // A cell holds one character, or one with a few marks that combine with it.
    let enough = cells.saturating_add(1).saturating_mul(4);
    if text.len() <= enough {
        return visible(text);
    }
    match text.char_indices().nth(enough) {
        Some((end, _)) => Cow::Owned(format!("{}…", visible(&text[..end]))),
        None => visible(text),
    }
}

/// A piece cut at the end of a line. Where it would be one letter of a word, the mark alone stands.
fn cut_piece(text: &str, room: usize, is_after: bool) -> Cow<'_, str> {
    let shown = cut(text, room);
    let gap = text.len() - text.trim_start().len();
    if is_after && shown.chars().count() == gap + 2 && shown.ends_with('…') {
        return Cow::Owned(format!("{}…", &text[..gap]));
    }
    shown
}

/// A line on as many lines as it takes: what follows its first piece, a name as a rule, goes on below
/// where it began, or at the left where the first piece takes most of the line.
pub fn folded(line: Pieces<'_>, width: usize) -> Vec<Pieces<'_>> {
    if pieces_width(&line) <= width {
        return vec![line];
    }
    let indent = match &line[..] {
        [first, _, ..] => pieces_width(std::slice::from_ref(first)),
        _ => 0,
    };
    let is_named = indent > 0 && indent <= width / 2;
    let (head, tail) = line.split_at(usize::from(is_named));
    let indent = if is_named { indent } else { 0 };
    // One text, so that it is broken where its words end and not where a piece does.
    let mut text = String::new();
    let mut ends = Vec::new();
    for piece in tail {
        text.push_str(&visible(&piece.text));
        ends.push(text.len());
    }
    let parts = folds(&text, width.saturating_sub(indent));
    let lines = parts.into_iter().enumerate().map(|(at, part)| {
        let mut line = match at {
            0 => head.to_vec(),
            _ if indent > 0 => vec![plain(" ".repeat(indent))],
            _ => Vec::new(),
        };
        let mut from = part.start;
        for (piece, end) in tail.iter().zip(&ends) {
            let to = part.end.min(*end);
            if from < to {
                line.push(Piece {
                    text: Cow::Owned(text[from..to].to_owned()),
                    ..piece.clone()
                });
                from = to;
            }
        }
        line
    });
    lines.collect()
}

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
    Middle,
}

/// A buffer to paint on, with the theme.
pub struct Canvas<'a> {
    pub buffer: &'a mut Buffer,
    pub theme: &'a Theme,
    /// The line of the buffer on which the mark of the selection was painted last.
    pub selected: Option<u16>,
}

impl Canvas<'_> {
    /// Puts pieces on a line of an area, cut at its right end with `…`. Gives the cells taken.
    pub fn line(&mut self, area: Rect, row: u16, pieces: &[Piece<'_>]) -> u16 {
        if row >= area.height {
            return 0;
        }
        let limit = usize::from(area.width);
        let mut taken = 0;
        for (at, piece) in pieces.iter().enumerate() {
            // The last cell is kept for a mark if more follows than fits.
            let room = limit - taken;
            let text = safe_start(&piece.text, room);
            let has_more = pieces[at + 1..].iter().any(|piece| !piece.text.is_empty());
            let own = width(&text);
            let shown = if own > room {
                cut_piece(&text, room, taken > 0)
            } else if own == room && has_more && own > 1 {
                Cow::Owned(cut_piece(&format!("{text}…"), room, taken > 0).into_owned())
            } else {
                Cow::Borrowed(text.as_ref())
            };
            // What stood there before leaves nothing behind, be it that it was dim.
            let mut style = Style::reset().patch(self.theme.style(piece.role));
            if piece.is_bold {
                style = style.add_modifier(Modifier::BOLD);
            }
            let x = area.x + taken as u16;
            self.buffer
                .set_stringn(x, area.y + row, &shown, limit - taken, style);
            taken += width(&shown);
            let is_cut = matches!(shown, Cow::Owned(_));
            if is_cut || taken >= limit {
                break;
            }
        }
        taken as u16
    }

    /// Puts the head on a line, then as much of the tail as fits in whole pieces.
    pub fn whole<'a>(
        &mut self,
        area: Rect,
        row: u16,
        head: Pieces<'a>,
        tail: impl IntoIterator<Item = Piece<'a>>,
    ) {
        let mut taken = pieces_width(&head);
        let mut pieces = head;
        for piece in tail {
            taken += pieces_width(std::slice::from_ref(&piece));
            if taken > usize::from(area.width) {
                break;
            }
            pieces.push(piece);
        }
        self.line(area, row, &pieces);
    }

    /// Puts pieces at the right end of a line.
    pub fn line_right(&mut self, area: Rect, row: u16, pieces: &[Piece<'_>]) {
        self.line_at(area, row, pieces, Side::Right);
    }

    /// Puts pieces on one side of a line.
    pub fn line_at(&mut self, area: Rect, row: u16, pieces: &[Piece<'_>], side: Side) {
        let taken = pieces_width(pieces).min(usize::from(area.width)) as u16;
        let free = area.width - taken;
        let shift = match side {
            Side::Left => 0,
            Side::Right => free,
            Side::Middle => free / 2,
        };
        let area = Rect {
            x: area.x + shift,
            width: area.width - shift,
            ..area
        };
        self.line(area, row, pieces);
    }

    /// A thin rule over a whole line.
    pub fn rule(&mut self, area: Rect, row: u16) {
        if row < area.height {
            let style = self.theme.style(Role::Rule);
            let text = "─".repeat(usize::from(area.width));
            self.buffer
                .set_stringn(area.x, area.y + row, text, usize::from(area.width), style);
        }
    }

    /// Lets a line recede into the background, whatever stands in it.
    pub fn fade(&mut self, area: Rect, row: u16) {
        if row < area.height {
            let line = Rect {
                y: area.y + row,
                height: 1,
                ..area
            };
            let line = line.intersection(self.buffer.area);
            let style = self.theme.style(Role::Dim);
            for x in line.left()..line.right() {
                if let Some(cell) = self.buffer.cell_mut((x, line.y)) {
                    cell.set_style(Style::reset().patch(style));
                }
            }
        }
    }

    /// Blanks an area.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.reset();
                }
            }
        }
    }

    /// A border with a title round an area, blanked inside. Gives what lies inside.
    pub fn frame(&mut self, area: Rect, title: &str) -> Rect {
        self.clear(area);
        if area.width < 4 || area.height < 3 {
            return area;
        }
        let inner = usize::from(area.width) - 2;
        let title = cut(title, inner.saturating_sub(3));
        let rest = inner.saturating_sub(width(&title) + 2);
        let bar = "─".repeat(rest);
        self.line(
            area,
            0,
            &[
                role(Role::Rule, "╭ "),
                role(Role::Title, title.as_ref()),
                role(Role::Rule, format!(" {bar}╮")),
            ],
        );
        for row in 1..area.height - 1 {
            self.line(area, row, &[role(Role::Rule, "│")]);
            self.line_right(area, row, &[role(Role::Rule, "│")]);
        }
        let bottom = format!("╰{}╯", "─".repeat(inner));
        self.line(area, area.height - 1, &[role(Role::Rule, bottom)]);
        Rect {
            x: area.x + 2,
            y: area.y + 1,
            width: area.width - 4,
            height: area.height - 2,
        }
    }
}

/// Columns of a table: width and side of each; a gap of one cell lies between.
pub struct Columns {
    places: Vec<(u16, u16, Side)>,
}

impl Columns {
    /// Lays columns out in a width. The `flexible` one takes what the others leave.
    pub fn new(total: u16, widths: &[(u16, Side)], flexible: usize) -> Self {
        let fixed: u16 = widths
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != flexible)
            .map(|(_, (width, _))| width + 1)
            .sum();
        let mut x = 0;
        let places = widths
            .iter()
            .enumerate()
            .map(|(at, (width, side))| {
                let width = if at == flexible {
                    total.saturating_sub(fixed)
                } else {
                    *width
                };
                let place = (x, width, *side);
                x += width + 1;
                place
            })
            .collect();
        Self { places }
    }

    /// The width of a column.
    pub fn width(&self, at: usize) -> usize {
        self.places
            .get(at)
            .map_or(0, |(_, width, _)| usize::from(*width))
    }

    /// Paints a row of cells.
    pub fn row(&self, canvas: &mut Canvas<'_>, area: Rect, row: u16, cells: &[Pieces<'_>]) {
        for ((x, width, side), cell) in self.places.iter().zip(cells) {
            let column = Rect {
                x: area.x + x,
                width: (*width).min(area.width.saturating_sub(*x)),
                ..area
            };
            canvas.line_at(column, row, cell, *side);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::super::theme::ThemeName;
    use super::*;

    fn drawn(pieces: &[Piece<'_>], width: u16) -> String {
        let area = Rect::new(0, 0, width, 1);
        let mut buffer = Buffer::empty(area);
        let theme = Theme::embedded(ThemeName::Mono, false).unwrap();
        let mut canvas = Canvas {
            buffer: &mut buffer,
            theme: &theme,
            selected: None,
        };
        canvas.line(area, 0, pieces);
        let cells = buffer.content.iter().map(ratatui::buffer::Cell::symbol);
        cells.collect::<String>().trim_end().to_owned()
    }

    #[test]
    fn a_line_that_does_not_fit_ends_with_one_mark() {
        let pieces = [plain("partner"), plain(" 401"), dim(" ×2")];
        for (width, line) in [
            (14, "partner 401 ×2"),
            (13, "partner 401 …"),
            (12, "partner 401…"),
            (11, "partner 40…"),
            (10, "partner …"),
            (9, "partner …"),
            (8, "partner…"),
            (7, "partne…"),
        ] {
            assert_eq!(drawn(&pieces, width), line, "{width}");
        }
        assert_eq!(drawn(&[plain("took"), dim("  “error”")], 8), "took  …");
    }

    #[test]
    fn a_line_is_folded_below_the_begin_of_its_last_piece() {
        let line = vec![dim("file "), plain("/a/long/name and more")];
        let lines = folded(line, 13);
        let texts: Vec<String> = lines
            .iter()
            .map(|line| line.iter().map(|piece| &*piece.text).collect())
            .collect();
        assert_eq!(texts, ["file /a/long/", "     name and", "     more"]);
    }

    #[test]
    fn spaces_stay_between_pieces_where_a_line_is_folded() {
        let line = vec![
            dim("counted  "),
            plain("12 delivered"),
            dim(" · "),
            piece(Tone::Bad, "25 failed"),
            dim("  attempts of 28 days"),
        ];
        let texts = |width| -> Vec<String> {
            let lines = folded(line.clone(), width);
            let text = |line: &Pieces<'_>| line.iter().map(|piece| &*piece.text).collect();
            lines.iter().map(text).collect()
        };
        assert_eq!(
            texts(44),
            [
                "counted  12 delivered · 25 failed  attempts",
                "         of 28 days"
            ]
        );
        assert_eq!(
            texts(30),
            [
                "counted  12 delivered · 25",
                "         failed  attempts of",
                "         28 days"
            ]
        );
        assert_eq!(
            texts(16),
            [
                "counted  12",
                "delivered · 25",
                "failed  attempts",
                "of 28 days"
            ]
        );
        let lines = folded(line.clone(), 30);
        assert_eq!(lines[1][1].role, Role::from(Tone::Bad));
    }

    #[test]
    fn a_text_of_megabytes_is_cut_before_it_is_measured() {
        let long = "名\u{1b}".repeat(1_000_000);
        let start = safe_start(&long, 10);
        assert!(start.len() < 400 && start.ends_with('…'), "{start}");
        assert!(width(&start) > 10 && !start.contains('\u{1b}'));
        assert_eq!(safe_start("short", 2), "short");
        assert_eq!(safe_start(&"ä".repeat(11), 2), "ä".repeat(11));
        assert!(pieces_width(&[plain(long)]) > MANY_CELLS);
    }
}
