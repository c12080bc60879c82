//! `reeltop endpoints headers`: what the service sends with every request to an endpoint.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use super::{Desk, input, offered, unseen};
use crate::cli::args::HeadersArgs;
use crate::cli::output::{Outcome, Output, Stop, note, usage};
use crate::domain::{
    EndpointId, EndpointVerb, Failure, FailureKind, MASK, Offer, OwnHeaders, OwnValue, header_fault,
};
use crate::io::client::endpoints::Edited;
use crate::wire::endpoints::on_one_line;
use crate::wire::openapi::EndpointRoutes;

impl Desk {
    pub(super) async fn headers(&self, args: &HeadersArgs) -> Outcome {
        let id = EndpointId::new(&args.id);
        match &args.from {
            Some(file) => self.set_headers(&id, file, args.yes).await,
            None => self.show_headers(&id, args.json).await,
        }
    }

    /// Replaces them all, unless somebody else changes them while the input is read and the user
    /// asked.
    async fn set_headers(&self, id: &EndpointId, file: &Path, is_sure: bool) -> Outcome {
        let routes = self.routes(Offer::Headers, true).await;
        let began = match &routes {
            Ok(routes) => self.standing(routes, id).await,
            Err(_) => Ok(None),
        };
        // What is wrong with the input is told first.
        let headers = read_headers(&input("--from", file).await?)?;
        let routes = routes?;
        offered(routes.set_headers.clone(), "setting headers")?;
        let began = match began {
            Err(failure) if is_sure => unseen(&failure),
            began => began?,
        };
        if headers.is_empty() && !is_sure {
            let reply = self.confirmed(id, |what| {
                format!("No header is given. Remove all of its own headers from {what}?")
            });
            reply.await?.or_stop("no header was removed")?;
        } else if let Some(began) = began.as_ref().filter(|_| !is_sure) {
            self.leave_out(began, id, &headers).await?;
        }
        let client = &self.client;
        let replaced = client.set_endpoint_headers(&routes, id, &headers, began.as_ref());
        let (verb, of) = (EndpointVerb::SetHeaders, id.to_string());
        let replaced = self.change(verb, &of, replaced).await?;
        if let (Edited::Overtaken(now), Some(began)) = (replaced, &began) {
            let names = began.overtaken(&headers, &now).join(", ");
            let what =
                format!("nothing was sent: somebody else changed {names} of {id} since this began");
            let hint = format!(
                "reeltop endpoints headers {id} shows what it has now; the same again replaces that"
            );
            return Err(Failure::new(FailureKind::Local, what, hint).into());
        }
        note(&match headers.len() {
            0 => format!("{id} has no headers of its own any more"),
            1 => format!("{id} has 1 header of its own"),
            n => format!("{id} has {n} headers of its own"),
        });
        Ok(0)
    }

    /// The headers before they are replaced, where the service tells them. Read-only mode asks
    /// nothing, as it refuses what would be sent.
    async fn standing(
        &self,
        routes: &EndpointRoutes,
        id: &EndpointId,
    ) -> Result<Option<OwnHeaders>, Failure> {
        match routes.headers.as_ref().filter(|_| !self.source.read_only) {
            Some(route) => self.client.headers_to_edit(route, id).await.map(Some),
            None => Ok(None),
        }
    }

    async fn show_headers(&self, id: &EndpointId, is_json: bool) -> Outcome {
        let routes = self.routes(Offer::Headers, false).await?;
        let route = offered(routes.headers, "reading headers")?;
        let told = self.client.endpoint_headers(&route, id).await?;
        let mut out = Output::new();
        if is_json {
            let texts = told.headers.iter();
            let texts = texts.map(|(name, text)| (name, json!(text).to_string()));
            let odd = told.odd.iter().map(|(name, raw)| (name, on_one_line(raw)));
            let all: BTreeMap<&String, String> = texts.chain(odd).collect();
            let fields = all
                .iter()
                .map(|(name, value)| format!("{}:{value}", json!(name)));
            let fields = fields.collect::<Vec<_>>().join(",");
            let hidden = json!(told.sensitive);
            out.line(&format!(
                r#"{{"headers":{{{fields}}},"sensitive":{hidden}}}"#
            ))?;
        } else {
            let open = told.headers.into_iter();
            let odd = told.odd.into_iter();
            let hidden = told.sensitive.into_iter();
            let rows: Vec<Vec<String>> = open
                .map(|(name, value)| vec![name, value])
                .chain(odd.map(|(name, raw)| vec![name, on_one_line(&raw)]))
                .chain(hidden.map(|name| vec![name, "*** (the service does not tell it)".into()]))
                .collect();
            out.table(
                &["HEADER", "VALUE"],
                &rows,
                "this endpoint has no headers of its own",
            )?;
        }
        out.flush()?;
        Ok(0)
    }

    /// Asks where headers would go whose values the service does not tell, so that nobody has them
    /// to put them back.
    async fn leave_out(
        &self,
        began: &OwnHeaders,
        id: &EndpointId,
        headers: &BTreeMap<String, OwnValue>,
    ) -> Result<(), Stop> {
        let is_given =
            |name: &&String| headers.keys().any(|given| given.eq_ignore_ascii_case(name));
        let hidden = began.sensitive.iter();
        let gone: Vec<&str> = hidden
            .filter(|name| !is_given(name))
            .map(|name| &**name)
            .collect();
        if gone.is_empty() {
            return Ok(());
        }
        let names = gone.join(", ");
        let reply = self.confirmed(id, |what| {
            format!(
                "Not among them, and its value cannot be read back: {names}. Remove it from {what}?"
            )
        });
        reply.await?.or_stop(&format!("{names} would be removed"))
    }
}

/// Reads a `name: value` a line; empty lines are passed over.
fn read_headers(text: &str) -> Result<BTreeMap<String, OwnValue>, Stop> {
    let mut headers = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            // The line may hold a secret, so that it is not repeated.
            return Err(usage("--from", format!("line {number} has no colon")));
        };
        let (name, value) = (name.trim(), value.trim());
        if value.contains(MASK) {
            let why = format!("line {number}: {MASK} stands for what is not shown: type it out");
            return Err(usage("--from", why));
        }
        if let Some(why) = header_fault(name, value) {
            return Err(usage("--from", format!("line {number}: {why}")));
        }
        if headers
            .keys()
            .any(|known: &String| known.eq_ignore_ascii_case(name))
        {
            let why = format!("line {number}: {name} stands there twice");
            return Err(usage("--from", why));
        }
        headers.insert(name.to_owned(), OwnValue::text(value));
    }
    Ok(headers)
}
