//! Going on where an earlier run ended, and noting where a later one can.

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Link;
use crate::io::discover::How;
use crate::io::journal::{Resume, Start};

impl Link {
    /// Goes on where an earlier run ended: the time since is a gap like any other.
    pub fn resume(&mut self, start: Start, mut earlier: oneshot::Receiver<Resume>) {
        self.gap_from = start.gap_from;
        self.unknown = start.unknown;
        self.stream.resume_after(&start.last_event_id);
        self.noted_id = start.last_event_id;
        self.away = Some(Vec::new());
        match earlier.try_recv() {
            Ok(found) => {
                found.known.iter().for_each(|seen| self.known.see(seen));
                self.away = Some(found.endpoints);
            }
            Err(_) => self.earlier = Some(earlier),
        }
        // Where the stream was found by looking for it, it is tried first.
        if self.finding.how == How::Guessed
            && !start.stream_path.is_empty()
            && let Ok(url) = self.client.http.path(&start.stream_path)
        {
            self.stream.set_url(url);
            self.finding.how = How::Probed;
        }
    }

    /// Notes where the stream was found, if that took looking for it.
    pub(super) fn note_stream_path(&self) {
        let path = match self.finding.how {
            How::Probed => self.stream.url().path(),
            _ => "",
        };
        self.outlet.note_stream_path(path);
    }

    /// Takes in what earlier runs knew where that was read only now, and compares it soon.
    pub(super) fn resume_late(&mut self, found: &Resume) {
        self.earlier = None;
        found.known.iter().for_each(|seen| self.known.see(seen));
        // What differs is no fault of the stream.
        self.is_unsettled = true;
        self.compare_at = Some(Instant::now());
    }

    /// What is not known of the time away; asked once.
    pub(super) fn doubts(&mut self) -> Vec<String> {
        let mut doubts = Vec::new();
        if let Some(why) = &self.unknown {
            doubts.push(format!(
                "how long reeltop was away is not known ({why}), so that tasks that began and ended meanwhile cannot be seen"
            ));
        }
        if self.earlier.is_some() {
            let why = "what earlier runs knew is still being read, and was not compared yet";
            doubts.push(why.to_owned());
        }
        doubts
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
