//! What is called, and what that does with its arguments.

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprMethodCall, Token};

use super::Walker;
use super::frames::{FrameId, Holding, Role, Shield, What};
use super::values::{Meaning, Value, called, is_self, is_wrapping, last_name, start_of};
use crate::api::{self, Body, Runs, Type};
use crate::names::{FunctionId, plain};
use crate::place::Place;

type Arguments = Punctuated<Expr, Token![,]>;

/// How a scope that a call opens is described.
struct Opening {
    at: Place,
    shield: Shield,
    /// The context manager that it enters.
    manager: Value,
}

impl Walker {
    pub fn call(&mut self, call: &ExprCall) {
        let Some(path) = called(call) else { return visit::visit_expr_call(self, call) };
        let at = start_of(path);
        match self.meaning(path) {
            Meaning::Seedbed(name) => match api::function(&name) {
                Some(function) => self.call_of_seedbed(function.bodies, &call.args, at),
                None => self.call_of_method(&name, call, at),
            },
            Meaning::Function(id) => {
                self.call_of_function(id, last_name(path), &call.args, 0, at);
            }
            Meaning::Local(name, Value::Body(body)) => {
                self.call_of_closure(body, name, &call.args, at);
            }
            Meaning::Local(..) => visit::visit_expr_call(self, call),
            Meaning::Other(target) => {
                self.look_for_lost_argument(&target, &call.args);
                self.look_for_race(&target, &call.args);
                match call.args.first() {
                    Some(kept @ (Expr::Async(_) | Expr::Closure(_))) if is_wrapping(path) => {
                        self.elsewhere(|walker| walker.visit_expr(kept));
                    }
                    _ => visit::visit_expr_call(self, call),
                }
            }
        }
    }

    fn call_of_seedbed(&mut self, bodies: &[Body], arguments: &Arguments, at: Place) {
        let mut manager = Value::Unknown;
        for (i, argument) in arguments.iter().enumerate() {
            match bodies.iter().find(|body| body.argument == i) {
                Some(body) => {
                    let opening = Opening { at, shield: Shield::Down, manager: manager.clone() };
                    self.body(argument, *body, opening);
                }
                None => self.visit_expr(argument),
            }
            if i == 0 {
                manager = self.value_of(argument);
            }
        }
    }

    /// `Yielder::yield_(&y, 1)`
    fn call_of_method(&mut self, path: &str, call: &ExprCall, at: Place) {
        let of = path.rsplit_once("::").and_then(|(of, name)| Some((api::type_at(of)?.is, name)));
        let (Some((of, method)), Some(receiver)) = (of, call.args.first()) else {
            return visit::visit_expr_call(self, call);
        };
        if let (Value::Yielder(owner), true) = (self.value_of(receiver), api::yields(method)) {
            call.args.iter().skip(1).for_each(|argument| self.visit_expr(argument));
            return self.use_yielder(owner, at, What::Yield);
        }
        match api::method(of, method) {
            Some(body) => {
                let body = Body { argument: body.argument + 1, ..body };
                self.call_of_seedbed(&[body], &call.args, at);
            }
            None => visit::visit_expr_call(self, call),
        }
    }

    /// Walks through the body that a function of seedbed's is given.
    fn body(&mut self, argument: &Expr, body: Body, opening: Opening) {
        let Opening { at, shield, manager } = opening;
        let given = match body.given {
            Some(Type::Scope) => Value::Scope(None, Shield::Down),
            other => Value::of(other),
        };
        match body.runs {
            Runs::Here => self.run(argument, given),
            Runs::Inside(what) => self.run_in(Holding::Scope(what), at, shield, argument, given),
            Runs::InManager => match manager {
                Value::Manager(maker) => {
                    self.run_in(Holding::Manager(maker), at, Shield::Down, argument, given);
                }
                _ => self.run(argument, given),
            },
            Runs::Task => {
                let task = self.new_frame(Some(Role::Task));
                self.in_frame(task, |walker| walker.run(argument, given));
            }
            Runs::Generator => self.run_as(argument, Role::Generator),
            Runs::Manager => self.run_as(argument, Role::Manager),
        }
    }

    fn run(&mut self, argument: &Expr, given: Value) {
        match argument {
            Expr::Closure(closure) if !self.takes_yielder(closure) => {
                self.closure(closure, given);
            }
            other => self.visit_expr(other),
        }
    }

    fn run_in(&mut self, what: Holding, at: Place, shield: Shield, argument: &Expr, given: Value) {
        let hold = self.open(what, at, shield);
        self.run(argument, given);
        self.close(hold);
    }

