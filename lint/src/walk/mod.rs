//! The way through a file: it records where frames yield, and what is open in them there.
//!
//! | file | concept |
//! |---|---|
//! | `frames` | frames, what is open in them, and where their yielders are used |
//! | `values` | what a name or an expression stands for |
//! | `records` | opening, closing and using, as the walk comes to it |
//! | `bodies` | functions, closures and blocks |
//! | `calls` | what is called, and what that does with its arguments |
//! | `macros` | the macros whose arguments are looked into |
//! | `lost` | results and guards that are thrown away |
//!
//! It goes through each function once, in the order of the text. Nothing is judged on the way,
//! because what a context manager holds, or where a function yields, may be known only at the end
//! (`judge`). The exceptions are what is thrown away, and what is in a `select!`.

mod bodies;
mod calls;
pub mod frames;
mod lost;
mod macros;
mod records;
mod values;

use std::collections::HashMap;

use syn::visit::{self, Visit};
use syn::{
    Arm, Block, Expr, ExprAssign, ExprAsync, ExprAwait, ExprCall, ExprClosure, ExprForLoop, ExprIf,
    ExprLet, ExprMethodCall, ExprPath, ExprReference, ExprReturn, ExprWhile, File, ImplItemFn,
    ItemFn, ItemImpl, ItemMod, ItemTrait, Local, Macro, Stmt, TraitItemFn,
};

use crate::finding::Finding;
use crate::names::{self, FunctionId, Names, TableId};
use crate::place::Place;
use frames::{Frame, FrameId, Hold, HoldId, Use};
use records::Pending;
use values::{Locals, Value};

/// What the walk has found.
pub struct Walked {
    pub frames: Vec<Frame>,
    pub holds: Vec<Hold>,
    /// The context managers that functions return.
    pub made: HashMap<FunctionId, FrameId>,
    /// What functions have open where they use a parameter.
    pub around: HashMap<(FunctionId, usize), Vec<HoldId>>,
    /// Where yielders are used in other frames than their own.
    pub strays: Vec<Use>,
    /// What could be judged on the way.
    pub findings: Vec<Finding>,
}

struct Walker {
    names: Names,
    /// Where names are looked up.
    table: TableId,
    locals: Locals,
    /// The frames around the place where the walk is, the innermost last.
    stack: Vec<FrameId>,
    /// What is around it that is not run where it is written.
    pending: Vec<Pending>,
    /// The frames of functions, and of closures that take a yielder.
    functions: HashMap<FunctionId, FrameId>,
    closures: HashMap<Place, FrameId>,
    /// The type or trait whose functions are walked through.
    of: Option<String>,
    /// How many closures and `async` blocks of the present function are around.
    nesting: usize,
    /// Whether the present function has a `return` of its own.
    returns: Returns,
    walked: Walked,
}

/// Whether a function returns anywhere other than at its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Returns {
    AtItsEnd,
    Earlier,
}

pub fn walk(file: &File) -> Walked {
    let mut names = Names::default();
    let table = names.add_module(&file.items, None);
    let mut walker = Walker {
        names,
        table,
        locals: Locals::default(),
        stack: Vec::new(),
        pending: Vec::new(),
        functions: HashMap::new(),
        closures: HashMap::new(),
        of: None,
        nesting: 0,
        returns: Returns::AtItsEnd,
        walked: Walked {
            frames: Vec::new(),
            holds: Vec::new(),
            made: HashMap::new(),
            around: HashMap::new(),
            strays: Vec::new(),
            findings: Vec::new(),
        },
    };
    // What is in constants and the like, outside functions.
    let outside = walker.new_frame(None);
    walker.stack.push(outside);
    walker.locals.begin();
    walker.visit_file(file);
    walker.walked
}

impl<'ast> Visit<'ast> for Walker {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        let Some(table) = self.names.module_at(Place::of(module.ident.span())) else { return };
        let outer = std::mem::replace(&mut self.table, table);
        visit::visit_item_mod(self, module);
        self.table = outer;
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        let id = self.names.function_at(Place::of(function.sig.ident.span()));
        self.function(id, &function.sig, &function.block);
    }

    fn visit_item_impl(&mut self, block: &'ast ItemImpl) {
        let outer = std::mem::replace(&mut self.of, names::name_of_type(&block.self_ty));
        visit::visit_item_impl(self, block);
        self.of = outer;
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        let outer = self.of.replace(names::plain(&item.ident));
        visit::visit_item_trait(self, item);
        self.of = outer;
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        let id = self.names.function_at(Place::of(function.sig.ident.span()));
        self.function(id, &function.sig, &function.block);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast TraitItemFn) {
        if let Some(block) = &function.default {
            let id = self.names.function_at(Place::of(function.sig.ident.span()));
            self.function(id, &function.sig, block);
        }
    }

    fn visit_block(&mut self, block: &'ast Block) {
        self.block(block);
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        self.look_for_lost_guard(statement);
        visit::visit_stmt(self, statement);
    }

    fn visit_local(&mut self, local: &'ast Local) {
        self.binding(local);
    }

    fn visit_expr_let(&mut self, condition: &'ast ExprLet) {
        self.visit_expr(&condition.expr);
        self.bind(&condition.pat, Value::Unknown);
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        self.locals.begin();
        self.bind(&arm.pat, Value::Unknown);
        visit::visit_arm(self, arm);
        self.locals.end();
    }

    fn visit_expr_if(&mut self, choice: &'ast ExprIf) {
        self.locals.begin();
        self.visit_expr(&choice.cond);
        self.block(&choice.then_branch);
        self.locals.end();
        if let Some((_, otherwise)) = &choice.else_branch {
            self.visit_expr(otherwise);
        }
    }

    fn visit_expr_while(&mut self, repeated: &'ast ExprWhile) {
        self.locals.begin();
        self.visit_expr(&repeated.cond);
        self.block(&repeated.body);
        self.locals.end();
    }

    fn visit_expr_for_loop(&mut self, repeated: &'ast ExprForLoop) {
        self.visit_expr(&repeated.expr);
        self.locals.begin();
        self.bind(&repeated.pat, Value::Unknown);
        self.block(&repeated.body);
        self.locals.end();
    }

    fn visit_expr_closure(&mut self, closure: &'ast ExprClosure) {
        self.closure_of_somebody(closure);
    }

    fn visit_expr_async(&mut self, block: &'ast ExprAsync) {
        self.later(|walker| walker.block(&block.block));
    }

    fn visit_expr_await(&mut self, awaited: &'ast ExprAwait) {
        self.at_once(|walker| walker.visit_expr(&awaited.base));
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        self.call(call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.method_call(call);
    }

    fn visit_expr_assign(&mut self, assignment: &'ast ExprAssign) {
        if let Expr::Infer(_) = &*assignment.left {
            self.look_for_lost_result(&assignment.right);
            self.look_for_dropped_guard(&assignment.right);
        }
        visit::visit_expr_assign(self, assignment);
        self.look_for_kept_guard(assignment);
    }

    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        self.mention(path);
    }

    fn visit_expr_reference(&mut self, reference: &'ast ExprReference) {
        // A guard that is looked at is not dropped.
        if !matches!(self.value_of(&reference.expr), Value::Held(_)) {
            visit::visit_expr_reference(self, reference);
        }
    }

    fn visit_expr_return(&mut self, returned: &'ast ExprReturn) {
        if self.nesting == 0 {
            self.returns = Returns::Earlier;
        }
        visit::visit_expr_return(self, returned);
    }

    fn visit_macro(&mut self, invocation: &'ast Macro) {
        self.invocation(invocation);
    }
}
