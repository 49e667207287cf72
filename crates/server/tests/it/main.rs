//! The crate's integration tests: one binary, one module per subject.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod attacks;
mod bad_input;
mod characters;
mod disk_faults;
mod dispatch;
mod docs;
mod events;
mod fake;
mod generate;
mod hang_up;
mod held;
mod idempotency;
mod images_as_tasks;
mod load;
mod methods;
mod models;
mod offers;
mod openai_images;
mod openai_repeats;
mod ops;
mod priorities;
mod remote;
mod request_names;
mod respond_async;
mod sent_images;
mod service;
mod shutdown;
mod slow_client;
mod task_client;
mod tasks;
mod tasks_of_others;
mod uploads;
mod videos;
mod webhooks;
