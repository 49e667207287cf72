//! Request inputs for handlers: fields of bodies and queries, and pictures given by URL, as base64 or as an upload.
//!
//! It must not know any particular request.

pub(crate) mod body_table;
pub(crate) mod callback;
pub(crate) mod example_image;
pub(crate) mod faults;
pub(crate) mod field_names;
pub(crate) mod fields;
pub(crate) mod image_source;
pub(crate) mod mask;
mod non_finite;
pub(crate) mod remote_image;
pub(crate) mod request_fields;
mod scalars;

pub(crate) use self::{
    body_table::{Body, Holds, Row, Table, body_table, nested, rows},
    callback::check_callback,
    example_image::EXAMPLE_IMAGE,
    faults::{detail, echo, value_error, value_fault},
    fields::{Fields, TypeFault, boolean, entries, integer, query_values, string},
    image_source::{GivenImage, ImageSource, Requester, SourceError},
    remote_image::input_image,
    request_fields::random_seed,
};
