//! A picture that a caller names or sends: by URL, as a data URL, or as base64.
//!
//! The invariants: nothing is fetched but through the guard; a file of ours that its owner names by its URL is read from the disk, so that
//! one answer's `image_url` is good for the next request although the guard refuses our own address; no picture is larger than a model
//! has use for when it leaves here, for it is stored with its job; the bytes alone say what a file is.

use std::time::Duration;

use actix_web::web;
use diffusion_core::preprocess;
use generation::{
    given_picture::{self, PictureError},
    jobs::Jobs,
};
use guarded_http::{Guard, Limits};
use image::RgbImage;
use url::Url;

use crate::{
    files::{
        artifacts, decoding,
        picture_text::{self, MEDIA_TYPES, TextError},
    },
    http::{HeldMemory, Problem, request_memory::RequestMemory},
};

/// How long a picture by URL may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A larger picture is made smaller: models see a fraction of it, and it lies with its job until that has ended.
const MAX_KEPT_SIDE: u32 = 2048;

/// The longest address that a service is told; a picture with a longer one is sent as a file.
const LONGEST_ADDRESS: usize = 2048;

/// Why there is no picture.
#[derive(Debug)]
pub(crate) enum SourceError {
    /// The caller's fault, in a sentence.
    Refused(String),
    /// Ours.
    Failed(Box<Problem>),
}

impl From<Problem> for SourceError {
    fn from(error: Problem) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// Who names a picture, and what they call this server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    /// Whose files they may name.
    pub(crate) owner: &'a str,
    /// Where they find us, without a final slash.
    pub(crate) base_url: &'a str,
}

/// A picture as a caller gave it.
#[derive(Debug)]
pub(crate) struct GivenPicture {
    /// The picture, upright.
    pub(crate) picture: RgbImage,
    /// Where it lies, if others than this server can fetch it there: not with us, for that wants a key.
    pub(crate) address: Option<Url>,
}

impl From<RgbImage> for GivenPicture {
    fn from(picture: RgbImage) -> Self {
        Self { picture, address: None }
    }
}

/// What pictures are fetched with, and its bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PictureSource<'a> {
    pub(crate) jobs: &'a Jobs,
    pub(crate) guard: &'a Guard,
    pub(crate) memory: &'a RequestMemory,
    /// The service that is to make something of the picture; none: this machine.
    pub(crate) service: Option<&'a str>,
    /// The longest file, in bytes.
    pub(crate) byte_limit: usize,
    /// How long to wait for memory.
    pub(crate) patience: Duration,
}

impl PictureSource<'_> {
    /// The picture, and where others find it.
    pub(crate) async fn picture(&self, source: String, asker: Asker<'_>) -> Result<GivenPicture, SourceError> {
        let Some(url) = as_url(&source) else { return Ok(decode(Bytes::Text(source)).await?.into()) };
        if let Some(bytes) = self.ours(&url, asker).await? {
            return Ok(decode(Bytes::Here(bytes)).await?.into());
        }
        let (bytes, held) = self.fetched(&source, asker).await?;
        let picture = decode(Bytes::Here(bytes)).await;
        drop(held);
        Ok(GivenPicture { picture: picture?, address: Some(url).filter(|url| url.as_str().len() <= LONGEST_ADDRESS) })
    }

    /// The file that a URL of ours names; `None` if it is not one of ours.
    async fn ours(&self, url: &Url, asker: Asker<'_>) -> Result<Option<Vec<u8>>, SourceError> {
        let Ok(base) = Url::parse(asker.base_url) else { return Ok(None) };
        if url.origin() != base.origin() {
            return Ok(None);
        }
        let path = url.path().strip_prefix(base.path().trim_end_matches('/')).unwrap_or_default();
        let no_file = || SourceError::Refused(format!("this server has no picture of yours at {path}"));
        let (job, name) = path.strip_prefix("/files/").and_then(|path| path.split_once('/')).ok_or_else(no_file)?;
        let file = self.jobs.artifact(asker.owner, job, name).await.map_err(Problem::from)?.ok_or_else(no_file)?;
        if file.expired || !MEDIA_TYPES.contains(&file.media_type.as_str()) {
            return Err(no_file());
        }
        Ok(Some(artifacts::read(self.jobs, job, name).await?))
    }

    /// What lies at an address, and the memory that it was given. Nothing is fetched for a job that would not be taken.
    async fn fetched(&self, url: &str, asker: Asker<'_>) -> Result<(Vec<u8>, HeldMemory), SourceError> {
        match self.service {
            Some(service) => self.jobs.check_provider_room(service, asker.owner),
            None => self.jobs.check_room(asker.owner),
        }
        .map_err(Problem::from)?;
        let mut held = self.memory.take(self.byte_limit, self.patience).await.map_err(Problem::from)?;
        let max_bytes = u64::try_from(self.byte_limit).unwrap_or(u64::MAX);
        let limits = Limits { max_bytes, media_types: MEDIA_TYPES, timeout: TIMEOUT };
        let fetched = self.guard.get(url.trim(), &limits).await;
        let bytes = fetched.map_err(|error| SourceError::Refused(error.to_string()))?.bytes;
        held.shrink_to(bytes.len());
        Ok((bytes, held))
    }
}

