//! Why a certificate is not used, a file not signed, or a manifest not read.
//!
//! The invariant: no text contains a private key.

use std::io;

/// Why a certificate and its key cannot sign. The caller names the files.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The certificate file has no certificate.
    #[error("the certificate file holds no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    /// A certificate of the chain cannot be read.
    #[error("certificate {number} of the chain cannot be read: {reason}")]
    Unreadable {
        /// Its number, from 1.
        number: usize,
        /// Why.
        reason: String,
    },
    /// The chain does not lead from the signing certificate to its issuers.
    #[error(
        "the chain is out of order: {subject:?} is issued by {issuer:?}, but {next:?} follows; put the signing certificate first and each \
         issuer after what it issued"
    )]
    Order {
        /// A certificate's subject.
        subject: String,
        /// Its issuer.
        issuer: String,
        /// The subject of the certificate behind it.
        next: String,
    },
    /// A certificate is no longer valid.
    #[error("the certificate {subject:?} expired on {until}; get a new one")]
    Expired {
        /// Its subject.
        subject: String,
        /// The last day.
        until: String,
    },
    /// A certificate is not valid yet.
    #[error("the certificate {subject:?} is not valid before {from}; check this machine's clock")]
    NotYet {
        /// Its subject.
        subject: String,
        /// The first day.
        from: String,
    },
    /// The certificate is for something else.
    #[error(
        "the certificate {subject:?} is not one for signing content: {reason}. A C2PA certificate is an end-entity certificate with the key \
         usage digitalSignature and the extended key usage emailProtection, documentSigning or C2PA's own (1.3.6.1.4.1.62558.2.1)"
    )]
    Purpose {
        /// Its subject.
        subject: String,
        /// What is not as it must be.
        reason: &'static str,
    },
    /// The certificate has no name that verifiers can show.
    #[error(
        "the certificate {subject:?} names no organization (O=): some of C2PA's verifiers take every signature by such a one for a wrong one"
    )]
    NoOrganization {
        /// Its subject.
        subject: String,
    },
    /// Its kind of key cannot sign manifests.
    #[error("the certificate {subject:?} has a key that C2PA does not allow ({algorithm}): use P-256, P-384, P-521, Ed25519 or RSA")]
    Algorithm {
        /// Its subject.
        subject: String,
        /// The key's algorithm, as an object identifier.
        algorithm: String,
    },
    /// The key file has no private key.
    #[error("the key file holds no private key in PEM form, which begins with -----BEGIN PRIVATE KEY-----")]
    NoKey,
    /// The private key is encrypted.
    #[error("the private key is encrypted; decrypt it with `openssl pkey -in KEY -out PLAIN`, and keep the result readable by you alone")]
    EncryptedKey,
    /// The private key is in an older form.
    #[error("the private key is in the form {label:?}; rewrite it with `openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW`")]
    KeyForm {
        /// The PEM block's name.
        label: String,
    },
    /// The private key cannot be read.
    #[error("the private key cannot be read: {0}")]
    UnreadableKey(#[source] rcgen::Error),
    /// The private key is not the certificate's.
    #[error("the private key does not belong to the certificate {subject:?}")]
    Mismatch {
        /// The certificate's subject.
        subject: String,
    },
    /// Verifiers would refuse what it signs.
    #[error("verifiers refuse what the certificate {subject:?} signs: {reason}")]
    Refused {
        /// Its subject.
        subject: String,
        /// The verifier's reason.
        reason: String,
    },
    /// A certificate could not be made.
    #[error("a certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    /// The library could not be set up.
    #[error("c2pa: {0}")]
    Library(#[from] c2pa::Error),
}

/// Why a file is not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The certificate has expired since the start.
    #[error("the certificate {subject:?} for signing content expired on {until}; set a new one (provenance.certificate) and restart")]
    Expired {
        /// Its subject.
        subject: String,
        /// The last day.
        until: String,
    },
    /// The file, or one that the library needs meanwhile, cannot be read or written.
    #[error(transparent)]
    Io(io::Error),
    /// The library refuses the file.
    #[error("the C2PA manifest cannot be added: {0}")]
    Library(#[source] c2pa::Error),
}

impl From<c2pa::Error> for SignError {
    fn from(error: c2pa::Error) -> Self {
        if let c2pa::Error::IoError(error) = error { Self::Io(error) } else { Self::Library(error) }
    }
}

impl From<io::Error> for SignError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<SignError> for io::Error {
    /// The operating system's error where there is one, so that a full disk is known as one.
    fn from(error: SignError) -> Self {
        match error {
            SignError::Io(error) => error,
            error @ (SignError::Expired { .. } | SignError::Library(_)) => Self::other(error),
        }
    }
}

/// Why a manifest cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file has none.
    #[error("there is no C2PA manifest")]
    None,
    /// The library cannot read the file or its manifest.
    #[error("the manifest cannot be read: {0}")]
    Library(#[source] c2pa::Error),
}

impl From<c2pa::Error> for ReadError {
    fn from(error: c2pa::Error) -> Self {
        if matches!(error, c2pa::Error::JumbfNotFound) { Self::None } else { Self::Library(error) }
    }
}
