//! Text from outside, on every path and in every view: nothing of it acts on the terminal.

mod tty;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use reeltop::app::{Effect, Msg, State, update};
use reeltop::domain::{Change, ChangeKind, Failure, FailureKind, LinkState, Origin, Unreadable};
use reeltop::view::theme::{Theme, ThemeName};
use reeltop::wire::sse::Decoder;
use reeltop::wire::{events, lenient, rest};

use crate::planted::{self, harm, hostile_texts};
use crate::support::{change, drawn, fresh, key};

/// What a client makes of bodies and frames in which the texts stand.
fn told(texts: &[String]) -> Vec<Change> {
    let mut kinds = Vec::new();
    let mut decoder = Decoder::new(1 << 20);
    let frames = planted::frames(texts);
    decoder
        .push(frames.as_bytes(), |frame| {
            let refused =
                events::decode(&frame, |kind| kinds.push((kind, Some(frame.data.into()))));
            if let Err(why) = refused {
                kinds.push((unreadable(why, frame.data), None));
            }
        })
        .unwrap();
    let mut take = |kind: ChangeKind| kinds.push((kind, None));
    for row in rest::endpoints(planted::endpoints(texts).as_bytes())
        .unwrap()
        .rows
    {
        take(ChangeKind::Endpoint(Box::new(row.value)));
    }
    for row in rest::tasks(planted::tasks(texts).as_bytes()).unwrap().rows {
        let asset = row.value.asset.clone();
        take(ChangeKind::Task(row.value));
        let name = format!("{}.mp4", texts[0]).into();
        take(ChangeKind::AssetNamed { asset, name });
    }
    for row in rest::messages(planted::messages(texts).as_bytes())
        .unwrap()
        .rows
    {
        take(ChangeKind::Message(Box::new(row.value.message)));
    }
    let attempts = planted::attempts(texts, None, None);
    for row in rest::attempts(attempts.as_bytes(), None, None)
        .unwrap()
        .rows
    {
        take(ChangeKind::Attempt(Box::new(row.value)));
    }
    let why = Failure::new(FailureKind::Server, texts[0].as_str(), texts[0].as_str());
    take(ChangeKind::Polled(Some(Box::new(why.clone()))));
    take(ChangeKind::Link(Box::new(LinkState::Stopped { why })));
    kinds
        .into_iter()
        .map(|(kind, raw)| Change {
            raw,
            origin: Origin::Stream,
            ..change(5, kind)
        })
        .collect()
}

fn unreadable(why: String, bytes: &[u8]) -> ChangeKind {
    ChangeKind::Unreadable(Box::new(Unreadable::new(
        "stream",
        why,
        lenient::excerpt(bytes),
    )))
}

/// Ways through the dashboard; between them every screen, page, overlay and prompt is seen.
const WAYS: [&str; 12] = [
    "1 j s s enter tab enter y esc esc esc",
    "1 enter enter j y enter esc esc esc",
    "2 j enter j y esc f f esc",
    "3 j enter tab y enter y esc esc esc",
    "3 enter enter tab j y esc esc esc",
    "3 r j space y esc esc",
    "4 j enter j y enter y esc esc esc",
    "4 enter r esc esc esc",
    "5 j j j enter y esc esc",
    "? j j esc",
    "1 f 2 3 f",
    "2 enter r esc esc esc",
];

/// Walks through every view and gives the first that shows something harmful.
fn walk(state: &mut State, text: &str, theme: &Theme) -> Result<(), String> {
    for way in WAYS {
        for name in way.split_whitespace() {
            let effects = update(state, Msg::Key(key(name)));
            for effect in effects {
                if let Effect::Copy { text, .. } = &effect
                    && let Some(what) = text.lines().find_map(harm)
                {
                    return Err(format!("copied after {name} of {way}: {what}"));
                }
            }
            look(state, theme).map_err(|what| format!("after {name} of {way}: {what}"))?;
        }
    }
    for screen in ["1", "2", "3", "4"] {
        update(state, Msg::Key(key(screen)));
        update(state, Msg::Key(key("/")));
        update(state, Msg::Pasted(text.to_owned()));
        look(state, theme).map_err(|what| format!("filter on {screen}: {what}"))?;
        update(state, Msg::Key(key("enter")));
        while state.is_scanning() {
            update(state, Msg::Scan);
        }
        look(state, theme).map_err(|what| format!("filtered {screen}: {what}"))?;
        for name in ["/", "esc", "esc"] {
            update(state, Msg::Key(key(name)));
        }
    }
    let failed = Msg::Copied {
        what: text.to_owned(),
        error: Some(text.to_owned()),
    };
    update(state, failed);
    look(state, theme).map_err(|what| format!("in a note: {what}"))
}

