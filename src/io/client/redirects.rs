//! Redirects: followed within the origin alone.

use reqwest::header::LOCATION;
use reqwest::{Response, Url};

use super::failure::origin;
use crate::domain::{Failure, FailureKind, visible};
use crate::io::config::shown;

/// Where a redirect leads, if it may be followed: within the origin, not in a circle, not too far.
pub(super) fn redirect(
    response: &Response,
    at: &Url,
    seen: &[Url],
    limit: usize,
) -> Result<Url, Failure> {
    let refuse = |why: String| {
        Failure::new(
            FailureKind::NotAspect,
            why,
            "set the URL to the one where the API really is",
        )
    };
    let code = response.status().as_u16();
    let from = origin(at);
    let location = response
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok());
    let Some(location) = location.filter(|location| !location.is_empty()) else {
        return Err(refuse(format!(
            "{from} answered {code} without saying where to"
        )));
    };
    let next = at.join(location).map_err(|_| {
        refuse(format!(
            "{from} redirects to {:?}, which is no URL",
            visible(&shown(location))
        ))
    })?;
    if next.origin() != at.origin() {
        return Err(refuse(format!(
            "{from} redirects to {}, another origin; refused, as the key is for {from} alone",
            origin(&next)
        )));
    }
    if seen.contains(&next) {
        return Err(refuse(format!(
            "{from} redirects in a circle at {}",
            visible(next.path())
        )));
    }
    if seen.len() > limit {
        return Err(refuse(format!("{from} redirects more than {limit} times")));
    }
    Ok(next)
}
