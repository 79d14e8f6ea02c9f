//! NumPy arrays from files, whatever type they hold: `.npy`, and `.npz` with the name of an array.

use std::fmt;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use half::f16;
use ndarray::{ArrayD, ArrayViewD, Axis, Dimension};
use ndarray_npy::{ViewElement, ViewNpyError, ViewNpyExt, WritableElement, WriteNpyExt};

use crate::error::Error;
use crate::files;

/// The largest array of an `.npz`, in bytes: a small file can promise more than any machine holds.
const MAX_BYTES: u64 = 4 << 30;

/// An array in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    /// bool
    Bool(ArrayD<bool>),
    /// uint8
    U8(ArrayD<u8>),
    /// Every other integer.
    Int(ArrayD<i64>),
    /// float32, and float16, whose every number is one of float32.
    F32(ArrayD<f32>),
    /// float64
    F64(ArrayD<f64>),
}

/// An array with its type as NumPy names it.
#[derive(Debug, Clone, PartialEq)]
pub struct NpyFile {
    /// The file, and which array of it.
    pub path: PathBuf,
    /// As in "float32".
    pub dtype: &'static str,
    /// The numbers.
    pub array: Array,
}

/// Why an array cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NpyError {
    /// The operating system refused.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] Error),
}

impl NpyFile {
    /// Reads `FILE.npy`, `FILE.npz` if it holds a single array, or `FILE.npz:NAME`.
    ///
    /// # Errors
    /// [`NpyError`] naming the file. A header that promises more than the file holds is an error and never an
    /// allocation.
    pub fn open(path: &Path) -> Result<Self, NpyError> {
        let read = |file: &Path| {
            std::fs::read(file).map_err(|source| NpyError::Read { path: file.to_owned(), source })
        };
        // What exists is a file, whatever its name.
        let named = path.to_str().filter(|_| !path.exists()).and_then(|text| text.rsplit_once(".npz:"));
        if let Some((stem, name)) = named {
            let file = PathBuf::from(format!("{stem}.npz"));
            return Self::decode_npy(path, &member(&read(&file)?, Some(name), &file)?);
        }
        Self::decode(path, &read(path)?)
    }

    /// Decodes the bytes of an `.npy`, or of an `.npz` that holds a single array; `path` is for messages.
    ///
    /// # Errors
    /// As [`NpyFile::open`].
    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Self, NpyError> {
        match bytes.starts_with(b"PK\x03\x04") {
            true => Self::decode_npy(path, &member(bytes, None, path)?),
            false => Self::decode_npy(path, bytes),
        }
    }

    fn decode_npy(path: &Path, bytes: &[u8]) -> Result<Self, NpyError> {
        let problem = |problem: String| NpyError::Content { path: path.to_owned(), problem };
        let bytes = native(bytes).map_err(&problem)?;
        let Native { bytes, code, .. } = &bytes;
        let (dtype, array) = match &code[1..] {
            "b1" => ("bool", view::<bool>(bytes).map(Array::Bool)),
            "i1" => ("int8", view::<i8>(bytes).map(|a| Array::Int(a.mapv(i64::from)))),
            "u1" => ("uint8", view::<u8>(bytes).map(Array::U8)),
            "i2" => ("int16", view::<i16>(bytes).map(|a| Array::Int(a.mapv(i64::from)))),
            "u2" => ("uint16", view::<u16>(bytes).map(|a| Array::Int(a.mapv(i64::from)))),
            "i4" => ("int32", view::<i32>(bytes).map(|a| Array::Int(a.mapv(i64::from)))),
            "u4" => ("uint32", view::<u32>(bytes).map(|a| Array::Int(a.mapv(i64::from)))),
            "i8" => ("int64", view::<i64>(bytes).map(Array::Int)),
            "u8" => {
                let array = view::<u64>(bytes).map_err(&problem)?;
                if let Some((at, value)) =
                    array.indexed_iter().find(|(_, value)| i64::try_from(**value).is_err())
                {
                    let at = at.slice().to_vec();
                    return Err(problem(format!("holds {value} at {at:?}, beyond every label")));
                }
                ("uint64", Ok(Array::Int(array.mapv(|value| value as i64))))
            }
            // Read as the integers of their bits.
            "f2" => {
                let widen = |bits: u16| f16::from_bits(bits).to_f32();
                ("float16", view::<u16>(bytes).map(|a| Array::F32(a.mapv(widen))))
            }
            "f4" => ("float32", view::<f32>(bytes).map(Array::F32)),
            "f8" => ("float64", view::<f64>(bytes).map(Array::F64)),
            other => {
                return Err(problem(format!(
                    "holds elements of type {other}; expected bool, integers, float16, float32 or float64"
                )));
            }
        };
        Ok(Self { path: path.to_owned(), dtype, array: array.map_err(problem)? })
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        match &self.array {
            Array::Bool(array) => array.shape(),
            Array::U8(array) => array.shape(),
            Array::Int(array) => array.shape(),
            Array::F32(array) => array.shape(),
            Array::F64(array) => array.shape(),
        }
    }

