//! The Rust files at and below the paths that were asked for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A path that cannot be judged, and why.
#[derive(Debug)]
pub struct Unreadable {
    pub path: PathBuf,
    pub why: String,
}

/// What was found: the files in the order of their paths, each once.
#[derive(Debug, Default)]
pub struct Files {
    pub files: Vec<PathBuf>,
    pub unreadable: Vec<Unreadable>,
}

/// Finds the Rust files. Folders are searched, except those called `target` and hidden ones, and
/// links to other folders are not followed. What is named has to be a Rust file, or a folder with
/// some in it.
pub fn find(paths: &[PathBuf]) -> Files {
    let mut found = Found::default();
    for path in paths {
        let before = found.files.len() + found.doubles;
        if path.is_dir() {
            found.add_folder(path);
            if found.files.len() + found.doubles == before && found.unreadable.is_empty() {
                found.fail(path, "there is no Rust file in this folder");
            }
        } else if !path.exists() {
            found.fail(path, "there is no such file or folder");
        } else if is_rust(path) {
            found.add(path);
        } else {
            found.fail(path, "this is not a Rust file");
        }
    }
    let mut files: Vec<PathBuf> = found.files.into_values().collect();
    files.sort();
    Files { files, unreadable: found.unreadable }
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

#[derive(Default)]
struct Found {
    /// By their real paths, so that none is judged twice.
    files: BTreeMap<PathBuf, PathBuf>,
    doubles: usize,
    unreadable: Vec<Unreadable>,
}

impl Found {
    fn add(&mut self, path: &Path) {
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if self.files.insert(real, path.to_owned()).is_some() {
            self.doubles += 1;
        }
    }

    fn add_folder(&mut self, folder: &Path) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.fail(folder, &error.to_string()),
        };
        for entry in entries {
            let (path, kind) = match entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))
            {
                Ok(entry) => entry,
                Err(error) => {
                    self.fail(folder, &error.to_string());
                    continue;
                }
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if kind.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    self.add_folder(&path);
                }
            } else if is_rust(&path) && path.is_file() {
                self.add(&path);
            }
        }
    }

    fn fail(&mut self, path: &Path, why: &str) {
        self.unreadable.push(Unreadable { path: path.to_owned(), why: why.to_owned() });
    }
}
