//! Frames: painted into one buffer, compared with the last, and only the difference written.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::{State, Viewport};
use crate::io::terminal::{self, Terminal};
use crate::view;
use crate::view::theme::Theme;

/// The terminal with the last frame and room for the next.
pub struct Screen {
    terminal: Terminal,
    theme: Theme,
    shown: Buffer,
    next: Buffer,
    /// Whether what the terminal shows is not known.
    is_unknown: bool,
}

impl Screen {
    pub fn new(terminal: Terminal, theme: Theme) -> anyhow::Result<Self> {
        let mut screen = Self {
            terminal,
            theme,
            shown: Buffer::default(),
            next: Buffer::default(),
            is_unknown: true,
        };
        screen.resize()?;
        Ok(screen)
    }

    /// Takes the terminal's size, and draws everything again at the next frame.
    pub fn resize(&mut self) -> anyhow::Result<()> {
        let (width, height) = terminal::size()?;
        let area = Rect::new(0, 0, width, height);
        self.shown = Buffer::empty(area);
        self.next = Buffer::empty(area);
        self.is_unknown = true;
        Ok(())
    }

    /// Paints the state, writes what differs, and gives what was shown.
    pub fn draw(&mut self, state: &State) -> anyhow::Result<Viewport> {
        let viewport = view::draw(state, &self.theme, &mut self.next);
        let changed = self.shown.diff(&self.next);
        self.terminal.write(changed.into_iter(), self.is_unknown)?;
        self.is_unknown = false;
        std::mem::swap(&mut self.shown, &mut self.next);
        Ok(viewport)
    }

    pub fn copy(&mut self, text: &str) -> std::io::Result<()> {
        self.terminal.copy(text)
    }

    pub fn suspend(&mut self) -> anyhow::Result<()> {
        self.terminal.suspend()?;
        self.resize()
    }

    pub fn reenter(&mut self) -> anyhow::Result<()> {
        self.terminal.reenter()?;
        self.resize()
    }
}
