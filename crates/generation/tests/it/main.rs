//! The crate's integration tests: one binary, one module per subject.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adapted_videos;
mod adapters;
mod artifact;
mod backends;
mod clips;
mod clips_validate;
mod controlnets;
mod engine;
mod fake;
mod forgetting;
mod full_disk;
mod held;
mod images;
mod images_in;
mod jobs;
mod journal;
mod model_defaults;
mod parts;
mod pool;
mod previews;
mod provenance;
mod provider;
mod queue;
mod races;
mod refiner;
mod remote;
mod remote_relay;
mod remote_routing;
mod remote_stops;
mod scripted;
mod swaps;
mod upscaling;
mod validate;
mod videos;
mod videos_validate;

use recycler::CachingAllocator;

/// As in the program, because the allocator decides how much memory is held between jobs.
#[global_allocator]
static ALLOCATOR: CachingAllocator = CachingAllocator::new();
