//! Asking for what the service alone tells of a page, as that is opened.

use super::diff::Compared;
use super::page::Page;
use super::told::{Sighted, Told};
use super::{Effect, Sight, State};
use crate::domain::{Ability, Delivery, Failure, MessageId, Offer};

impl State {
    /// Asks for what the service alone tells of a page that is being opened.
    pub(super) fn ask_of(&self, page: &mut Page) -> Vec<Effect> {
        match page {
            Page::Task(page) => vec![Effect::Look(Sight::Task(page.task.clone()))],
            Page::Message(page) => {
                let attempts = Effect::Look(Sight::Attempts(page.message.clone()));
                let message = self.ask_for_message(&page.message);
                [attempts].into_iter().chain(message).collect()
            }
            Page::Diff(page) => match &page.of {
                Compared::Messages(ids) => {
                    let asked = ids.iter().filter_map(|id| self.ask_for_message(id));
                    asked.collect()
                }
                Compared::Attempts { .. } => Vec::new(),
            },
            Page::Endpoint(page) => {
                let sight = Sight::Stats(page.endpoint.clone());
                self.ask(Offer::Stats, sight, &mut page.counted)
            }
            Page::Attempt(page) => {
                let sight = Sight::Headers(page.message.clone(), page.attempt.clone());
                self.ask(Offer::AttemptHeaders, sight, &mut page.headers)
            }
            _ => Vec::new(),
        }
    }

    /// Asks for a message of which only attempts were seen, or no payload, where one is told by its
    /// id: at a Svix server.
    fn ask_for_message(&self, id: &MessageId) -> Option<Effect> {
        let delivery = self.history.deliveries.get(id);
        let is_read = delivery.is_some_and(Delivery::is_message_read);
        let is_told = self.session.deliveries_from.is_some();
        (is_told && !is_read).then(|| Effect::Look(Sight::Message(id.clone())))
    }

    fn ask<T>(&self, offer: Offer, sight: Sight, told: &mut Told<T>) -> Vec<Effect> {
        let offered = self.history.abilities.offers.get(&offer);
        let why = match offered {
            _ if self.session.deliveries_from.is_none() => "only a Svix server tells this",
            Some(Ability::Absent(why)) => why,
            _ => {
                *told = Told::Asked;
                return vec![Effect::Look(sight)];
            }
        };
        *told = Told::Not(why.to_owned());
        Vec::new()
    }

    /// Takes in what the service told, for each page that is about it.
    pub(super) fn take_told(&mut self, sight: &Sight, told: &Result<Sighted, Failure>) {
        for page in &mut self.pages {
            match (page, sight) {
                (Page::Endpoint(page), Sight::Stats(endpoint)) if page.endpoint == *endpoint => {
                    page.counted = match told {
                        Ok(Sighted::Stats(stats)) => Told::Is(*stats),
                        Ok(Sighted::Headers(_) | Sighted::Next) => continue,
                        Err(why) => Told::Not(why.brief()),
                    };
                }
                (Page::Attempt(page), Sight::Headers(_, attempt)) if page.attempt == *attempt => {
                    page.headers = match told {
                        Ok(Sighted::Headers(Some(headers))) => Told::Is(headers.clone()),
                        Ok(Sighted::Headers(None)) => {
                            Told::Not("the service has none of this one".to_owned())
                        }
                        Ok(Sighted::Stats(_) | Sighted::Next) => continue,
                        Err(why) => Told::Not(why.brief()),
                    };
                }
                _ => {}
            }
        }
    }
}
