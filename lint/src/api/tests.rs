//! That what the crate exports is in the tables: its sources are read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use seen::{is_future, name_of_type};
use syn::{File, ImplItem, Item, UseTree, Visibility};

use super::{FUNCTIONS, TYPES, function, type_at};

/// The public modules with something in them that is not exported elsewhere.
const MODULES: &[&str] = &[
    "broadcast",
    "fd",
    "flow",
    "fs",
    "hyper",
    "inspect",
    "net",
    "oneshot",
    "pipe",
    "process",
    "signal",
    "stdio",
    "sync",
    "tcp",
    "testing",
    "tls",
    "tokio",
    "unix",
    "watch",
];

/// The sources of the crate, by their paths below `src`.
struct Sources(BTreeMap<PathBuf, File>);

impl Sources {
    fn read() -> Sources {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
        let mut all = BTreeMap::new();
        for path in crate::files::find(std::slice::from_ref(&root)).files {
            let text = fs::read_to_string(&path).unwrap();
            let below = path.strip_prefix(&root).unwrap().to_owned();
            all.insert(below, syn::parse_file(&text).unwrap());
        }
        Sources(all)
    }

    /// The file of a module, wherever it is.
    fn module(&self, name: &str) -> Option<&File> {
        let ends = [format!("{name}/mod.rs"), format!("{name}.rs")];
        let is_it = |path: &&PathBuf| ends.iter().any(|end| path.ends_with(end));
        self.0.keys().find(is_it).map(|path| &self.0[path])
    }

    fn items(&self) -> impl Iterator<Item = &Item> {
        self.0.values().flat_map(|file| &file.items)
    }

    /// Adds the paths that a file exports, below the path of its module.
    fn exports(&self, file: &File, above: &str, to: &mut BTreeSet<String>) {
        for item in &file.items {
            match item {
                Item::Use(import) if is_public(&import.vis) => {
                    for name in leaves(&import.tree) {
                        self.export(&name, above, to);
                    }
                }
                Item::Mod(module) if is_public(&module.vis) && module.ident != "guide" => {
                    self.export(&module.ident.to_string(), above, to);
                }
                Item::Fn(function) if is_public(&function.vis) => {
                    to.insert(format!("{above}{}", function.sig.ident));
                }
                _ => {}
            }
        }
    }

    fn export(&self, name: &str, above: &str, to: &mut BTreeSet<String>) {
        to.insert(format!("{above}{name}"));
        if MODULES.contains(&name) {
            let file = self.module(name).unwrap_or_else(|| panic!("there is no module `{name}`"));
            self.exports(file, &format!("{above}{name}::"), to);
        }
    }
}

/// The paths below `seedbed` of what it exports.
fn exported(sources: &Sources) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    sources.exports(&sources.0[Path::new("lib.rs")], "", &mut all);
    assert!(all.len() > 100, "only {all:?}");
    all
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn leaves(tree: &UseTree) -> Vec<String> {
    match tree {
        // Those of other crates.
        UseTree::Path(path) if path.ident == "hyper" => Vec::new(),
        UseTree::Name(name) if name.ident == "rustls" => Vec::new(),
        UseTree::Path(path) => leaves(&path.tree),
        UseTree::Name(name) => vec![name.ident.to_string()],
        UseTree::Rename(rename) => vec![rename.rename.to_string()],
        UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
        UseTree::Glob(_) => Vec::new(),
    }
}

#[test]
fn every_public_function_is_known() {
    let sources = Sources::read();
    let last = |path: &String| path.rsplit("::").next().unwrap().to_owned();
    let is_lower = |path: &String| last(path).starts_with(|first: char| first.is_lowercase());
    let is_known = |path: &String| {
        function(path).is_some() || MODULES.contains(&&*last(path)) || path == "guide"
    };
    let mut unknown: Vec<_> = exported(&sources).into_iter().filter(is_lower).collect();
    unknown.retain(|path| !is_known(path));
    assert!(
        unknown.is_empty(),
        "seedbed exports functions or modules that are not in `lint/src/api/mod.rs`: {unknown:?}; say there \
         whether a cancellation may come out of them, and what they do with the closures and \
         futures that they are given"
    );
}

#[test]
fn every_operation_of_a_type_is_known() {
    let sources = Sources::read();
    let exported = exported(&sources);
    let types: BTreeSet<&str> = exported
        .iter()
        .filter_map(|path| path.rsplit("::").next())
        .filter(|name| name.starts_with(|first: char| first.is_ascii_uppercase()))
        .collect();
    let mut unknown = Vec::new();
    for item in sources.items() {
        let Item::Impl(block) = item else { continue };
        let Some(of) = name_of_type(&block.self_ty).filter(|of| types.contains(of.as_str())) else {
            continue;
        };
        for item in &block.items {
            let ImplItem::Fn(method) = item else { continue };
            if !is_public(&method.vis) || !is_future(&method.sig, &sources) {
                continue;
            }
            let name = method.sig.ident.to_string();
            if !is_operation(&of, &name) {
                unknown.push(format!("{of}::{name}"));
            }
        }
    }
    assert!(
        unknown.is_empty(),
        "methods that return futures are not in `lint/src/api/mod.rs`: {unknown:?}"
    );
}

/// Whether some type of that name has the operation, or it is an associated function of one of that
/// kind, or is something else.
fn is_operation(of: &str, name: &str) -> bool {
    let named = |path: &str| path.rsplit("::").next() == Some(of);
    TYPES.iter().any(|known| named(known.path) && known.operations.contains(&name))
        || FUNCTIONS.iter().any(|known| known.path.ends_with(&format!("::{name}")))
        // A yield has a rule of its own. A task's failure is its nursery's, awaited or not.
        || super::yields(name)
        || matches!((of, name), ("Nursery" | "NamedTask", "spawn"))
}

#[test]
fn tables_are_in_order_and_their_types_are_told_apart() {
    assert!(FUNCTIONS.is_sorted_by(|a, b| a.path < b.path));
    for (i, one) in TYPES.iter().enumerate() {
        assert!(TYPES[i + 1..].iter().all(|other| other.path != one.path), "{}", one.path);
        assert!(type_at(one.path).is_some());
    }
}

/// What can be seen of types without more than `syn` has.
mod seen {
    use syn::{Item, ReturnType, Signature, Type, TypeParamBound};

    use super::Sources;

    pub fn name_of_type(of: &Type) -> Option<String> {
        match of {
            Type::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
            _ => None,
        }
    }

    /// Whether what is returned can be awaited.
    pub fn is_future(signature: &Signature, sources: &Sources) -> bool {
        let ReturnType::Type(_, output) = &signature.output else { return false };
        signature.asyncness.is_some()
            || match &**output {
                Type::ImplTrait(of) => of.bounds.iter().any(|bound| match bound {
                    TypeParamBound::Trait(bound) => {
                        bound.path.segments.last().is_some_and(|last| last.ident == "Future")
                    }
                    _ => false,
                }),
                other => name_of_type(other).is_some_and(|name| implements_future(&name, sources)),
            }
    }

    fn implements_future(name: &str, sources: &Sources) -> bool {
        sources.items().any(|item| match item {
            Item::Impl(block) => {
                let of = block.trait_.as_ref().and_then(|(_, path, _)| path.segments.last());
                of.is_some_and(|of| of.ident == "Future")
                    && name_of_type(&block.self_ty).as_deref() == Some(name)
            }
            _ => false,
        })
    }
}