    fn run_as(&mut self, argument: &Expr, role: Role) {
        if let Expr::Closure(closure) = argument {
            return self.closure_of_frame(closure, Some(role));
        }
        self.visit_expr(argument);
        if let Expr::Path(path) = argument
            && let Meaning::Function(id) = self.meaning(path)
        {
            self.frame_of_function(id);
        }
        if let Value::Body(frame) = self.value_of(argument) {
            self.frame(frame).roles.push(role);
        }
    }

    /// `shift` is 1 if the first of its parameters is not among the arguments.
    fn call_of_function(
        &mut self,
        id: FunctionId,
        name: String,
        given: &Arguments,
        shift: usize,
        at: Place,
    ) {
        let yielder = self.names.yielder_of(id);
        let mut called = None;
        for (i, argument) in given.iter().enumerate() {
            let i = i + shift;
            match self.value_of(argument) {
                Value::Yielder(owner) if yielder == Some(i) => called = Some(owner),
                _ => self.given_to(id, i, at, argument),
            }
        }
        let callee = self.frame_of_function(id);
        if let Some(owner) = called {
            self.use_yielder(owner, at, What::Call { name, callee });
        }
    }

    /// `emit(y, 1)`, where `emit` is a closure that takes the yielder of its frame.
    fn call_of_closure(&mut self, body: FrameId, name: String, given: &Arguments, at: Place) {
        let yielder = given.first().map(|first| self.value_of(first));
        let Some(Value::Yielder(owner)) = yielder else {
            return given.iter().for_each(|argument| self.visit_expr(argument));
        };
        given.iter().skip(1).for_each(|argument| self.visit_expr(argument));
        self.use_yielder(owner, at, What::Call { name, callee: body });
    }

    pub fn method_call(&mut self, call: &ExprMethodCall) {
        self.look_for_ok(call);
        let receiver = self.value_of(&call.receiver);
        let method = plain(&call.method);
        let at = Place::of(call.method.span());
        if let Value::Yielder(owner) = receiver {
            for argument in &call.args {
                self.visit_expr(argument);
            }
            if api::yields(&method) && !is_empty(call.args.first()) {
                self.use_yielder(owner, at, What::Yield);
            }
            return;
        }
        if matches!(receiver, Value::Scope(..)) && method == "set_shield" && is_true(&call.args) {
            self.raise_shield();
        }
        if let Some(body) = self.body_of_method(&receiver, &method, call) {
            self.visit_expr(&call.receiver);
            let opening = match receiver {
                Value::Scope(made, shield) => {
                    Opening { at: made.unwrap_or(at), shield, manager: Value::Unknown }
                }
                _ => Opening { at, shield: Shield::Down, manager: Value::Unknown },
            };
            for (i, argument) in call.args.iter().enumerate() {
                if i == body.argument {
                    self.body(argument, body, Opening { manager: Value::Unknown, ..opening });
                } else {
                    self.visit_expr(argument);
                }
            }
            return;
        }
        if let Some(id) = self.method_here(call)
            && (is_self(&call.receiver) || self.gives_yielder(id, &call.args))
        {
            self.visit_expr(&call.receiver);
            return self.call_of_function(id, method, &call.args, 1, at);
        }
        visit::visit_expr_method_call(self, call);
    }

    /// Whether the parameter that is a yielder is given one.
    fn gives_yielder(&self, method: FunctionId, given: &Arguments) -> bool {
        let i = self.names.yielder_of(method).and_then(|i| i.checked_sub(1));
        let argument = i.and_then(|i| given.get(i));
        argument.is_some_and(|argument| matches!(self.value_of(argument), Value::Yielder(_)))
    }

    fn body_of_method(&self, of: &Value, method: &str, call: &ExprMethodCall) -> Option<Body> {
        if let Some(of) = of.has_methods_of() {
            return api::method(of, method);
        }
        // `n.generator(async |y: Yielder<_>| …)` is one whatever `n` is.
        match call.args.first() {
            Some(Expr::Closure(closure)) if self.takes_yielder(closure) => {
                api::method(Type::Nursery, method).filter(|body| body.runs == Runs::Generator)
            }
            _ => None,
        }
    }
}

/// `[]`, which `yield_all` does not yield.
fn is_empty(argument: Option<&Expr>) -> bool {
    matches!(argument, Some(Expr::Array(array)) if array.elems.is_empty())
}

fn is_true(arguments: &Arguments) -> bool {
    match arguments.first() {
        Some(Expr::Lit(literal)) => matches!(&literal.lit, syn::Lit::Bool(value) if value.value),
        _ => false,
    }
}