fn look(state: &mut State, theme: &Theme) -> Result<(), String> {
    let buffer = drawn(state, 120, 36, theme);
    shows_no_harm(&buffer)
}

fn shows_no_harm(buffer: &Buffer) -> Result<(), String> {
    for y in 0..buffer.area.height {
        let line: String = (0..buffer.area.width)
            .map(|x| buffer[(x, y)].symbol())
            .collect();
        if let Some(what) = harm(&line) {
            return Err(what);
        }
    }
    Ok(())
}

fn state_of(texts: &[String]) -> State {
    let mut state = fresh();
    update(&mut state, Msg::Changed(told(texts)));
    state
}

#[test]
fn no_view_shows_what_acts_or_deceives() {
    let texts = hostile_texts();
    assert!(texts.len() >= 60, "{}", texts.len());
    let dark = Theme::embedded(ThemeName::Dark, false).unwrap();
    for text in &texts {
        assert!(harm(text).is_some(), "{text:?} is harmless");
        let mut state = state_of(std::slice::from_ref(text));
        if let Err(what) = walk(&mut state, text, &dark) {
            panic!("{text:?}: {what}");
        }
    }
    let ascii = Theme::embedded(ThemeName::Mono, true).unwrap();
    let mut state = state_of(&texts);
    walk(&mut state, &texts[0], &ascii).unwrap();
    state.session.source_name = texts[0].clone();
    state.session.base_url = texts[0].clone();
    state.session.key_origin = texts[0].clone();
    walk(&mut state, &texts[0], &dark).unwrap();
}

#[test]
fn every_view_was_seen_to_show_the_text() {
    // The walk proves nothing where the text never came on the screen.
    let mark = "q0v8q";
    let dark = Theme::embedded(ThemeName::Dark, false).unwrap();
    let mut state = state_of(&[mark.to_owned()]);
    for (way, least) in [("1", 2), ("2", 3), ("3", 1), ("4", 2), ("5", 2)]
        .into_iter()
        .chain([
            ("1 enter", 3),
            ("2 enter", 3),
            ("3 enter", 4),
            ("4 enter", 3),
            ("3 r", 2),
        ])
    {
        for name in way.split_whitespace() {
            update(&mut state, Msg::Key(key(name)));
            drawn(&mut state, 120, 36, &dark);
        }
        let buffer = drawn(&mut state, 120, 36, &dark);
        let all: String = buffer
            .content()
            .iter()
            .map(ratatui::buffer::Cell::symbol)
            .collect();
        let n_seen = all.matches(mark).count();
        assert!(n_seen >= least, "{way}: {n_seen}");
        update(&mut state, Msg::Key(key("esc")));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn arbitrary_bytes_do_no_harm_on_any_path(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        letters in "\\PC{0,20}[\u{0}-\u{a0}\u{200b}-\u{206f}\u{300}-\u{36f}]{0,40}",
    ) {
        let dark = Theme::embedded(ThemeName::Dark, false).unwrap();
        let text = format!("{letters}{}", String::from_utf8_lossy(&bytes));
        let mut state = state_of(std::slice::from_ref(&text));
        let mut changes = Vec::new();
        let mut decoder = Decoder::new(200);
        let _ = decoder.push(&[b"data:", &bytes[..], b"\n\n"].concat(), |frame| {
            if let Err(why) = events::decode(&frame, |kind| changes.push(change(1, kind))) {
                changes.push(change(1, unreadable(why, frame.data)));
            }
        });
        let refused = [rest::tasks(&bytes).err(), rest::messages(&bytes).err()];
        for what in refused.into_iter().flatten() {
            changes.push(change(1, ChangeKind::Unreadable(Box::new(what))));
        }
        let why = Failure::new(FailureKind::Server, lenient::error_text(&bytes), text.as_str());
        changes.push(change(1, ChangeKind::Polled(Some(Box::new(why)))));
        update(&mut state, Msg::Changed(changes));
        let outcome = walk(&mut state, &text, &dark);
        prop_assert!(outcome.is_ok(), "{outcome:?}");
    }
}
