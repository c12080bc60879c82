//! Themes: what each role looks like, read from `assets/themes`.

use ratatui::style::{Color, Modifier, Style};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::app::Tone;

/// The themes that the program carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThemeName {
    #[default]
    Dark,
    Light,
    /// No color: `NO_COLOR`.
    Mono,
}

/// What a piece of the screen is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Text,
    Dim,
    Accent,
    Ok,
    Warn,
    Bad,
    Info,
    Selected,
    Title,
    Rule,
    Key,
    Label,
}

/// A style for each role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    table: Table,
    /// Whether the terminal takes ASCII only.
    pub is_ascii: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    text: Look,
    dim: Look,
    accent: Look,
    ok: Look,
    warn: Look,
    bad: Look,
    info: Look,
    selected: Look,
    title: Look,
    rule: Look,
    key: Look,
    label: Look,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Look {
    #[serde(deserialize_with = "color")]
    fg: Option<Color>,
    #[serde(deserialize_with = "color")]
    bg: Option<Color>,
    bold: bool,
    dim: bool,
    reversed: bool,
    underlined: bool,
}

/// Reads a color by its name.
fn color<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Color>, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse()
        .map(Some)
        .map_err(|_| D::Error::custom(format!("unknown color {name:?}")))
}

impl Look {
    fn style(&self) -> Style {
        let mut style = Style {
            fg: self.fg,
            bg: self.bg,
            ..Style::default()
        };
        for (is_on, modifier) in [
            (self.bold, Modifier::BOLD),
            (self.dim, Modifier::DIM),
            (self.reversed, Modifier::REVERSED),
            (self.underlined, Modifier::UNDERLINED),
        ] {
            if is_on {
                style = style.add_modifier(modifier);
            }
        }
        style
    }
}

impl Theme {
    /// One of the themes that the program carries.
    pub fn embedded(name: ThemeName, is_ascii: bool) -> Result<Self, String> {
        let text = match name {
            ThemeName::Dark => include_str!("../../assets/themes/dark.toml"),
            ThemeName::Light => include_str!("../../assets/themes/light.toml"),
            ThemeName::Mono => include_str!("../../assets/themes/mono.toml"),
        };
        let table = toml::from_str(text).map_err(|error| error.to_string())?;
        Ok(Self { table, is_ascii })
    }

    pub fn style(&self, role: Role) -> Style {
        let table = &self.table;
        match role {
            Role::Text => &table.text,
            Role::Dim => &table.dim,
            Role::Accent => &table.accent,
            Role::Ok => &table.ok,
            Role::Warn => &table.warn,
            Role::Bad => &table.bad,
            Role::Info => &table.info,
            Role::Selected => &table.selected,
            Role::Title => &table.title,
            Role::Rule => &table.rule,
            Role::Key => &table.key,
            Role::Label => &table.label,
        }
        .style()
    }
}

impl From<Tone> for Role {
    fn from(tone: Tone) -> Self {
        match tone {
            Tone::Text => Self::Text,
            Tone::Dim => Self::Dim,
            Tone::Accent => Self::Accent,
            Tone::Ok => Self::Ok,
            Tone::Warn => Self::Warn,
            Tone::Bad => Self::Bad,
            Tone::Info => Self::Info,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    const ROLES: [Role; 12] = [
        Role::Text,
        Role::Dim,
        Role::Accent,
        Role::Ok,
        Role::Warn,
        Role::Bad,
        Role::Info,
        Role::Selected,
        Role::Title,
        Role::Rule,
        Role::Key,
        Role::Label,
    ];

    /// What xterm shows a color as; the 256 are the same everywhere, the sixteen are as it has them.
    fn rgb(color: Color) -> [u8; 3] {
        match color {
            Color::Black => [0, 0, 0],
            Color::Green => [0, 205, 0],
            Color::Yellow => [205, 205, 0],
            Color::Cyan => [0, 205, 205],
            Color::LightRed => [255, 0, 0],
            Color::Indexed(at @ 16..=231) => {
                let level = |part: u8| if part == 0 { 0 } else { 55 + 40 * part };
                let cube = at - 16;
                [cube / 36, cube / 6 % 6, cube % 6].map(level)
            }
            Color::Indexed(at @ 232..) => [8 + 10 * (at - 232); 3],
            _ => panic!("{color} depends on the terminal too much"),
        }
    }

    /// Relative luminance, as the accessibility guidelines (WCAG 2) define it.
    fn luminance(color: [u8; 3]) -> f64 {
        let [red, green, blue] = color.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn text_can_be_read_on_the_background_that_its_theme_is_for() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 0.01);
        for (name, ground) in [(ThemeName::Dark, [0; 3]), (ThemeName::Light, [255; 3])] {
            let theme = Theme::embedded(name, false).unwrap();
            for role in ROLES {
                let style = theme.style(role);
                // Text without a color is the terminal's own, and a rule says nothing.
                let Some(color) = style.fg.filter(|_| role != Role::Rule) else {
                    continue;
                };
                let least = if role == Role::Dim && name == ThemeName::Dark {
                    3.0
                } else {
                    4.5
                };
                let on = style.bg.map_or(ground, rgb);
                let seen = contrast(rgb(color), on);
                assert!(seen >= least, "{name:?} {role:?}: {color} has {seen:.2}:1");
                assert!(!style.add_modifier.contains(Modifier::DIM), "{role:?}");
            }
        }
    }

    #[test]
    fn mono_has_no_color_and_the_others_tell_good_from_bad_by_one() {
        for name in [ThemeName::Dark, ThemeName::Light, ThemeName::Mono] {
            let theme = Theme::embedded(name, false).unwrap();
            let is_plain = |role: Role| {
                let style = theme.style(role);
                style.fg.is_none() && style.bg.is_none()
            };
            if name == ThemeName::Mono {
                assert!(ROLES.into_iter().all(is_plain));
            } else {
                let colors = [Role::Ok, Role::Warn, Role::Bad, Role::Info, Role::Accent]
                    .map(|role| theme.style(role).fg);
                assert!(colors.iter().all(Option::is_some));
                let is_alone = |one| colors.iter().filter(|other| *other == one).count() == 1;
                assert!(colors.iter().all(is_alone), "{colors:?}");
            }
        }
    }
}
