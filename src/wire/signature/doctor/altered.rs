//! The one byte by which a body differs from the one that was signed.

use super::{Case, Cause, Diagnosis, Held, Request, entries};
use crate::wire::signature::key::Key;

/// A longer body is not tried, in bytes: each of its places takes 255 signatures.
const MAX_TRIED: usize = 2 << 10;

impl Diagnosis {
    /// Where nothing that is usual explains a body, tries all that differ from it in one byte. That
    /// takes up to half a million signatures: it is for somebody who asks about a request, not for
    /// each that comes in.
    pub fn look_for_byte(&mut self, request: &Request<'_>, secrets: &[Held]) {
        let is_open = matches!(self.cause, Some(Cause::Altered { .. }));
        if !is_open || request.body.len() > MAX_TRIED {
            return;
        }
        let case = Case {
            id: request.headers.id.unwrap_or_default(),
            timestamp: request.headers.timestamp.unwrap_or_default(),
            body: request.body,
            entries: entries(request.headers.signature.unwrap_or_default()),
        };
        for held in secrets {
            // A public key takes a hundred times as long.
            let Ok(key @ Key::Shared(_)) = Key::parse(&held.text) else {
                continue;
            };
            if let Some(cause) = case.byte(&key) {
                self.by = Some((held.name.clone(), key.version()));
                self.cause = Some(cause);
                return;
            }
        }
    }
}

impl Case<'_> {
    fn byte(&self, key: &Key) -> Option<Cause> {
        let mut body = self.body.to_vec();
        for (at, got) in self.body.iter().copied().enumerate() {
            for signed in (0..=u8::MAX).filter(|signed| *signed != got) {
                *body.get_mut(at)? = signed;
                if self.fits(key, &body) {
                    return Some(Cause::Byte { at, signed, got });
                }
            }
            *body.get_mut(at)? = got;
        }
        None
    }
}
