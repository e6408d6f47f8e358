//! `use` declarations, item by item.

use syn::{ItemUse, UseTree};

use super::{Segments, plain};

/// One thing that a `use` declaration brings in.
pub enum Imported {
    /// A name, and the path that it stands for.
    Name(String, Segments),
    /// All that is at a path.
    Glob(Segments),
}

pub fn of(import: &ItemUse) -> Vec<Imported> {
    let mut all = Vec::new();
    let path = Segments { names: Vec::new(), rooted: import.leading_colon.is_some() };
    add(&import.tree, path, &mut all);
    all
}

fn add(tree: &UseTree, mut path: Segments, all: &mut Vec<Imported>) {
    match tree {
        UseTree::Path(part) => {
            path.names.push(plain(&part.ident));
            add(&part.tree, path, all);
        }
        UseTree::Name(name) => {
            let name = plain(&name.ident);
            if name != "self" {
                path.names.push(name);
            }
            if let Some(last) = path.names.last() {
                all.push(Imported::Name(last.clone(), path));
            }
        }
        UseTree::Rename(rename) => {
            if rename.ident != "self" {
                path.names.push(plain(&rename.ident));
            }
            // `as _` brings in a trait without a name.
            if rename.rename != "_" {
                all.push(Imported::Name(plain(&rename.rename), path));
            }
        }
        UseTree::Glob(_) => all.push(Imported::Glob(path)),
        UseTree::Group(group) => {
            for tree in &group.items {
                add(tree, path.clone(), all);
            }
        }
    }
}
