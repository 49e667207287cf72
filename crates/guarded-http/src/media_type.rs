//! Interprets declared media types.
//!
//! Servers and clients label files by their extensions or not at all: a PNG file arrives as `application/octet-stream`, as `image/jpg` or
//! without a type. So the bytes decide, and a declared type has one use: a declaration of something else entirely (a page, JSON, a video)
//! is believed. The invariant: a quoted type is one line, in the alphabet of media types.

/// The longest quotation of a type, in characters.
const MAX_REPEATED: usize = 64;

/// Subtypes of `application/` that only say that the content is a file.
const FILES: [&str; 10] = [
    "octet-stream",
    "x-octet-stream",
    "octetstream",
    "binary",
    "x-binary",
    "download",
    "x-download",
    "force-download",
    "x-force-download",
    "unknown",
];

/// The declared type, if it rules out the wanted types (`image/png`).
///
/// A declaration rules nothing out if it is empty or not a media type (`jpg`, `undefined`), if it only says that there are bytes
/// (`binary/octet-stream`, `*/*`), or if it is of a wanted type's family: for `image/jpg`, `image/x-png` and `image/heic` the bytes decide.
/// Parameters and case do not matter. In a list of types, each counts.
pub fn other(declared: &str, wanted: &[&str]) -> Option<String> {
    declared.split(',').find_map(|one| {
        let essence = one.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let (family, subtype) = essence.split_once('/')?;
        let is_family = wanted.iter().any(|wanted| wanted.split_once('/').is_some_and(|(wanted, _)| wanted == family));
        let is_open = match family {
            "" | "*" | "binary" | "unknown" | "content" => true,
            "application" => FILES.contains(&subtype),
            _ => is_family,
        };
        // The alphabet of RFC 9110's tokens, and the slash.
        let plain = |letter: &char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(*letter);
        (!is_open).then(|| essence.chars().filter(plain).take(MAX_REPEATED).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::other;

    const WANTED: [&str; 2] = ["image/png", "image/jpeg"];

    #[test]
    fn uninformative_types_rule_nothing_out() {
        for declared in [
            "",
            " ",
            ";",
            "image/png",
            "IMAGE/PNG; charset=utf-8",
            "image/jpg",
            "image/pjpeg",
            "image/x-png",
            "image/webp",
            "image/svg+xml",
            "image/*",
            "*/*",
            "application/octet-stream",
            "Application/Octet-Stream;name=\"a, b\"",
            "binary/octet-stream",
            "application/x-download",
            "application/unknown",
            "unknown/unknown",
            "jpg",
            "undefined",
            "null",
            "image/png, image/png",
            "image/png; text/html",
            "\u{fffd}",
        ] {
            assert_eq!(other(declared, &WANTED), None, "{declared}");
        }
    }

    #[test]
    fn a_type_of_something_else_is_named() {
        for (declared, claimed) in [
            ("text/html", "text/html"),
            ("TEXT/HTML; charset=utf-8", "text/html"),
            ("text/html; image/png", "text/html"),
            ("image/png, text/html", "text/html"),
            ("application/json", "application/json"),
            ("application/x-image/png", "application/x-image/png"),
            ("video/mp4", "video/mp4"),
            ("text/plain", "text/plain"),
            ("multipart/form-data", "multipart/form-data"),
            ("text/<b>\r\nhtml", "text/bhtml"),
        ] {
            assert_eq!(other(declared, &WANTED).as_deref(), Some(claimed), "{declared}");
        }
        assert_eq!(other(&format!("text/{}", "x".repeat(1000)), &WANTED).map(|claimed| claimed.len()), Some(64));
    }
}
