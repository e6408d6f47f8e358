//! What a name or an expression stands for, as far as the text tells.

use std::collections::HashMap;
use std::rc::Rc;

use syn::visit::Visit;
use syn::{
    Expr, ExprCall, ExprMethodCall, ExprPath, Lit, Member, Pat, PatIdent, Path, QSelf, Stmt,
};

use super::frames::{FrameId, HoldId, Maker, Shield, Use};
use super::{Walker, macros};
use crate::api::{self, Type};
use crate::names::{FunctionId, Target, plain};
use crate::place::Place;

#[derive(Clone, Debug, Default)]
pub enum Value {
    #[default]
    Unknown,
    /// The yielder of a frame.
    Yielder(FrameId),
    /// A closure or function that takes the yielder of its frame.
    Body(FrameId),
    Manager(Maker),
    /// A cancel scope, and where it was made.
    Scope(Option<Place>, Shield),
    /// A guard of `prevent_yields` that has no name yet.
    Guard(Place, String),
    /// One that has, until it is dropped.
    Held(HoldId),
    /// A closure or a future.
    Later(Rc<Later>),
    /// A function of seedbed.
    Function(String),
    /// What a function of the file was given, if it is of no type that is followed.
    Parameter(FunctionId, usize),
    /// Both ends of a channel, the sender first.
    Ends(Type, Type),
    /// A value of a type.
    Of(Type),
}

/// A closure or a future that runs later than it is written.
#[derive(Debug)]
pub struct Later {
    /// Where it yields.
    pub uses: Vec<(FrameId, Use)>,
    /// The context manager that it makes when it is called.
    pub makes: Option<Maker>,
    pub runs: Times,
}

/// How often something can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// A future. Once its name has been used, it may be under way.
    Once,
    /// A closure.
    Often,
}

impl Value {
    pub fn of(known: Option<Type>) -> Value {
        match known {
            None | Some(Type::Yielder | Type::Manager | Type::Guard) => Value::Unknown,
            Some(Type::Scope) => Value::Scope(None, Shield::Down),
            Some(other) => Value::Of(other),
        }
    }

    /// The value of something that was found to yield later.
    pub fn with_uses(self, uses: Vec<(FrameId, Use)>, runs: Times) -> Value {
        let makes = match &self {
            Value::Unknown => None,
            Value::Later(later) => later.makes,
            _ => return self,
        };
        if uses.is_empty() && makes.is_none() {
            return Value::Unknown;
        }
        Value::Later(Rc::new(Later { uses, makes, runs }))
    }

    fn makes(maker: Maker) -> Value {
        let later = Later { uses: Vec::new(), makes: Some(maker), runs: Times::Often };
        Value::Later(Rc::new(later))
    }

    /// The type whose methods it has.
    pub fn has_methods_of(&self) -> Option<Type> {
        match self {
            Value::Of(known) => Some(*known),
            Value::Scope(..) => Some(Type::Scope),
            _ => None,
        }
    }
}

/// The names that are bound where the walk is, block by block.
#[derive(Debug, Default)]
pub struct Locals(Vec<HashMap<String, Value>>);

impl Locals {
    pub fn begin(&mut self) {
        self.0.push(HashMap::new());
    }

    pub fn end(&mut self) {
        self.0.pop();
    }

    pub fn insert(&mut self, name: String, value: Value) {
        if let Some(innermost) = self.0.last_mut() {
            innermost.insert(name, value);
        }
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().rev().find_map(|block| block.get(name))
    }

    /// From now on, nothing is known of what a name stands for.
    pub fn forget(&mut self, name: &str) {
        self.set(name, Value::Unknown);
    }

    /// Gives a name that there is something else to stand for.
    pub fn set(&mut self, name: &str, new: Value) {
        let value = self.0.iter_mut().rev().find_map(|block| block.get_mut(name));
        value.into_iter().for_each(|value| *value = new.clone());
    }
}

/// What the path of a call, or of a value, means.
pub enum Meaning {
    Local(String, Value),
    Function(FunctionId),
    /// A path below `seedbed`.
    Seedbed(String),
    /// A path of another crate, or nothing that is known.
    Other(Target),
}

impl Walker {
    pub fn meaning(&self, path: &ExprPath) -> Meaning {
        if let Some(qualified) = &path.qself {
            return self.meaning_of_qualified(qualified, path);
        }
        if let Some(name) = path.path.get_ident().map(plain)
            && let Some(value) = self.locals.get(&name)
        {
            return match value {
                Value::Function(path) => Meaning::Seedbed(path.clone()),
                value => Meaning::Local(name, value.clone()),
            };
        }
        if let Some(id) = self.function_of_type(&path.path) {
            return Meaning::Function(id);
        }
        match self.names.resolve(&path.path, self.table) {
            Target::Function(id) => Meaning::Function(id),
            target => match target.of_seedbed() {
                Some(path) => Meaning::Seedbed(path),
                None => Meaning::Other(target),
            },
        }
    }

