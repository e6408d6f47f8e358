//! The type of a parameter or a result, as far as it is one of seedbed's.

use syn::{GenericArgument, Path, PathArguments, Type};

use super::{Names, Segments, TableId, plain, segments_of};
use crate::api;

/// The path of a type as it is written, without references and owning pointers around it.
#[derive(Clone, Debug, Default)]
pub struct Written(Option<Segments>);

pub fn written(of: &Type) -> Written {
    match of {
        Type::Group(group) => written(&group.elem),
        Type::Paren(paren) => written(&paren.elem),
        Type::Reference(reference) => written(&reference.elem),
        Type::Path(path) if path.qself.is_none() => match within(&path.path) {
            Some(inner) => written(inner),
            None => Written(Some(segments_of(&path.path))),
        },
        _ => Written(None),
    }
}

/// The name of a type that methods are written for.
pub fn name(of: &Type) -> Option<String> {
    match of {
        Type::Group(group) => name(&group.elem),
        Type::Paren(paren) => name(&paren.elem),
        Type::Path(path) => path.path.segments.last().map(|last| plain(&last.ident)),
        _ => None,
    }
}

/// What a pointer points to, or a `Result` has.
fn within(path: &Path) -> Option<&Type> {
    let last = path.segments.last()?;
    let transparent = ["Arc", "Box", "Rc", "Result"].iter().any(|name| last.ident == name);
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(inner) if transparent => Some(inner),
        _ => None,
    }
}

impl Names {
    pub fn type_of(&self, of: &Type, from: TableId) -> Option<api::Type> {
        self.type_written(&written(of), from)
    }

    /// The type of a field of a struct.
    pub fn type_of_field(&self, of: &str, field: &str) -> Option<api::Type> {
        let (written, table) = self.fields.get(&(of.to_owned(), field.to_owned()))?;
        self.type_written(written, *table)
    }

    pub(super) fn type_written(&self, of: &Written, from: TableId) -> Option<api::Type> {
        let target = self.resolve_segments(of.0.as_ref()?, from);
        api::type_at(&target.of_seedbed()?).map(|methods| methods.is)
    }
}
