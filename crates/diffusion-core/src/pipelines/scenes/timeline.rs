//! Assigns a video's frames to its scenes and to the joins between them.
//!
//! This module must not depend on models or images. Invariant: every frame of the video belongs to one span, and spans follow one another
//! without gaps. The numbers are those of the service whose API the server is compatible with: a scene has `trunc(duration * fps)` frames,
//! and a join adds its own between two scenes.

use super::Join;

/// The number of frames of a scene: `trunc(duration * fps)`, in doubles. 0 if that is not positive.
pub fn scene_frames(duration_seconds: f64, fps: f64) -> usize {
    // A cast saturates, and converts NaN to 0.
    (duration_seconds * fps) as usize
}

/// A run of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first frame, counted from the video's first.
    pub start: usize,
    /// The number of frames; may be 0.
    pub frames: usize,
}

impl Span {
    /// The frame after the last one; saturates, because lengths come from the caller.
    pub fn end(&self) -> usize {
        self.start.saturating_add(self.frames)
    }
}

/// The position of every scene and every join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    scenes: Vec<Span>,
    /// The join before each scene; empty before the first.
    joins: Vec<Span>,
}

impl Timeline {
    /// Builds the timeline from the scenes' frame counts and the joins between them; missing joins are cuts.
    pub fn new(scene_frames: impl IntoIterator<Item = usize>, joins: &[Join]) -> Self {
        let mut timeline = Self { scenes: Vec::new(), joins: Vec::new() };
        let mut next = 0;
        for (index, frames) in scene_frames.into_iter().enumerate() {
            let join = index.checked_sub(1).and_then(|before| joins.get(before)).map_or(0, Join::frames);
            let join = Span { start: next, frames: join };
            let scene = Span { start: join.end(), frames };
            next = scene.end();
            timeline.joins.push(join);
            timeline.scenes.push(scene);
        }
        timeline
    }

    /// The number of frames of the video.
    pub fn frames(&self) -> usize {
        self.scenes.last().map_or(0, Span::end)
    }

    /// A scene's own frames.
    pub fn scene(&self, index: usize) -> Option<Span> {
        self.scenes.get(index).copied()
    }

    /// The frames of the join between a scene and the one before it.
    pub fn join_before(&self, index: usize) -> Option<Span> {
        self.joins.get(index).copied()
    }

    /// The frame after the last one that depends on a scene: the end of the join after it.
    pub fn end_of_influence(&self, index: usize) -> usize {
        self.joins.get(index + 1).or(self.scenes.get(index)).map_or(0, Span::end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readmes_example_has_240_frames() {
        let frames = scene_frames(3.0, 24.0);
        let timeline = Timeline::new([frames; 3], &[Join::Crossfade { frames: 12 }; 2]);
        assert_eq!((frames, timeline.frames()), (72, 240));
        assert_eq!(timeline.scene(1), Some(Span { start: 84, frames: 72 }));
        assert_eq!(timeline.join_before(1), Some(Span { start: 72, frames: 12 }));
        assert_eq!((timeline.end_of_influence(0), timeline.end_of_influence(2)), (84, 240));
    }

    #[test]
    fn lengths_are_truncated_not_rounded() {
        assert_eq!(
            [(0.99, 1.0), (1.999, 24.0), (0.1, 30.0), (-1.0, 24.0), (f64::NAN, 1.0)].map(|(s, fps)| scene_frames(s, fps)),
            [0, 47, 3, 0, 0]
        );
        // 0.29 * 100 is 28.999999999999996 in doubles, as it is in Python's.
        assert_eq!(scene_frames(0.29, 100.0), 28);
    }

    #[test]
    fn joins_may_differ_and_scenes_may_be_empty() {
        let timeline = Timeline::new([2, 0, 3], &[Join::Cut, Join::Slerp { frames: 4 }]);
        assert_eq!(timeline.frames(), 9);
        assert_eq!(timeline.join_before(1), Some(Span { start: 2, frames: 0 }));
        assert_eq!(timeline.scene(2), Some(Span { start: 6, frames: 3 }));
        assert_eq!(Timeline::new([], &[]).frames(), 0);
    }

    #[test]
    fn excessive_lengths_saturate_and_do_not_wrap_to_a_short_video() {
        let frames = scene_frames(f64::INFINITY, 24.0);
        assert_eq!(Timeline::new([frames; 2], &[Join::Crossfade { frames: 2 }]).frames(), usize::MAX);
    }
}
