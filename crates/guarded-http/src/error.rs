//! Why a guarded request was refused or failed.
//!
//! The invariant: a message is one line for the caller who gave the address. It names the caller's own host, the rule and the limit. No
//! variant contains a path, a query, credentials or a resolved address; from the server it contains at most the declared media type, in
//! that alphabet; so neither a message nor a `Debug` output can leak anything else. All answers about private addresses are alike, and a
//! name that does not resolve reads like a name with a private address, so that callers cannot explore the internal network.

use std::{fmt, io, time::Duration};

use url::Url;

/// The result type of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a guarded request was refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not a usable URL.
    #[error("the address is no valid URL: {0}")]
    BadUrl(InvalidUrl),
    /// A rule forbids the request. Nothing was sent, or nothing after the redirect that led there.
    #[error("{place}: {rule}")]
    Refused {
        /// The location.
        place: ErrorLocation,
        /// The rule.
        rule: Rule,
    },
    /// The name does not resolve. It reads, and must be answered, like a refusal of a private address.
    #[error("{place}: {}", Rule::Address)]
    Unresolved {
        /// The location.
        place: ErrorLocation,
    },
    /// The server could not be reached, or the connection broke off.
    #[error("{place}: {stage}")]
    Unreachable {
        /// The location.
        place: ErrorLocation,
        /// The stage that failed.
        stage: Stage,
        /// The system's reason if there is one; for the operator, not part of the message.
        kind: Option<io::ErrorKind>,
    },
    /// The request exceeded its time limit.
    #[error("{place}: no complete answer within {limit:?}")]
    TimedOut {
        /// The location.
        place: ErrorLocation,
        /// The time limit.
        limit: Duration,
    },
    /// The answer is too large.
    #[error("{place}: the answer has more than {limit} bytes")]
    TooLarge {
        /// The location.
        place: ErrorLocation,
        /// The limit in bytes.
        limit: u64,
    },
    /// The answer declares another kind of content.
    #[error("{place}: the answer is declared as {claimed}, and {} is wanted", wanted.join(" or "))]
    WrongType {
        /// The location.
        place: ErrorLocation,
        /// The declared type.
        claimed: String,
        /// The accepted types.
        wanted: &'static [&'static str],
    },
    /// The answer is compressed although the request forbade that.
    #[error("{place}: the answer is encoded (compressed), which is not undone")]
    Encoded {
        /// The location.
        place: ErrorLocation,
    },
    /// The server answered with an error status.
    #[error("{place}: answered with status {status}")]
    Status {
        /// The location.
        place: ErrorLocation,
        /// The status.
        status: u16,
    },
}

/// Classes of errors, for statuses and for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The caller's text is not a URL.
    BadUrl,
    /// A rule forbids it, or the name does not resolve; callers must not be able to distinguish the two.
    Refused,
    /// No connection, or it broke off.
    Unreachable,
    /// Too slow.
    Timeout,
    /// Too many bytes.
    TooLarge,
    /// A wrong media type or encoding.
    WrongType,
    /// An error status.
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

    /// Whether the same request may succeed later: for retries, never shown to the caller who gave the address.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unresolved { .. } | Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            Self::BadUrl(_) | Self::Refused { .. } | Self::TooLarge { .. } | Self::WrongType { .. } | Self::Encoded { .. } => false,
        }
    }
}

/// Why a text is not a usable URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// Too long.
    #[error("it is longer than {} bytes", crate::target::MAX_URL_BYTES)]
    TooLong,
    /// Whitespace and control characters, which programs interpret in different ways.
    #[error("it holds a blank or a control character")]
    Blank,
    /// The host name is longer than DNS allows.
    #[error("its host's name is longer than 253 characters")]
    LongHost,
    /// It does not parse.
    #[error(transparent)]
    Unreadable(#[from] url::ParseError),
}

/// A rule that forbids a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Neither http nor https.
    Scheme,
    /// A user name or a password in the address.
    Credentials,
    /// A port that is not open for this host.
    Port {
        /// The ports that are open for every host.
        open: Vec<u16>,
    },
    /// An address that is neither public nor on the operator's list.
    Address,
    /// A redirect from https to http.
    Downgrade,
    /// Too many redirects.
    Redirects {
        /// How many are followed.
        limit: u32,
    },
    /// A redirect to an invalid URL.
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

/// The stage of a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The client could not be set up, for instance because this machine has no certificates.
    Setup,
    /// No TCP or TLS connection.
    Connect,
    /// No valid HTTP answer.
    Answer,
    /// The body broke off.
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

/// The host of the caller's URL, and the number of redirects from there.
///
/// Hosts of redirects are not named: the caller may not know them.
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorLocation {
    host: String,
    redirects: u32,
}

impl ErrorLocation {
    /// The longest quotation of a host name: DNS's own limit.
    const MAX_CHARACTERS: usize = 253;

    pub(crate) fn of(url: &Url) -> Self {
        let host = url.host_str().filter(|host| !host.is_empty()).unwrap_or("the address");
        Self { host: host.chars().take(Self::MAX_CHARACTERS).collect(), redirects: 0 }
    }

    pub(crate) fn after(&self, redirects: u32) -> Self {
        Self { host: self.host.clone(), redirects }
    }

    /// The host of the caller's URL, as URLs spell it.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for ErrorLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.redirects {
            0 => formatter.write_str(&self.host),
            1 => write!(formatter, "{}, after a redirect", self.host),
            more => write!(formatter, "{}, after {more} redirects", self.host),
        }
    }
}

impl fmt::Debug for ErrorLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.to_string())
    }
}
