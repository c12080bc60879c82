//! Asking for what the service alone tells of a page, as that is opened.

use super::page::Page;
use super::told::{Sighted, Told};
use super::{Effect, Sight, State};
use crate::domain::{Ability, Failure, Offer};

impl State {
    /// Asks for what the service alone tells of a page that is being opened.
    pub(super) fn ask_of(&self, page: &mut Page) -> Vec<Effect> {
        match page {
            Page::Task(page) => vec![Effect::Look(Sight::Task(page.task.clone()))],
            Page::Message(page) => vec![Effect::Look(Sight::Message(page.message.clone()))],
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
                        Ok(Sighted::Headers(_)) => continue,
                        Err(why) => Told::Not(why.brief()),
                    };
                }
                (Page::Attempt(page), Sight::Headers(_, attempt)) if page.attempt == *attempt => {
                    page.headers = match told {
                        Ok(Sighted::Headers(Some(headers))) => Told::Is(headers.clone()),
                        Ok(Sighted::Headers(None)) => {
                            Told::Not("the service has none of this one".to_owned())
                        }
                        Ok(Sighted::Stats(_)) => continue,
                        Err(why) => Told::Not(why.brief()),
                    };
                }
                _ => {}
            }
        }
    }
}
