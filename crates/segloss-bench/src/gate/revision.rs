//! Revisions of the project: this one, and the baseline's, built beside it.

use super::command::{build_worker, output};
use crate::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

fn git(root: &Path, words: &[&str]) -> Result<String, Error> {
    output(Command::new("git").arg("-C").arg(root).args(words)).map(|told| told.trim().to_owned())
}

/// The hash of the commit that is checked out.
///
/// # Errors
/// [`Error::Command`] where there is no git, or no history.
pub fn head(root: &Path) -> Result<String, Error> {
    git(root, &["rev-parse", "HEAD"])
}

/// What differs from the commit that is checked out, but for reports: a baseline is of a revision, not of a moment.
///
/// # Errors
/// [`Error::Command`] where there is no git.
pub fn uncommitted(root: &Path) -> Result<Vec<String>, Error> {
    let told = git(root, &["status", "--porcelain", "--", ".", ":(exclude)reports"])?;
    Ok(told.lines().map(str::to_owned).collect())
}

/// The worker of another revision, in a work tree of its own under `folder`, and built there.
///
/// # Errors
/// [`Error::Revision`] if the history does not reach back to it, or it has no worker.
pub fn worker(root: &Path, revision: &str, folder: &Path) -> Result<PathBuf, Error> {
    let trouble = |what: String| Error::Revision { revision: revision.to_owned(), what };
    if git(root, &["cat-file", "-e", &format!("{revision}^{{commit}}")]).is_err() {
        return Err(trouble(
            "not in this clone's history; `git fetch --unshallow` fetches all of it".to_owned(),
        ));
    }
    let tree = folder.join("baseline");
    if !tree.exists() || head(&tree).ok().as_deref() != Some(revision) {
        if tree.exists() {
            std::fs::remove_dir_all(&tree).map_err(Error::file(&tree))?;
        }
        std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
        // Whoever deleted target/ left git's note of the work tree behind.
        git(root, &["worktree", "prune"])?;
        git(root, &["worktree", "add", "--quiet", "--detach", &tree.display().to_string(), revision])?;
    }
    build_worker(&tree, Some(&folder.join("build"))).map_err(|error| trouble(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        git(root, &["init", "--quiet"]).unwrap();
        std::fs::write(root.join("a"), "1").unwrap();
        std::fs::create_dir(root.join("reports")).unwrap();
        std::fs::write(root.join("reports/b"), "1").unwrap();
        git(root, &["add", "."]).unwrap();
        let name = ["-c", "user.name=n", "-c", "user.email=e"];
        git(root, &[&name[..], &["commit", "--quiet", "-m", "m"]].concat()).unwrap();
        folder
    }

    #[test]
    fn reports_may_differ_from_the_revision_and_nothing_else() {
        let folder = repository();
        let root = folder.path();
        assert_eq!(head(root).unwrap().len(), 40);
        std::fs::write(root.join("reports/b"), "2").unwrap();
        std::fs::write(root.join("reports/c"), "2").unwrap();
        assert!(uncommitted(root).unwrap().is_empty());
        std::fs::write(root.join("a"), "2").unwrap();
        assert_eq!(uncommitted(root).unwrap().len(), 1);
        std::fs::write(root.join("d"), "2").unwrap();
        assert_eq!(uncommitted(root).unwrap().len(), 2);
    }

    #[test]
    fn what_is_not_in_the_history_is_trouble() {
        let folder = repository();
        let nowhere = tempfile::tempdir().unwrap();
        let other = "72c595473b0b12457b2d52ef704f41444ac51a98";
        for root in [folder.path(), nowhere.path()] {
            let told = worker(root, other, &root.join("target")).unwrap_err();
            assert!(matches!(&told, Error::Revision { .. }) && told.to_string().contains(other), "{told}");
        }
        assert!(head(nowhere.path()).is_err() && uncommitted(nowhere.path()).is_err());
    }
}
