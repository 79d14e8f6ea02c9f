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
    product(output, true, a, b);
}

/// `output = a·b`, where `output` is row-major and dense.
pub(crate) fn write_product<E: Element>(output: &mut [E], a: Matrix<'_, E>, b: Matrix<'_, E>) {
    product(output, false, a, b);
}

fn product<E: Element>(output: &mut [E], add: bool, a: Matrix<'_, E>, b: Matrix<'_, E>) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    assert_eq!(b.rows, k, "inner dimensions");
    assert_eq!(output.len(), m * n, "size of the product");
    if m == 0 || n == 0 {
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
            add,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_overlapping_and_transposed_matrices() {
        // Rows 1 2, 2 3, 3 4 overlap in memory.
        let a = Matrix::rows(&[1.0, 2.0, 3.0, 4.0], 3, 2, 1);
        let b = Matrix::rows(&[1.0, 10.0], 2, 1, 1);
        let mut output = [100.0; 3];
        add_product(&mut output, a, b);
        assert_eq!(output, [121.0, 132.0, 143.0]);
        write_product(&mut output[..2], a.transposed(), Matrix::rows(&[1.0, 1.0, 1.0], 3, 1, 1));
        assert_eq!(output, [6.0, 9.0, 143.0]);
        // An empty sum is zero.
        write_product(&mut output, Matrix::rows(&[], 3, 0, 0), Matrix::rows(&[], 0, 1, 1));
        assert_eq!(output, [0.0; 3]);
    }

    /// What the safety of the product rests on.
    #[test]
    fn a_view_ends_with_its_last_element() {
        // Three rows of two, three apart: 0 1 . 3 4 . 6 7
        let matrix = Matrix::rows(&[0.0; 8], 3, 2, 3);
        assert_eq!((matrix.end(), matrix.transposed().end()), (8, 8));
        assert_eq!(Matrix::rows(&[0.0; 8], 1, 2, 3).end(), 2);
        assert_eq!(
            (Matrix::<f64>::rows(&[], 0, 2, 3).end(), Matrix::<f64>::rows(&[], 3, 0, 3).end()),
            (0, 0)
        );
    }

    #[test]
    #[should_panic(expected = "exceeds its data")]
    fn a_view_beyond_its_data_is_refused() {
        let _ = Matrix::rows(&[1.0, 2.0, 3.0], 3, 2, 1);
    }
}
