//! Requests to addresses that strangers name, kept away from everything private.
//!
//! A caller of a public API may say "take the picture from here" or "tell me there when it is done". The server then makes a request in
//! that person's name from inside the operator's network, where much answers that the person could not reach (server-side request
//! forgery). [`Guard`] makes such requests: [`Guard::get`] for pictures, [`Guard::open`] for what is too long to hold, [`Guard::post`] for
//! webhooks, [`Guard::check`] for a first look at an address without the network.
//!
//! What always holds:
//! * No connection is opened to an address that is not judged, and it is the judged address that is connected to: a name is resolved once
//!   for each hop, all its answers are judged, and the client knows no other way to resolve it. Text decides nothing.
//! * Everything has an end: redirects, bytes, seconds, the lookups under way.
//! * An error names the host of the address that the caller gave, the rule and the limit; never its path, query or credentials, never an
//!   address that a name stands for, never a word of what a server said but its status and
//!   the media type that it claims.
//!
//! It knows nothing of pictures, jobs or settings files, and reads no environment: no proxies. (The machine's certificates are found by
//! `rustls-native-certs`, which honours `SSL_CERT_FILE` and `SSL_CERT_DIR`.) The README tells what is refused and why.

mod address;
mod allow_list;
mod error;
mod guard;
pub mod media_type;
mod resolver;
mod settings;
mod target;

pub use allow_list::{AllowedHost, InvalidAllowedHost};
pub use error::{Error, ErrorKind, InvalidUrl, Place, Result, Rule, Stage};
pub use guard::{Fetched, Guard, Incoming, Limits, USER_AGENT};
pub use reqwest::header::{HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
pub use resolver::{Resolver, Resolving, SystemResolver};
pub use settings::GuardSettings;
pub use url::Url;
