//! A change of basis for 3x3 kernels; [`crate::winograd`] multiplies in it.

use crate::runtime::Level;

/// With fewer channels than this on either side, transforming to points costs more than a basis saves.
const FEW_CHANNELS: usize = 32;
/// With more weights than this, F(4x4, 3x3) would take much memory: those of 640 to 960 channels take 88 MB by it, and 39 by F(2x2, 3x3).
const MANY_WEIGHTS: usize = 640 * 960;

/// Most points along a side, and of a tile.
pub(crate) const MOST_SIDE: usize = 6;
pub(crate) const MOST_POINTS: usize = MOST_SIDE * MOST_SIDE;

/// The numbers at which [`Basis::Winograd4`] evaluates polynomials, besides 0 and infinity: these two and their negatives. Every constant of
/// the transforms is then exact in f32, and rounding costs half of what the usual 1 and 2 cost (the crate's README has the figures).
pub(crate) const NEAR: f32 = 0.75;
pub(crate) const FAR: f32 = 1.5;

/// The images that a 3x3 convolution usually gets: they decide by which method it is the fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    /// Less than 8 pixels on a side.
    Small,
    /// All others.
    Large,
    /// Enlarged by nearest neighbour before the convolution, always, to twice their size or a line or column less.
    Doubled,
}

/// The bases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// Winograd's F(2x2, 3x3).
    Winograd2,
    /// Winograd's F(4x4, 3x3).
    Winograd4,
    /// Nearest-neighbour doubling of the image followed by the kernel.
    Doubling,
}

impl Basis {
    /// The fastest basis of a 3x3 convolution of so many \[outputs, inputs\], if one is faster than the definition.
    pub(crate) fn of_conv3x3(level: Level, bf16: bool, [outputs, inputs]: [usize; 2], images: Images) -> Option<Self> {
        match images {
            _ if inputs < FEW_CHANNELS || outputs < FEW_CHANNELS => None,
            Images::Doubled => Some(Self::Doubling),
            // Tile registers multiply so fast that computing a tile's points costs more than Winograd's products save.
            Images::Small | Images::Large if bf16 && level == Level::Amx => None,
            // Of 4x4 pixels the larger tile is mostly zeros; in bfloat16 its points would lose too much to rounding.
            Images::Large if !bf16 && outputs.saturating_mul(inputs) <= MANY_WEIGHTS => Some(Self::Winograd4),
            Images::Small | Images::Large => Some(Self::Winograd2),
        }
    }

    /// Points along one side of a tile.
    pub(crate) const fn side(self) -> usize {
        match self {
            Self::Winograd2 => 4,
            Self::Winograd4 => 6,
            Self::Doubling => 3,
        }
    }

    /// Points of a tile: the number of products for its outputs.
    pub(crate) const fn points(self) -> usize {
        self.side() * self.side()
    }

    /// Outputs along one side of a tile.
    pub(crate) const fn outputs(self) -> usize {
        match self {
            Self::Winograd2 | Self::Doubling => 2,
            Self::Winograd4 => 4,
        }
    }

    /// Pixels from one tile to the next.
    pub(crate) const fn step(self) -> usize {
        match self {
            Self::Winograd2 => 2,
            Self::Winograd4 => 4,
            Self::Doubling => 1,
        }
    }

    /// Transforms one side of a kernel; the last elements are unused if a side has fewer points.
    #[inline(always)]
    fn kernel_side(self, [a, b, c]: [f32; 3]) -> [f32; MOST_SIDE] {
        match self {
            Self::Winograd2 => [a, (a + b + c) * 0.5, (a - b + c) * 0.5, c, 0.0, 0.0],
            Self::Winograd4 => {
                // The kernel as a polynomial, at each point, by the product of the point's distances from the others.
                let pair = |at: f32, other: f32| {
                    let (square, by) = (at * at, 2.0 * at * at * (at * at - other * other));
                    let even = a + square * c;
                    [(even + at * b) / by, (even - at * b) / by]
                };
                let ([near, minus_near], [far, minus_far]) = (pair(NEAR, FAR), pair(FAR, NEAR));
                [a / (NEAR * NEAR * FAR * FAR), near, minus_near, far, minus_far, c]
            }
            Self::Doubling => [a, a + b + c, c, 0.0, 0.0, 0.0],
        }
    }

    /// The inverse of `kernel_side`.
    fn kernel_side_back(self, [a, b, c, d, _, f]: [f32; MOST_SIDE]) -> [f32; 3] {
        match self {
            Self::Winograd2 => [a, b - c, d],
            Self::Winograd4 => [a * (NEAR * NEAR * FAR * FAR), (b - c) * NEAR * (NEAR * NEAR - FAR * FAR), f],
            Self::Doubling => [a, b - a - c, c],
        }
    }

    /// Transforms kernels of nine taps into points; the last points are unused if there are fewer. The loops are over kernels, so that they
    /// become vectors.
    #[inline(always)]
    pub(crate) fn kernels<const N: usize>(self, taps: &[[f32; N]; 9]) -> [[f32; N]; MOST_POINTS] {
        let side = self.side();
        let mut rows = [[[0.0; N]; MOST_SIDE]; 3];
        for (row, [a, b, c]) in rows.iter_mut().zip(taps.as_chunks::<3>().0) {
            *row = self.kernel_sides(a, b, c);
        }
        let mut points = [[0.0; N]; MOST_POINTS];
        for x in 0..side {
            let column = self.kernel_sides(&rows[0][x], &rows[1][x], &rows[2][x]);
            for (y, point) in column.iter().enumerate().take(side) {
                points[y * side + x] = *point;
            }
        }
        points
    }

    #[inline(always)]
    fn kernel_sides<const N: usize>(self, a: &[f32; N], b: &[f32; N], c: &[f32; N]) -> [[f32; N]; MOST_SIDE] {
        let mut sides = [[0.0; N]; MOST_SIDE];
        for kernel in 0..N {
            for (point, value) in sides.iter_mut().zip(self.kernel_side([a[kernel], b[kernel], c[kernel]])) {
                point[kernel] = value;
            }
        }
        sides
    }

    /// The inverse of `kernels`, of one kernel.
    pub(crate) fn kernel_back(self, points: &[f32; MOST_POINTS]) -> [f32; 9] {
        let side = self.side();
        let columns: [[f32; 3]; MOST_SIDE] = std::array::from_fn(|x| {
            self.kernel_side_back(std::array::from_fn(|y| if x < side && y < side { points[y * side + x] } else { 0.0 }))
        });
        let mut taps = [0.0; 9];
        for y in 0..3 {
            let row = self.kernel_side_back(columns.map(|column| column[y]));
            taps[3 * y..3 * y + 3].copy_from_slice(&row);
        }
        taps
    }
}
