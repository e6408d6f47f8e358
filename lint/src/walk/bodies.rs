//! Functions, closures and blocks.

use syn::visit::Visit;
use syn::{Block, Expr, ExprClosure, FnArg, Item, Local, LocalInit, Pat, Signature, Stmt};

use super::frames::{FrameId, Holding, Maker, Role, Shield};
use super::values::{Times, Value};
use super::{Returns, Walker};
use crate::api::Type;
use crate::names::FunctionId;
use crate::place::Place;

impl Walker {
    /// Walks through a function, which sees nothing of what is around it.
    pub fn function(&mut self, id: Option<FunctionId>, signature: &Signature, block: &Block) {
        let frame = match id {
            Some(id) => self.frame_of_function(id),
            None => self.new_frame(None),
        };
        let outer = (
            std::mem::take(&mut self.locals),
            std::mem::replace(&mut self.stack, vec![frame]),
            std::mem::take(&mut self.pending),
            std::mem::take(&mut self.nesting),
            std::mem::replace(&mut self.returns, Returns::AtItsEnd),
        );
        self.locals.begin();
        let types = signature.inputs.iter().map(|input| match input {
            FnArg::Typed(typed) => self.names.type_of(&typed.ty, self.table),
            FnArg::Receiver(_) => None,
        });
        let types: Vec<_> = types.collect();
        let yielders = types.iter().filter(|of| **of == Some(Type::Yielder)).count();
        for (i, (input, of)) in signature.inputs.iter().zip(types).enumerate() {
            let FnArg::Typed(typed) = input else { continue };
            let value = match (of, id) {
                (Some(Type::Yielder), _) if yielders == 1 => Value::Yielder(frame),
                (None, Some(id)) => Value::Parameter(id, i),
                (of, _) => Value::of(of),
            };
            self.bind(&typed.pat, value);
        }
        let value = self.block(block);
        if let (Some(id), Value::Manager(Maker::Body(made)), Returns::AtItsEnd) =
            (id, value, self.returns)
        {
            self.walked.made.insert(id, made);
        }
        (self.locals, self.stack, self.pending, self.nesting, self.returns) = outer;
    }

    pub fn frame_of_function(&mut self, id: FunctionId) -> FrameId {
        match self.functions.get(&id) {
            Some(frame) => *frame,
            None => {
                let frame = self.new_frame(None);
                self.functions.insert(id, frame);
                frame
            }
        }
    }

    /// Walks through a block. Returns what it ends with.
    pub fn block(&mut self, block: &Block) -> Value {
        let table = self.table;
        let items = block.stmts.iter().filter_map(|statement| match statement {
            Stmt::Item(item) => Some(item),
            _ => None,
        });
        let items: Vec<&Item> = items.collect();
        if !items.is_empty() {
            self.table = self.names.add_block(items.into_iter(), table);
        }
        self.locals.begin();
        let since = self.next_hold();
        let mut value = Value::Unknown;
        for (i, statement) in block.stmts.iter().enumerate() {
            match statement {
                Stmt::Expr(last, None) if i + 1 == block.stmts.len() => {
                    // A future that is returned runs when this block has been left.
                    self.bound(|walker| walker.visit_expr(last));
                    value = self.value_of(last);
                }
                _ => self.visit_stmt(statement),
            }
        }
        self.close_since(since);
        self.locals.end();
        self.table = table;
        value
    }

    /// Walks through a `let`.
    pub fn binding(&mut self, local: &Local) {
        match &local.init {
            None => self.bind(&local.pat, Value::Unknown),
            Some(LocalInit { expr, diverge, .. }) => {
                let otherwise = diverge.as_ref().map(|(_, diverges)| &**diverges);
                self.binding_to(&local.pat, expr, otherwise);
            }
        }
    }

    fn binding_to(&mut self, pattern: &Pat, init: &Expr, otherwise: Option<&Expr>) {
        if let (Pat::Tuple(names), Expr::Tuple(values)) = (pattern, init)
            && names.elems.len() == values.elems.len()
            && !names.elems.iter().any(|name| matches!(name, Pat::Rest(_)))
        {
            for (name, value) in names.elems.iter().zip(&values.elems) {
                self.binding_to(name, value, None);
            }
            return;
        }
        if is_wild(pattern) {
            self.look_for_lost_result(init);
            self.look_for_dropped_guard(init);
        }
        let value = match self.value_of(init) {
            value @ (Value::Yielder(_) | Value::Function(_)) => value, // another name for it
            value @ Value::Later(_) if !matches!(init, Expr::Closure(_)) => value,
            _ => {
                let uses = self.at_once(|walker| walker.bound(|walker| walker.visit_expr(init)));
                // The frames of closures are known now.
                let runs = match init {
                    Expr::Closure(_) => Times::Often,
                    _ => Times::Once,
                };
                self.value_of(init).with_uses(uses, runs)
            }
        };
        otherwise.into_iter().for_each(|diverges| self.visit_expr(diverges));
        let value = match (value, pattern) {
            (Value::Guard(opened, reason), Pat::Ident(_) | Pat::Type(_)) if !is_wild(pattern) => {
                Value::Held(self.open(Holding::Guard(reason), opened, Shield::Down))
            }
            // What is taken apart is something else.
            (Value::Yielder(_) | Value::Later(_), Pat::Tuple(_) | Pat::Struct(_)) => Value::Unknown,
            (value, _) => value,
        };
        self.bind(pattern, value);
    }

    /// Walks through a closure that is called with what is given.
    pub fn closure(&mut self, closure: &ExprClosure, given: Value) -> Value {
        self.later(|walker| {
            walker.locals.begin();
            for (i, parameter) in closure.inputs.iter().enumerate() {
                let value = if i == 0 { given.clone() } else { Value::Unknown };
                walker.bind(parameter, value);
            }
            let value = match &*closure.body {
                Expr::Block(body) if body.label.is_none() => walker.block(&body.block),
                body => {
                    walker.bound(|walker| walker.visit_expr(body));
                    walker.value_of(body)
                }
            };
            walker.locals.end();
            value
        })
    }

    /// Walks through a closure that something unknown calls, or nothing so far.
    pub fn closure_of_somebody(&mut self, closure: &ExprClosure) {
        if self.takes_yielder(closure) {
            self.closure_of_frame(closure, None);
        } else {
            self.closure(closure, Value::Unknown);
        }
    }

    /// Whether its only parameter says that it is a yielder.
    pub fn takes_yielder(&self, closure: &ExprClosure) -> bool {
        match closure.inputs.first() {
            Some(Pat::Type(typed)) if closure.inputs.len() == 1 => {
                self.names.type_of(&typed.ty, self.table) == Some(Type::Yielder)
            }
            _ => false,
        }
    }

    /// Walks through the body of a generator or context manager, or of something unknown.
    pub fn closure_of_frame(&mut self, closure: &ExprClosure, role: Option<Role>) {
        let frame = self.new_frame(role);
        self.closures.insert(Place::of(closure.or1_token.span), frame);
        self.in_frame(frame, |walker| walker.closure(closure, Value::Yielder(frame)));
    }
}

fn is_wild(pattern: &Pat) -> bool {
    match pattern {
        Pat::Wild(_) => true,
        Pat::Type(typed) => is_wild(&typed.pat),
        _ => false,
    }
}