    /// The same with an axis of length 1 before the axis `at`.
    ///
    /// # Panics
    /// If it has fewer axes than `at`.
    pub fn insert_axis(&self, at: usize) -> Self {
        let axis = Axis(at);
        let array = match self.array.clone() {
            Array::Bool(array) => Array::Bool(array.insert_axis(axis)),
            Array::U8(array) => Array::U8(array.insert_axis(axis)),
            Array::Int(array) => Array::Int(array.insert_axis(axis)),
            Array::F32(array) => Array::F32(array.insert_axis(axis)),
            Array::F64(array) => Array::F64(array.insert_axis(axis)),
        };
        Self { array, ..self.clone() }
    }

    /// Its numbers in row-major order, whatever their type.
    pub fn numbers(&self) -> Vec<f64> {
        match &self.array {
            Array::Bool(array) => array.iter().map(|&x| f64::from(u8::from(x))).collect(),
            Array::U8(array) => array.iter().map(|&x| x.into()).collect(),
            Array::Int(array) => array.iter().map(|&x| x as f64).collect(),
            Array::F32(array) => array.iter().map(|&x| x.into()).collect(),
            Array::F64(array) => array.iter().copied().collect(),
        }
    }

    /// The error for an array of a type that is not `expected`.
    pub fn unexpected_type(&self, expected: impl fmt::Display) -> NpyError {
        self.problem(format!("holds {}; expected {expected}", self.dtype))
    }

    /// An error about this array.
    pub fn problem(&self, problem: impl Into<String>) -> NpyError {
        NpyError::Content { path: self.path.clone(), problem: problem.into() }
    }
}

/// An `.npy` in this machine's byte order.
struct Native {
    /// With the bits of 16-bit floats as unsigned integers.
    bytes: Vec<u8>,
    /// As NumPy writes it: byte order, letter, size.
    code: String,
}

/// Turns the numbers of an `.npy` into this machine's byte order, and floats of 16 bits into integers, which have
/// an element type here. Everything else is left to the reader of the format.
fn native(bytes: &[u8]) -> Result<Native, String> {
    let broken = || "not a NumPy array: its header cannot be read".to_owned();
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err("not a NumPy array: it does not begin as one".to_owned());
    }
    let little = |at: std::ops::Range<usize>| bytes.get(at).ok_or_else(broken);
    let (start, length): (usize, usize) = match bytes.get(6) {
        Some(1) => (10, usize::from(u16::from_le_bytes(little(8..10)?.try_into().map_err(|_| broken())?))),
        _ => (12, u32::from_le_bytes(little(8..12)?.try_into().map_err(|_| broken())?) as usize),
    };
    let data = start.checked_add(length).filter(|&data| data <= bytes.len()).ok_or_else(broken)?;
    let header = std::str::from_utf8(&bytes[start..data]).map_err(|_| broken())?;
    let quoted = header.split_once("descr").and_then(|(_, rest)| rest.split_once(':')).ok_or_else(broken)?.1;
    let quote = quoted.find(['\'', '"', '[']).ok_or_else(broken)?;
    if quoted[quote..].starts_with('[') {
        return Err("holds records; save one of their fields".to_owned());
    }
    let code: String = quoted[quote + 1..].chars().take_while(|c| !"'\"".contains(*c)).collect();
    if code.len() < 3 || !code.is_ascii() {
        return Err(format!("holds elements of type `{code}`, which cannot be read"));
    }
    // The reader of the format multiplies the sizes before it looks for an empty one.
    let shape = header.split_once("shape").and_then(|(_, rest)| rest.split_once('(')?.1.split_once(')'));
    let sizes =
        shape.map_or("", |(sizes, _)| sizes).split(',').map(str::trim).filter(|size| !size.is_empty());
    let product = sizes.map(|size| size.parse::<usize>().ok()).try_fold(1_usize, |product, size| {
        product.checked_mul(size?.max(1)).filter(|&product| isize::try_from(product).is_ok())
    });
    if product.is_none() {
        return Err("its header promises more elements than any memory holds".to_owned());
    }
    // Where the code stands: the header is ASCII up to here, or the search above found another quote.
    let at = start + (header.len() - quoted.len()) + quote + 1;
    let mut native = bytes.to_vec();
    let order = if cfg!(target_endian = "little") { b'<' } else { b'>' };
    let size: usize = code[2..].parse().unwrap_or(1);
    if matches!(code.as_bytes()[0], b'<' | b'>') && code.as_bytes()[0] != order {
        native[at] = order;
        native[data..].chunks_exact_mut(size.max(1)).for_each(<[u8]>::reverse);
    }
    if &code[1..] == "f2" {
        native[at + 1] = b'u';
    }
    Ok(Native { bytes: native, code })
}

