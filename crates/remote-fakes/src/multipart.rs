//! Parses a form (RFC 7578), and refuses what strict servers refuse.
//!
//! It must not know any provider.

use crate::Recorded;

/// One part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// The file's name, if it is a file.
    pub file_name: Option<String>,
    /// The declared media type.
    pub media_type: Option<String>,
    /// The body.
    pub bytes: Vec<u8>,
}

impl Part {
    /// The body as text; `None` if it is a file or not UTF-8.
    pub fn text(&self) -> Option<&str> {
        if self.file_name.is_some() { None } else { std::str::from_utf8(&self.bytes).ok() }
    }
}

/// The parts of a form, in order.
///
/// # Errors
/// The reason why the form is invalid.
pub fn parts(request: &Recorded) -> Result<Vec<Part>, String> {
    if request.media_type() != "multipart/form-data" {
        return Err(format!("the body is {:?}, not multipart/form-data", request.media_type()));
    }
    let declared = request.header("content-type").unwrap_or_default();
    let boundary = parameter(declared, "boundary").filter(|boundary| (1..=70).contains(&boundary.len()));
    let boundary = boundary.ok_or("the form has no boundary of 1 to 70 characters")?;
    // The first delimiter has no preceding line end.
    let (body, delimiter) = ([b"\r\n", request.body.as_slice()].concat(), format!("\r\n--{boundary}"));
    let mut pieces = split(&body, delimiter.as_bytes()).into_iter();
    if pieces.next() != Some(&[]) {
        return Err("there are bytes before the form's first part".to_owned());
    }
    let mut parts = Vec::new();
    while let Some(piece) = pieces.next() {
        if piece == b"--" || piece == b"--\r\n" {
            return if pieces.next().is_none() { Ok(parts) } else { Err("there are parts behind the form's end".to_owned()) };
        }
        parts.push(part(piece)?);
    }
    Err("the form has no end".to_owned())
}

fn part(piece: &[u8]) -> Result<Part, String> {
    let piece = piece.strip_prefix(b"\r\n").ok_or("a boundary's line does not end")?;
    let end = piece.windows(4).position(|four| four == b"\r\n\r\n").ok_or("a part has no end of its head")?;
    let (head, bytes) = piece.split_at(end);
    let head = std::str::from_utf8(head).map_err(|_| "a part's head is no UTF-8")?;
    let header = |name: &str| {
        let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
        lines.find(|(known, _)| known.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    let disposition = header("content-disposition").ok_or("a part has no content-disposition")?;
    if !disposition.to_ascii_lowercase().starts_with("form-data;") {
        return Err(format!("a part's content-disposition is {disposition}, not form-data"));
    }
    let name = parameter(&disposition, "name").ok_or("a part has no name")?;
    let bytes = bytes.get(4..).unwrap_or_default().to_vec();
    Ok(Part { name, file_name: parameter(&disposition, "filename"), media_type: header("content-type"), bytes })
}

/// A header's parameter, with or without quotes.
fn parameter(header: &str, name: &str) -> Option<String> {
    let mut parameters = header.split(';').skip(1).filter_map(|parameter| parameter.trim().split_once('='));
    parameters.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim_matches('"').to_owned())
}

fn split<'a>(mut bytes: &'a [u8], delimiter: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while let Some(at) = bytes.windows(delimiter.len()).position(|window| window == delimiter) {
        let (piece, rest) = bytes.split_at(at);
        pieces.push(piece);
        bytes = rest.get(delimiter.len()..).unwrap_or_default();
    }
    pieces.push(bytes);
    pieces
}
