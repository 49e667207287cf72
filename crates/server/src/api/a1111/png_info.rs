//! `POST /sdapi/v1/png-info`: how a picture was made, as its file says; and `POST /sdapi/v1/interrogate`, which this server does not do.
//!
//! The invariant: a text in a file is data: it is read as such, within a bound.

use std::{collections::BTreeMap, io::Cursor};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data, Payload},
};
use generation::png::PARAMETERS_KEYWORD;
use image::{ImageDecoder as _, ImageReader, Limits};

use super::{parameters_text::parsed, wire::WebUiPngInfo};
use crate::{
    files::image_text,
    http::{ErrorBody, JsonBodyProblems, Problem, RequestBody, check_type, offload},
    inputs::{Body, EXAMPLE_IMAGE, body_table},
    state::ApiState,
};

/// The longest text that is read from a file, in bytes.
const LONGEST_TEXT: usize = 1 << 20;

/// A request about a picture.
#[derive(Default)]
pub(super) struct AboutImage {
    image: Option<String>,
}

body_table! {
    /// The body of `POST /sdapi/v1/png-info`.
    pub(super) PNG_INFO: AboutImage, PngInfoBody as "WebUiPngInfoRequest",
    example {"image": EXAMPLE_IMAGE},
    {
        /// The file: base64 of a PNG, JPEG or WebP, or a data URL.
        image: Text(|r| &mut r.image).required().checked(),
    }
}

/// How a picture was made, as its file says.
#[utoipa::path(
    post,
    path = "/sdapi/v1/png-info",
    tag = "automatic1111",
    request_body = PngInfoBody,
    responses((status = 200, description = "What the file says", body = WebUiPngInfo), JsonBodyProblems, (status = 503, description = "Too many large bodies at once", body = ErrorBody))
)]
pub(crate) async fn png_info(request: HttpRequest, payload: Payload, state: Data<ApiState>) -> HttpResponse {
    let mut body = RequestBody::new(payload);
    let answer = read(&request, &mut body, &state).await;
    body.held_by(answer)
}

async fn read(request: &HttpRequest, body: &mut RequestBody, state: &ApiState) -> Result<HttpResponse, Problem> {
    check_type(request)?;
    let (bytes, held) = state.read_picture(body, request).await?;
    let mut body: Body<AboutImage> = offload(bytes.len(), move || PNG_INFO.parse(&bytes)).await??;
    if !body.faults.is_empty() {
        return Err(Problem::invalid(std::mem::take(&mut body.faults)));
    }
    let image = body.request.image.take().unwrap_or_default();
    let items = web::block(move || image_text::bytes(&image).map_err(|error| error.to_string()).and_then(texts)).await?;
    drop(held);
    let items = items.map_err(|reason| body.fault("image", reason))?;
    let info = items.get(PARAMETERS_KEYWORD).cloned().unwrap_or_default();
    Ok(HttpResponse::Ok().json(WebUiPngInfo { parameters: parsed(&info), info, items }))
}

/// Says what a picture shows: not here.
#[utoipa::path(
    post,
    path = "/sdapi/v1/interrogate",
    tag = "automatic1111",
    responses((status = 404, description = "There is no model that does it", body = ErrorBody))
)]
pub(crate) async fn interrogate(payload: Payload) -> HttpResponse {
    let message = "This server does not say what a picture shows: interrogate has no model here";
    let body = RequestBody::new(payload);
    std::future::ready(body.held_by(Err(Problem::missing(message)))).await
}

/// The texts of a file by their names: those of a PNG, or the comment of a JPEG or a WebP.
fn texts(file: Vec<u8>) -> Result<BTreeMap<String, String>, String> {
    match image::guess_format(&file) {
        Ok(image::ImageFormat::Png) => of_png(&file),
        Ok(image::ImageFormat::Jpeg | image::ImageFormat::WebP) => of_exif(file),
        Ok(_) | Err(_) => Err("the picture is no PNG, JPEG or WebP".to_owned()),
    }
}

