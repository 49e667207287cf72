//! Signed manifests in images and videos (C2PA): what made a file, and that nothing was changed since.
//!
//! It must not know models, jobs or HTTP: a [`Statement`] says what there is to say, in plain data. The invariants: nothing here asks the
//! network, a time-stamp authority included; no thumbnail is added; a [`Signer`] has signed a file and read it back before it exists, so that
//! a certificate that verifiers refuse is found at the start; the private key is never printed.
//!
//! The clock arrives as a value. Random numbers come from the operating system: keys, and the names and salts that the specification asks for.
//!
//! Reference: C2PA Technical Specification 2.2, <https://spec.c2pa.org>; its certificates: section 14.5.
//!
//! Floors inside the crate (a module imports only modules further left; a test checks this):
//! error, media_format, statement -> certificate, self_made -> found -> signer.

mod certificate;
mod error;
mod found;
mod media_format;
mod self_made;
mod signer;
mod statement;

pub use error::{CredentialError, ReadError, SignError};
pub use found::{Found, FoundState, read, read_with_sidecar};
pub use media_format::MediaFormat;
pub use self_made::self_made;
pub use signer::Signer;
pub use statement::{GENERATION_LABEL, Origin, Statement};
