//! Signs files.
//!
//! It must not know where files are kept, nor put any in place: it reads one and writes another. The invariant: a signer exists only if a
//! verifier accepts what it signs, its unknown name excepted.

use std::{
    fmt,
    io::{Cursor, Read, Seek, Write},
    sync::Arc,
    time::SystemTime,
};

use c2pa::{BoxedSigner, Builder, Context, SigningAlg, create_signer};

use crate::{
    CredentialError, MediaFormat, Origin, SignError, Statement,
    certificate::Credential,
    found::{self, FoundState, read},
    statement::day,
};

/// The smallest PNG, which a new signer signs to show that it can.
const TRIAL: [u8; 67] = [
    0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 0x3a,
    0x7e, 0x9b, 0x55, 0, 0, 0, 10, b'I', b'D', b'A', b'T', 0x78, 0xda, 0x63, 0x60, 0, 0, 0, 2, 0, 1, 0xe5, 0x27, 0xde, 0xfc, 0, 0, 0, 0,
    b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];

/// Bytes of a signature beside its certificates: the longest (RSA, 4096 bits) has 512, and their envelope takes some hundred.
const SIGNATURE_BYTES: usize = 1536;

/// A signer whose files keep no room for a time stamp: the library's own would keep 10 kB, which nothing guards.
struct WithoutTimeStamp {
    signer: BoxedSigner,
    bytes: usize,
}

impl c2pa::Signer for WithoutTimeStamp {
    fn sign(&self, data: &[u8]) -> c2pa::Result<Vec<u8>> {
        self.signer.sign(data)
    }

    fn alg(&self) -> SigningAlg {
        self.signer.alg()
    }

    fn certs(&self) -> c2pa::Result<Vec<Vec<u8>>> {
        self.signer.certs()
    }

    fn reserve_size(&self) -> usize {
        self.bytes
    }
}

/// Signs files with one certificate.
pub struct Signer {
    signer: WithoutTimeStamp,
    context: Arc<Context>,
    subject: String,
    until: SystemTime,
    now: fn() -> SystemTime,
}

impl Signer {
    /// A signer with this certificate chain and private key, each in PEM form; one text may hold both. `now` is the clock:
    /// `SystemTime::now`.
    ///
    /// # Errors
    /// [`CredentialError`] if they cannot be read, do not belong together, have expired, are for something else, or if verifiers refuse what
    /// they sign.
    pub fn new(certificate: &str, private_key: &str, now: fn() -> SystemTime) -> Result<Self, CredentialError> {
        let Credential { chain, key, algorithm, subject, until } = Credential::read(certificate, private_key, now())?;
        let signer = create_signer::from_keys(chain.as_bytes(), key.as_bytes(), algorithm, None)
            .and_then(|signer| {
                let certificates: usize = c2pa::Signer::certs(signer.as_ref())?.iter().map(Vec::len).sum();
                Ok(WithoutTimeStamp { signer, bytes: certificates + SIGNATURE_BYTES })
            })
            .map_err(|error| CredentialError::Refused { subject: subject.clone(), reason: error.to_string() })?;
        let context = Context::new().with_settings(found::settings()?)?.into_shared();
        let signer = Self { signer, context, subject, until, now };
        signer.check()?;
        Ok(signer)
    }

    /// Signs a tiny picture, and reads it back.
    fn check(&self) -> Result<(), CredentialError> {
        let refused = |reason: String| CredentialError::Refused { subject: self.subject.clone(), reason };
        let statement =
            Statement { origin: Origin::Created, models: Vec::new(), seed: None, settings_sha256: String::new(), guides: Vec::new() };
        let signed = self.sign(MediaFormat::Png, &TRIAL, &statement).map_err(|error| refused(error.to_string()))?;
        let found = read(MediaFormat::Png, Cursor::new(signed)).map_err(|error| refused(error.to_string()))?;
        match found.state {
            FoundState::Trusted | FoundState::Valid => Ok(()),
            FoundState::Invalid => Err(refused(found.faults.join("; "))),
        }
    }

    /// The certificate's subject, such as "O=Example, CN=Signer".
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// When the certificate, or the first of its issuers', expires.
    pub fn until(&self) -> SystemTime {
        self.until
    }

    /// The last day on which it signs, in UTC.
    pub fn last_day(&self) -> String {
        day(self.until)
    }

    /// Signs a file in memory; the manifest is inside the result, which replaces the file.
    ///
    /// # Errors
    /// [`SignError`] if the certificate has expired, or the file is not one of this format or one without a place for a manifest.
    pub fn sign(&self, format: MediaFormat, file: &[u8], statement: &Statement) -> Result<Vec<u8>, SignError> {
        let mut signed = Cursor::new(Vec::with_capacity(file.len() + (1 << 14)));
        self.sign_stream(format, &mut Cursor::new(file), &mut signed, statement)?;
        Ok(signed.into_inner())
    }

    /// As [`Self::sign`], from one file to another.
    ///
    /// # Errors
    /// As [`Self::sign`]; [`SignError::Io`] if the file cannot be read or the other one written.
    pub fn sign_stream<R, W>(&self, format: MediaFormat, file: &mut R, signed: &mut W, statement: &Statement) -> Result<(), SignError>
    where
        R: Read + Seek + Send,
        W: Read + Write + Seek + Send,
    {
        self.builder(statement)?.sign(&self.signer, format.media_type(), file, signed)?;
        Ok(())
    }

    /// The manifest of a file of any format, to be kept beside it.
    ///
    /// # Errors
    /// As [`Self::sign_stream`].
    pub fn sidecar<R: Read + Seek + Send>(&self, format: MediaFormat, file: &mut R, statement: &Statement) -> Result<Vec<u8>, SignError> {
        let mut builder = self.builder(statement)?;
        builder.set_no_embed(true);
        // The library hashes the copy that it writes.
        let mut copy = tempfile::tempfile()?;
        Ok(builder.sign(&self.signer, format.media_type(), file, &mut copy)?)
    }

    fn builder(&self, statement: &Statement) -> Result<Builder, SignError> {
        let now = (self.now)();
        if now > self.until {
            return Err(SignError::Expired { subject: self.subject.clone(), until: day(self.until) });
        }
        Ok(Builder::from_shared_context(&self.context).with_definition(statement.definition(now))?)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("subject", &self.subject).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
