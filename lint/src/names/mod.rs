//! What a path in the file means: which of seedbed's names, or which function of the file.
//!
//! | file | concept |
//! |---|---|
//! | `imports` | `use` declarations, item by item |
//! | `functions` | the signatures of the file's functions |
//! | `types` | the type of a parameter, as far as it is one of seedbed's |
//!
//! A table for each module and for each block that has items holds what they declare. Imports are
//! followed when a name is looked up. Where two declarations of a name disagree, or a path leads
//! out of the file (`crate::…`, or `super::…` at the top), it means nothing that is known.

mod functions;
mod imports;
mod types;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use syn::ext::IdentExt;
use syn::{Ident, ImplItem, Item, Path, Signature, TraitItem, TraitItemFn};

use functions::Function;
pub use functions::FunctionId;
pub use types::name as name_of_type;

use crate::api;
use crate::place::Place;
use imports::Imported;

/// One of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableId(usize);

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A path that begins with the name of a crate.
    External(Vec<String>),
    Function(FunctionId),
    Module(TableId),
    /// Something else of the file, or something that cannot be seen from it.
    Unknown,
}

impl Target {
    /// The path below `seedbed`, if it is one of its names.
    pub fn of_seedbed(&self) -> Option<String> {
        match self {
            Target::External(path) if path.first().is_some_and(|first| first == "seedbed") => {
                Some(path[1..].join("::"))
            }
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
enum Entry {
    Is(Target),
    /// A path that has to be followed, from the same table: an import, or an alias of a type.
    Path(Segments),
}

/// A path, with whether it begins with `::`.
#[derive(Clone, Debug)]
struct Segments {
    names: Vec<String>,
    rooted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Module,
    Block,
}

#[derive(Debug)]
struct Table {
    kind: Kind,
    outer: Option<TableId>,
    entries: HashMap<String, Vec<Entry>>,
    globs: Vec<Segments>,
}

/// All tables of a file.
#[derive(Debug, Default)]
pub struct Names {
    tables: Vec<Table>,
    functions: Vec<Function>,
    /// The functions in `impl` blocks and traits, by their names, with the type or trait.
    methods: HashMap<String, Vec<(String, FunctionId)>>,
    /// The types of the fields of structs, by the names of both.
    fields: HashMap<(String, String), (types::Written, TableId)>,
    /// Where the names of modules and functions are declared.
    modules_at: HashMap<Place, TableId>,
    functions_at: HashMap<Place, FunctionId>,
    /// How many more steps the present look-up may take.
    steps: Cell<u32>,
    /// The globs that it has gone through: they do not lead to themselves.
    followed: RefCell<Vec<(TableId, usize)>>,
}

/// How many steps a look-up may take: imports and globs may go round in circles.
const STEPS: u32 = 256;

impl Names {
    /// Reads the items of a module, and of those in it.
    pub fn add_module(&mut self, items: &[Item], outer: Option<TableId>) -> TableId {
        self.add(Kind::Module, items.iter(), outer)
    }

    /// Reads the items of a block.
    pub fn add_block<'a>(
        &mut self,
        items: impl Iterator<Item = &'a Item>,
        outer: TableId,
    ) -> TableId {
        self.add(Kind::Block, items, Some(outer))
    }

    fn add<'a>(
        &mut self,
        kind: Kind,
        items: impl Iterator<Item = &'a Item>,
        outer: Option<TableId>,
    ) -> TableId {
        let id = TableId(self.tables.len());
        let empty = Table { kind, outer, entries: HashMap::new(), globs: Vec::new() };
        self.tables.push(empty);
        for item in items {
            self.add_item(id, item);
        }
        id
    }

    fn add_item(&mut self, table: TableId, item: &Item) {
        match item {
            Item::Fn(function) => {
                let id = self.add_function(&function.sig, table);
                self.functions_at.insert(Place::of(function.sig.ident.span()), id);
                self.declare(table, &function.sig.ident, Entry::Is(Target::Function(id)));
            }
            Item::Mod(module) => {
                let target = match &module.content {
                    Some((_, items)) => {
                        let inner = self.add_module(items, Some(table));
                        self.modules_at.insert(Place::of(module.ident.span()), inner);
                        Target::Module(inner)
                    }
                    None => Target::Unknown, // in another file
                };
                self.declare(table, &module.ident, Entry::Is(target));
            }
            Item::Use(import) => {
                for imported in imports::of(import) {
                    match imported {
                        Imported::Name(name, path) => self.insert(table, name, Entry::Path(path)),
                        Imported::Glob(path) => self.tables[table.0].globs.push(path),
                    }
                }
            }
            Item::ExternCrate(external) => {
                let name = external.rename.as_ref().map_or(&external.ident, |(_, name)| name);
                let target = Target::External(vec![plain(&external.ident)]);
                self.declare(table, name, Entry::Is(target));
            }
            Item::Type(alias) => {
                let entry = match &*alias.ty {
                    syn::Type::Path(path) if path.qself.is_none() => {
                        Entry::Path(segments_of(&path.path))
                    }
                    _ => Entry::Is(Target::Unknown),
                };
                self.declare(table, &alias.ident, entry);
            }
            Item::Const(item) => self.declare_unknown(table, &item.ident),
            Item::Enum(item) => self.declare_unknown(table, &item.ident),
            Item::Static(item) => self.declare_unknown(table, &item.ident),
            Item::Struct(item) => {
                self.declare_unknown(table, &item.ident);
                for field in &item.fields {
                    if let Some(name) = &field.ident {
                        let written = (types::written(&field.ty), table);
                        self.fields.insert((plain(&item.ident), plain(name)), written);
                    }
                }
            }
            Item::Trait(item) => {
                self.declare_unknown(table, &item.ident);
                for function in &item.items {
                    // Of one without a body nothing is known.
                    if let TraitItem::Fn(function @ TraitItemFn { default: Some(_), .. }) = function
                    {
                        self.add_method(plain(&item.ident), &function.sig, table);
                    }
                }
            }
            Item::Impl(item) => {
                for function in &item.items {
                    if let (ImplItem::Fn(function), Some(of)) =
                        (function, types::name(&item.self_ty))
                    {
                        self.add_method(of, &function.sig, table);
                    }
                }
            }
            Item::TraitAlias(item) => self.declare_unknown(table, &item.ident),
            Item::Union(item) => self.declare_unknown(table, &item.ident),
            Item::ForeignMod(block) => {
                for item in &block.items {
                    if let syn::ForeignItem::Fn(function) = item {
                        self.declare_unknown(table, &function.sig.ident);
                    }
                }
            }
            _ => {}
        }
    }

    fn add_method(&mut self, of: String, signature: &Signature, table: TableId) {
        let id = self.add_function(signature, table);
        self.functions_at.insert(Place::of(signature.ident.span()), id);
        self.methods.entry(plain(&signature.ident)).or_default().push((of, id));
    }

    fn declare_unknown(&mut self, table: TableId, name: &Ident) {
        self.declare(table, name, Entry::Is(Target::Unknown));
    }

    fn declare(&mut self, table: TableId, name: &Ident, entry: Entry) {
        self.insert(table, plain(name), entry);
    }

    fn insert(&mut self, table: TableId, name: String, entry: Entry) {
        self.tables[table.0].entries.entry(name).or_default().push(entry);
    }

    /// The module that is declared there, if it is in this file.
    pub fn module_at(&self, place: Place) -> Option<TableId> {
        self.modules_at.get(&place).copied()
    }

    pub fn function_at(&self, place: Place) -> Option<FunctionId> {
        self.functions_at.get(&place).copied()
    }

    /// The method of that name, of the type if it is known and has one, otherwise if there is only
    /// one in the file.
    pub fn method(&self, of: Option<&str>, name: &str) -> Option<FunctionId> {
        let all = self.methods.get(name)?;
        let of_type = all.iter().find(|(known, _)| of == Some(known));
        match (of_type, &all[..]) {
            (Some((_, id)), _) => Some(*id),
            (None, [(_, id)]) => Some(*id),
            _ => None,
        }
    }

    /// Whether a type or trait of that name is declared where the name is used.
    pub fn is_type_here(&self, name: &str, from: TableId) -> bool {
        self.steps.set(STEPS);
        self.find_around(name, from) == Some(Target::Unknown)
            && self.methods.values().flatten().any(|(of, _)| of == name)
    }

    /// What a path leads to from within a module or block.
    pub fn resolve(&self, path: &Path, from: TableId) -> Target {
        self.resolve_segments(&segments_of(path), from)
    }

    fn resolve_segments(&self, path: &Segments, from: TableId) -> Target {
        self.steps.set(STEPS);
        let target = self.follow(path, from);
        if self.steps.get() == 0 { Target::Unknown } else { target }
    }

    fn follow(&self, path: &Segments, from: TableId) -> Target {
        let Some((first, rest)) = path.names.split_first() else { return Target::Unknown };
        let Some(steps) = self.steps.get().checked_sub(1) else { return Target::Unknown };
        self.steps.set(steps);
        let mut target = match first.as_str() {
            _ if path.rooted => Target::External(vec![first.clone()]),
            "crate" | "Self" => Target::Unknown,
            "self" => Target::Module(self.module_of(from)),
            "super" => self.parent_of(from),
            name => match self.find_around(name, from) {
                Some(target) => target,
                None => Target::External(vec![first.clone()]),
            },
        };
        for name in rest {
            target = match target {
                Target::External(mut path) => {
                    path.push(name.clone());
                    Target::External(path)
                }
                Target::Module(module) if name == "super" => self.parent_of(module),
                Target::Module(module) => self.find_in(name, module).unwrap_or(Target::Unknown),
                Target::Function(_) | Target::Unknown => Target::Unknown,
            };
        }
        target
    }

    fn module_of(&self, mut table: TableId) -> TableId {
        while let Table { kind: Kind::Block, outer: Some(outer), .. } = self.tables[table.0] {
            table = outer;
        }
        table
    }

    fn parent_of(&self, table: TableId) -> Target {
        let module = self.module_of(table);
        let outer = self.tables[module.0].outer;
        outer.map_or(Target::Unknown, |outer| Target::Module(self.module_of(outer)))
    }

    /// Looks in a block, and in those around it up to the module.
    fn find_around(&self, name: &str, mut table: TableId) -> Option<Target> {
        loop {
            if let Some(target) = self.find_in(name, table) {
                return Some(target);
            }
            match self.tables[table.0] {
                Table { kind: Kind::Block, outer: Some(outer), .. } => table = outer,
                _ => return None,
            }
        }
    }

    /// Looks in one module or block, first at what it declares, then at its globs.
    fn find_in(&self, name: &str, table: TableId) -> Option<Target> {
        let declared = self.tables[table.0].entries.get(name).map_or(&[][..], Vec::as_slice);
        let mut found: Option<Target> = None;
        for entry in declared {
            let target = match entry {
                Entry::Is(target) => target.clone(),
                // `use seedbed;` and the like mean the crate, not themselves.
                Entry::Path(path) if path.names == [name] => Target::External(path.names.clone()),
                Entry::Path(path) => self.follow(path, table),
            };
            match &found {
                Some(other) if *other != target => return Some(Target::Unknown),
                _ => found = Some(target),
            }
        }
        found.or_else(|| self.find_in_globs(name, table))
    }

    fn find_in_globs(&self, name: &str, table: TableId) -> Option<Target> {
        let globs = self.tables[table.0].globs.iter().enumerate();
        globs.filter_map(|(i, glob)| self.find_in_glob(name, i, glob, table)).next()
    }

    fn find_in_glob(
        &self,
        name: &str,
        number: usize,
        glob: &Segments,
        table: TableId,
    ) -> Option<Target> {
        if self.followed.borrow().contains(&(table, number)) {
            return None;
        }
        self.followed.borrow_mut().push((table, number));
        let target = match self.follow(glob, table) {
            Target::Module(module) if module != table => self.find_in(name, module),
            Target::External(mut path) => {
                path.push(name.to_owned());
                let target = Target::External(path);
                target.of_seedbed().is_some_and(|path| api::is_known(&path)).then_some(target)
            }
            _ => None,
        };
        self.followed.borrow_mut().pop();
        target
    }
}

/// A name without the `r#` that it may be written with.
pub fn plain(name: &Ident) -> String {
    name.unraw().to_string()
}

fn segments_of(path: &Path) -> Segments {
    Segments {
        names: path.segments.iter().map(|segment| plain(&segment.ident)).collect(),
        rooted: path.leading_colon.is_some(),
    }
}
