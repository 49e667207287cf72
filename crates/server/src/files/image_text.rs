//! The bytes of a picture that came as text: base64, or a data URL (RFC 2397).
//!
//! It must not know the context of the text. The bytes decide what a picture is: a data URL's type matters only if it claims something else
//! entirely. The invariant: decoding takes at most twice the text's memory.

use std::borrow::Cow;

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use generation::given_image;
use guarded_http::media_type;
use percent_encoding::percent_decode_str;

/// The accepted media types.
pub(crate) const MEDIA_TYPES: &[&str] = &["image/png", "image/jpeg", "image/webp"];

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Why a text contains no picture.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TextError {
    /// It is neither base64 nor a data URL.
    #[error("the picture is no base64 and no data URL")]
    NeitherForm,
    /// The data URL declares another type.
    #[error("the data URL is declared as {0}, and a PNG, JPEG or WebP is wanted")]
    Claimed(String),
}

/// The bytes of a picture.
///
/// # Errors
/// [`TextError`] if the text has neither form, or is a data URL that declares something else.
pub(crate) fn bytes(text: &str) -> Result<Vec<u8>, TextError> {
    let text = text.trim();
    let Some((_, rest)) = text.split_at_checked(5).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("data:")) else {
        return of_base64(text.as_bytes());
    };
    let (declared, data) = rest.split_once(',').ok_or(TextError::NeitherForm)?;
    if let Some(claimed) = media_type::other(declared, MEDIA_TYPES) {
        return Err(TextError::Claimed(claimed));
    }
    let data: Cow<[u8]> = percent_decode_str(data).into();
    let is_base64 = declared.rsplit(';').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("base64"));
    // Undeclared base64 is accepted too.
    if !is_base64 && given_image::is_image(&data) { Ok(data.into_owned()) } else { of_base64(&data) }
}

/// Base64 in either alphabet, padded or not, with white space anywhere.
pub(crate) fn of_base64(text: &[u8]) -> Result<Vec<u8>, TextError> {
    let mut base64: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    while base64.last() == Some(&b'=') {
        base64.pop();
    }
    BASE64.decode(&base64).or_else(|_| BASE64_URL.decode(&base64)).map_err(|_| TextError::NeitherForm)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn base64_decodes_in_every_form() {
        let expected = [251_u8, 255, 191, 7];
        for text in [
            "+/+/Bw==",
            "+/+/Bw",
            "-_-_Bw",
            " +/+\n/Bw==\n",
            "data:image/png;base64,+/+/Bw==",
            "data:;base64,-_-_Bw",
            "DATA:IMAGE/JPG;charset=utf-8;BASE64,+/+/Bw==",
            "data:application/octet-stream;base64,%2B/%2b/Bw%3D%3D%0A",
            "data:image/png,+/+/Bw==",
        ] {
            assert_eq!(bytes(text).unwrap(), expected, "{text}");
        }
        for text in ["***", "+/+/B", "http://", "data:image/png;base64", "d\u{e4}ta:,"] {
            assert_eq!(bytes(text), Err(TextError::NeitherForm), "{text}");
        }
    }

    #[test]
    fn a_data_url_without_base64_is_percent_decoded() {
        let head = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0];
        assert_eq!(bytes("data:image/png,%89PNG%0D%0A%1A%0A%00").unwrap(), head);
    }

    #[test]
    fn a_data_url_that_claims_to_be_something_else_is_refused_by_its_name() {
        for claimed in ["text/html", "application/json", "video/mp4"] {
            assert_eq!(bytes(&format!("data:{claimed};base64,+/+/Bw==")), Err(TextError::Claimed(claimed.into())));
        }
    }
}
