//! Schemas of files for /openapi.json: by default, bytes are described as arrays of numbers.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};

fn file(media_type: &str) -> RefOr<Schema> {
    let binary = Some(SchemaFormat::KnownFormat(KnownFormat::Binary));
    ObjectBuilder::new().schema_type(Type::String).format(binary).content_media_type(media_type).into()
}

/// A PNG file.
pub(crate) struct PngFile;

impl PartialSchema for PngFile {
    fn schema() -> RefOr<Schema> {
        file("image/png")
    }
}

impl ToSchema for PngFile {}

/// A JPEG file.
pub(crate) struct JpegFile;

impl PartialSchema for JpegFile {
    fn schema() -> RefOr<Schema> {
        file("image/jpeg")
    }
}

impl ToSchema for JpegFile {}

/// A WebP file.
pub(crate) struct WebPFile;

impl PartialSchema for WebPFile {
    fn schema() -> RefOr<Schema> {
        file("image/webp")
    }
}

impl ToSchema for WebPFile {}

/// An MP4 file.
pub(crate) struct Mp4File;

impl PartialSchema for Mp4File {
    fn schema() -> RefOr<Schema> {
        file("video/mp4")
    }
}

impl ToSchema for Mp4File {}

/// A ZIP archive.
pub(crate) struct ZipFile;

impl PartialSchema for ZipFile {
    fn schema() -> RefOr<Schema> {
        file("application/zip")
    }
}

impl ToSchema for ZipFile {}
