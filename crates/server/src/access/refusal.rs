//! Why a request is refused before it reaches its handler.
//!
//! The messages tell an honest client what to change, and a dishonest one nothing new: never a key, never another caller's name, never
//! whether a file exists. The mapping of each reason to HTTP is here too.

use std::time::Duration;

use actix_web::http::StatusCode;
use generation::field_error::shortened;

use super::authority::Host;
use crate::http::Problem;

/// The reasons.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No key, or an unknown one.
    #[error("Not authenticated: send a valid API key as Authorization: Bearer KEY")]
    Unauthorized,
    /// `Host` cannot be read, or the request names two hosts.
    #[error("The request's host cannot be understood")]
    MalformedHost,
    /// `Host` names another server.
    #[error("{0} is no host of this server; its operator can allow it with access.allowed_hosts")]
    ForeignHost(String),
    /// A page of another site made a browser send the request.
    #[error("A page of another origin ({0}) may not ask this; the operator can allow it with access.allowed_origins")]
    ForeignOrigin(String),
    /// A signed link that has expired.
    #[error("This link has expired")]
    LinkExpired,
    /// A link that this server did not sign: answered as if the file did not exist, which may be true.
    #[error("Not Found")]
    LinkForged,
    /// More requests per minute than the key may make.
    #[error("Too many requests with this key; try again in {} s", whole_seconds(*retry_after))]
    TooManyRequests {
        /// The time until the next request is accepted.
        retry_after: Duration,
    },
    /// More concurrent requests than the key may have.
    #[error("Too many requests at once with this key: the limit is {limit}")]
    TooManyAtOnce {
        /// The limit.
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

/// Rounded up, and never zero, which would cause a retry storm.
fn whole_seconds(duration: Duration) -> u64 {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).max(1)
}
