//! Pika, through either of two APIs: the web form that the i2v API uses, and fal's queue.

mod fal;
mod fal_request;
mod web;

pub use fal::{PikaFal, PikaFalSettings};
pub use web::{PikaWeb, PikaWebSettings};

/// The name of both: an operator configures one of them.
const NAME: &str = "pika";
