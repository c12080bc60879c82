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

    #[test]
    fn every_theme_is_sound_and_mono_has_no_color() {
        for name in [ThemeName::Dark, ThemeName::Light, ThemeName::Mono] {
            let theme = Theme::embedded(name, false).unwrap();
            let bad = theme.style(Role::Bad);
            assert_eq!(bad.fg.is_none(), name == ThemeName::Mono);
        }
    }
}
