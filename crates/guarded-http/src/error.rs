//! Why a request to somebody's address was not made or gave nothing.
//!
//! The invariant: a message is one line for the person who gave the address. It names the host that this person gave, the rule and the
//! limit. No variant holds a path, a query, credentials or an address that a name stands for; of a server's words none has more than the
//! media type that the server claims, in that alphabet; so neither a message nor a `Debug` can let anything else out. Where a private address
//! was asked for, all answers are alike, and a name that does not resolve reads like one that stands for a private address: what is there
//! inside is nobody's business.

use std::{fmt, io, time::Duration};

use url::Url;

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request to somebody's address was not made or gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is no URL that could be asked.
    #[error("the address is no valid URL: {0}")]
    BadUrl(InvalidUrl),
    /// A rule forbids the request. Nothing was sent, or nothing after the redirect that led there.
    #[error("{place}: {rule}")]
    Refused {
        /// Where.
        place: Place,
        /// The rule.
        rule: Rule,
    },
    /// The name does not resolve. It reads, and is to be answered, like a refusal of a private address.
    #[error("{place}: {}", Rule::Address)]
    Unresolved {
        /// Where.
        place: Place,
    },
    /// The server could not be asked, or broke off.
    #[error("{place}: {stage}")]
    Unreachable {
        /// Where.
        place: Place,
        /// How far it went.
        stage: Stage,
        /// The system's reason where there is one; for the operator, not part of the message.
        kind: Option<io::ErrorKind>,
    },
    /// The whole took too long.
    #[error("{place}: no complete answer within {limit:?}")]
    TimedOut {
        /// Where.
        place: Place,
        /// How long it might have taken.
        limit: Duration,
    },
    /// The answer is too large.
    #[error("{place}: the answer has more than {limit} bytes")]
    TooLarge {
        /// Where.
        place: Place,
        /// In bytes.
        limit: u64,
    },
    /// The answer claims to be of another kind.
    #[error("{place}: the answer is declared as {claimed}, and {} is wanted", wanted.join(" or "))]
    WrongType {
        /// Where.
        place: Place,
        /// What it claims to be.
        claimed: String,
        /// The types that would do.
        wanted: &'static [&'static str],
    },
    /// The answer is compressed, although the request said that it must not be.
    #[error("{place}: the answer is encoded (compressed), which is not undone")]
    Encoded {
        /// Where.
        place: Place,
    },
    /// The server answered with something else than success.
    #[error("{place}: answered with status {status}")]
    Status {
        /// Where.
        place: Place,
        /// Its status.
        status: u16,
    },
}

/// The classes of errors, for statuses and for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The caller's text is no URL.
    BadUrl,
    /// A rule forbids it, or the name does not resolve, which must not be told apart.
    Refused,
    /// No connection, or one that broke off.
    Unreachable,
    /// Too slow.
    Timeout,
    /// Too many bytes.
    TooLarge,
    /// Another media type or encoding.
    WrongType,
    /// Another status.
    Status,
}

impl Error {
    /// The class.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::BadUrl(_) => ErrorKind::BadUrl,
            Self::Refused { .. } | Self::Unresolved { .. } => ErrorKind::Refused,
            Self::Unreachable { .. } => ErrorKind::Unreachable,
            Self::TimedOut { .. } => ErrorKind::Timeout,
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::WrongType { .. } | Self::Encoded { .. } => ErrorKind::WrongType,
            Self::Status { .. } => ErrorKind::Status,
        }
    }

    /// Whether the same request may go well later: for retries, not for the eyes of whoever gave the address.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unresolved { .. } | Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            Self::BadUrl(_) | Self::Refused { .. } | Self::TooLarge { .. } | Self::WrongType { .. } | Self::Encoded { .. } => false,
        }
    }
}

/// Why a text is no URL that could be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// Too long.
    #[error("it is longer than {} bytes", crate::target::MAX_URL_BYTES)]
    TooLong,
    /// Blanks and control characters, which programs read in different ways.
    #[error("it holds a blank or a control character")]
    Blank,
    /// The host's name is longer than names can be.
    #[error("its host's name is longer than 253 characters")]
    LongHost,
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] url::ParseError),
}

/// A rule that a request broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Neither http nor https.
    Scheme,
    /// A user name or a password in the address.
    Credentials,
    /// A port that is not open for this host.
    Port {
        /// Those that are open for every host.
        open: Vec<u16>,
    },
    /// An address that is not public and that the operator's list does not name.
    Address,
    /// A redirect from https to http.
    Downgrade,
    /// More redirects than are followed.
    Redirects {
        /// How many are.
        limit: u32,
    },
    /// A redirect to what is no URL.
    Location,
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => formatter.write_str("only http and https are allowed"),
            Self::Credentials => formatter.write_str("a user name or password in the address is not allowed"),
            Self::Port { open } => {
                let open: Vec<String> = open.iter().map(u16::to_string).collect();
                let open = if open.is_empty() { "none".to_owned() } else { open.join(", ") };
                write!(formatter, "this port is not allowed; allowed for all hosts: {open}")
            }
            Self::Address => formatter.write_str("this host has no public address; private, local and reserved ones are not allowed"),
            Self::Downgrade => formatter.write_str("a redirect from https to http is not followed"),
            Self::Redirects { limit } => write!(formatter, "more than {limit} redirects are not followed"),
            Self::Location => formatter.write_str("a redirect to something that is no valid URL"),
        }
    }
}

/// How far a request went before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The client could not be made ready: this machine has no certificates, for one.
    Setup,
    /// No connection, by TCP or by TLS.
    Connect,
    /// No answer that is HTTP.
    Answer,
    /// The answer broke off.
    Body,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Setup => "requests to others cannot be made at present",
            Self::Connect => "no connection could be made",
            Self::Answer => "the server gave no valid answer",
            Self::Body => "the server broke off its answer",
        })
    }
}

/// The host that the caller's URL names, and how many redirects away from it something happened.
///
/// Hosts that redirects lead to are not named: the caller may not know them.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    host: String,
    redirects: u32,
}

impl Place {
    /// The longest host name that is repeated; as long as names of the DNS can be.
    const MAX_CHARACTERS: usize = 253;

    pub(crate) fn of(url: &Url) -> Self {
        let host = url.host_str().filter(|host| !host.is_empty()).unwrap_or("the address");
        Self { host: host.chars().take(Self::MAX_CHARACTERS).collect(), redirects: 0 }
    }

    pub(crate) fn after(&self, redirects: u32) -> Self {
        Self { host: self.host.clone(), redirects }
    }

    /// The host of the URL that the caller gave, as URLs spell it.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.redirects {
            0 => formatter.write_str(&self.host),
            1 => write!(formatter, "{}, after a redirect", self.host),
            more => write!(formatter, "{}, after {more} redirects", self.host),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.to_string())
    }
}
