//! `/v1/images/generations`, `/edits` and `/variations`.
//!
//! * [`body`] has the fields of the three bodies, [`given`] decodes the pictures that come with them;
//! * [`handlers`] are the routes, [`making`] submits a request's job, [`stream`] and [`wire`] are the answers.
//!
//! The invariant: a picture in base64 is a held job, and one by URL a stored one, whose file outlives the answer.

pub(crate) mod body;
mod given;
pub(crate) mod handlers;
mod making;
mod stream;
pub(crate) mod wire;
