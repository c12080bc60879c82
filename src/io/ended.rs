//! SIGTERM while a program runs that prints a key: that is ended first, with all that it started. It
//! comes to this process alone, and what waits for a password would stay at the terminal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::SIGTERM;
use signal_hook::flag::{register, register_conditional_default};
use signal_hook::low_level::emulate_default_handler;

/// Whether this process puts things in order itself before it ends.
static IS_HEARD: AtomicBool = AtomicBool::new(false);
/// What was registered, once: nothing brings back that a signal ends the process by itself.
static REGISTERED: OnceLock<Option<Registered>> = OnceLock::new();

#[derive(Clone)]
struct Registered {
    has_come: Arc<AtomicBool>,
    ends_at_once: Arc<AtomicBool>,
}

/// Takes note that somebody in this process hears SIGTERM from now on.
pub fn heard_here() {
    IS_HEARD.store(true, Ordering::SeqCst);
    if let Some(Some(registered)) = REGISTERED.get() {
        registered.ends_at_once.store(false, Ordering::SeqCst);
    }
}

/// As long as this is held, SIGTERM does not end the process at once.
pub struct Held(Option<Registered>);

impl Held {
    /// Where signals cannot be heard, they do what they did.
    pub fn begin() -> Self {
        let registered = REGISTERED.get_or_init(|| {
            let registered = Registered {
                has_come: Arc::default(),
                ends_at_once: Arc::default(),
            };
            register(SIGTERM, registered.has_come.clone()).ok()?;
            let condition = registered.ends_at_once.clone();
            register_conditional_default(SIGTERM, condition).ok()?;
            Some(registered)
        });
        if let Some(registered) = registered {
            registered.ends_at_once.store(false, Ordering::SeqCst);
        }
        Self(registered.clone())
    }

    /// Whether it has come since.
    pub fn has_come(&self) -> bool {
        let registered = self.0.as_ref();
        registered.is_some_and(|it| it.has_come.load(Ordering::SeqCst))
    }
}

impl Drop for Held {
    /// What has come meanwhile ends the process now: nothing is there yet to be put in order.
    fn drop(&mut self) {
        let Some(registered) = &self.0 else { return };
        let is_heard = IS_HEARD.load(Ordering::SeqCst);
        registered.ends_at_once.store(!is_heard, Ordering::SeqCst);
        if self.has_come() {
            let _ = emulate_default_handler(SIGTERM);
        }
    }
}