/// The text chunks of a PNG, in any place of the file. A damaged chunk ends the reading.
fn of_png(file: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), png::Limits { bytes: LONGEST_TEXT });
    decoder.set_ignore_text_chunk(false);
    let mut reader = decoder.read_info().map_err(|error| format!("the picture's file is damaged: {error}"))?;
    // Text may stand behind the pixels; a file whose pixels are damaged keeps the texts before them.
    let _texts_so_far: Result<(), png::DecodingError> = reader.finish();
    let info = reader.info();
    let mut texts = BTreeMap::new();
    for chunk in &info.uncompressed_latin1_text {
        texts.insert(chunk.keyword.clone(), chunk.text.clone());
    }
    for mut chunk in info.compressed_latin1_text.clone() {
        if chunk.decompress_text_with_limit(LONGEST_TEXT).is_ok() {
            texts.insert(chunk.keyword.clone(), chunk.get_text().unwrap_or_default());
        }
    }
    for mut chunk in info.utf8_text.clone() {
        if chunk.decompress_text_with_limit(LONGEST_TEXT).is_ok() {
            texts.insert(chunk.keyword.clone(), chunk.get_text().unwrap_or_default());
        }
    }
    Ok(texts)
}

/// Exif's `UserComment`, where the web UI keeps the text in other formats.
fn of_exif(file: Vec<u8>) -> Result<BTreeMap<String, String>, String> {
    let damaged = |error: image::ImageError| format!("the picture's file is damaged: {error}");
    let mut reader = ImageReader::new(Cursor::new(file)).with_guessed_format().map_err(|error| error.to_string())?;
    reader.limits(Limits::default());
    let exif = reader.into_decoder().and_then(|mut decoder| decoder.exif_metadata()).map_err(damaged)?;
    let comment = exif.as_deref().and_then(user_comment);
    Ok(comment.map(|text| (PARAMETERS_KEYWORD.to_owned(), text)).into_iter().collect())
}

/// The `UserComment` of Exif data in either byte order.
fn user_comment(exif: &[u8]) -> Option<String> {
    const EXIF_DIRECTORY: u32 = 0x8769;
    const USER_COMMENT: u32 = 0x9286;
    let is_big = match exif.get(..2)? {
        b"MM" => true,
        b"II" => false,
        _ => return None,
    };
    let number = |at: usize, length: usize| {
        let bytes = exif.get(at..at.checked_add(length)?)?;
        let fold = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
        Some(if is_big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) })
    };
    // The count and the value of an entry.
    let entry = |directory: usize, tag: u32| {
        let entries = usize::try_from(number(directory, 2)?).ok()?;
        let places = (0..entries).map(|index| directory + 2 + index * 12);
        let place = places.take_while(|at| at + 12 <= exif.len()).find(|at| number(*at, 2) == Some(tag))?;
        Some((usize::try_from(number(place + 4, 4)?).ok()?, usize::try_from(number(place + 8, 4)?).ok()?))
    };
    let (_, directory) = entry(usize::try_from(number(4, 4)?).ok()?, EXIF_DIRECTORY)?;
    let (length, at) = entry(directory, USER_COMMENT)?;
    let comment = exif.get(at..at.checked_add(length.min(LONGEST_TEXT))?)?;
    let (code, text) = comment.split_at_checked(8)?;
    match code {
        b"UNICODE\0" => {
            let pairs = text.as_chunks::<2>().0.iter();
            let units: Vec<u16> = pairs.map(|pair| if is_big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) }).collect();
            Some(String::from_utf16_lossy(&units))
        }
        _ => Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use generation::ImageFormat;
    use image::RgbImage;

    use super::*;

    #[test]
    fn every_format_says_how_it_was_made() {
        for text in ["a boat\nSteps: 4", "a caf\u{e9}, \u{1f98a}\nSteps: 4"] {
            for format in [ImageFormat::Png, ImageFormat::Jpeg { quality: 80 }, ImageFormat::WebP] {
                let file = format.encode(&RgbImage::new(16, 8), text).unwrap();
                assert_eq!(texts(file).unwrap().get(PARAMETERS_KEYWORD).map(String::as_str), Some(text), "{format:?}");
            }
        }
    }

    #[test]
    fn exif_in_either_byte_order_and_damaged_exif() {
        let little = b"II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x1a\0\0\0\0\0\0\0\x01\0\x86\x92\x07\0\x0c\0\0\0\x2c\0\0\0\0\0\0\0UNICODE\0a\0b\0";
        assert_eq!(user_comment(little).as_deref(), Some("ab"));
        for end in 0..little.len() {
            assert!(user_comment(&little[..end]).is_none_or(|text| text.len() < 2), "{end}");
        }
        assert!(texts(b"GIF89a".to_vec()).is_err());
    }
}
