//! A stored file as an answer, whole or in part.
//!
//! It must not know whose file it is or who made it; whoever opens it has asked [`crate::jail`]. The invariants: an entity tag is given to
//! no two files, so a part that is asked for with `If-Range` is a part of the same file; no more than a piece of it is in memory at a time;
//! its media type is what we know it to be, never a guess from its name.
//!
//! [`actix_files::NamedFile`] makes its tags of inode and time, which a restored backup changes, and takes no others; so the conditions
//! are judged here (RFC 9110, sections 13 and 14).

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
};

use actix_web::{
    HttpMessage as _, HttpRequest, HttpResponse, HttpResponseBuilder,
    body::SizedStream,
    http::{
        Method, StatusCode,
        header::{
            ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, ContentDisposition, DispositionParam, DispositionType, ETAG,
            EntityTag, IfMatch, IfNoneMatch, IfRange, RANGE, X_CONTENT_TYPE_OPTIONS,
        },
    },
    web::{self, Bytes},
};
use futures_util::stream;

/// How much of a file is read at once.
const PIECE: u64 = 64 << 10;

/// A file that is open, and what is told of it.
pub(crate) struct FileAnswer {
    pub(crate) file: File,
    /// Its bytes.
    pub(crate) length: u64,
    /// What it is called where somebody saves it.
    pub(crate) name: String,
    pub(crate) media_type: String,
    /// What no other file is tagged with; without quotation marks.
    pub(crate) tag: String,
}

impl FileAnswer {
    /// The answer to this request, to be shown rather than saved.
    pub(crate) fn to(self, request: &HttpRequest) -> HttpResponse {
        let Self { file, length, name, media_type, tag } = self;
        let tag = EntityTag::new_strong(tag);
        let disposition = ContentDisposition { disposition: DispositionType::Inline, parameters: vec![DispositionParam::Filename(name)] };
        let mut head = HttpResponse::Ok();
        head.content_type(media_type)
            .insert_header((ETAG, tag.to_string()))
            .insert_header((ACCEPT_RANGES, "bytes"))
            .insert_header((CONTENT_DISPOSITION, disposition))
            .insert_header((CACHE_CONTROL, "private, max-age=3600"))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"));
        match wanted(request, &tag, length) {
            Wanted::All => body(&mut head, file, 0, length),
            Wanted::Part { start, length: part } => {
                let end = start + part.saturating_sub(1);
                head.status(StatusCode::PARTIAL_CONTENT).insert_header((CONTENT_RANGE, format!("bytes {start}-{end}/{length}")));
                body(&mut head, file, start, part)
            }
            Wanted::NoSuchPart => {
                head.status(StatusCode::RANGE_NOT_SATISFIABLE).insert_header((CONTENT_RANGE, format!("bytes */{length}"))).finish()
            }
            Wanted::Unchanged => head.status(StatusCode::NOT_MODIFIED).finish(),
            Wanted::Another => head.status(StatusCode::PRECONDITION_FAILED).finish(),
        }
    }
}

/// What a request wants of a file.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part {
        start: u64,
        length: u64,
    },
    NoSuchPart,
    /// Nothing, for they have it.
    Unchanged,
    /// Nothing, for they want another one.
    Another,
}

fn wanted(request: &HttpRequest, tag: &EntityTag, length: u64) -> Wanted {
    if let Some(IfMatch::Items(tags)) = request.get_header::<IfMatch>()
        && !tags.iter().any(|other| other.strong_eq(tag))
    {
        return Wanted::Another;
    }
    match request.get_header::<IfNoneMatch>() {
        Some(IfNoneMatch::Any) => return Wanted::Unchanged,
        Some(IfNoneMatch::Items(tags)) if tags.iter().any(|other| other.weak_eq(tag)) => return Wanted::Unchanged,
        Some(IfNoneMatch::Items(_)) | None => {}
    }
    let is_same = match request.get_header::<IfRange>() {
        Some(IfRange::EntityTag(other)) => other.strong_eq(tag),
        // A date says less than a digest, and is never sent by us.
        Some(IfRange::Date(_)) => false,
        None => true,
    };
    // Another unit, several ranges or one that cannot be read: whoever sends that is content with the whole, says RFC 9110.
    let range = request.headers().get(RANGE).filter(|_| request.method() == Method::GET && is_same);
    range.and_then(|range| part(range.to_str().ok()?, length)).unwrap_or(Wanted::All)
}

