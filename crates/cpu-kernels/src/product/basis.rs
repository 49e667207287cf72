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
    #[inline(always)]
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

    /// Transforms kernels of nine taps into points; the last points are unused if there are fewer than 16. The loops are over kernels, so
    /// that they become vectors.
    #[inline(always)]
    pub(crate) fn kernels<const N: usize>(self, taps: &[[f32; N]; 9]) -> [[f32; N]; 16] {
        let side = self.side();
        let mut rows = [[[0.0; N]; 4]; 3];
        for (row, [a, b, c]) in rows.iter_mut().zip(taps.as_chunks::<3>().0) {
            *row = self.kernel_sides(a, b, c);
        }
        let mut points = [[0.0; N]; 16];
        for x in 0..side {
            let column = self.kernel_sides(&rows[0][x], &rows[1][x], &rows[2][x]);
            for (y, point) in column.iter().enumerate().take(side) {
                points[y * side + x] = *point;
            }
        }
        points
    }

    #[inline(always)]
    fn kernel_sides<const N: usize>(self, a: &[f32; N], b: &[f32; N], c: &[f32; N]) -> [[f32; N]; 4] {
        let mut sides = [[0.0; N]; 4];
        for kernel in 0..N {
            for (point, value) in sides.iter_mut().zip(self.kernel_side([a[kernel], b[kernel], c[kernel]])) {
                point[kernel] = value;
            }
        }
        sides
    }

    /// The inverse of `kernels`, of one kernel.
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
