//! A document pane: JSON as colored lines that fold, or text as it came.

use ratatui::layout::Rect;

use super::paint::{Canvas, Piece, Pieces, dim, plain, role};
use super::table;
use super::theme::Role;
use crate::app::document::{DocumentPane, TokenKind};

/// Paints a document. Gives the rows it has.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, pane: &DocumentPane, has_focus: bool) -> usize {
    let visible = pane.visible();
    let height = usize::from(area.height);
    let row = visible
        .iter()
        .position(|line| *line == pane.selected())
        .unwrap_or(0);
    let top = if has_focus {
        table::offset(row, height)
    } else {
        0
    };
    let inner = table::indented(area);
    for (at, line) in visible.iter().skip(top).take(height).enumerate() {
        let pieces = line_pieces(pane, *line);
        canvas.line(inner, at as u16, &pieces);
        if has_focus && top + at == row {
            table::mark(canvas, area, at as u16);
        }
    }
    if pane.document.is_cut && visible.len() < top + height {
        let words = dim("… too long to be laid out in whole; y copies all of it");
        canvas.line(inner, (visible.len() - top) as u16, &[words]);
    }
    height
}

fn line_pieces(pane: &DocumentPane, at: usize) -> Pieces<'_> {
    let document = &pane.document;
    let Some(line) = document.lines.get(at) else {
        return Vec::new();
    };
    let mut pieces: Pieces<'_> = vec![plain("  ".repeat(usize::from(line.indent)))];
    for token in &line.tokens {
        let text = document.piece(token);
        pieces.push(token_piece(token.kind, text));
        if text == ":" || text == "," {
            pieces.push(plain(" "));
        }
    }
    if let Some((end, n_items)) = line.opens.filter(|_| pane.is_folded(at)) {
        pieces.push(role(Role::Accent, format!(" ▸ {n_items} ")));
        let tokens = document.lines.get(end).map_or(&[][..], |line| &line.tokens);
        pieces.extend(
            tokens
                .iter()
                .map(|token| token_piece(token.kind, document.piece(token))),
        );
    }
    pieces
}

fn token_piece(kind: TokenKind, text: &str) -> Piece<'_> {
    let kind = match kind {
        TokenKind::Punctuation => Role::Dim,
        TokenKind::Key => Role::Key,
        TokenKind::Text => Role::Text,
        TokenKind::Number | TokenKind::Word => Role::Info,
    };
    role(kind, text)
}
