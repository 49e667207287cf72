//! `/ui/..`: the page for people, whose files are compiled into the program.
//!
//! It must not know what the page does: to the server it is a client like others. The invariants: the page runs only scripts and styles of this
//! server, and asks no other host for anything; a file whose name has a digest may be kept for ever, and the file that names it is asked for
//! each time.

use std::{borrow::Cow, future::Future};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{
            ACCEPT_ENCODING, AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, ContentEncoding, ETAG, Encoding,
            Header as _, LOCATION, Preference, Quality, QualityItem, VARY,
        },
    },
    web::{Bytes, Path},
};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::http::{
    Problem,
    conditions::{Wanted, wanted},
};

/// No inline script or style, no other host, no frame around it. Pictures and videos also come as data and blobs: those that a person has
/// chosen, and those fetched with a key.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; \
                      font-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The folder of files whose names contain their digests.
const DIGESTED: &str = "assets/";
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_EACH_TIME: &str = "no-cache";

/// The encodings in which the build leaves each compressible file beside it, the best first, with the endings of their names.
const ENCODINGS: [(ContentEncoding, &str); 2] = [(ContentEncoding::Brotli, ".br"), (ContentEncoding::Gzip, ".gz")];

/// The built page; empty in a program that was built without it.
#[derive(RustEmbed)]
#[folder = "ui/dist"]
#[allow_missing = true]
struct Files;

/// Whether this program has the page.
pub(crate) fn is_there() -> bool {
    Files::get("index.html").is_some()
}

/// A browser's way from `/` and `/ui` to the page, or to the documentation where there is no page. The address is relative, so that it holds
/// behind a proxy's prefix too.
pub(crate) fn redirect() -> HttpResponse {
    let to = if is_there() { "ui/" } else { "docs" };
    HttpResponse::TemporaryRedirect().insert_header((LOCATION, to)).finish()
}

/// `/ui/` and the files below it.
pub(crate) fn file(request: HttpRequest, path: Path<String>) -> impl Future<Output = Result<HttpResponse, Problem>> {
    std::future::ready(respond(&request, &path))
}

fn respond(request: &HttpRequest, path: &str) -> Result<HttpResponse, Problem> {
    let name = if path.is_empty() { "index.html" } else { path };
    // A compressed file is a form of another one, not one of its own.
    let is_form = ENCODINGS.iter().any(|(_, ending)| name.ends_with(ending));
    let Some(file) = Files::get(name).filter(|_| !is_form) else {
        return Err(if is_there() { Problem::not_found() } else { no_page() });
    };
    let accepted = AcceptEncoding::parse(request).map_or_else(|_| Vec::new(), |AcceptEncoding(accepted)| accepted);
    let compressed = ENCODINGS.into_iter().filter(|(encoding, _)| accepts(&accepted, *encoding));
    let compressed = compressed.filter_map(|(encoding, ending)| Some((encoding, Files::get(&format!("{name}{ending}"))?))).next();
    let EmbeddedFile { metadata, data } = match &compressed {
        Some((_, form)) => form.clone(),
        None => file.clone(),
    };
    let tag: String = metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let mut head = HttpResponse::Ok();
    head.insert_header((ETAG, format!("\"{tag}\"")))
        .insert_header((CACHE_CONTROL, if name.starts_with(DIGESTED) { FOR_EVER } else { ASK_EACH_TIME }))
        .insert_header((VARY, ACCEPT_ENCODING.as_str()))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY));
    if let Wanted::Unchanged = wanted(request.method(), request.headers(), &tag, data.len() as u64) {
        return Ok(head.status(StatusCode::NOT_MODIFIED).finish());
    }
    if let Some((encoding, _)) = compressed {
        head.insert_header((CONTENT_ENCODING, encoding.as_str()));
    }
    let bytes = match data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    Ok(head.content_type(media_type(&file)).body(bytes))
}

/// The media type of a file, with the encoding of texts.
fn media_type(file: &EmbeddedFile) -> String {
    match file.metadata.mimetype() {
        text if text.starts_with("text/") => format!("{text}; charset=utf-8"),
        other => other.to_owned(),
    }
}

/// Whether the client takes this encoding: it names it with a weight above zero.
fn accepts(accepted: &[QualityItem<Preference<Encoding>>], encoding: ContentEncoding) -> bool {
    let named = Preference::Specific(Encoding::Known(encoding));
    accepted.iter().any(|entry| entry.item == named && entry.quality > Quality::ZERO)
}

fn no_page() -> Problem {
    Problem::missing("This program was built without its page: run scripts/page, and build it again")
}
