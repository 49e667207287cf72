//! Evaluates the preconditions and the range of a request for a file with an entity tag (RFC 9110, sections 13 and 14).
//!
//! It must not know the file. Several lines of a list header are one list, which is read up to the first malformed member. The invariant:
//! when in doubt the answer cannot mix two files: the whole file for `Range` and `If-None-Match`, 412 for `If-Match`.
//!
//! Our files have no modification date, so `If-Modified-Since` and `If-Unmodified-Since` are ignored, as sections 13.1.3 and 13.1.4
//! require, and a date in `If-Range` never matches.

use actix_web::http::{
    Method,
    header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE},
};

/// The part of a file that a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    All,
    Part {
        start: u64,
        length: u64,
    },
    NoSuchPart,
    /// Nothing: the client has this file.
    Unchanged,
    /// Nothing: the client asks for another version.
    Another,
}

/// What a request asks for of a file of `length` bytes with the strong entity tag `tag`, without quotation marks.
pub(crate) fn wanted(method: &Method, headers: &HeaderMap, tag: &str, length: u64) -> Wanted {
    let strong = |other: Tag<'_>| !other.is_weak && other.opaque == tag.as_bytes();
    if Tags::of(headers, IF_MATCH).is_some_and(|tags| !tags.any(strong)) {
        return Wanted::Another;
    }
    if Tags::of(headers, IF_NONE_MATCH).is_some_and(|tags| tags.any(|other| other.opaque == tag.as_bytes())) {
        return Wanted::Unchanged;
    }
    // `Range` applies to GET only, and several `Range` lines are ignored.
    match only(headers, RANGE).filter(|_| *method == Method::GET && is_same(headers, tag)) {
        Some(range) => part(range, length).unwrap_or(Wanted::All),
        None => Wanted::All,
    }
}

/// Whether the client's partial copy is of this file, judged by `If-Range`. Anything but this file's tag means another file: a weak tag, a
/// date, or a malformed value.
fn is_same(headers: &HeaderMap, tag: &str) -> bool {
    if !headers.contains_key(IF_RANGE) {
        return true;
    }
    let opaque = only(headers, IF_RANGE).and_then(|value| value.strip_prefix(b"\"")?.strip_suffix(b"\""));
    opaque.is_some_and(|opaque| opaque == tag.as_bytes())
}

/// The value of a header that occurs exactly once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name);
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes().trim_ascii())
}

/// An entity tag as a client writes it.
#[derive(Clone, Copy)]
struct Tag<'a> {
    is_weak: bool,
    /// The text between the quotation marks.
    opaque: &'a [u8],
}

/// A header with entity tags.
enum Tags {
    /// `*`: any tag.
    Any,
    /// A list, with all lines joined.
    List(Vec<u8>),
}

impl Tags {
    /// `None` if there is no such header.
    fn of(headers: &HeaderMap, name: HeaderName) -> Option<Self> {
        let lines: Vec<&[u8]> = headers.get_all(name).map(|value| value.as_bytes().trim_ascii()).collect();
        match lines.as_slice() {
            [] => None,
            [b"*"] => Some(Self::Any),
            lines => Some(Self::List(lines.join(&b","[..]))),
        }
    }