async fn decode(bytes: Bytes) -> Result<RgbImage, SourceError> {
    let _turn = decoding::turn().await.map_err(|_| Problem::internal())?;
    // A large picture takes a while to decode.
    web::block(move || decoded(bytes)).await.map_err(Problem::from)?
}

/// The picture in a file's bytes, as [`PictureSource::picture`] makes one of those that it fetches.
pub(crate) async fn of_file(bytes: Vec<u8>) -> Result<RgbImage, SourceError> {
    decode(Bytes::Here(bytes)).await
}

/// The text as a URL, where it is one that is fetched and no picture itself.
fn as_url(source: &str) -> Option<Url> {
    let scheme = source.trim_start().get(..8)?.to_ascii_lowercase();
    if scheme.starts_with("http://") || scheme == "https://" { Url::parse(source.trim()).ok() } else { None }
}

enum Bytes {
    Text(String),
    Here(Vec<u8>),
}

fn decoded(bytes: Bytes) -> Result<RgbImage, SourceError> {
    let bytes = match bytes {
        Bytes::Here(bytes) => bytes,
        Bytes::Text(text) => picture_text::bytes(&text).map_err(|error| match error {
            TextError::NeitherForm => SourceError::Refused("the picture is no base64, no data URL and no http or https address".into()),
            TextError::Claimed(_) => SourceError::Refused(error.to_string()),
        })?,
    };
    of_bytes(bytes).map_err(SourceError::Refused)
}

/// The picture in a file's bytes, or why there is none, in a sentence. Takes a while, and much memory.
pub(crate) fn of_bytes(bytes: Vec<u8>) -> Result<RgbImage, String> {
    small_enough(given_picture::rgb(bytes).map_err(|error| no_picture(&error))?)
}

fn no_picture(error: &PictureError) -> String {
    let kind = error.kind().map(|kind| format!(", it is {kind}")).unwrap_or_default();
    format!("the picture is no PNG, JPEG or WebP of at most {} pixels a side{kind}", given_picture::MAX_SIDE)
}

/// The picture, made smaller if it is larger than a model has use for.
fn small_enough(picture: RgbImage) -> Result<RgbImage, String> {
    let longer = picture.width().max(picture.height());
    if longer <= MAX_KEPT_SIDE {
        return Ok(picture);
    }
    let scaled = |side: u32| ((f64::from(side) * f64::from(MAX_KEPT_SIDE) / f64::from(longer)).round() as u32).max(1);
    let smaller = preprocess::resized(&picture, scaled(picture.width()), scaled(picture.height()));
    smaller.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_http_is_an_address() {
        assert_eq!(as_url(" HTTPS://Media.example/a.png ").unwrap().as_str(), "https://media.example/a.png");
        for text in ["", "http:", "ftp://media.example/a.png", "file:///etc/passwd", "aHR0cDovLw=="] {
            assert_eq!(as_url(text), None, "{text}");
        }
    }

    #[test]
    fn a_large_picture_is_made_smaller() {
        let mut file = std::io::Cursor::new(Vec::new());
        RgbImage::new(4096, 1024).write_to(&mut file, image::ImageFormat::Png).unwrap();
        assert_eq!(of_bytes(file.into_inner()).unwrap().dimensions(), (2048, 512));
    }

    #[test]
    fn a_file_of_another_kind_is_called_what_it_is() {
        for (file, kind) in [(b"GIF89a".as_slice(), "a GIF"), (b"\0\0\0\x18ftypheic", "a HEIC"), (b"\0\0\0\x1cftypavif", "an AVIF")] {
            let expected = format!("the picture is no PNG, JPEG or WebP of at most 8192 pixels a side, it is {kind}");
            assert_eq!(of_bytes(file.to_vec()), Err(expected));
        }
    }
}
