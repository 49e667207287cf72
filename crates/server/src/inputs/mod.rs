//! What callers send, as handlers take it: fields of bodies and queries, and pictures by URL, as base64 or as an upload of their own.
//!
//! It must not know any one request.

pub(crate) mod callback;
pub(crate) mod example_picture;
pub(crate) mod faults;
pub(crate) mod field_names;
pub(crate) mod fields;
mod non_finite;
pub(crate) mod picture_source;
pub(crate) mod request_fields;
mod scalars;

pub(crate) use self::{
    callback::callback_fault,
    example_picture::EXAMPLE_PICTURE,
    faults::{detail, echo, value_error, value_fault},
    field_names::{NamedBody, Shape},
    fields::{Fields, TypeFault, boolean, entries, float, integer, judged, parse_named, parse_object, query_values, string},
    picture_source::{Asker, PictureSource, SourceError},
    request_fields::{random_seed, scheduler, seed},
};
