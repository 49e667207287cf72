//! Why a request is turned away before its handler sees it.
//!
//! The sentences tell an honest client what to mend, and a dishonest one nothing that it does not know: never a key, never another's
//! name, never whether a file exists. What each is over HTTP stands with it.

use std::time::Duration;

use actix_web::http::StatusCode;
use generation::field_error::shortened;

use super::authority::Host;
use crate::http::Problem;

/// The reasons.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No key, or one that is none of ours.
    #[error("Not authenticated: send a valid API key as Authorization: Bearer KEY")]
    Unauthorized,
    /// `Host` cannot be read, or the request names two hosts.
    #[error("The request's host cannot be understood")]
    MalformedHost,
    /// `Host` names somebody else.
    #[error("{0} is no host of this server; its operator can allow it with access.allowed_hosts")]
    ForeignHost(String),
    /// Another site's page had a browser send the request.
    #[error("A page of another origin ({0}) may not ask this; the operator can allow it with access.allowed_origins")]
    ForeignOrigin(String),
    /// A signed link whose time is over.
    #[error("This link has expired")]
    LinkExpired,
    /// A signed link that we did not sign: told as if there were no file, which there may not be.
    #[error("Not Found")]
    LinkForged,
    /// More requests in a minute than a key may make.
    #[error("Too many requests with this key; try again in {} s", whole_seconds(*retry_after))]
    TooManyRequests {
        /// When the next one will be taken.
        retry_after: Duration,
    },
    /// More requests at once than a key may hold.
    #[error("Too many requests at once with this key: the limit is {limit}")]
    TooManyAtOnce {
        /// How many it may hold.
        limit: usize,
    },
}

impl Refusal {
    pub(crate) fn foreign_host(host: &Host) -> Self {
        Self::ForeignHost(match host {
            Host::Name(name) => shortened(name).into_owned(),
            Host::Address(address) => address.to_string(),
        })
    }

    pub(crate) fn foreign_origin(origin: &str) -> Self {
        Self::ForeignOrigin(shortened(origin).into_owned())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::Unauthorized => Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message),
            Refusal::MalformedHost => Self::new(StatusCode::BAD_REQUEST, "malformed_host", message),
            Refusal::ForeignHost(_) => Self::new(StatusCode::MISDIRECTED_REQUEST, "foreign_host", message),
            Refusal::ForeignOrigin(_) => Self::new(StatusCode::FORBIDDEN, "foreign_origin", message),
            Refusal::LinkExpired => Self::new(StatusCode::FORBIDDEN, "link_expired", message),
            Refusal::LinkForged => Self::not_found(),
            Refusal::TooManyRequests { retry_after } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message).retry_after(whole_seconds(retry_after))
            }
            Refusal::TooManyAtOnce { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests_at_once", message).retry_after(1),
        }
    }
}

/// Rounded up, and never zero, which would ask for a storm.
fn whole_seconds(duration: Duration) -> u64 {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).max(1)
}
