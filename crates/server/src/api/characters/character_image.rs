//! Resolves a `characterImageUrl`: to one of the caller's uploads, or to an address elsewhere.
//!
//! The invariants: a path is one of our uploads or nothing, and the sandbox opens it in its owner's folder; an address on another host is
//! fetched through the guard only.

use actix_web::web;
use generation::{field_error::shortened, sandbox::SandboxError};
use image::RgbImage;
use url::Url;

use crate::{
    http::Problem,
    inputs::{GivenImage, Requester, SourceError, image_source},
    state::{ApiState, Maker},
};

/// The path of uploads.
const UPLOADS: &str = "/uploads/";

/// A resolved picture, and its name in answers.
pub(crate) struct Found {
    pub(crate) image: GivenImage,
    /// The path of an upload, without a signed link's query; or the address as given, a data URL shortened.
    pub(crate) name: String,
}

/// Loads the picture for its maker.
pub(crate) async fn find(source: &str, asker: Requester<'_>, maker: &Maker, state: &ApiState) -> Result<Found, SourceError> {
    let source = source.trim();
    if let Some(name) = upload_name(source, asker.base_url) {
        let image = upload(name.clone(), asker.owner, state).await?;
        return Ok(Found { image: image.into(), name: format!("{UPLOADS}{name}") });
    }
    let is_data = source.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    let scheme = source.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !is_data && !matches!(scheme.as_deref(), Some("http" | "https")) {
        return Err(SourceError::Refused(format!("it is neither a path under {UPLOADS} nor an http or https address nor a data URL")));
    }
    let image = state.images_for(maker).image(source.to_owned(), asker).await?;
    // Answers do not need the data of a data URL.
    let name = if is_data { shortened(source).into_owned() } else { source.to_owned() };
    Ok(Found { image, name })
}

/// The name of the upload that a path or one of our addresses refers to.
fn upload_name(source: &str, base_url: &str) -> Option<String> {
    // With the key, a signed link's query is not needed, and it does not identify the file.
    let plain = |path: &str| path.split(['?', '#']).next().and_then(|path| path.strip_prefix(UPLOADS)).map(str::to_owned);
    if source.starts_with('/') {
        return plain(source);
    }
    let (url, base) = (Url::parse(source).ok()?, Url::parse(base_url).ok()?);
    let same = url.origin() == base.origin() && url.username().is_empty() && url.password().is_none();
    let path = url.path().strip_prefix(base.path().trim_end_matches('/')).filter(|_| same)?;
    plain(path)
}

async fn upload(name: String, owner: &str, state: &ApiState) -> Result<RgbImage, SourceError> {
    let (uploads, owner) = (state.uploads.clone(), owner.to_owned());
    let opened = web::block(move || {
        let mut upload = uploads.open(&owner, &name)?;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut upload.file, &mut bytes)?;
        Ok::<_, SandboxError>(bytes)
    });
    match opened.await.map_err(Problem::from)? {
        Ok(bytes) => image_source::decode_file(bytes).await,
        Err(error @ SandboxError::Io(_)) => Err(Problem::from(error).into()),
        Err(SandboxError::Name | SandboxError::Missing | SandboxError::NotAFile) => {
            Err(SourceError::Refused("there is no such upload of yours".into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::upload_name;

    #[test]
    fn uploads_are_distinguished_from_other_addresses() {
        let base = "http://localhost:8000";
        for (source, name) in [
            ("/uploads/character_1.png", Some("character_1.png")),
            ("/uploads/character_1.png?expires=1&signature=a", Some("character_1.png")),
            ("http://localhost:8000/uploads/character_1.png", Some("character_1.png")),
            ("HTTP://LOCALHOST:8000/uploads/character_1.png?expires=1&signature=a", Some("character_1.png")),
            // The sandbox refuses it.
            ("/uploads/../secret", Some("../secret")),
            ("/uploads/%2e%2e/secret", Some("%2e%2e/secret")),
            ("/videos/video_1.mp4", None),
            ("//evil.example/uploads/a.png", None),
            ("http://localhost:8001/uploads/a.png", None),
            ("https://localhost:8000/uploads/a.png", None),
            ("http://user@localhost:8000/uploads/a.png", None),
            ("http://localhost:8000/uploads/../files/a.png", None),
            ("http://localhost:8000/uploads/%2e%2e/files/a.png", None),
            ("file:///uploads/a.png", None),
            ("uploads/a.png", None),
            ("", None),
        ] {
            assert_eq!(upload_name(source, base).as_deref(), name, "{source}");
        }
        assert_eq!(upload_name("https://a.example/fw/uploads/b.png", "https://a.example/fw").as_deref(), Some("b.png"));
        assert_eq!(upload_name("https://a.example/uploads/b.png", "https://a.example/fw"), None);
    }
}
