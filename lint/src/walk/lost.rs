//! What is thrown away: the results of operations, with a cancellation in them; operations that
//! lose a race; guards that have no name.

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, ExprAssign, ExprAwait, ExprClosure, ExprMethodCall, Item, Stmt, Token};

use super::Walker;
use super::frames::{Holding, Shield};
use super::macros::pinned;
use super::values::{Meaning, Value, called, is_transparent, start_of};
use crate::api::{self, Awaited};
use crate::finding::Finding;
use crate::names::{Target, plain};
use crate::place::Place;
use crate::rules::Rule;

/// The functions of other crates that drop the losers of a race between their arguments.
/// `futures::future::select` and its like give the losers back, and are not among them.
const RACES: &[&[&str]] = &[
    &["futures_lite", "future", "or"],
    &["futures_lite", "future", "race"],
    &["smol", "future", "or"],
    &["smol", "future", "race"],
];

/// A call of an operation.
struct Operation {
    name: String,
    at: Place,
}

impl Walker {
    /// The operation that an expression is the future of.
    fn operation(&self, expression: &Expr) -> Option<Operation> {
        match expression {
            Expr::Call(call) => {
                let path = called(call)?;
                match self.meaning(path) {
                    Meaning::Seedbed(name) => {
                        let function = api::function(&name)?;
                        let is_operation = function.awaited == Awaited::Operation;
                        is_operation.then(|| Operation { name, at: start_of(path) })
                    }
                    Meaning::Other(_) if is_transparent(path) => self.operation(call.args.first()?),
                    _ => None,
                }
            }
            Expr::Group(group) => self.operation(&group.expr),
            Expr::Macro(invocation) => self.operation(&pinned(&invocation.mac)?),
            Expr::MethodCall(call) => {
                let method = plain(&call.method);
                if matches!(method.as_str(), "boxed" | "boxed_local" | "fuse") {
                    return self.operation(&call.receiver);
                }
                let of = self.value_of(&call.receiver).has_methods_of()?;
                let is_operation = api::operations(of).contains(&method.as_str());
                let at = Place::of(call.method.span());
                is_operation.then_some(Operation { name: method, at })
            }
            Expr::Paren(paren) => self.operation(&paren.expr),
            _ => None,
        }
    }

    fn report(&mut self, rule: Rule, at: Place, text: String) {
        self.walked.findings.push(Finding { at, rule, text });
    }

    /// `let _ = sleep(…).await;`
    pub fn look_for_lost_result(&mut self, mut thrown_away: &Expr) {
        // Those keep the error.
        while let Expr::MethodCall(call) = thrown_away
            && ["inspect", "inspect_err", "map", "map_err"].iter().any(|name| call.method == name)
        {
            thrown_away = &call.receiver;
        }
        let Expr::Await(awaited) = thrown_away else { return };
        let Some(Operation { name, at }) = self.operation(&awaited.base) else { return };
        // Under a shield of its own it is the cancellation of that, which needs nobody to see it.
        if !self.is_shielded() {
            let text = format!(
                "the result of `{name}` is thrown away, and with it a `Cancelled`, which has to \
                 reach its scope; pass it on with `?`"
            );
            self.report(Rule::SwallowedCancellation, at, text);
        }
    }

    /// `drop(sleep(…).await);`
    pub fn look_for_lost_argument(
        &mut self,
        function: &Target,
        arguments: &Punctuated<Expr, Token![,]>,
    ) {
        let Target::External(path) = function else { return };
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let drops = matches!(path[..], ["drop"] | ["std" | "core", "mem", "drop"]);
        if let (true, Some(argument)) = (drops, arguments.first()) {
            self.look_for_lost_result(argument);
        }
    }

    /// `sleep(…).await.ok()`
    pub fn look_for_ok(&mut self, call: &ExprMethodCall) {
        if call.method == "ok" && call.args.is_empty() {
            self.look_for_lost_result(&call.receiver);
        }
    }

    /// `let _ = prevent_yields(…);`
    pub fn look_for_dropped_guard(&mut self, thrown_away: &Expr) {
        if let Value::Guard(at, _) = self.value_of(thrown_away) {
            let text = "the guard is dropped at once, so it prevents nothing; give it a name, \
                        such as `_guard`, that lasts as long as yields are to be prevented";
            self.report(Rule::GuardDroppedAtOnce, at, text.to_owned());
        }
    }

    /// `guard = prevent_yields(…);`
    pub fn look_for_kept_guard(&mut self, assignment: &ExprAssign) {
        if let (Expr::Path(path), Value::Guard(opened, reason)) =
            (&*assignment.left, self.value_of(&assignment.right))
            && let Meaning::Local(name, _) = self.meaning(path)
        {
            let guard = self.open(Holding::Guard(reason), opened, Shield::Down);
            self.locals.set(&name, Value::Held(guard));
        }
    }

    /// `prevent_yields(…);`
    pub fn look_for_lost_guard(&mut self, statement: &Stmt) {
        if let Stmt::Expr(call @ Expr::Call(_), Some(_)) = statement {
            self.look_for_dropped_guard(call);
        }
    }

    pub fn look_for_race(&mut self, function: &Target, arguments: &Punctuated<Expr, Token![,]>) {
        let Target::External(path) = function else { return };
        if RACES.iter().any(|race| path == race) {
            let name = format!("`{}`", path.join("::"));
            for argument in arguments {
                self.look_for_dropped_operation(argument, &name);
            }
        }
    }

    /// Looks for an operation in what a race drops if it loses. What is only borrowed by the race,
    /// or has a name outside of it, goes on elsewhere.
    pub fn look_for_dropped_operation(&mut self, future: &Expr, race: &str) {
        let mut inside = Inside { walker: self, found: None };
        match inside.walker.operation(future) {
            Some(operation) => inside.found = Some(operation),
            None => inside.visit_future(future),
        }
        let Some(Operation { name, at }) = inside.found else { return };
        let text = format!(
            "`{name}` is dropped where it stands if it does not win this {race}, and what is in it \
             cannot clean up; run both in a nursery and cancel it when one has ended, or use a \
             time limit"
        );
        self.report(Rule::OperationInSelect, at, text);
    }
}

/// Looks for the first operation that is awaited in an `async` block.
struct Inside<'a> {
    walker: &'a Walker,
    found: Option<Operation>,
}

impl Inside<'_> {
    fn visit_future(&mut self, future: &Expr) {
        match future {
            Expr::Async(block) => self.visit_block(&block.block),
            Expr::Call(call) => match &*call.func {
                Expr::Path(path) if is_transparent(path) => {
                    if let Some(argument) = call.args.first() {
                        self.visit_future(argument);
                    }
                }
                _ => {}
            },
            Expr::Group(group) => self.visit_future(&group.expr),
            Expr::Macro(invocation) => {
                if let Some(inner) = pinned(&invocation.mac) {
                    self.visit_future(&inner);
                }
            }
            Expr::MethodCall(call)
                if call.method == "fuse"
                    || call.method == "boxed"
                    || call.method == "boxed_local" =>
            {
                self.visit_future(&call.receiver);
            }
            Expr::Paren(paren) => self.visit_future(&paren.expr),
            _ => {}
        }
    }
}

impl<'ast> Visit<'ast> for Inside<'_> {
    fn visit_expr_await(&mut self, awaited: &'ast ExprAwait) {
        if self.found.is_none() {
            self.found = self.walker.operation(&awaited.base);
        }
        visit::visit_expr_await(self, awaited);
    }

    fn visit_expr_closure(&mut self, _: &'ast ExprClosure) {}

    fn visit_item(&mut self, _: &'ast Item) {}
}