    /// `Self::produce`, or `Source::produce` with a type of the file.
    fn function_of_type(&self, path: &Path) -> Option<FunctionId> {
        if path.segments.len() != 2 || path.leading_colon.is_some() {
            return None;
        }
        let (of, name) = (plain(&path.segments[0].ident), plain(&path.segments[1].ident));
        match of.as_str() {
            "Self" => self.names.method(self.of.as_deref(), &name),
            _ if self.names.is_type_here(&of, self.table) => self.names.method(Some(&of), &name),
            _ => None,
        }
    }

    /// The function of the file that a method call seems to be a call of.
    pub fn method_here(&self, call: &ExprMethodCall) -> Option<FunctionId> {
        let of = match &*call.receiver {
            receiver if is_self(receiver) => self.of.as_deref(),
            _ => None,
        };
        self.names.method(of, &plain(&call.method))
    }

    /// `<Yielder<u32>>::yield_`
    fn meaning_of_qualified(&self, qualified: &QSelf, path: &ExprPath) -> Meaning {
        let known = self.names.type_of(&qualified.ty, self.table).and_then(api::path_of);
        match known {
            Some(of) if qualified.position == 0 && path.path.segments.len() == 1 => {
                Meaning::Seedbed(format!("{of}::{}", last_name(path)))
            }
            _ => Meaning::Other(Target::Unknown),
        }
    }

    pub fn value_of(&self, expression: &Expr) -> Value {
        match expression {
            Expr::Await(of) => match self.value_of(&of.base) {
                Value::Later(_) | Value::Parameter(..) => Value::Unknown, // what comes out of it
                value => value,
            },
            Expr::Block(block) if block.label.is_none() => match &block.block.stmts[..] {
                [Stmt::Expr(only, None)] => self.value_of(only),
                _ => Value::Unknown,
            },
            Expr::Call(call) => self.value_of_call(call),
            Expr::Closure(closure) => match self.closures.get(&Place::of(closure.or1_token.span)) {
                Some(frame) => Value::Body(*frame),
                None => self.made_by(&closure.body).map_or(Value::Unknown, Value::makes),
            },
            Expr::Field(field) => match (&self.of, &field.member) {
                (Some(of), Member::Named(name)) if is_self(&field.base) => {
                    Value::of(self.names.type_of_field(of, &plain(name)))
                }
                _ => Value::Unknown,
            },
            Expr::Group(group) => self.value_of(&group.expr),
            Expr::Macro(invocation) => match macros::pinned(&invocation.mac) {
                Some(inner) => self.value_of(&inner),
                None => Value::Unknown,
            },
            Expr::MethodCall(call) => self.value_of_method(call),
            Expr::Paren(paren) => self.value_of(&paren.expr),
            Expr::Path(path) => match self.meaning(path) {
                Meaning::Local(_, value) => value,
                Meaning::Seedbed(name) if api::function(&name).is_some() => Value::Function(name),
                Meaning::Function(id) if self.names.yielder_of(id) == Some(0) => {
                    self.functions.get(&id).map_or(Value::Unknown, |frame| Value::Body(*frame))
                }
                _ => Value::Unknown,
            },
            Expr::Reference(reference) => self.value_of(&reference.expr),
            Expr::Try(of) => self.value_of(&of.expr),
            Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Deref(_)) => {
                self.value_of(&unary.expr)
            }
            _ => Value::Unknown,
        }
    }

    fn value_of_call(&self, call: &ExprCall) -> Value {
        let Some(path) = called(call) else { return Value::Unknown };
        let at = start_of(path);
        match self.meaning(path) {
            Meaning::Local(_, Value::Later(later)) => {
                later.makes.map_or(Value::Unknown, Value::Manager)
            }
            // What comes out of a closure is its future.
            Meaning::Local(_, parameter @ Value::Parameter(..)) => parameter,
            Meaning::Function(id) => match self.names.returned_by(id) {
                Some(Type::Manager) => Value::Manager(Maker::Function(id)),
                Some(Type::Guard) => {
                    Value::Guard(at, format!("what `{}` returns", last_name(path)))
                }
                known => Value::of(known),
            },
            Meaning::Seedbed(name) => match name.as_str() {
                "CancelScope::new" | "CancelScope::default" => Value::Scope(Some(at), Shield::Down),
                "context_manager" => match call.args.first().map(|body| self.value_of(body)) {
                    Some(Value::Body(frame)) => Value::Manager(Maker::Body(frame)),
                    _ => Value::Unknown,
                },
                "prevent_yields" => Value::Guard(at, reason(call)),
                name => match api::ends_made_by(name) {
                    Some((sender, receiver)) => Value::Ends(sender, receiver),
                    None => Value::of(api::made_by(name)),
                },
            },
            Meaning::Other(_)
                if call.args.len() == 1 && (is_transparent(path) || is_wrapping(path)) =>
            {
                self.value_of(&call.args[0])
            }
            _ => Value::Unknown,
        }
    }

    /// The context manager that a closure makes, if that is the last thing in it.
    fn made_by(&self, mut body: &Expr) -> Option<Maker> {
        while let Expr::Block(block) = body {
            match block.block.stmts.last()? {
                Stmt::Expr(last, None) => body = last,
                _ => return None,
            }
        }
        // The names that the closure binds are no longer known, but a body's frame is.
        match self.value_of(body) {
            Value::Manager(maker @ Maker::Body(_)) => Some(maker),
            _ => None,
        }
    }

    fn value_of_method(&self, call: &ExprMethodCall) -> Value {
        let receiver = self.value_of(&call.receiver);
        let method = plain(&call.method);
        match (receiver, method.as_str()) {
            (value @ (Value::Yielder(_) | Value::Scope(..) | Value::Of(_)), "clone") => value,
            (
                value @ (Value::Later(_) | Value::Parameter(..)),
                "as_mut" | "boxed" | "boxed_local" | "fuse",
            ) => value,
            (Value::Scope(made, _), "with_shield") => Value::Scope(made, Shield::Up),
            (value @ Value::Scope(..), "with_deadline" | "with_timeout") => value,
            (Value::Of(of), method) => Value::of(api::returned(of, method)),
            (Value::Unknown, _) => self.value_of_method_here(call),
            _ => Value::Unknown,
        }
    }

    fn value_of_method_here(&self, call: &ExprMethodCall) -> Value {
        let Some(id) = self.method_here(call) else { return Value::Unknown };
        match self.names.returned_by(id) {
            Some(Type::Manager) => Value::Manager(Maker::Function(id)),
            Some(Type::Guard) if matches!(*call.receiver, Expr::Path(_)) => {
                let name = plain(&call.method);
                Value::Guard(Place::of(call.method.span()), format!("what `{name}` returns"))
            }
            _ => Value::Unknown,
        }
    }

    /// Binds the names in a pattern.
    pub fn bind(&mut self, pattern: &Pat, value: Value) {
        match pattern {
            Pat::Ident(name) => {
                self.locals.insert(plain(&name.ident), value);
                if let Some((_, within)) = &name.subpat {
                    self.bind(within, Value::Unknown);
                }
            }
            Pat::Paren(paren) => self.bind(&paren.pat, value),
            Pat::Reference(reference) => self.bind(&reference.pat, value),
            Pat::Tuple(tuple) if tuple.elems.len() == 2 => {
                let (sender, receiver) = match value {
                    Value::Ends(sender, receiver) => (Value::Of(sender), Value::Of(receiver)),
                    _ => (Value::Unknown, Value::Unknown),
                };
                self.bind(&tuple.elems[0], sender);
                self.bind(&tuple.elems[1], receiver);
            }
            Pat::Type(typed) => {
                let value = match value {
                    Value::Unknown => Value::of(self.names.type_of(&typed.ty, self.table)),
                    value => value,
                };
                self.bind(&typed.pat, value);
            }
            _ => Names(&mut self.locals).visit_pat(pattern),
        }
    }
}

