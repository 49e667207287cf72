//! Pictures given by URL, as a data URL, or as base64.
//!
//! The invariants: only the guard fetches; a URL of our own that names the caller's file is read from disk, so that one answer's
//! `image_url` works in the next request although the guard refuses our address; pictures are downscaled to the largest size that models
//! use, because they are stored with their job; only the bytes determine a file's type.

use std::time::Duration;

use actix_web::web;
use diffusion_core::imaging::resized;
use generation::{
    given_image::{self, GivenImageError},
    jobs::Jobs,
};
use guarded_http::{Guard, Limits};
use image::{DynamicImage, RgbImage};
use url::Url;

use crate::{
    files::{
        artifacts, decoding,
        image_text::{self, MEDIA_TYPES, TextError},
    },
    http::{HeldMemory, Problem, request_memory::RequestMemory},
};

/// The time within which a fetched picture must arrive.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A larger picture is downscaled: models use a fraction of it, and it is stored with its job until that has ended.
const MAX_KEPT_SIDE: u32 = 2048;

/// The longest address that is passed on to a provider; a picture with a longer one is sent as a file.
const LONGEST_ADDRESS: usize = 2048;

/// Why there is no picture.
#[derive(Debug)]
pub(crate) enum SourceError {
    /// A fault of the caller, in a sentence.
    Refused(String),
    /// An internal fault.
    Failed(Box<Problem>),
}

impl From<Problem> for SourceError {
    fn from(error: Problem) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// The caller that names a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requester<'a> {
    /// The owner of the files that they may name.
    pub(crate) owner: &'a str,
    /// The URL by which they reach this server, without a final slash.
    pub(crate) base_url: &'a str,
}

/// A picture as a caller gave it.
#[derive(Debug)]
pub(crate) struct GivenImage {
    /// The picture, upright.
    pub(crate) image: RgbImage,
    /// Its address, if others can fetch it there. Our own addresses do not count, because they need a key.
    pub(crate) address: Option<Url>,
}

impl From<RgbImage> for GivenImage {
    fn from(image: RgbImage) -> Self {
        Self { image, address: None }
    }
}

/// The means and the bounds of fetching pictures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageSource<'a> {
    pub(crate) jobs: &'a Jobs,
    pub(crate) guard: &'a Guard,
    pub(crate) memory: &'a RequestMemory,
    /// The provider that will use the picture; `None`: this machine.
    pub(crate) service: Option<&'a str>,
    /// The size limit of a file, in bytes.
    pub(crate) byte_limit: usize,
    /// The time to wait for memory.
    pub(crate) patience: Duration,
}

