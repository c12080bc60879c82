//! Going on where an earlier run ended, and noting where a later one can.

use super::Link;
use crate::io::journal::Resume;

impl Link {
    /// Goes on where an earlier run ended: the time since is a gap like any other.
    pub fn resume(&mut self, from: &Resume) {
        from.known.iter().for_each(|seen| self.known.see(seen));
        self.gap_from = from.gap_from;
        self.stream.resume_after(&from.last_event_id);
        self.noted_id.clone_from(&from.last_event_id);
    }

    /// Notes how far all that came was sent on.
    pub(super) fn note_place(&mut self) {
        if !self.held.is_empty() {
            return;
        }
        let id = self.stream.decoder().last_event_id();
        // An id that repeats the key is sent back to who gave it, and recorded nowhere.
        let is_clean = *self.client.http.masking.text(id) == *id;
        if *id != *self.noted_id && is_clean {
            id.clone_into(&mut self.noted_id);
            self.outlet.note_resumable(id);
        }
        // Until a comparison has ended well, the gap is not over.
        if let (None, true, Some(at)) = (self.gap_from, self.is_caught_up, self.last_byte) {
            self.outlet.note_alive(at.wall);
        }
    }
}
