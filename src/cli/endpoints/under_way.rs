//! A change of an endpoint that is under way, for whoever ends the command meanwhile: what nobody knows
//! then, and what is done and was not told yet.

use std::cell::RefCell;

use super::{Desk, done, unclear};
use crate::cli::output::{Stop, note};
use crate::domain::{EndpointId, EndpointVerb};
use crate::io::client::endpoints::Changed;
use crate::io::client::how_far::HowFar;

/// What the command would leave behind, were it ended now.
#[derive(Debug, Default)]
pub(super) struct UnderWay(RefCell<Left>);

/// What is said where nothing was sent.
pub(super) const UNCHANGED: &str = "ended before anything was changed";

#[derive(Debug, Default)]
enum Left {
    /// Nothing yet.
    #[default]
    Unbegun,
    /// All that was done is told.
    Nothing,
    /// A request of this kind, for the endpoint of this id.
    Request(EndpointVerb, String),
    /// An endpoint that is made, and whether its signing secret is still to be told.
    Made { id: EndpointId, has_secret: bool },
}

impl UnderWay {
    /// An endpoint is made, and its id is to be told yet.
    pub fn made(&self, id: &EndpointId, has_secret: bool) {
        let id = id.clone();
        self.0.replace(Left::Made { id, has_secret });
    }

    /// All is told.
    pub fn told(&self) {
        self.0.replace(Left::Nothing);
    }

    /// Whether no change has begun yet.
    pub fn is_unbegun(&self) -> bool {
        matches!(*self.0.borrow(), Left::Unbegun)
    }
}

impl Desk {
    /// Makes a change, or gives why the command ends.
    pub(super) async fn change<T>(
        &self,
        verb: EndpointVerb,
        id: &str,
        change: impl Future<Output = Changed<T>>,
    ) -> Result<T, Stop> {
        let request = Left::Request(verb, id.to_owned());
        self.under_way.0.replace(request);
        let changed = change.await;
        self.under_way.told();
        done(changed, verb, id)
    }

    /// Says what was not told as the command ended.
    pub(super) fn say_untold(&self) {
        match self.under_way.0.replace(Left::Nothing) {
            Left::Unbegun | Left::Nothing => {}
            Left::Request(verb, id) => note(&match self.client.how_far() {
                HowFar::NotDone => UNCHANGED.to_owned(),
                HowFar::UnderWay => {
                    unclear(verb, &id, "this was ended before the answer came").to_string()
                }
                HowFar::Done => {
                    let done =
                        "the service took it; this was ended before all of its answer was read";
                    match verb {
                        EndpointVerb::Create => format!("{done}; {}", verb.look(&id)),
                        _ => done.to_owned(),
                    }
                }
            }),
            Left::Made { id, has_secret } => {
                let secret = format!(
                    ", and its signing secret was not told: reeltop endpoints secret {id} tells it \
                     where the service does, else reeltop endpoints rotate {id} makes another"
                );
                let secret = if has_secret { &*secret } else { "" };
                note(&format!("endpoint {id} is made{secret}"));
            }
        }
    }
}
