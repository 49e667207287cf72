//! A stored file as an answer, whole or in part.
//!
//! It must not know who owns or made the file; the caller opens it through [`generation::sandbox`]. The invariants: no two files share an
//! entity tag, so a part requested with `If-Range` is a part of the same file; only one piece of it is in memory at a time; its media type
//! is stored with it, never guessed from its name.

use std::io;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::SizedStream,
    http::{
        StatusCode,
        header::{
            ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, ContentDisposition, DispositionParam, DispositionType, ETAG,
            EntityTag, X_CONTENT_TYPE_OPTIONS,
        },
    },
    web::Bytes,
};
use futures_util::stream;
use generation::jobs::ArtifactReader;

use crate::http::conditions::{Wanted, wanted};

/// Bytes read from a file at once.
const PIECE: u64 = 64 << 10;

/// `Cache-Control` of a stored file. No cache may change its bytes, because the tag is their digest: a part of a recoded file would be
/// useless.
const CACHING: &str = "private, max-age=3600, no-transform";
/// `Cache-Control` of a file made for the request: recompressing a picture would lose the text that tells how it was made.
pub(crate) const AS_MADE: &str = "no-store, no-transform";

/// An open file and its headers.
pub(crate) struct FileAnswer {
    pub(crate) file: ArtifactReader,
    /// Its name when it is saved.
    pub(crate) name: String,
    pub(crate) media_type: String,
    /// An entity tag that no other file has; without quotation marks.
    pub(crate) tag: String,
}

impl FileAnswer {
    /// The answer to this request, for display rather than download.
    pub(crate) fn to(self, request: &HttpRequest) -> HttpResponse {
        self.cached(request, CACHING)
    }

    /// The same with this `Cache-Control`.
    pub(crate) fn cached(self, request: &HttpRequest, caching: &'static str) -> HttpResponse {
        let Self { file, name, media_type, tag } = self;
        let length = file.bytes();
        let mut head = HttpResponse::Ok();
        head.insert_header((ETAG, EntityTag::new_strong(tag.clone()).to_string())).insert_header((ACCEPT_RANGES, "bytes"));
        let (start, part) = match wanted(request.method(), request.headers(), &tag, length) {
            Wanted::All => (0, length),
            Wanted::Part { start, length: part } => {
                let end = start + part.saturating_sub(1);
                head.status(StatusCode::PARTIAL_CONTENT).insert_header((CONTENT_RANGE, format!("bytes {start}-{end}/{length}")));
                (start, part)
            }
            Wanted::Unchanged => return head.status(StatusCode::NOT_MODIFIED).insert_header((CACHE_CONTROL, caching)).finish(),
            Wanted::NoSuchPart => {
                return head.status(StatusCode::RANGE_NOT_SATISFIABLE).insert_header((CONTENT_RANGE, format!("bytes */{length}"))).finish();
            }
            Wanted::Another => return head.status(StatusCode::PRECONDITION_FAILED).finish(),
        };
        let disposition = ContentDisposition { disposition: DispositionType::Inline, parameters: vec![DispositionParam::Filename(name)] };
        head.content_type(media_type)
            .insert_header((CONTENT_DISPOSITION, disposition))
            .insert_header((CACHE_CONTROL, caching))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
        body(&mut head, file, start, part)
    }
}

/// A range of a file as a streamed body, read piece by piece on demand.
pub(crate) fn body(head: &mut HttpResponseBuilder, file: ArtifactReader, start: u64, length: u64) -> HttpResponse {
    let pieces = stream::try_unfold((file, start, length), |(file, at, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let piece = file.read_at(at, usize::try_from(left.min(PIECE)).unwrap_or_default()).await?;
        let count = piece.len() as u64;
        Ok::<_, io::Error>(Some((Bytes::from(piece), (file, at + count, left - count))))
    });
    head.body(SizedStream::new(length, pieces))
}
