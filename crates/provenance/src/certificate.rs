//! An operator's certificate chain and private key, checked for what they are to do.
//!
//! It must not know files: their text arrives. The invariant: every fault that an operator can cause has an error of its own, which names the
//! certificate and what to do.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use c2pa::SigningAlg;
use rcgen::KeyPair;
use x509_parser::{
    certificate::X509Certificate,
    extensions::ExtendedKeyUsage,
    pem::{Pem, parse_x509_pem},
};

use crate::{CredentialError, statement::day};

/// What stands before and behind the name of a PEM block.
const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// documentSigning, C2PA's own purpose, and Microsoft's for C2PA.
const PURPOSES: [&str; 3] = ["1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.62558.2.1", "1.3.6.1.4.1.311.76.59.1.9"];

/// A certificate chain and its key, which fit each other as far as their texts show.
pub(crate) struct Credential {
    /// The chain in PEM form, the signing certificate first.
    pub(crate) chain: String,
    /// The private key in PEM form.
    pub(crate) key: String,
    /// The algorithm of its signatures.
    pub(crate) algorithm: SigningAlg,
    /// The signing certificate's subject.
    pub(crate) subject: String,
    /// When the first certificate of the chain expires.
    pub(crate) until: SystemTime,
}

impl Credential {
    /// Reads and checks both; one text may hold both.
    pub(crate) fn read(certificate: &str, private_key: &str, now: SystemTime) -> Result<Self, CredentialError> {
        let blocks: Vec<&str> = blocks(certificate).filter(|(label, _)| *label == "CERTIFICATE").map(|(_, block)| block).collect();
        let mut ders = Vec::new();
        for (index, block) in blocks.iter().enumerate() {
            let (_, Pem { contents, .. }) = parse_x509_pem(block.as_bytes()).map_err(|error| unreadable(index, &error))?;
            ders.push(contents);
        }
        let mut chain = Vec::new();
        for (index, der) in ders.iter().enumerate() {
            let (_, certificate) = x509_parser::parse_x509_certificate(der).map_err(|error| unreadable(index, &error))?;
            chain.push(certificate);
        }
        let first = chain.first().ok_or(CredentialError::NoCertificate)?;
        check_purpose(first)?;
        if first.subject().iter_organization().next().is_none() {
            return Err(CredentialError::NoOrganization { subject: subject(first) });
        }
        let algorithm = algorithm(first)?;
        for pair in chain.windows(2) {
            if let [certificate, next] = pair
                && certificate.issuer() != next.subject()
            {
                return Err(CredentialError::Order {
                    subject: subject(certificate),
                    issuer: certificate.issuer().to_string(),
                    next: subject(next),
                });
            }
        }
        let key = key(private_key)?;
        let pair = KeyPair::from_pem(key).map_err(CredentialError::UnreadableKey)?;
        if pair.public_key_raw() != first.public_key().subject_public_key.data.as_ref() {
            return Err(CredentialError::Mismatch { subject: subject(first) });
        }
        let mut until = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(u32::MAX) * 16);
        for certificate in &chain {
            until = until.min(check_time(certificate, now)?);
        }
        Ok(Self { chain: blocks.join("\n"), key: key.to_owned(), algorithm, subject: subject(first), until })
    }
}

/// The PEM blocks of a text: their names, and each with its first and last line.
fn blocks(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices(BEGIN).filter_map(move |(start, _)| {
        let block = text.get(start..)?;
        let (label, _) = block.get(BEGIN.len()..)?.split_once(DASHES)?;
        let end = format!("-----END {label}{DASHES}");
        let length = block.find(&end)? + end.len();
        // With its line break, if it has one.
        let length = if block.get(length..).is_some_and(|rest| rest.starts_with('\n')) { length + 1 } else { length };
        Some((label, block.get(..length)?))
    })
}

fn key(text: &str) -> Result<&str, CredentialError> {
    let mut others = Vec::new();
    for (label, block) in blocks(text) {
        match label {
            "PRIVATE KEY" => return Ok(block),
            "ENCRYPTED PRIVATE KEY" => return Err(CredentialError::EncryptedKey),
            label if label.ends_with("PRIVATE KEY") => others.push(label),
            _ => {}
        }
    }
    Err(others.first().map_or(CredentialError::NoKey, |label| CredentialError::KeyForm { label: (*label).to_owned() }))
}