impl ImageSource<'_> {
    /// The picture, and its address if others can fetch it.
    pub(crate) async fn image(&self, source: String, asker: Requester<'_>) -> Result<GivenImage, SourceError> {
        let Some(url) = as_url(&source) else { return Ok(decode(Bytes::Text(source)).await?.into()) };
        if let Some(bytes) = self.own_file(&url, asker).await? {
            return Ok(decode(Bytes::Raw(bytes)).await?.into());
        }
        let (bytes, held) = self.fetch(&source, asker).await?;
        let image = decode(Bytes::Raw(bytes)).await;
        drop(held);
        Ok(GivenImage { image: image?, address: Some(url).filter(|url| url.as_str().len() <= LONGEST_ADDRESS) })
    }

    /// The picture at its own size, with its transparency.
    pub(crate) async fn whole(&self, source: String, asker: Requester<'_>) -> Result<DynamicImage, SourceError> {
        let (bytes, held) = match as_url(&source) {
            None => (Bytes::Text(source), None),
            Some(url) => match self.own_file(&url, asker).await? {
                Some(bytes) => (Bytes::Raw(bytes), None),
                None => {
                    let (bytes, held) = self.fetch(&source, asker).await?;
                    (Bytes::Raw(bytes), Some(held))
                }
            },
        };
        let _turn = decoding::turn().await.map_err(|_| Problem::internal())?;
        let decoded = web::block(move || decode_whole(file_bytes(bytes)?).map_err(SourceError::Refused)).await.map_err(Problem::from)?;
        drop(held);
        decoded
    }

    /// The file of one of our own URLs; `None` for other URLs.
    async fn own_file(&self, url: &Url, asker: Requester<'_>) -> Result<Option<Vec<u8>>, SourceError> {
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

    /// The file at an address, and the memory reserved for it. Nothing is fetched for a job that the queue would refuse.
    async fn fetch(&self, url: &str, asker: Requester<'_>) -> Result<(Vec<u8>, HeldMemory), SourceError> {
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
    // A large picture takes long to decode.
    web::block(move || decode_blocking(bytes)).await.map_err(Problem::from)?
}

/// Decodes a file as [`ImageSource::image`] decodes those that it fetches.
pub(crate) async fn decode_file(bytes: Vec<u8>) -> Result<RgbImage, SourceError> {
    decode(Bytes::Raw(bytes)).await
}

/// The text as a URL if it is an http or https one, and not a picture itself.
fn as_url(source: &str) -> Option<Url> {
    let scheme = source.trim_start().get(..8)?.to_ascii_lowercase();
    if scheme.starts_with("http://") || scheme == "https://" { Url::parse(source.trim()).ok() } else { None }
}

enum Bytes {
    Text(String),
    Raw(Vec<u8>),
}

fn decode_blocking(bytes: Bytes) -> Result<RgbImage, SourceError> {
    decode_bytes(file_bytes(bytes)?).map_err(SourceError::Refused)
}

fn file_bytes(bytes: Bytes) -> Result<Vec<u8>, SourceError> {
    match bytes {
        Bytes::Raw(bytes) => Ok(bytes),
        Bytes::Text(text) => image_text::bytes(&text).map_err(|error| match error {
            TextError::NeitherForm => SourceError::Refused("the picture is no base64, no data URL and no http or https address".into()),
            TextError::Claimed(_) => SourceError::Refused(error.to_string()),
        }),
    }
}

/// Decodes a file, or says in a sentence why it cannot. Takes long, and needs much memory.
pub(crate) fn decode_bytes(bytes: Vec<u8>) -> Result<RgbImage, String> {
    limit_size(given_image::rgb(bytes).map_err(|error| no_image(&error))?)
}

/// The same with the file's transparency, at its own size.
pub(crate) fn decode_whole(bytes: Vec<u8>) -> Result<DynamicImage, String> {
    given_image::read(bytes).map_err(|error| no_image(&error))
}

fn no_image(error: &GivenImageError) -> String {
    let kind = error.kind().map(|kind| format!(", it is {kind}")).unwrap_or_default();
    format!("the picture is no PNG, JPEG or WebP of at most {} pixels a side{kind}", given_image::MAX_SIDE)
}

/// Downscales a picture that is larger than models use.
pub(crate) fn limit_size(image: RgbImage) -> Result<RgbImage, String> {
    let longer = image.width().max(image.height());
    if longer <= MAX_KEPT_SIDE {
        return Ok(image);
    }
    let scaled = |side: u32| ((f64::from(side) * f64::from(MAX_KEPT_SIDE) / f64::from(longer)).round() as u32).max(1);
    let smaller = resized(&image, scaled(image.width()), scaled(image.height()));
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
    fn a_large_image_is_made_smaller() {
        let mut file = std::io::Cursor::new(Vec::new());
        RgbImage::new(4096, 1024).write_to(&mut file, image::ImageFormat::Png).unwrap();
        assert_eq!(decode_bytes(file.into_inner()).unwrap().dimensions(), (2048, 512));
    }

    #[test]
    fn a_file_of_another_kind_is_called_what_it_is() {
        for (file, kind) in [(b"GIF89a".as_slice(), "a GIF"), (b"\0\0\0\x18ftypheic", "a HEIC"), (b"\0\0\0\x1cftypavif", "an AVIF")] {
            let expected = format!("the picture is no PNG, JPEG or WebP of at most 8192 pixels a side, it is {kind}");
            assert_eq!(decode_bytes(file.to_vec()), Err(expected));
        }
    }
}
