//! Files that are never half written.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// How the name of a file begins that is being written; a crash may leave one behind.
pub(crate) const BESIDE: &str = ".writing-";

/// Writes `bytes` to `path` so that a reader, or a crash at any moment, meets the whole old file or the
/// whole new one: write beside it, flush to the disk, rename over it, flush the folder.
///
/// # Errors
/// [`Error::Io`] naming `path`; the old file, if there was one, is untouched.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(BESIDE);
    // Opened as any file is: a temporary one would be private, and name itself in errors, where `path` belongs.
    let create = |beside: &Path| fs::OpenOptions::new().write(true).create_new(true).open(beside);
    let mut beside = builder.make_in(folder, create).map_err(Error::io("write", path))?;
    beside.as_file_mut().write_all(bytes).map_err(Error::io("write", path))?;
    beside.as_file().sync_all().map_err(Error::io("write", path))?;
    beside.persist(path).map_err(|e| Error::io("write", path)(e.error))?;
    // The rename itself lives in the folder. Not every file system can flush one; the file is whole anyway.
    #[cfg(unix)]
    if let Ok(folder) = fs::File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Removes a file that may be there.
///
/// # Errors
/// [`Error::Io`].
pub fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(Error::io("read", path))
}

/// Reads a whole file of UTF-8 text.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let bytes = read(path)?;
    let utf16 = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    String::from_utf8(bytes).map_err(|_| {
        let problem = if utf16 { "is UTF-16 text; save it as UTF-8" } else { "is no text in UTF-8" };
        Error::io("read", path)(std::io::Error::new(std::io::ErrorKind::InvalidData, format!("it {problem}")))
    })
}

/// Makes a folder and its parents; one that exists is fine.
///
/// # Errors
/// [`Error::Io`] naming `path`.
pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(Error::io("create the folder", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = write_atomic(Path::new("/no/such/folder/a.txt"), b"").unwrap_err();
        assert_eq!(error.to_string(), "cannot write /no/such/folder/a.txt");
        // The file beside it is nobody's business.
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(!source.contains(BESIDE) && !source.contains("at path"), "{source}");
    }

    #[cfg(unix)]
    #[test]
    fn the_umask_decides_who_may_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let [ours, theirs] = ["a", "b"].map(|name| folder.path().join(name));
        write_atomic(&ours, b"").unwrap();
        fs::write(&theirs, "").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&theirs));
    }
}