fn unreadable(index: usize, error: &dyn std::fmt::Display) -> CredentialError {
    CredentialError::Unreadable { number: index + 1, reason: error.to_string() }
}

fn subject(certificate: &X509Certificate<'_>) -> String {
    certificate.subject().to_string()
}

fn check_purpose(certificate: &X509Certificate<'_>) -> Result<(), CredentialError> {
    let wrong = |reason| Err(CredentialError::Purpose { subject: subject(certificate), reason });
    if certificate.is_ca() {
        return wrong("it is a certificate authority's");
    }
    let usage = certificate.key_usage().ok().flatten();
    if !usage.is_some_and(|usage| usage.value.digital_signature()) {
        return wrong("its key usage lacks digitalSignature");
    }
    let Ok(Some(extended)) = certificate.extended_key_usage() else { return wrong("it has no extended key usage") };
    let ExtendedKeyUsage { any, email_protection, other, .. } = extended.value;
    if *any {
        return wrong("its extended key usage is \"any\", which C2PA forbids");
    }
    let is_named = other.iter().any(|oid| PURPOSES.contains(&oid.to_id_string().as_str()));
    if *email_protection || is_named { Ok(()) } else { wrong("its extended key usage names other purposes") }
}

fn algorithm(certificate: &X509Certificate<'_>) -> Result<SigningAlg, CredentialError> {
    let key = &certificate.public_key().algorithm;
    let curve = key.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok()).map(|oid| oid.to_id_string());
    let algorithm = key.algorithm.to_id_string();
    match (algorithm.as_str(), curve.as_deref()) {
        ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => Ok(SigningAlg::Es256),
        ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => Ok(SigningAlg::Es384),
        ("1.2.840.10045.2.1", Some("1.3.132.0.35")) => Ok(SigningAlg::Es512),
        ("1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10", _) => Ok(SigningAlg::Ps256),
        ("1.3.101.112", _) => Ok(SigningAlg::Ed25519),
        (_, curve) => Err(CredentialError::Algorithm { subject: subject(certificate), algorithm: curve.unwrap_or(&algorithm).to_owned() }),
    }
}

