//! A stored file as an answer, whole or in part.
//!
//! It must not know whose file it is or who made it; whoever opens it has asked [`generation::sandbox`]. The invariants: an entity tag is
//! given to no two files, so a part that is asked for with `If-Range` is a part of the same file; no more than a piece of it is in memory
//! at a time; its media type is what we know it to be, never a guess from its name.

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

/// How much of a file is read at once.
const PIECE: u64 = 64 << 10;

/// What caches may do with a stored file. None may change its bytes, which the tag is a digest of: a part of a recoded file is a part of
/// nothing.
const CACHING: &str = "private, max-age=3600, no-transform";
/// What they may do with a file that is made as it is asked for: a picture that is compressed anew loses the text that tells how it was
/// made.
pub(crate) const AS_MADE: &str = "no-store, no-transform";

/// A file that is open, and what is told of it.
pub(crate) struct FileAnswer {
    pub(crate) file: ArtifactReader,
    /// What it is called where somebody saves it.
    pub(crate) name: String,
    pub(crate) media_type: String,
    /// What no other file is tagged with; without quotation marks.
    pub(crate) tag: String,
}

impl FileAnswer {
    /// The answer to this request, to be shown rather than saved.
    pub(crate) fn to(self, request: &HttpRequest) -> HttpResponse {
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
            Wanted::Unchanged => return head.status(StatusCode::NOT_MODIFIED).insert_header((CACHE_CONTROL, CACHING)).finish(),
            Wanted::NoSuchPart => {
                return head.status(StatusCode::RANGE_NOT_SATISFIABLE).insert_header((CONTENT_RANGE, format!("bytes */{length}"))).finish();
            }
            Wanted::Another => return head.status(StatusCode::PRECONDITION_FAILED).finish(),
        };
        let disposition = ContentDisposition { disposition: DispositionType::Inline, parameters: vec![DispositionParam::Filename(name)] };
        head.content_type(media_type)
            .insert_header((CONTENT_DISPOSITION, disposition))
            .insert_header((CACHE_CONTROL, CACHING))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
        body(&mut head, file, start, part)
    }
}

/// So many bytes of a file, piece by piece as they are taken.
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