/// The one part that a `Range` asks for; `None` if it cannot be read.
fn part(range: &str, length: u64) -> Option<Wanted> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| match text.trim() {
        "" => Some(None),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse::<u64>().ok().map(Some),
        _ => None,
    };
    let (start, end) = match (number(first)?, number(last)?) {
        (None, None) => return None,
        // The last so many bytes.
        (None, Some(count)) => (length.saturating_sub(count), length),
        (Some(start), Some(last)) if last < start => return None,
        (Some(start), last) => (start, last.map_or(length, |last| last.saturating_add(1).min(length))),
    };
    Some(if start < end { Wanted::Part { start, length: end - start } } else { Wanted::NoSuchPart })
}

/// So many bytes of a file, piece by piece as they are taken.
fn body(head: &mut HttpResponseBuilder, file: File, start: u64, length: u64) -> HttpResponse {
    let pieces = stream::try_unfold((Some(file), start, length), |(file, at, left)| async move {
        let Some(mut file) = file.filter(|_| left > 0) else { return Ok(None) };
        let read = web::block(move || -> io::Result<(File, Bytes)> {
            file.seek(SeekFrom::Start(at))?;
            let mut piece = vec![0; usize::try_from(left.min(PIECE)).unwrap_or_default()];
            file.read_exact(&mut piece)?;
            Ok((file, piece.into()))
        });
        let (file, piece) = read.await.map_err(io::Error::other)??;
        let count = piece.len() as u64;
        Ok::<_, io::Error>(Some((piece, (Some(file), at + count, left - count))))
    });
    head.body(SizedStream::new(length, pieces))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn asked(headers: &[(&str, &str)]) -> Wanted {
        let mut request = TestRequest::get();
        for header in headers {
            request = request.insert_header(*header);
        }
        wanted(&request.to_http_request(), &EntityTag::new_strong("abc".into()), 100)
    }

    #[test]
    fn parts_are_parts_of_the_same_file() {
        let part = |start, length| Wanted::Part { start, length };
        for (range, expected) in [
            ("bytes=0-9", part(0, 10)),
            ("bytes=90-", part(90, 10)),
            ("bytes=90-1000", part(90, 10)),
            ("bytes=-5", part(95, 5)),
            ("bytes=100-", Wanted::NoSuchPart),
            ("bytes=-0", Wanted::NoSuchPart),
            ("bytes=9-0", Wanted::All),
            ("bytes=x", Wanted::All),
            ("bytes=+1-5", Wanted::All),
            ("bytes=99999999999999999999-", Wanted::All),
            ("bytes=0-1,5-6", Wanted::All),
            ("seconds=0-1", Wanted::All),
        ] {
            assert_eq!(asked(&[("Range", range)]), expected, "{range}");
        }
        assert_eq!(asked(&[("Range", "bytes=0-9"), ("If-Range", "\"abc\"")]), part(0, 10));
        assert_eq!(asked(&[("Range", "bytes=0-9"), ("If-Range", "\"abd\"")]), Wanted::All);
        assert_eq!(asked(&[("Range", "bytes=0-9"), ("If-Range", "Sat, 21 Nov 2026 12:00:00 GMT")]), Wanted::All);
    }

    #[test]
    fn who_has_it_is_not_sent_it_again() {
        assert_eq!(asked(&[("If-None-Match", "\"abd\", \"abc\"")]), Wanted::Unchanged);
        assert_eq!(asked(&[("If-None-Match", "*")]), Wanted::Unchanged);
        assert_eq!(asked(&[("If-None-Match", "\"abd\"")]), Wanted::All);
        assert_eq!(asked(&[("If-Match", "\"abd\"")]), Wanted::Another);
        assert_eq!(asked(&[("If-Match", "\"abc\"")]), Wanted::All);
    }
}
