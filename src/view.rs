//! The screen: a pure function of the state. What `update` needs to know of the layout comes back
//! as a [`Viewport`].

mod ascii;
mod attempt;
mod bulk;
mod chrome;
mod deliveries;
mod diff;
mod endpoint;
mod endpoints;
mod event;
mod events;
mod health;
mod help;
mod json;
mod list;
mod listing;
mod manage;
mod message;
pub mod model;
mod notice;
mod paint;
mod palette;
mod plan;
mod receipt;
mod received;
mod table;
mod task;
mod tasks;
pub mod text;
pub mod theme;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::page::Page;
use crate::app::{Overlay, Screen, State, Viewport};
use chrome::toasts;
use paint::Canvas;
use theme::Theme;

/// From this width on, the selected task's detail stands beside the list.
const BESIDE: u16 = 160;

/// Paints the whole screen.
pub fn draw(state: &State, theme: &Theme, buffer: &mut Buffer) -> Viewport {
    let area = buffer.area;
    buffer.reset();
    let mut canvas = Canvas {
        buffer,
        theme,
        selected: None,
    };
    let regions = chrome::draw(&mut canvas, area, state);
    let (mut viewport, notices) = draw_noticed(&mut canvas, regions.body, state);
    chrome::finish(&mut canvas, area, &regions, state, viewport.matching);
    // The header and the footer stay in sight: they tell how far the screen can be trusted, and
    // what can be done.
    let inside = if area.height >= 4 {
        Rect {
            y: area.y + 1,
            height: area.height - 2,
            ..area
        }
    } else {
        regions.body
    };
    draw_over(&mut canvas, inside, notices, state, &mut viewport);
    if theme.is_ascii {
        ascii::plain(canvas.buffer);
    }
    viewport
}

/// Lines that a box keeps, however many notices there are.
const LEAST_OF_BOX: u16 = 8;

/// Paints what stands over the screen; where it would cover the notices, above them.
fn draw_over(
    canvas: &mut Canvas<'_>,
    area: Rect,
    notices: Rect,
    state: &State,
    viewport: &mut Viewport,
) {
    if notices.is_empty() || state.overlay.is_none() {
        return draw_overlay(canvas, area, state, viewport);
    }
    let before = canvas.buffer.clone();
    draw_overlay(canvas, area, state, viewport);
    let is_same = |at| canvas.buffer.cell(at) == before.cell(at);
    let above = Rect {
        height: notices.y.saturating_sub(area.y),
        ..area
    };
    if above.height >= LEAST_OF_BOX && !notices.positions().all(is_same) {
        *canvas.buffer = before;
        draw_overlay(canvas, above, state, viewport);
    }
}

fn draw_overlay(canvas: &mut Canvas<'_>, area: Rect, state: &State, viewport: &mut Viewport) {
    match &state.overlay {
        Some(Overlay::Help { top, below }) => {
            let mode = state.mode_under(below.as_deref());
            viewport.max_scroll = help::draw(canvas, area, state, mode, *top);
        }
        Some(Overlay::Replay(overlay)) => {
            viewport.plan = plan::draw(canvas, area, state, overlay);
        }
        Some(Overlay::Bulk(overlay)) => {
            viewport.bulk = bulk::draw(canvas, area, state, overlay);
        }
        Some(Overlay::Run(view)) => {
            viewport.bulk = bulk::run::draw(canvas, area, state, *view);
        }
        Some(Overlay::Manage(manage)) => {
            viewport.max_scroll = manage::draw(canvas, area, state, manage);
        }
        Some(Overlay::Palette(palette)) => palette::draw(canvas, area, state, palette),
        None => {}
    }
}

/// Paints the body, and notices over its last lines. Where the selected row would be under them, the
/// body ends above them, and with it the list scrolls; where it has no room for the row then, they
/// stand over its first lines instead. Gives where they stand, if below it.
fn draw_noticed(canvas: &mut Canvas<'_>, body: Rect, state: &State) -> (Viewport, Rect) {
    let viewport = draw_body(canvas, body, state);
    let lines = toasts::lines(state, body.width, body.height.div_ceil(2));
    let free = body.height.saturating_sub(lines.len() as u16);
    let below = table::below(body, free);
    let selected = canvas.selected.filter(|row| *row >= below.y);
    let Some(selected) = selected.filter(|_| !lines.is_empty()) else {
        toasts::draw(canvas, below, &lines);
        return (viewport, below);
    };
    canvas.clear(body);
    canvas.selected = None;
    let above = Rect {
        height: free,
        ..body
    };
    let scrolled = draw_body(canvas, above, state);
    if canvas.selected.is_some() {
        toasts::draw(canvas, below, &lines);
        return (scrolled, below);
    }
    canvas.clear(body);
    let viewport = draw_body(canvas, body, state);
    // A body of one line has no other place for them.
    let most = (selected - body.y).clamp(1, lines.len() as u16);
    toasts::draw(canvas, body, &toasts::lines(state, body.width, most));
    // They stand above, where a box would leave no room below them.
    (viewport, Rect::ZERO)
}

fn draw_body(canvas: &mut Canvas<'_>, area: Rect, state: &State) -> Viewport {
    let mut viewport = Viewport {
        screen: state.screen,
        ..Viewport::default()
    };
    if !area.is_empty() {
        draw_shown(canvas, area, state, &mut viewport);
    }
    viewport
}

fn draw_shown(canvas: &mut Canvas<'_>, area: Rect, state: &State, viewport: &mut Viewport) {
    viewport.rows = usize::from(area.height);
    match state.pages.last() {
        Some(Page::Task(page)) => {
            viewport.rows = task::draw(canvas, area, state, page, true);
        }
        Some(Page::Message(page)) => {
            viewport.rows = message::draw(canvas, area, state, page);
        }
        Some(Page::Attempt(page)) => {
            viewport.rows = attempt::draw(canvas, area, state, page);
        }
        Some(Page::Endpoint(page)) => {
            viewport.rows = endpoint::draw(canvas, area, state, page);
        }
        Some(Page::Event(page)) => {
            viewport.rows = event::draw(canvas, area, state, page);
        }
        Some(Page::Diff(page)) => diff::draw(canvas, area, state, page, viewport),
        Some(Page::Excerpt(page)) => {
            viewport.rows = event::draw_excerpt(canvas, area, state, page);
        }
        Some(Page::Received(page)) => {
            viewport.rows = receipt::draw(canvas, area, state, page);
        }
        Some(Page::List(page)) => {
            viewport.rows = listing::draw(canvas, area, state, page);
        }
        None => match state.screen {
            Screen::Tasks => tasks::draw(canvas, area, state, viewport),
            Screen::Events => events::draw(canvas, area, state, viewport),
            Screen::Deliveries => deliveries::draw(canvas, area, state, viewport),
            Screen::Endpoints => endpoints::draw(canvas, area, state, viewport),
            Screen::Health => health::draw(canvas, area, state, viewport),
            Screen::Received => received::draw(canvas, area, state, viewport),
        },
    }
}
