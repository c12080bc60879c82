//! The terminal: entered, restored whatever happens, its keys and signals.
//!
//! Restoring is idempotent and may come from anywhere: the end of the loop, a panic in any thread,
//! a signal. Frames are written whole, under a lock and only while the terminal is entered, so
//! that nothing is ever drawn over the shell.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once};
use std::time::Duration;

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste, Event, EventStream};
use crossterm::style::ResetColor;
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use futures_util::StreamExt;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Cell;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::sync::CancellationToken;

use super::ended::heard_here;

static IS_ENTERED: AtomicBool = AtomicBool::new(false);
static HAS_PANICKED: AtomicBool = AtomicBool::new(false);
static PANICKED: Notify = Notify::const_new();
static WRITING: Mutex<()> = Mutex::new(());
static HOOK: Once = Once::new();

/// Largest text that is put into the clipboard; terminals drop larger ones without a word.
const MAX_COPY: usize = 74_000;
/// Keys that wait for the loop before the terminal has to keep them.
const MAX_WAITING: usize = 256;
/// Largest side of a screen, in cells; a terminal that claims more is not believed.
const MAX_SIDE: u16 = 1000;

/// The dashboard's hold on the terminal; letting it go restores the terminal.
#[derive(Debug)]
pub struct Terminal {
    bytes: Vec<u8>,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To end, by this signal.
    End(i32),
    /// To stop until SIGCONT.
    Stop,
    /// The program goes on after a stop.
    Continue,
}

/// Refuses, in a sentence, where input or output is no terminal. Nothing needs to be begun, and
/// left half done, for a dashboard that cannot be.
pub fn check() -> io::Result<()> {
    let is_terminal = [
        (io::stdin().is_terminal(), "stdin"),
        (io::stdout().is_terminal(), "stdout"),
    ];
    match is_terminal.iter().find(|(is_terminal, _)| !is_terminal) {
        None => Ok(()),
        Some((_, name)) => Err(io::Error::other(format!(
            "the dashboard needs a terminal, and {name} is none; in scripts and pipes \
             take reeltop tail, tasks, messages or attempts"
        ))),
    }
}

impl Terminal {
    /// Takes the terminal: raw mode, alternate screen, no cursor. Refuses, in a sentence, where
    /// input or output is no terminal.
    pub fn enter() -> io::Result<Self> {
        check()?;
        set_panic_hook();
        enter()?;
        Ok(Self {
            bytes: Vec::with_capacity(64 * 1024),
        })
    }

    /// Writes the cells that changed, as one synchronized update; nothing at all if none did.
    pub fn write<'a>(
        &mut self,
        cells: impl Iterator<Item = (u16, u16, &'a Cell)>,
        clear_first: bool,
    ) -> io::Result<()> {
        let mut cells = cells.peekable();
        if cells.peek().is_none() && !clear_first {
            return Ok(());
        }
        self.bytes.clear();
        queue!(self.bytes, BeginSynchronizedUpdate)?;
        if clear_first {
            queue!(self.bytes, ResetColor, Clear(ClearType::All))?;
        }
        CrosstermBackend::new(&mut self.bytes).draw(cells)?;
        queue!(self.bytes, EndSynchronizedUpdate)?;
        self.put()
    }

    /// Puts a text into the clipboard by OSC 52, which works over ssh as well.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        if text.len() > MAX_COPY {
            return Err(io::Error::other(format!(
                "{} bytes are more than terminals take ({MAX_COPY})",
                text.len()
            )));
        }
        self.bytes.clear();
        queue!(self.bytes, CopyToClipboard::to_clipboard_from(text))?;
        self.put()
    }

    /// Restores the terminal, stops the program until SIGCONT, and takes the terminal again.
    pub fn suspend(&mut self) -> io::Result<()> {
        restore();
        signal_hook::low_level::emulate_default_handler(SIGTSTP)?;
        enter()
    }

    /// Takes the terminal again after a stop that was not asked for here.
    pub fn reenter(&mut self) -> io::Result<()> {
        restore();
        enter()
    }

    fn put(&self) -> io::Result<()> {
        let _guard = lock();
        if !IS_ENTERED.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        out.write_all(&self.bytes)?;
        out.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Columns and rows of this program's terminal.
pub fn size() -> io::Result<(u16, u16)> {
    let (columns, rows) = crossterm::terminal::size()?;
    Ok((columns.clamp(1, MAX_SIDE), rows.clamp(1, MAX_SIDE)))
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    IS_ENTERED.store(true, Ordering::Release);
    let entered = execute!(
        io::stdout(),
        EnterAlternateScreen,
        EnableBracketedPaste,
        Hide,
        Clear(ClearType::All)
    );
    if entered.is_err() {
        // Nobody holds the terminal yet who would give it back when let go.
        restore();
    }
    entered
}

/// Gives the terminal back as it was. May be called from anywhere, any number of times.
pub fn restore() {
    let _guard = lock_for_restore();
    if !IS_ENTERED.swap(false, Ordering::AcqRel) {
        return;
    }
    // The terminal may be gone; then there is nothing to restore and nobody to tell.
    let _ = execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        ResetColor,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    );
    let _ = disable_raw_mode();
}