/// The array if the bytes hold elements of this type, in row-major order.
fn view<A: ViewElement + Clone>(bytes: &[u8]) -> Result<ArrayD<A>, String> {
    match ArrayViewD::<A>::view_npy(bytes) {
        Ok(view) => Ok(view.as_standard_layout().into_owned()),
        Err(ViewNpyError::MissingBytes(missing)) => {
            Err(format!("truncated: {missing} bytes of the array are missing"))
        }
        Err(ViewNpyError::MisalignedData) => {
            Err("its header is not padded as the NPY format asks; save it again with numpy.save".to_owned())
        }
        Err(other) => Err(format!("not a usable NumPy array: {other}")),
    }
}

/// The largest `.npz` that is unpacked as a whole, in bytes of its arrays, and how many there may be.
const MAX_UNPACKED: u64 = 1 << 29;
const MAX_ARRAYS: usize = 2000;

/// Every array of an `.npz`, by name, in the file's order.
///
/// # Errors
/// [`NpyError`] naming the file and the array. What is unpacked is bounded, whatever the file promises.
pub fn open_all(path: &Path) -> Result<Vec<(String, NpyFile)>, NpyError> {
    let problem = |problem: String| NpyError::Content { path: path.to_owned(), problem };
    let broken = |error: zip::result::ZipError| problem(format!("not a whole .npz file: {error}"));
    let size =
        std::fs::metadata(path).map_err(|source| NpyError::Read { path: path.to_owned(), source })?.len();
    if size > MAX_UNPACKED {
        return Err(problem(format!("is larger than {} MiB", MAX_UNPACKED >> 20)));
    }
    let bytes = std::fs::read(path).map_err(|source| NpyError::Read { path: path.to_owned(), source })?;
    if !bytes.starts_with(b"PK\x03\x04") {
        return Err(problem("is no .npz file; write one with numpy.savez".to_owned()));
    }
    let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).map_err(broken)?;
    if archive.len() > MAX_ARRAYS {
        return Err(problem(format!("holds {} arrays; at most {MAX_ARRAYS} are read", archive.len())));
    }
    let (mut arrays, mut left) = (Vec::new(), MAX_UNPACKED);
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        let name = name.strip_suffix(".npy").unwrap_or(&name).to_owned();
        let mut content = Vec::new();
        // The promised size is a promise only.
        entry
            .take(left + 1)
            .read_to_end(&mut content)
            .map_err(|error| problem(format!("array {name} cannot be unpacked: {error}")))?;
        left = left.checked_sub(content.len() as u64).ok_or_else(|| {
            problem(format!("its arrays take more than {} MiB; save a smaller batch", MAX_UNPACKED >> 20))
        })?;
        let named = PathBuf::from(format!("{}:{name}", path.display()));
        arrays.push((name, NpyFile::decode_npy(&named, &content)?));
    }
    Ok(arrays)
}

