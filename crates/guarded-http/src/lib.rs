//! Requests to untrusted addresses, kept away from private networks.
//!
//! A caller of a public API may say "take the picture from here" or "call this address when it is done". The server then sends a request on
//! the caller's behalf from inside the operator's network, where services answer that the caller could not reach (server-side request
//! forgery). [`Guard`] sends such requests: [`Guard::get`] for pictures, [`Guard::open`] for bodies too long to buffer, [`Guard::post`] for
//! webhooks, [`Guard::check`] for a check of an address without the network.
//!
//! Invariants:
//! * Every address is judged before a connection, and the judged address is the one connected to: a name is resolved once per hop, all its
//!   addresses are judged, and the client cannot resolve it again. The text of a URL decides nothing.
//! * Everything is bounded: redirects, bytes, seconds, concurrent lookups.
//! * An error names the host of the caller's URL, the rule and the limit; never a path, query or credentials, never an address that a name
//!   resolves to, and nothing from the server but its status and its declared media type.
//!
//! It knows nothing of pictures, jobs or settings files, and reads no environment: no proxies. (The machine's certificates are found by
//! `rustls-native-certs`, which honours `SSL_CERT_FILE` and `SSL_CERT_DIR`.) The README lists what is refused and why.

mod address;
mod allow_list;
mod error;
mod guard;
pub mod media_type;
mod resolver;
mod settings;
mod target;

pub use allow_list::{AllowedHost, InvalidAllowedHost};
pub use error::{Error, ErrorKind, ErrorLocation, InvalidUrl, Result, Rule, Stage};
pub use guard::{Fetched, Guard, Incoming, Limits, USER_AGENT};
pub use reqwest::header::{HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
pub use resolver::{Resolver, Resolving, SystemResolver};
pub use settings::GuardSettings;
pub use url::Url;
