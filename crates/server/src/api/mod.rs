//! The APIs, one folder each: their wire types, their handlers, and how they render jobs and errors.
//!
//! A new API gets a folder here with a `configure`, which [`crate::routes`] calls, and a line in [`service::docs`].

pub(crate) mod a1111;
pub(crate) mod characters;
pub(crate) mod i2v;
pub(crate) mod images;
pub(crate) mod metadata;
pub(crate) mod models;
pub(crate) mod openai;
pub(crate) mod overflow;
mod remake;
pub(crate) mod service;
pub(crate) mod submission;
pub(crate) mod tasks;
pub(crate) mod text_video;
pub(crate) mod videos;
