//! A frame of the Tasks screen, 200x60, with few and with very many tasks; and a text filter's scan.

use std::hint::black_box;
use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use reeltop::app::keymap::Keymap;
use reeltop::app::{Msg, Session, State, update};
use reeltop::domain::{
    Attempt, AttemptId, AttemptStatus, Bounds, Change, ChangeKind, EndpointId, History, MessageId,
    Moment, Origin, Time, Trigger,
};
use reeltop::view::theme::{Theme, ThemeName};

use crate::fold::preloaded;
use crate::{ROUNDS, median};

const FRAMES: usize = 40;

pub fn run() {
    println!(
        "\nDrawing a 200x60 frame, the selection moved before each; median and worst of {} frames in {ROUNDS} interleaved rounds",
        ROUNDS * FRAMES
    );
    println!("| tasks | filter | median ms | worst ms |\n|---|---|---|---|");
    let theme = Theme::embedded(ThemeName::Dark, false).unwrap();
    let mut cases: Vec<(usize, &str, State, Vec<Duration>)> = Vec::new();
    for n_tasks in [1_000, 1_000_000] {
        for filter in ["", "failed"] {
            cases.push((n_tasks, filter, state(n_tasks, filter), Vec::new()));
        }
    }
    let mut buffer = Buffer::empty(Rect::new(0, 0, 200, 60));
    for _ in 0..ROUNDS {
        for (.., state, frames) in &mut cases {
            for _ in 0..FRAMES {
                press(state, KeyCode::Char('j'));
                let start = Instant::now();
                let viewport = view(state, &theme, &mut buffer);
                frames.push(start.elapsed());
                update(state, Msg::Drawn(viewport));
            }
        }
    }
    for (n_tasks, filter, _, frames) in &cases {
        let worst = frames.iter().max().copied().unwrap_or_default();
        let filter = if filter.is_empty() { "none" } else { filter };
        println!(
            "| {n_tasks} | {filter} | {} | {} |",
            ms(median(frames)),
            ms(worst)
        );
    }
    scan(state(1_000_000, ""));
    endpoints();
}

/// Messages, and endpoints at which each has one attempt, over a day.
const N_MESSAGES: i64 = 100_000;
const N_ENDPOINTS: i64 = 20;

/// The Endpoints screen over many deliveries: what each frame tells of how they fare.
pub fn endpoints() {
    let mut state = State::new(Session::default(), Keymap::embedded().unwrap());
    state.history = History::new(Bounds {
        messages: N_MESSAGES as usize,
        ..Bounds::default()
    });
    let begin = Time::parse("2026-11-22T20:00:00Z").unwrap();
    let start = Instant::now();
    for n in 0..N_MESSAGES {
        let attempt = Attempt {
            id: AttemptId::new(&format!("atmpt_{n}")),
            message: MessageId::new(&format!("msg_{n}")),
            endpoint: EndpointId::new(&format!("ep_{}", n % N_ENDPOINTS)),
            url: "https://api.example.com/hook".into(),
            started: begin.plus(n * 864_000),
            status: if n % 7 == 0 {
                AttemptStatus::Fail
            } else {
                AttemptStatus::Success
            },
            code: if n % 7 == 0 { 500 } else { 204 },
            duration_ms: Some((n * 7919 % 2000) as u64),
            response: "".into(),
            trigger: Trigger::Scheduled,
        };
        state.history.apply(Change {
            seq: 0,
            received: Moment::default(),
            origin: Origin::Poll,
            raw: None,
            kind: ChangeKind::Attempt(Box::new(attempt)),
        });
    }
    let folding = start.elapsed();
    let wall = begin.plus(N_MESSAGES * 864_000);
    update(&mut state, Msg::Tick(Moment { wall, mono: 1 }));
    state.endpoints.note_stale();
    state.endpoints.settle(&state.history);
    press(&mut state, KeyCode::Char('4'));
    let theme = Theme::embedded(ThemeName::Dark, false).unwrap();
    let mut buffer = Buffer::empty(Rect::new(0, 0, 200, 60));
    let mut frames = Vec::new();
    for _ in 0..FRAMES {
        let start = Instant::now();
        view(&state, &theme, &mut buffer);
        frames.push(start.elapsed());
    }
    println!(
        "\nEndpoints screen, {N_ENDPOINTS} endpoints, {N_MESSAGES} deliveries in a day: median {} ms, worst {} ms; folding them {} ms",
        ms(median(&frames)),
        ms(frames.iter().max().copied().unwrap_or_default()),
        ms(folding)
    );
}

/// A text filter over a million tasks, in the slices that the loop takes between frames.
fn scan(mut state: State) {
    press(&mut state, KeyCode::Char('/'));
    for letter in "e5f".chars() {
        press(&mut state, KeyCode::Char(letter));
    }
    let mut slices = Vec::new();
    while state.is_scanning() {
        let start = Instant::now();
        update(&mut state, Msg::Scan);
        slices.push(start.elapsed());
    }
    let worst = slices.iter().max().copied().unwrap_or_default();
    let total: Duration = slices.iter().sum();
    println!(
        "\nText filter over 1,000,000 tasks: {} slices, median {} ms, worst {} ms, {} ms in all",
        slices.len(),
        ms(median(&slices)),
        ms(worst),
        ms(total)
    );
}

fn state(n_tasks: usize, filter: &str) -> State {
    let mut state = State::new(Session::default(), Keymap::embedded().unwrap());
    state.history = preloaded(n_tasks as u64);
    let wall = Time::parse("2026-11-22T20:00:00Z").unwrap();
    update(&mut state, Msg::Tick(Moment { wall, mono: 1 }));
    if !filter.is_empty() {
        press(&mut state, KeyCode::Char('/'));
        filter
            .chars()
            .for_each(|letter| press(&mut state, KeyCode::Char(letter)));
        press(&mut state, KeyCode::Enter);
    }
    state
}

fn view(state: &State, theme: &Theme, buffer: &mut Buffer) -> reeltop::app::Viewport {
    black_box(reeltop::view::draw(state, theme, buffer))
}

fn press(state: &mut State, code: KeyCode) {
    update(state, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
}

fn ms(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}