/// Checks that the certificate is valid now, and returns when it expires.
fn check_time(certificate: &X509Certificate<'_>, now: SystemTime) -> Result<SystemTime, CredentialError> {
    let validity = certificate.validity();
    let time = |seconds: i64| UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let (from, until) = (time(validity.not_before.timestamp()), time(validity.not_after.timestamp()));
    if now < from {
        return Err(CredentialError::NotYet { subject: subject(certificate), from: day(from) });
    }
    if now > until {
        return Err(CredentialError::Expired { subject: subject(certificate), until: day(until) });
    }
    Ok(until)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use rcgen::{
        CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
        PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm,
    };

    use super::*;
    use crate::{Signer, self_made};

    const DAY: Duration = Duration::from_secs(24 * 3600);

    /// A chain and its key, made with these changes of the signing certificate.
    fn made(algorithm: &'static SignatureAlgorithm, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let issuer_key = KeyPair::generate().unwrap();
        let mut issuer = CertificateParams::new(Vec::new()).unwrap();
        issuer.distinguished_name.push(DnType::CommonName, "Issuer");
        issuer.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        issuer.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Signer");
        params.distinguished_name.push(DnType::OrganizationName, "Example");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let certificate = params.signed_by(&key, &Issuer::from_params(&issuer, &issuer_key)).unwrap();
        (certificate.pem() + &issuer.self_signed(&issuer_key).unwrap().pem(), key.serialize_pem())
    }

    fn refusal((certificate, key): (&str, &str)) -> String {
        Signer::new(certificate, key, SystemTime::now).map(|signer| signer.subject().to_owned()).unwrap_err().to_string()
    }

    #[test]
    fn every_kind_of_key_signs() {
        for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            let (chain, key) = made(algorithm, |_| ());
            let signer = Signer::new(&chain, &key, SystemTime::now).unwrap();
            assert!(signer.subject().contains("CN=Signer"), "{signer:?}");
            assert!(!format!("{signer:?}").contains("PRIVATE"));
        }
    }

    #[test]
    fn a_certificate_that_is_not_for_signing_content_is_refused() {
        type Change = fn(&mut CertificateParams);
        let changes: [(Change, &str); 7] = [
            (|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth], "names other purposes"),
            (|params| params.extended_key_usages = Vec::new(), "has no extended key usage"),
            (|params| params.extended_key_usages.push(ExtendedKeyUsagePurpose::Any), "which C2PA forbids"),
            (|params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment], "lacks digitalSignature"),
            (|params| params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained), "a certificate authority's"),
            (|params| assert!(params.distinguished_name.remove(DnType::OrganizationName)), "names no organization"),
            // The library's own check, which ours does not repeat.
            (|params| params.use_authority_key_identifier_extension = false, "verifiers refuse what the certificate"),
        ];
        for (change, expected) in changes {
            let (chain, key) = made(&PKCS_ECDSA_P256_SHA256, change);
            let refusal = refusal((&chain, &key));
            assert!(refusal.contains(expected) && refusal.contains("CN=Signer"), "{refusal}");
        }
    }

    #[test]
    fn a_certificate_signs_only_while_it_is_valid() {
        let now = SystemTime::now();
        let (chain, key) = made(&PKCS_ECDSA_P256_SHA256, |params| params.not_after = (now - DAY).into());
        assert!(refusal((&chain, &key)).contains("\" expired on 20"));
        let (chain, key) = made(&PKCS_ECDSA_P256_SHA256, |params| params.not_before = (now + DAY).into());
        assert!(refusal((&chain, &key)).contains("is not valid before 20"));
        let (chain, key) = made(&PKCS_ECDSA_P256_SHA256, |params| params.not_after = (now + DAY).into());
        let until = Signer::new(&chain, &key, SystemTime::now).unwrap().until();
        assert!(until <= now + DAY && until > now + DAY - Duration::from_secs(2), "{until:?}");
    }

    #[test]
    fn a_key_that_is_not_the_certificates_is_refused() {
        let (chain, _) = made(&PKCS_ECDSA_P256_SHA256, |_| ());
        for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ED25519] {
            let (_, key) = made(algorithm, |_| ());
            let refusal = refusal((&chain, &key));
            assert!(refusal.contains("does not belong to the certificate"), "{refusal}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let (chain, key) = made(&PKCS_ECDSA_P256_SHA256, |_| ());
        let broken = chain.replacen("MII", "MIX", 1);
        let turned: String = blocks(&chain).map(|(_, block)| block).collect::<Vec<_>>().into_iter().rev().collect();
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let older = "-----BEGIN EC PARAMETERS-----\nAAAA\n-----END EC PARAMETERS-----\n-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
        let cut = chain.replace("-----END", "");
        let unreadable_key = key.replacen("MI", "AA", 1);
        let table: [(&str, &str, &str); 10] = [
            ("", &key, "holds no certificate in PEM form"),
            (&key, &key, "holds no certificate in PEM form"),
            (&cut, &key, "holds no certificate in PEM form"),
            (&broken, &key, "certificate 1 of the chain cannot be read"),
            (&turned, &key, "is a certificate authority's"),
            (&chain, "", "holds no private key in PEM form"),
            (&chain, &chain, "holds no private key in PEM form"),
            (&chain, &unreadable_key, "the private key cannot be read"),
            (&chain, encrypted, "openssl pkey"),
            (&chain, older, "\"EC PRIVATE KEY\"; rewrite it with `openssl pkcs8"),
        ];
        for (certificate, key, expected) in table {
            let refusal = refusal((certificate, key));
            assert!(refusal.contains(expected), "{expected}: {refusal}");
        }
        let (other, _) = made(&PKCS_ECDSA_P256_SHA256, |params| params.distinguished_name.push(DnType::CommonName, "Other"));
        let mixed = blocks(&chain).next().unwrap().1.to_owned() + &other;
        assert!(refusal((&mixed, &key)).contains("the chain is out of order"), "{}", refusal((&mixed, &key)));
    }

    #[test]
    fn a_self_made_certificate_says_so_and_lasts() {
        let made = self_made(SystemTime::now()).unwrap();
        let signer = Signer::new(&made, &made, SystemTime::now).unwrap();
        assert!(signer.subject().contains("Framewright, self-made certificate"), "{signer:?}");
        assert!(signer.until() > SystemTime::now() + DAY * 7000);
        // One of these is kept in a file that holds no more.
        assert!(made.len() < 4096, "{}", made.len());
        let key = KeyPair::from_pem(key(&made).unwrap()).unwrap();
        assert_eq!(key.algorithm(), &PKCS_ECDSA_P256_SHA256);
    }
}
