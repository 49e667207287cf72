//! `/v1/images/generations`, `/edits`, `/variations` and `/upscale`.
//!
//! * [`body`] has the fields of the three bodies, [`given`] decodes the pictures that come with them;
//! * [`handlers`] are the routes, [`making`] submits a request's job, [`stream`] and [`wire`] are the answers;
//! * [`upscale`] is the route that enlarges a picture, [`upscale_body`] its body.
//!
//! The invariant: a picture in base64 is a held job, and one by URL a stored one, whose file outlives the answer.

pub(crate) mod body;
mod given;
pub(crate) mod handlers;
mod making;
mod stream;
pub(crate) mod upscale;
pub(crate) mod upscale_body;
pub(crate) mod wire;
