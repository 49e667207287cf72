//! A certificate for operators who have none.
//!
//! The invariant: its name says what it is. Verifiers find its signatures valid and its signer untrusted, as with every certificate outside
//! their lists.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use crate::CredentialError;

/// The organisation, which verifiers show as the signer.
const ORGANIZATION: &str = "Framewright, self-made certificate";
/// How long it is valid: without a time stamp, manifests are valid no longer than the certificate.
const LIFE: Duration = Duration::from_secs(20 * 365 * 24 * 3600);
/// It is valid from a day before it is made, for verifiers whose clock is behind.
const BEFORE: Duration = Duration::from_secs(24 * 3600);

/// A new private key, a certificate for it, and that of its issuer, whose key is forgotten: verifiers refuse certificates that sign
/// themselves. In PEM form, the key first.
///
/// # Errors
/// [`CredentialError::Make`] if the operating system has no random numbers.
pub fn self_made(now: SystemTime) -> Result<String, CredentialError> {
    let issuer_key = KeyPair::generate()?;
    let mut issuer = params("Framewright self-made issuer", now)?;
    issuer.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    issuer.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let issuer_certificate = issuer.self_signed(&issuer_key)?;

    let key = KeyPair::generate()?;
    let mut signer = params("Framewright self-made signer", now)?;
    signer.is_ca = IsCa::ExplicitNoCa;
    signer.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    signer.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
    signer.use_authority_key_identifier_extension = true;
    let certificate = signer.signed_by(&key, &Issuer::from_params(&issuer, &issuer_key))?;

    Ok([key.serialize_pem(), certificate.pem(), issuer_certificate.pem()].concat())
}

fn params(name: &str, now: SystemTime) -> Result<CertificateParams, CredentialError> {
    let mut params = CertificateParams::new(Vec::new())?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, ORGANIZATION);
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    params.not_before = now.checked_sub(BEFORE).unwrap_or(now).into();
    params.not_after = (now + LIFE).into();
    Ok(params)
}