/// The bytes of one array of an `.npz`.
fn member(bytes: &[u8], name: Option<&str>, path: &Path) -> Result<Vec<u8>, NpyError> {
    let problem = |problem: String| NpyError::Content { path: path.to_owned(), problem };
    let broken = |error: zip::result::ZipError| problem(format!("not a whole .npz file: {error}"));
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let mut names = Vec::new();
    for name in archive.file_names() {
        let name = name.map_err(broken)?;
        names.push(name.strip_suffix(".npy").unwrap_or(&name).to_owned());
    }
    let index = match name {
        Some(name) => names
            .iter()
            .position(|known| known == name)
            .ok_or_else(|| problem(format!("holds no array called {name}; it holds {}", names.join(", "))))?,
        None if names.len() == 1 => 0,
        None if names.is_empty() => return Err(problem("holds no array".to_owned())),
        None => {
            let first = &names[0];
            let (file, all) = (path.display(), names.join(", "));
            return Err(problem(format!("holds the arrays {all}; name one, as in {file}:{first}")));
        }
    };
    let mut entry = archive.by_index(index).map_err(broken)?;
    if entry.size() > MAX_BYTES {
        return Err(problem(format!("array {} is larger than {MAX_BYTES} bytes", names[index])));
    }
    let mut content = Vec::new();
    // The promised size is a promise only.
    let limit = entry.size() + 1;
    (&mut entry)
        .take(limit)
        .read_to_end(&mut content)
        .map_err(|error| problem(format!("array {} cannot be unpacked: {error}", names[index])))?;
    Ok(content)
}