    /// Whether a tag of the list matches, or the header is `*`.
    fn any(self, matches: impl Fn(Tag<'_>) -> bool) -> bool {
        let list = match self {
            Self::Any => return true,
            Self::List(list) => list,
        };
        let mut rest = list.as_slice();
        loop {
            // A list may have empty members.
            rest = rest.trim_ascii_start();
            while let Some(after) = rest.strip_prefix(b",") {
                rest = after.trim_ascii_start();
            }
            let Some((tag, after)) = tag(rest) else { return false };
            if matches(tag) {
                return true;
            }
            rest = after.trim_ascii_start();
            if !(rest.is_empty() || rest.starts_with(b",")) {
                return false;
            }
        }
    }
}

/// The tag at the start of a text, and the rest.
fn tag(text: &[u8]) -> Option<(Tag<'_>, &[u8])> {
    let (is_weak, quoted) = match text.strip_prefix(b"W/") {
        Some(quoted) => (true, quoted),
        None => (false, text),
    };
    let inside = quoted.strip_prefix(b"\"")?;
    let end = inside.iter().position(|byte| !matches!(byte, 0x21 | 0x23..=0x7e | 0x80..))?;
    let (opaque, after) = inside.split_at_checked(end)?;
    Some((Tag { is_weak, opaque }, after.strip_prefix(b"\"")?))
}

/// The single part that a `Range` asks for. `None` for another unit, several parts or a malformed value: then RFC 9110 permits the whole
/// file.
fn part(range: &[u8], length: u64) -> Option<Wanted> {
    let (unit, set) = std::str::from_utf8(range).ok()?.split_once('=')?;
    let mut specs = set.split(',').map(str::trim).filter(|spec| !spec.is_empty());
    let (Some(spec), None) = (specs.next(), specs.next()) else { return None };
    let (first, last) = spec.split_once('-').filter(|_| unit.eq_ignore_ascii_case("bytes"))?;
    let number = |text: &str| match text {
        "" => Some(None),
        // A number too large for u64 is beyond the end of any file.
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(Some(digits.parse::<u64>().unwrap_or(u64::MAX))),
        _ => None,
    };
    let (start, end) = match (number(first)?, number(last)?) {
        (None, None) => return None,
        // The last `count` bytes.
        (None, Some(count)) => (length.saturating_sub(count), length),
        (Some(start), Some(last)) if last < start => return None,
        (Some(start), last) => (start, last.map_or(length, |last| last.saturating_add(1).min(length))),
    };
    Some(if start < end { Wanted::Part { start, length: end - start } } else { Wanted::NoSuchPart })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    /// What a GET with these headers gets of a file of 100 bytes with the tag "abc".
    fn outcome(lines: &[(&str, &str)]) -> Wanted {
        outcome_for(Method::GET, lines)
    }

    fn outcome_for(method: Method, lines: &[(&str, &str)]) -> Wanted {
        let request = lines.iter().fold(TestRequest::default(), |request, line| request.append_header(*line)).to_http_request();
        wanted(&method, request.headers(), "abc", 100)
    }

    const FIRST: (&str, &str) = ("Range", "bytes=0-9");
    const PART: Wanted = Wanted::Part { start: 0, length: 10 };

    #[test]
    fn a_range_is_one_part_of_the_file() {
        let part = |start, length| Wanted::Part { start, length };
        for (range, expected) in [
            ("bytes=0-9", part(0, 10)),
            ("Bytes=0-9", part(0, 10)),
            ("bytes= 0-9 ,", part(0, 10)),
            ("bytes=,,0-9", part(0, 10)),
            ("bytes=90-", part(90, 10)),
            ("bytes=90-1000", part(90, 10)),
            ("bytes=90-99999999999999999999", part(90, 10)),
            ("bytes=-5", part(95, 5)),
            ("bytes=-1000", part(0, 100)),
            ("bytes=100-", Wanted::NoSuchPart),
            ("bytes=99999999999999999999-", Wanted::NoSuchPart),
            ("bytes=-0", Wanted::NoSuchPart),
            ("bytes=9-0", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=", Wanted::All),
            ("bytes=x", Wanted::All),
            ("bytes=+1-5", Wanted::All),
            ("bytes=0 - 9", Wanted::All),
            ("bytes=0-1,5-6", Wanted::All),
            ("bytes:0-9", Wanted::All),
            ("seconds=0-1", Wanted::All),
            ("", Wanted::All),
        ] {
            assert_eq!(outcome(&[("Range", range)]), expected, "{range:?}");
        }
        assert_eq!(outcome(&[FIRST, FIRST]), Wanted::All, "two lines are no range");
        assert_eq!(outcome_for(Method::HEAD, &[FIRST]), Wanted::All, "a range is for GET");
    }

    #[test]
    fn an_if_range_that_is_not_this_files_tag_gives_the_whole_file() {
        assert_eq!(outcome(&[FIRST, ("If-Range", "\"abc\"")]), PART);
        assert_eq!(outcome(&[FIRST, ("If-Range", " \"abc\" ")]), PART);
        for other in [
            "\"abd\"",
            "W/\"abc\"",
            "w/\"abc\"",
            "abc",
            "\"abc",
            "abc\"",
            "'abc'",
            "",
            " ",
            "*",
            "stale",
            "\"abc\", \"abd\"",
            "\"abc\",",
            "\"\"abc\"\"",
            "2026-11-21T12:00:00Z",
            "2026-11-21",
            "1795262400",
            "Sat, 21 Nov 2026 12:00:00 GMT",
            "Saturday, 21-Nov-26 12:00:00 GMT",
            "caf\u{e9}",
        ] {
            assert_eq!(outcome(&[FIRST, ("If-Range", other)]), Wanted::All, "{other:?}");
        }
        assert_eq!(outcome(&[FIRST, ("If-Range", "\"abc\""), ("If-Range", "\"abc\"")]), Wanted::All, "it is no list");
        assert_eq!(outcome(&[("If-Range", "stale")]), Wanted::All, "without a range it says nothing");
        assert_eq!(outcome(&[("Range", "bytes=100-"), ("If-Range", "stale")]), Wanted::All);
    }

    #[test]
    fn tags_over_several_lines_are_one_list() {
        for lines in [
            &["\"abc\""][..],
            &["*"],
            &["\"abd\", \"abc\""],
            &["\"abd\"", "\"abc\""],
            &["\"a,b\"", "\"x\"", "W/\"abd\",\"abc\""],
            &[",, \"abd\" ,\t,", "", "\"abc\""],
            &["\"\"", "\"abc\" , stale"],
        ] {
            let of = |name| lines.iter().map(|line| (name, *line)).collect::<Vec<_>>();
            assert_eq!(outcome(&of("If-Match")), Wanted::All, "{lines:?}");
            assert_eq!(outcome(&of("If-None-Match")), Wanted::Unchanged, "{lines:?}");
        }
        for lines in [
            &["\"abd\""][..],
            &[""],
            &[","],
            &["abc"],
            &["\"abc"],
            &["\"ab c\""],
            &["\"abd\"", "*"],
            &["* , \"abc\""],
            &["stale", "\"abc\""],
            &["\"abd\" \"abc\""],
            &["\"abd", "abc\""],
            &["w/\"abc\""],
        ] {
            let of = |name| lines.iter().map(|line| (name, *line)).collect::<Vec<_>>();
            assert_eq!(outcome(&of("If-Match")), Wanted::Another, "{lines:?}");
            assert_eq!(outcome(&of("If-None-Match")), Wanted::All, "{lines:?}");
        }
        assert_eq!(outcome(&[("If-Match", "W/\"abc\"")]), Wanted::Another, "a weak tag is never strongly equal");
        assert_eq!(outcome(&[("If-None-Match", "W/\"abc\"")]), Wanted::Unchanged, "and weakly it is");
    }

    #[test]
    fn conditions_are_evaluated_in_their_order() {
        let date = "Sat, 21 Nov 2026 12:00:00 GMT";
        assert_eq!(outcome(&[("If-Match", "\"abd\""), ("If-None-Match", "\"abc\"")]), Wanted::Another);
        assert_eq!(outcome(&[("If-Match", "\"abc\""), ("If-None-Match", "\"abc\""), FIRST]), Wanted::Unchanged);
        assert_eq!(outcome(&[("If-Match", "\"abc\""), ("If-None-Match", "\"abd\""), FIRST]), PART);
        assert_eq!(outcome(&[("If-Match", "\"abd\""), ("If-Range", "\"abc\""), FIRST]), Wanted::Another);
        for name in ["If-Modified-Since", "If-Unmodified-Since"] {
            assert_eq!(outcome(&[(name, date), FIRST]), PART, "{name}: the file has no date");
            assert_eq!(outcome(&[(name, date), ("If-None-Match", "\"abc\"")]), Wanted::Unchanged, "{name}");
        }
        assert_eq!(outcome_for(Method::HEAD, &[("If-None-Match", "\"abc\"")]), Wanted::Unchanged);
        assert_eq!(outcome_for(Method::HEAD, &[("If-Match", "\"abd\"")]), Wanted::Another);
    }
}
