//! The ASCII form of a finished frame, for terminals whose locale is not UTF-8.

use ratatui::buffer::Buffer;

/// Glyphs and their ASCII forms (screens.md).
const FORMS: [(char, &str); 42] = [
    ('◷', "q"),
    ('▶', ">"),
    ('✓', "+"),
    ('✗', "x"),
    ('⊘', "-"),
    ('·', "."),
    ('↻', "r"),
    ('◌', "~"),
    ('◇', "j"),
    ('≈', "i"),
    ('≤', "<"),
    ('●', "*"),
    ('▌', "|"),
    ('─', "-"),
    ('│', "|"),
    ('╭', "+"),
    ('╮', "+"),
    ('╰', "+"),
    ('╯', "+"),
    ('…', "~"),
    ('▲', "^"),
    ('▼', "v"),
    ('▸', ">"),
    ('▾', "v"),
    ('░', "."),
    ('█', "#"),
    ('▁', "_"),
    ('▂', "_"),
    ('▃', "-"),
    ('▄', "-"),
    ('▅', "="),
    ('▆', "="),
    ('▇', "#"),
    ('›', ">"),
    ('×', "x"),
    ('→', ">"),
    ('↑', "^"),
    ('↓', "v"),
    ('▏', "|"),
    ('“', "\""),
    ('”', "\""),
    ('␛', "^"),
];

/// Replaces every symbol that is not ASCII.
pub fn plain(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if cell.symbol().is_ascii() {
            continue;
        }
        let first = cell.symbol().chars().next().unwrap_or('?');
        let form = FORMS
            .iter()
            .find(|(glyph, _)| *glyph == first)
            .map_or("?", |(_, form)| form);
        cell.set_symbol(form);
    }
}
