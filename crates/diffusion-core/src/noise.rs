//! Seeded noise: torch's CPU generator stream, bit for bit as far as f32 goes.

/// A stream of seeded noise.
pub struct SeededNoise;
