//! Pika, by either of the two APIs that reach it: the web form of seed 003's API, and fal's queue.

mod fal;
mod fal_request;
mod web;

pub use fal::{PikaFal, PikaFalSettings};
pub use web::{PikaWeb, PikaWebSettings};

/// The name of both: an operator has one of them.
const NAME: &str = "pika";
