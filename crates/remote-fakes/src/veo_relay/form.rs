//! Strict parsing of a relay's start form.

use super::Job;
use crate::multipart::Part;

/// Parses the form of a start; the error says why a strict relay refuses it.
pub(super) fn read(parts: &[Part]) -> Result<Job, String> {
    let one = |name: &str| {
        let mut found = parts.iter().filter(|part| part.name == name);
        let first = found.next();
        if found.next().is_some() { Err(format!("{name} is there twice")) } else { Ok(first) }
    };
    let text = |name: &str| one(name)?.map(|part| part.text().ok_or(format!("{name} is no text"))).transpose();
    let required = |name: &str| text(name)?.ok_or(format!("{name} is required"));
    let is_number =
        |text: &str| !text.is_empty() && text.len() < 6 && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let (model, size) = (required("model")?, required("size")?);
    required("prompt")?;
    if model.is_empty() {
        return Err("model is empty".to_owned());
    }
    if !size.split_once('x').is_some_and(|(width, height)| is_number(width) && is_number(height)) {
        return Err(format!("size is {size}, not WIDTHxHEIGHT"));
    }
    let seconds = text("seconds")?;
    if let Some(seconds) = seconds.filter(|seconds| !is_number(seconds)) {
        return Err(format!("json: cannot unmarshal {seconds:?} into field seconds of type int"));
    }
    if let Some(watermark) = text("watermark")?.filter(|text| !["true", "false"].contains(text)) {
        return Err(format!("watermark is {watermark}"));
    }
    match one("input_reference")? {
        Some(part) if part.file_name.is_some() => check_image(part)?,
        Some(part) if part.text().is_some_and(|text| text.starts_with("http")) => {}
        Some(_) => return Err("input_reference is neither a file nor an address".to_owned()),
        None => {}
    }
    let seconds = seconds.map(str::to_owned);
    Ok(Job { model: model.to_owned(), size: size.to_owned(), seconds, polls: 0, fate: None })
}

/// Checks that an image's name and type match its bytes.
pub(super) fn check_image(part: &Part) -> Result<(), String> {
    let format = image::guess_format(&part.bytes).map_err(|_| format!("{} is no image", part.name))?;
    let declared = part.media_type.as_deref().unwrap_or("nothing");
    if declared != format.to_mime_type() {
        return Err(format!("{} is declared as {declared}, but is {}", part.name, format.to_mime_type()));
    }
    let extension = part.file_name.as_deref().and_then(|name| name.rsplit_once('.')).map_or("", |(_, extension)| extension);
    if !format.extensions_str().contains(&extension) {
        return Err(format!("{} has a name that ends with {extension:?}, but is {declared}", part.name));
    }
    Ok(())
}
