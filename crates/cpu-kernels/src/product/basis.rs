//! A change of basis for 3x3 kernels; [`crate::winograd`] multiplies in it.

/// The bases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Basis {
    /// Winograd's F(2x2, 3x3).
    Winograd,
    /// Nearest-neighbour doubling of the image followed by the kernel.
    Doubling,
}

impl Basis {
    /// Points along one side of a tile.
    pub(crate) fn side(self) -> usize {
        match self {
            Self::Winograd => 4,
            Self::Doubling => 3,
        }
    }

    /// Points of a tile: the number of products for its four outputs.
    pub(crate) fn points(self) -> usize {
        self.side() * self.side()
    }

    /// Pixels from one tile to the next.
    pub(crate) fn step(self) -> usize {
        match self {
            Self::Winograd => 2,
            Self::Doubling => 1,
        }
    }

    /// Transforms one side of a kernel; the last element is unused if a side has three points.
    fn kernel_side(self, [a, b, c]: [f32; 3]) -> [f32; 4] {
        match self {
            Self::Winograd => [a, (a + b + c) * 0.5, (a - b + c) * 0.5, c],
            Self::Doubling => [a, a + b + c, c, 0.0],
        }
    }

    /// The inverse of `kernel_side`.
    fn kernel_side_back(self, [a, b, c, d]: [f32; 4]) -> [f32; 3] {
        match self {
            Self::Winograd => [a, b - c, d],
            Self::Doubling => [a, b - a - c, c],
        }
    }

    /// Transforms a kernel of nine taps into points.
    pub(crate) fn kernel(self, taps: [f32; 9]) -> [f32; 16] {
        let side = self.side();
        let rows: [[f32; 4]; 3] = std::array::from_fn(|y| self.kernel_side([taps[3 * y], taps[3 * y + 1], taps[3 * y + 2]]));
        let mut points = [0.0; 16];
        for x in 0..side {
            let column = self.kernel_side([rows[0][x], rows[1][x], rows[2][x]]);
            for y in 0..side {
                points[y * side + x] = column[y];
            }
        }
        points
    }

    /// The inverse of `kernel`.
    pub(crate) fn kernel_back(self, points: [f32; 16]) -> [f32; 9] {
        let side = self.side();
        let columns: [[f32; 3]; 4] = std::array::from_fn(|x| {
            let at = |y: usize| if x < side && y < side { points[y * side + x] } else { 0.0 };
            self.kernel_side_back([at(0), at(1), at(2), at(3)])
        });
        let mut taps = [0.0; 9];
        for y in 0..3 {
            let row = self.kernel_side_back([columns[0][y], columns[1][y], columns[2][y], columns[3][y]]);
            taps[3 * y..3 * y + 3].copy_from_slice(&row);
        }
        taps
    }
}
