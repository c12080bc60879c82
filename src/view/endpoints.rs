//! Screen 4: endpoints, and what becomes of messages there.

use ratatui::layout::Rect;

use super::list;
use super::model::{ago, delivery};
use super::paint::{Canvas, Columns, Pieces, Side, dim, piece, plain, role};
use super::text::cut_middle;
use super::theme::Role;
use crate::app::{RowKey, State, Tone, Viewport};
use crate::domain::{Endpoint, EventType, Standing, visible};

/// Paints the list of endpoints.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, viewport: &mut Viewport) {
    list::screen(
        canvas,
        area,
        (state, &state.endpoints),
        viewport,
        layout,
        RowKey::Endpoint,
        |layout, id, is_selected| {
            let endpoint = state.history.endpoints.get(id)?;
            Some(list::Line::plain(cells(
                state,
                layout,
                endpoint,
                is_selected,
            )))
        },
    );
}

fn layout(width: u16) -> list::Layout {
    use Side::{Left, Right};
    let (columns, titles): (_, &[_]) = match width {
        0..57 => (
            Columns::new(width, &[(1, Left), (0, Left), (7, Right)], 1),
            &["", "NAME", "FAILING"],
        ),
        57..97 => (
            Columns::new(
                width,
                &[(10, Left), (0, Left), (9, Right), (7, Right), (18, Left)],
                1,
            ),
            &["STATE", "NAME", "DELIVERED", "FAILING", "LAST ATTEMPT"],
        ),
        _ => (
            Columns::new(
                width,
                &[
                    (10, Left),
                    (20, Left),
                    (0, Left),
                    (9, Right),
                    (7, Right),
                    (22, Left),
                    (22, Left),
                ],
                2,
            ),
            &[
                "STATE",
                "NAME",
                "URL",
                "DELIVERED",
                "FAILING",
                "LAST ATTEMPT",
                "EVENTS",
            ],
        ),
    };
    list::Layout { columns, titles }
}

/// Glyph, word and tone of an endpoint's state.
pub fn state_words(
    endpoint: &Endpoint,
    standing: Option<Standing>,
) -> (&'static str, &'static str, Tone) {
    if endpoint.disabled {
        return ("⊘", "disabled", Tone::Dim);
    }
    match standing {
        Some(standing) if standing.failing > 0 => ("✗", "failing", Tone::Bad),
        Some(_) => ("✓", "healthy", Tone::Ok),
        None => ("·", "unused", Tone::Dim),
    }
}

/// The event types that an endpoint wants, in a few words.
pub fn types_words(endpoint: &Endpoint) -> String {
    match &endpoint.event_types {
        None if endpoint.is_inferred => "known from attempts".to_owned(),
        None => "all events".to_owned(),
        Some(types) => types
            .iter()
            .map(EventType::name)
            .collect::<Vec<_>>()
            .join(" "),
    }
}

fn cells(
    state: &State,
    layout: &list::Layout,
    endpoint: &Endpoint,
    is_selected: bool,
) -> Vec<Pieces<'static>> {
    let list::Layout { columns, titles } = layout;
    let n_columns = titles.len();
    let standing = state.history.deliveries.standing(&endpoint.id);
    let (glyph, word, tone) = state_words(endpoint, standing);
    let standing = standing.unwrap_or_default();
    let name_column = usize::from(n_columns != 3).max(1);
    let name: Pieces<'static> = vec![role(
        if is_selected {
            Role::Selected
        } else {
            Role::Text
        },
        cut_middle(&visible(endpoint.label()), columns.width(name_column)).into_owned(),
    )];
    let failing: Pieces<'static> = vec![if standing.failing > 0 {
        piece(Tone::Bad, standing.failing.to_string())
    } else {
        dim("0")
    }];
    if n_columns == 3 {
        return vec![vec![piece(tone, glyph)], name, failing];
    }
    let state_cell: Pieces<'static> = vec![piece(tone, glyph), plain(format!(" {word}"))];
    let delivered: Pieces<'static> = vec![plain(standing.delivered.to_string())];
    let last = last_attempt(state, endpoint);
    if n_columns == 5 {
        return vec![state_cell, name, delivered, failing, last];
    }
    let url = cut_middle(&visible(&endpoint.url), columns.width(2)).into_owned();
    let types = vec![dim(types_words(endpoint))];
    vec![
        state_cell,
        name,
        vec![dim(url)],
        delivered,
        failing,
        last,
        types,
    ]
}

fn last_attempt(state: &State, endpoint: &Endpoint) -> Pieces<'static> {
    let mut attempts = state.endpoints.attempts(&state.history, &endpoint.id);
    let Some(attempt) = attempts.next() else {
        return vec![dim("none seen")];
    };
    let (glyph, tone) = delivery::attempt_glyph(&attempt.status);
    vec![
        piece(tone, glyph),
        plain(format!(" {}", attempt.outcome_words())),
        dim(format!("  {}", ago(state.shown_at().wall, attempt.started))),
    ]
}