/// Tells lines on stderr, once the terminal is given back.
pub fn tell_after(lines: &[String]) {
    let mut out = io::stderr().lock();
    for line in lines {
        // There may be nobody left to be told.
        let _ = writeln!(out, "reeltop: {line}");
    }
}

fn lock() -> MutexGuard<'static, ()> {
    WRITING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The lock, or nothing if it cannot be had soon: the thread that panics may hold it itself.
fn lock_for_restore() -> Option<MutexGuard<'static, ()>> {
    for _ in 0..50 {
        match WRITING.try_lock() {
            Ok(guard) => return Some(guard),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => {
                return Some(poisoned.into_inner());
            }
            Err(std::sync::TryLockError::WouldBlock) => {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
    None
}

/// A panic in any thread restores the terminal before it speaks, and ends the dashboard.
fn set_panic_hook() {
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let was_entered = IS_ENTERED.load(Ordering::Acquire);
            restore();
            previous(info);
            if was_entered {
                HAS_PANICKED.store(true, Ordering::Release);
                PANICKED.notify_one();
            }
        }));
    });
}

/// Whether the terminal is in the program's hands now.
pub fn is_entered() -> bool {
    IS_ENTERED.load(Ordering::SeqCst)
}

/// Whether a panic ended the dashboard.
pub fn has_panicked() -> bool {
    HAS_PANICKED.load(Ordering::Acquire)
}

/// Waits for a panic in any thread.
pub async fn panicked() {
    PANICKED.notified().await;
}

/// Dies by a signal, so that whoever waits for the program sees what ended it.
pub fn die_by(number: i32) -> io::Result<()> {
    restore();
    signal_hook::low_level::emulate_default_handler(number)
}

/// What the terminal sends: keys, pasted text, sizes.
///
/// Read on a thread of its own: where the terminal vanishes without a signal, the library turns in
/// a circle for ever, and must not do so in the loop's place.
pub struct Keys {
    events: Receiver<Event>,
    stop: CancellationToken,
}

impl Keys {
    pub fn open() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let (to, events) = mpsc::channel(MAX_WAITING);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let stream = EventStream::new();
        std::thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = stopped.cancelled() => {}
                        () = read_keys(stream, to) => {}
                    }
                });
            })?;
        Ok(Self { events, stop })
    }

    /// The next one; `None` once the terminal is gone. Safe to cancel.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// One that waits already, if one does.
    pub fn waiting(&mut self) -> Option<Event> {
        self.events.try_recv().ok()
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // What is typed from now on is the shell's.
        self.stop.cancel();
    }
}

async fn read_keys(mut stream: EventStream, to: Sender<Event>) {
    while let Some(Ok(event)) = stream.next().await {
        if to.send(event).await.is_err() {
            return;
        }
    }
}

/// Whether the terminal has vanished: its window was closed, its connection broke.
pub fn is_gone() -> bool {
    !io::stdin().is_terminal() || !io::stdout().is_terminal()
}

/// Signals, as they come.
pub struct Signals {
    end: [(Signal, i32); 4],
    stop: Signal,
    goes_on: Signal,
}

impl Signals {
    pub fn open() -> io::Result<Self> {
        heard_here();
        let open = |number: i32| -> io::Result<(Signal, i32)> {
            Ok((signal(SignalKind::from_raw(number))?, number))
        };
        Ok(Self {
            end: [open(SIGTERM)?, open(SIGHUP)?, open(SIGINT)?, open(SIGQUIT)?],
            stop: open(SIGTSTP)?.0,
            goes_on: open(SIGCONT)?.0,
        })
    }

    /// The next one. Safe to cancel.
    pub async fn next(&mut self) -> Asked {
        let [
            (term, term_number),
            (hup, hup_number),
            (int, int_number),
            (quit, quit_number),
        ] = &mut self.end;
        tokio::select! {
            _ = term.recv() => Asked::End(*term_number),
            _ = hup.recv() => Asked::End(*hup_number),
            _ = int.recv() => Asked::End(*int_number),
            _ = quit.recv() => Asked::End(*quit_number),
            _ = self.stop.recv() => Asked::Stop,
            _ = self.goes_on.recv() => Asked::Continue,
        }
    }
}