/// Writes an array so that the file is either the old one or the whole new one.
///
/// # Errors
/// [`NpyError::Write`].
pub fn write<A: WritableElement>(path: &Path, array: &ArrayD<A>) -> Result<(), NpyError> {
    let mut bytes = Vec::new();
    array
        .write_npy(&mut bytes)
        .map_err(|error| NpyError::Content { path: path.to_owned(), problem: error.to_string() })?;
    Ok(files::write_atomic(path, &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use std::io::Write;

    fn npy<A: WritableElement>(array: &ndarray::Array2<A>) -> Vec<u8> {
        let mut bytes = Vec::new();
        array.write_npy(&mut bytes).unwrap();
        bytes
    }

    /// The same with another type in its header, and its data.
    fn typed(code: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{code}', 'fortran_order': False, 'shape': (1, 2), }}");
        let header = format!("{header:<117}\n");
        [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes(), header.as_bytes(), data].concat()
    }

    fn read(bytes: &[u8]) -> Result<NpyFile, String> {
        NpyFile::decode(Path::new("z.npy"), bytes).map_err(|error| error.to_string())
    }

    #[test]
    fn every_type_and_byte_order_is_read() {
        let int = |values: [i64; 2]| Array::Int(array![values].into_dyn());
        for (code, data, dtype, expected) in [
            ("|i1", &[1, 0xFF][..], "int8", int([1, -1])),
            ("<i2", &[1, 0, 0, 0x80], "int16", int([1, -32_768])),
            (">i2", &[0, 1, 0x80, 0], "int16", int([1, -32_768])),
            ("<u2", &[1, 0, 0xFF, 0xFF], "uint16", int([1, 65_535])),
            ("<u4", &[1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF], "uint32", int([1, 4_294_967_295])),
            (">i4", &[0, 0, 0, 7, 0xFF, 0xFF, 0xFF, 0xFE], "int32", int([7, -2])),
            (">u8", &[0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 1, 0], "uint64", int([7, 256])),
            ("<f2", &[0, 0x3C, 0, 0xC2], "float16", Array::F32(array![[1.0_f32, -3.0]].into_dyn())),
            (">f2", &[0x3C, 0, 0xC2, 0], "float16", Array::F32(array![[1.0_f32, -3.0]].into_dyn())),
            (
                ">f4",
                &[0x3F, 0x80, 0, 0, 0xC0, 0, 0, 0],
                "float32",
                Array::F32(array![[1.0_f32, -2.0]].into_dyn()),
            ),
            ("|b1", &[1, 0], "bool", Array::Bool(array![[true, false]].into_dyn())),
            ("|u1", &[1, 255], "uint8", Array::U8(array![[1_u8, 255]].into_dyn())),
        ] {
            let file = read(&typed(code, data)).unwrap();
            assert_eq!((file.dtype, &file.array), (dtype, &expected), "{code}");
        }
        let doubles = read(&npy(&array![[0.5_f64, 2.0]])).unwrap();
        assert_eq!(doubles.array, Array::F64(array![[0.5_f64, 2.0]].into_dyn()));
    }

    #[test]
    fn columns_first_becomes_rows_first() {
        let mut fortran = typed("|u1", &[1, 2]);
        let text =
            String::from_utf8_lossy(&fortran[10..128]).replace("False", "True ").replace("(1, 2)", "(2, 1)");
        fortran[10..128].copy_from_slice(text.as_bytes());
        assert_eq!(read(&fortran).unwrap().array, Array::U8(array![[1_u8], [2]].into_dyn()));
    }

    #[test]
    fn what_cannot_be_read_is_one_line() {
        for (bytes, words) in [
            (b"PNG".to_vec(), "does not begin as one"),
            (b"\x93NUMPY\x01\x00\xFF\xFF".to_vec(), "header cannot be read"),
            (typed("<c8", &[0; 16]), "holds elements of type c8; expected bool, integers"),
            (typed("<U1", &[0; 8]), "holds elements of type U1"),
            (typed("|O", &[0; 8]), "holds elements of type `|O`"),
            (typed("<f4", &[0; 7]), "truncated: 1 bytes"),
            (typed("|b1", &[2, 0]), "not a usable NumPy array"),
            (typed("<u8", &[0xFF; 16]), "holds 18446744073709551615 at [0, 0]"),
        ] {
            let text = read(&bytes).unwrap_err();
            assert!(text.starts_with("z.npy: ") && text.contains(words) && !text.contains('\n'), "{text}");
        }
        // Sizes whose product overflows, beside one of 0.
        let text = String::from_utf8_lossy(&typed("<f4", &[])[10..128])
            .replace(&format!("{:<31}", "(1, 2), }"), "(0, 18446744073709551615, 8), }");
        let overflow = [&typed("<f4", &[])[..10], text.as_bytes()].concat();
        assert!(read(&overflow).unwrap_err().contains("more elements than any memory holds"), "{text}");
        // A header that promises 2⁶⁰ numbers.
        let mut hostile = typed("<f4", &[0; 8]);
        let text = String::from_utf8_lossy(&hostile[10..128]).replace("(1, 2)", "(1152921504606846976, 2)");
        hostile.splice(10..128, text.as_bytes()[..118].iter().copied());
        assert!(read(&hostile).is_err());
    }

    #[test]
    fn arrays_are_found_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let save = |names: &[(&str, zip::CompressionMethod)]| {
            let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
            for (i, &(name, method)) in names.iter().enumerate() {
                let options = zip::write::SimpleFileOptions::default().compression_method(method);
                archive.start_file(format!("{name}.npy"), options).unwrap();
                archive.write_all(&npy(&array![[i as f64]])).unwrap();
            }
            archive.finish().unwrap();
        };
        let open = |suffix: &str| {
            NpyFile::open(Path::new(&format!("{}{suffix}", path.display())))
                .map_err(|error| error.to_string())
        };
        save(&[("z", zip::CompressionMethod::Stored), ("y", zip::CompressionMethod::Deflated)]);
        assert_eq!(open(":z").unwrap().array, Array::F64(array![[0.0]].into_dyn()));
        assert_eq!(open(":y").unwrap().array, Array::F64(array![[1.0]].into_dyn()));
        assert!(open("").unwrap_err().contains("holds the arrays z, y; name one, as in"));
        assert!(open(":x").unwrap_err().contains("holds no array called x; it holds z, y"));
        save(&[("alone", zip::CompressionMethod::Deflated)]);
        assert_eq!(open("").unwrap().array, Array::F64(array![[0.0]].into_dyn()));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(open("").unwrap_err().contains("not a whole .npz file"));
        assert!(open(":z").unwrap_err().contains("not a whole .npz file"));
        std::fs::remove_file(&path).unwrap();
        assert!(open(":z").unwrap_err().starts_with("cannot read "));
    }
}
