//! The real binary in a pseudo-terminal: typed at, looked at, and its terminal compared.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{
    Child, CommandBuilder, ExitStatus, MasterPty, PtySize, SlavePty, native_pty_system,
};

/// Longest wait for anything on the screen; only a failing test waits it out.
const PATIENCE: Duration = Duration::from_secs(40);

/// What the reader thread shares: the emulated screen, and every byte that came.
struct Output {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    n_reads: usize,
}

/// A program in a pseudo-terminal.
pub struct Pty {
    output: Arc<(Mutex<Output>, Condvar)>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    /// Held so that the terminal's settings can still be read after the program ended.
    _slave: Box<dyn SlavePty + Send>,
    home: tempfile::TempDir,
    /// The terminal's settings before the program began.
    pub before: String,
}

impl Pty {
    /// Starts `reeltop` with arguments and environment in a terminal of `columns` by `rows`.
    pub fn start(args: &[&str], environment: &[(&str, &str)], columns: u16, rows: u16) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_reeltop"));
        command.args(args);
        Self::launch(command, environment, columns, rows)
    }

    /// Starts a shell's script, in which `"$REELTOP"` is the program.
    pub fn shell(script: &str, environment: &[(&str, &str)], columns: u16, rows: u16) -> Self {
        let mut command = CommandBuilder::new("/bin/sh");
        command.args(["-c", script]);
        let program = ("REELTOP", env!("CARGO_BIN_EXE_reeltop"));
        let environment: Vec<(&str, &str)> = environment.iter().copied().chain([program]).collect();
        Self::launch(command, &environment, columns, rows)
    }

    fn launch(
        mut command: CommandBuilder,
        environment: &[(&str, &str)],
        columns: u16,
        rows: u16,
    ) -> Self {
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let home = tempfile::tempdir().unwrap();
        command.env_clear();
        command.cwd(home.path());
        command.env("HOME", home.path());
        command.env("XDG_CONFIG_HOME", home.path());
        command.env("XDG_STATE_HOME", home.path());
        for (name, value) in [
            ("TERM", "xterm-256color"),
            ("COLORTERM", "truecolor"),
            ("LC_ALL", "C.UTF-8"),
            ("TZ", "UTC"),
            ("PATH", "/usr/bin:/bin"),
        ] {
            command.env(name, value);
        }
        for (name, value) in environment {
            command.env(name, value);
        }
        let before = settings(&*pair.master);
        let child = pair.slave.spawn_command(command).unwrap();
        let (rows, columns) = (
            NonZeroU16::new(rows).unwrap(),
            NonZeroU16::new(columns).unwrap(),
        );
        let output = Output {
            parser: vt100::Parser::new(rows, columns, 0),
            bytes: Vec::new(),
            n_reads: 0,
        };
        let output = Arc::new((Mutex::new(output), Condvar::new()));
        let reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let shared = Arc::clone(&output);
        std::thread::spawn(move || read_all(reader, &shared));
        Self {
            output,
            writer,
            child,
            master: pair.master,
            _slave: pair.slave,
            home,
            before,
        }
    }

    /// Types text, in one write.
    pub fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Types the escape key alone, and waits until no further key can be taken to belong to it.
    pub fn escape(&mut self) {
        self.keys("\x1b");
        let n_reads = self.output.0.lock().unwrap().n_reads;
        let limit = Duration::from_millis(200);
        let (lock, changed) = &*self.output;
        drop(
            changed
                .wait_timeout_while(lock.lock().unwrap(), limit, |output| {
                    output.n_reads == n_reads
                })
                .unwrap(),
        );
    }

    /// Waits until the screen's text satisfies `holds`, and gives it.
    pub fn wait(&self, what: &str, mut holds: impl FnMut(&str) -> bool) -> String {
        self.wait_screen(what, |screen| holds(&screen.contents()))
    }

    fn wait_screen(&self, what: &str, mut holds: impl FnMut(&vt100::Screen) -> bool) -> String {
        let (lock, changed) = &*self.output;
        let end = Instant::now() + PATIENCE;
        let mut output = lock.lock().unwrap();
        loop {
            let text = output.parser.screen().contents();
            if holds(output.parser.screen()) {
                return text;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited for {what}, saw:\n{text}");
            output = changed
                .wait_timeout(output, left.min(Duration::from_millis(100)))
                .unwrap()
                .0;
        }
    }

    /// Waits until the screen shows the text.
    pub fn sees(&self, text: &str) -> String {
        self.wait(text, |screen| screen.contains(text))
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        let (parser_rows, parser_columns) = (
            NonZeroU16::new(rows).unwrap(),
            NonZeroU16::new(columns).unwrap(),
        );
        self.output
            .0
            .lock()
            .unwrap()
            .parser
            .screen_mut()
            .set_size(parser_rows, parser_columns);
        self.master
            .resize(PtySize {
                rows,
                cols: columns,
                pixel_width: 0,
                pixel_height: 0,
            })
            .unwrap();
    }

    pub fn is_alternate_screen(&self) -> bool {
        self.output
            .0
            .lock()
            .unwrap()
            .parser
            .screen()
            .alternate_screen()
    }

    pub fn is_cursor_hidden(&self) -> bool {
        self.output.0.lock().unwrap().parser.screen().hide_cursor()
    }

    /// Everything that came so far, raw.
    pub fn bytes(&self) -> Vec<u8> {
        self.output.0.lock().unwrap().bytes.clone()
    }

    /// The folder that the program takes for the user's.
    pub fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Sends a signal by name, from outside.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.pid().to_string())
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits until the process is in a state of /proc (`T` stopped, `S` sleeping, …).
    pub fn wait_process_state(&self, states: &str) {
        let path = format!("/proc/{}/stat", self.pid());
        self.wait(states, |_| {
            let stat = std::fs::read_to_string(&path).unwrap_or_default();
            let state = stat
                .rsplit(") ")
                .next()
                .and_then(|rest| rest.chars().next());
            state.is_some_and(|state| states.contains(state))
        });
    }

    /// The terminal's settings now, every flag and control character.
    pub fn settings(&self) -> String {
        settings(&*self.master)
    }

    /// Waits for the end of the program.
    pub fn end(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < end,
                "the program does not end:\n{}",
                self.output.0.lock().unwrap().parser.screen().contents()
            );
            let (lock, changed) = &*self.output;
            drop(
                changed
                    .wait_timeout(lock.lock().unwrap(), Duration::from_millis(20))
                    .unwrap(),
            );
        }
    }

    /// Checks that the terminal is as it was before the program began.
    pub fn assert_restored(&self) {
        self.wait_screen("the shell's screen", |screen| !screen.alternate_screen());
        assert_eq!(self.settings(), self.before);
        assert!(!self.is_cursor_hidden());
        let bytes = self.bytes();
        let text = String::from_utf8_lossy(&bytes);
        for (on, off) in [
            ("\x1b[?1000h", "\x1b[?1000l"),
            ("\x1b[?2004h", "\x1b[?2004l"),
            ("\x1b[?1004h", "\x1b[?1004l"),
        ] {
            assert!(text.rfind(on) <= text.rfind(off), "{on:?} was left on");
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

fn settings(master: &(dyn MasterPty + Send)) -> String {
    format!("{:?}", master.get_termios().unwrap())
}

fn read_all(mut reader: Box<dyn Read + Send>, shared: &(Mutex<Output>, Condvar)) {
    let mut chunk = vec![0; 65536];
    // On Linux the end of a terminal is an error, not an empty read.
    while let Ok(n_bytes @ 1..) = reader.read(&mut chunk) {
        let mut output = shared.0.lock().unwrap();
        output.parser.process(&chunk[..n_bytes]);
        output.bytes.extend_from_slice(&chunk[..n_bytes]);
        output.n_reads += 1;
        shared.1.notify_all();
    }
}