/// Binds whatever names are in a pattern to what is not known.
struct Names<'a>(&'a mut Locals);

impl Visit<'_> for Names<'_> {
    fn visit_pat_ident(&mut self, name: &PatIdent) {
        self.0.insert(plain(&name.ident), Value::Unknown);
        syn::visit::visit_pat_ident(self, name);
    }
}

/// The path that is called.
pub fn called(call: &ExprCall) -> Option<&ExprPath> {
    let mut function = &*call.func;
    loop {
        function = match function {
            Expr::Path(path) => return Some(path),
            Expr::Paren(paren) => &paren.expr,
            Expr::Group(group) => &group.expr,
            _ => return None,
        };
    }
}

/// Where the run-time errors say that a call is: where it begins.
pub fn start_of(path: &ExprPath) -> Place {
    if let Some(qualified) = &path.qself {
        return Place::of(qualified.lt_token.span);
    }
    match (&path.path.leading_colon, path.path.segments.first()) {
        (Some(colons), _) => Place::of(colons.spans[0]),
        (None, Some(first)) => Place::of(first.ident.span()),
        (None, None) => Place { line: 1, column: 1 },
    }
}

pub fn is_self(expression: &Expr) -> bool {
    matches!(expression, Expr::Path(path) if path.path.is_ident("self"))
}

pub fn last_name(path: &ExprPath) -> String {
    path.path.segments.last().map_or_else(String::new, |last| plain(&last.ident))
}

/// Whether a call of this path gives its argument back in a pointer.
pub fn is_transparent(path: &ExprPath) -> bool {
    let mut names = path.path.segments.iter().rev().map(|segment| plain(&segment.ident));
    let (last, of) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
    matches!(
        (of.as_str(), last.as_str()),
        ("Box" | "Rc", "new" | "pin") | ("Rc", "clone") | ("Arc", "new" | "clone")
    )
}

/// Whether a call of this path makes an `Ok` or a `Some`.
pub fn is_wrapping(path: &ExprPath) -> bool {
    matches!(last_name(path).as_str(), "Ok" | "Some")
}

/// The reason that `prevent_yields` is given, if it is a literal.
fn reason(call: &ExprCall) -> String {
    match call.args.first() {
        Some(Expr::Lit(literal)) if let Lit::Str(text) = &literal.lit => text.value(),
        _ => "a guard of `prevent_yields`".to_owned(),
    }
}
