//! The path to a detail page: where Esc leads back to.

use ratatui::layout::Rect;

use super::super::listing;
use super::super::model::{asset_label, task_label};
use super::super::paint::{Canvas, Pieces, dim, plain, role};
use super::super::text::cut_middle;
use super::super::theme::Role;
use super::page_title;
use crate::app::State;
use crate::app::diff::Compared;
use crate::app::listing::Entry;
use crate::app::page::Page;
use crate::domain::{AttemptNumber, Receipt, visible};

/// Paints the path.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, row: u16, state: &State) {
    let mut pieces: Pieces<'static> = vec![plain(" "), dim(state.screen.title())];
    let last = state.pages.len().saturating_sub(1);
    for (at, page) in state.pages.iter().enumerate() {
        pieces.push(dim(" › "));
        let name = name(state, page);
        pieces.push(if at == last {
            role(Role::Title, name)
        } else {
            dim(name)
        });
    }
    canvas.line(area, row, &pieces);
}

fn name(state: &State, page: &Page) -> String {
    let history = &state.history;
    let text = match page {
        Page::Task(page) => task_label(history, &page.task),
        Page::Message(page) => {
            let delivery = history.deliveries.get(&page.message);
            let message = delivery.and_then(|delivery| delivery.message.as_ref());
            let kind = message.map_or("message", |message| message.kind.name());
            let about = message
                .and_then(|message| message.task.as_ref())
                .and_then(|task| history.tasks.get(task))
                .map(|row| format!(" for {}", asset_label(history, &row.asset())))
                .unwrap_or_default();
            let is_inside = state.pages.len() > 1;
            let about = if is_inside { String::new() } else { about };
            return format!("{} › {kind}{about}", page.message.short(15));
        }
        Page::Attempt(page) => {
            let number = history
                .deliveries
                .get(&page.message)
                .and_then(|delivery| history.number_of(delivery, &page.attempt));
            match number {
                Some(AttemptNumber::Automatic(number)) => format!("attempt {number}"),
                Some(AttemptNumber::Manual) => "manual attempt".to_owned(),
                None => page_title(&Page::attempt(page.message.clone(), page.attempt.clone()))
                    .to_owned(),
            }
        }
        Page::Endpoint(page) => history.endpoint_label(&page.endpoint),
        Page::Event(page) => match history.events.get(page.position) {
            Some(entry) => format!("{} {}", entry.kind, entry.id.short(15)),
            None => "event, no longer kept".to_owned(),
        },
        Page::Diff(page) => match &page.of {
            Compared::Attempts { .. } => "this attempt and the one before".to_owned(),
            Compared::Messages(_) => "this message and the one before".to_owned(),
        },
        Page::Excerpt(page) => match &page.of {
            Entry::Word(_, word) => word.to_string(),
            _ => "could not be read".to_owned(),
        },
        Page::List(page) => listing::title(state, page.what),
        Page::Received(page) => {
            let receipt = history.received.get(page.number);
            let last = receipt.and_then(Receipt::last);
            match last.and_then(|(_, last)| last.message.as_ref()) {
                Some(message) => message.short(15),
                None => "without an id".to_owned(),
            }
        }
    };
    cut_middle(&visible(&text), 40).into_owned()
}
