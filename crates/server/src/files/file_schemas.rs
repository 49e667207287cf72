//! Schemas of files for /openapi.json: by default, bytes are described as arrays of numbers.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};

/// A PNG file.
pub(crate) struct PngFile;

impl PartialSchema for PngFile {
    fn schema() -> RefOr<Schema> {
        let binary = Some(SchemaFormat::KnownFormat(KnownFormat::Binary));
        ObjectBuilder::new().schema_type(Type::String).format(binary).content_media_type("image/png").into()
    }
}

impl ToSchema for PngFile {}

/// An MP4 file.
pub(crate) struct Mp4File;

impl PartialSchema for Mp4File {
    fn schema() -> RefOr<Schema> {
        let binary = Some(SchemaFormat::KnownFormat(KnownFormat::Binary));
        ObjectBuilder::new().schema_type(Type::String).format(binary).content_media_type("video/mp4").into()
    }
}

impl ToSchema for Mp4File {}
