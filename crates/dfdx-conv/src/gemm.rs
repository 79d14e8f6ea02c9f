//! Matrix products, bounds-checked: `C += A·B` on strided views.
//!
//! Always single-threaded. This crate splits its work into blocks that depend on the shapes alone and
//! gives whole blocks to threads, which is why results do not depend on the number of threads.

use gemm::Parallelism;

use crate::Element;

/// A read-only matrix: element (i, j) is `data[i·row_stride + j·column_stride]`.
///
/// Rows may overlap (`row_stride < columns`): that is how three neighbouring pixels of a padded image
/// become one row of a convolution's matrix without being copied.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, E> {
    data: &'a [E],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, E: Element> Matrix<'a, E> {
    /// Rows of `columns` neighbours, `row_stride` apart.
    pub(crate) fn rows(data: &'a [E], rows: usize, columns: usize, row_stride: usize) -> Self {
        let matrix = Self { data, rows, columns, row_stride, column_stride: 1 };
        assert!(matrix.end() <= data.len(), "matrix {rows}×{columns} (stride {row_stride}) exceeds its data");
        matrix
    }

    /// The matrix with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// One past the largest index of an element.
    fn end(&self) -> usize {
        if self.rows == 0 || self.columns == 0 {
            return 0;
        }
        (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride + 1
    }
}

/// `output += a·b`, where `output` is row-major and dense.
pub(crate) fn add_product<E: Element>(output: &mut [E], a: Matrix<'_, E>, b: Matrix<'_, E>) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert_eq!(b.rows, k, "inner dimensions");
    assert_eq!(output.len(), m * n, "size of the product");
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    // SAFETY: `gemm` reads a at i·rs + j·cs for i < m, j < k and b likewise for k × n, all inside their
    // slices (checked when the views were made); it writes `output` at i·n + j for i < m, j < n, inside
    // by the assertion above and not aliased by a or b, as it is borrowed exclusively. `Element` is
    // sealed to f32 and f64, types that `gemm` accepts.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            output.as_mut_ptr(),
            1,
            n as isize,
            true,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            E::one(),
            E::one(),
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
