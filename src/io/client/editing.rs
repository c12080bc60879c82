//! Changing an endpoint, which others may change too: it is read right before, and compared with what
//! the change is based on.

use super::Client;
use super::endpoints::{Changed, ENDPOINTS, Edited, key, refuse_faults};
use super::http::{NotDone, Verb};
use super::masking::Masking;
use crate::domain::{
    Differs, Endpoint, EndpointDraft, EndpointEdit, EndpointId, Failure, FailureKind, FieldFault,
    MASK, masked_url, masked_urls, unknown_type,
};
use crate::wire::endpoints::Held;
use crate::wire::rest::one_endpoint;

impl Client {
    /// Changes an endpoint: it is read as the service has it now, changed, and `PUT` back whole, so
    /// that what is not named stays. Svix takes the change alone. Where somebody else changed a field
    /// of it since the look that it is based on, nothing is sent.
    ///
    /// A change of another field that somebody makes between the last look and the `PUT` is undone
    /// by it, unseen, as the service takes no condition. So nothing that takes time is done in between.
    pub async fn edit_endpoint(
        &self,
        id: &EndpointId,
        edit: &EndpointEdit,
        since: Option<&Endpoint>,
    ) -> Changed<Edited<Endpoint>> {
        refuse_faults(&edit.faults())?;
        let is_overtaken =
            |now: &Endpoint| since.is_some_and(|began| !edit.overtaken(began, now).is_empty());
        self.make_ready()?;
        if let Some(svix) = &self.svix {
            if since.is_some() {
                let now = svix.endpoint(&id.to_string()).await;
                let now = now.map_err(NotDone::Refused)?.value;
                if is_overtaken(&now) {
                    return Ok(Edited::Overtaken(Box::new(now)));
                }
            }
            let told = svix.edit_endpoint(id, edit, &key()).await?;
            let wanted = |now: &EndpointDraft| now.clone().with(edit);
            return Ok(Edited::Done(self.otherwise(id, told, wanted).await));
        }
        let held = self.held(id).await.map_err(NotDone::Refused)?;
        if held.endpoint.url.is_empty() && edit.url.is_none() {
            let what = format!("nothing was sent: the service does not tell the URL of {id}");
            let hint = "a change replaces all of it: name the URL too";
            let failure = Failure::new(FailureKind::Local, what, hint);
            return Err(NotDone::Refused(failure));
        }
        let masking = self.masking();
        let now = Endpoint {
            url: shown_url(masking, &held.endpoint.url).into(),
            description: shown_text(masking, &held.endpoint.description).into(),
            ..held.endpoint.clone()
        };
        if is_overtaken(&now) {
            return Ok(Edited::Overtaken(Box::new(now)));
        }
        let url = self.endpoint_url(id)?;
        let body = held.with(edit);
        let answer = self.change(Verb::Put, &url, Some(body)).await?;
        let told = one_endpoint(&answer).ok().map(|row| row.value);
        let wanted = |_: &EndpointDraft| EndpointDraft::of(&now).with(edit);
        Ok(Edited::Done(self.otherwise(id, told, wanted).await))
    }

    /// Where the service has an endpoint otherwise than it was sent, if the answer to that tells it.
    async fn otherwise(
        &self,
        id: &EndpointId,
        told: Option<Endpoint>,
        wanted: impl Fn(&EndpointDraft) -> EndpointDraft,
    ) -> Vec<Differs> {
        let differs = |told: &Endpoint| {
            let told = EndpointDraft::of(told);
            let wanted = wanted(&told);
            let shown = EndpointDraft {
                url: shown_url(self.masking(), &wanted.url),
                description: shown_text(self.masking(), &wanted.description),
                ..wanted
            };
            shown.differences(&told)
        };
        match told.filter(|told| told.id == *id) {
            Some(told) if !differs(&told).is_empty() => {}
            _ => return Vec::new(),
        }
        // It may have told what was before.
        let now = self.endpoint_now(id).await.ok().flatten();
        now.as_ref().map(differs).unwrap_or_default()
    }

    /// Has all that a change needs ready, as making it takes its time.
    pub(super) fn make_ready(&self) -> Changed<()> {
        let http = self.svix.as_ref().map_or(&self.http, |svix| &svix.http);
        http.make_ready().map_err(NotDone::Refused)
    }

    fn masking(&self) -> &Masking {
        let http = self.svix.as_ref().map_or(&self.http, |svix| &svix.http);
        &http.masking
    }

    /// What speaks against a change before anything is sent: `***` that stands for what the service
    /// has and reeltop does not show, or an event type that it has not.
    pub async fn edit_fault(
        &self,
        id: &EndpointId,
        edit: &EndpointEdit,
    ) -> Result<Option<FieldFault>, Failure> {
        match self.mask_fault(id, edit).await? {
            None => Ok(self.type_fault(edit.types()).await),
            fault => Ok(fault),
        }
    }

    async fn mask_fault(
        &self,
        id: &EndpointId,
        edit: &EndpointEdit,
    ) -> Result<Option<FieldFault>, Failure> {
        let holds = |typed: &Option<String>| typed.as_ref().is_some_and(|it| it.contains(MASK));
        let (url, description) = (holds(&edit.url), holds(&edit.description));
        if !url && !description {
            return Ok(None);
        }
        let held = match &self.svix {
            Some(svix) => svix.endpoint_unmasked(id).await?,
            None => self.held(id).await?.endpoint,
        };
        let why = || format!("{MASK} stands for what is not shown: type it out");
        let fault = |field| FieldFault { field, why: why() };
        if url && shown_url(self.masking(), &held.url) != *held.url {
            return Ok(Some(fault("url")));
        }
        let shown = shown_text(self.masking(), &held.description);
        let is_masked = description && shown != *held.description;
        Ok(is_masked.then(|| fault("description")))
    }

    /// What speaks against event types, where the service lists those that it has. One that does
    /// not, or not to this key, says for itself what it refuses.
    pub async fn type_fault(&self, types: Option<&[String]>) -> Option<FieldFault> {
        let types = types?;
        let known = match &self.svix {
            Some(svix) => svix.event_types().await.ok()?,
            None => self.published().await.ok()??.event_types,
        };
        unknown_type(types, &known?)
    }

    /// An endpoint as the service has it, nothing masked.
    async fn held(&self, id: &EndpointId) -> Result<Held, Failure> {
        let mut cursor: Option<String> = None;
        for _ in 0..super::reading::MAX_PAGES {
            let query: Vec<(&str, &str)> = cursor.iter().map(|at| ("iterator", &**at)).collect();
            let http = self.aspect()?;
            let url = http.route(&ENDPOINTS, &query)?;
            let read = http.read_unmasked(&url, |body| {
                let page = crate::wire::rest::endpoints(body)?;
                Ok((Held::in_list(body, &id.to_string())?, page))
            });
            let (held, page) = read.await?;
            if let Some(held) = held {
                return Ok(held);
            }
            if page.is_last || page.next.is_none() || page.next == cursor {
                break;
            }
            cursor = page.next;
        }
        let what = format!("there is no endpoint {id}");
        let hint = "reeltop endpoints lists them";
        Err(Failure::new(FailureKind::NotFound, what, hint))
    }
}

/// An address as it is shown …
fn shown_url(masking: &Masking, url: &str) -> String {
    masked_url(&masking.text(url)).into_owned()
}

/// … and a text.
fn shown_text(masking: &Masking, text: &str) -> String {
    masked_urls(&masking.text(text)).into_owned()
}
