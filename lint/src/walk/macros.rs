//! The macros whose arguments are looked into: those of which it is known that their arguments run
//! where they are written.

use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::token::Brace;
use syn::visit::Visit;
use syn::{Block, Expr, Ident, Macro, Pat, Token};

use super::Walker;
use crate::names::{Target, plain};

/// The arguments of these are expressions, separated by commas.
const EXPRESSIONS: &[&str] = &[
    "assert",
    "assert_eq",
    "assert_ne",
    "dbg",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "eprint",
    "eprintln",
    "format",
    "format_args",
    "join",
    "panic",
    "pin",
    "poll",
    "print",
    "println",
    "ready",
    "todo",
    "try_join",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
    "writeln",
];

/// These are given the name of a future, and leave it with that name.
const KEEP_NAMES: &[&str] = &["pin", "pin_mut"];

/// These are given statements, which run where they are written, or nearly so.
const STATEMENTS: &[&str] = &["stream", "try_stream"];

/// Of these only the first argument is an expression.
const FIRST_IS_EXPRESSION: &[&str] = &["matches"];

/// The macros that drop all but one of their futures, and the crates that have them.
const SELECTS: &[(&str, &str)] = &[
    ("futures", "select"),
    ("futures", "select_biased"),
    ("futures_util", "select"),
    ("futures_util", "select_biased"),
    ("tokio", "select"),
];

impl Walker {
    pub fn invocation(&mut self, invocation: &Macro) {
        let name = invocation.path.segments.last().map(|last| plain(&last.ident));
        let name = name.unwrap_or_default();
        if self.is_select(invocation) {
            self.select(invocation);
        } else if KEEP_NAMES.contains(&name.as_str())
            && invocation.parse_body_with(names_and_commas).is_ok()
        {
            // What is done with the name counts.
        } else if STATEMENTS.contains(&name.as_str()) {
            let statements = invocation.parse_body_with(Block::parse_within);
            let block =
                Block { brace_token: Brace::default(), stmts: statements.unwrap_or_default() };
            self.later(|walker| walker.block(&block));
        } else if EXPRESSIONS.contains(&name.as_str()) {
            // What is not a list of expressions, as in `vec![0; 9]`, cannot be seen.
            let expressions = invocation.parse_body_with(separated_by_commas);
            for expression in expressions.into_iter().flatten() {
                self.visit_expr(&expression);
            }
        } else if FIRST_IS_EXPRESSION.contains(&name.as_str())
            && let Ok(expression) = invocation.parse_body_with(first_expression)
        {
            self.visit_expr(&expression);
        }
    }

    fn is_select(&self, invocation: &Macro) -> bool {
        match self.names.resolve(&invocation.path, self.table) {
            Target::External(path) => {
                let mut path: Vec<&str> = path.iter().map(String::as_str).collect();
                // After `use seedbed::*`, `tokio` looks like the module of that name, which has no
                // macros.
                if path[0] == "seedbed" {
                    path.remove(0);
                }
                SELECTS.iter().any(|(of, name)| path == [*of, *name])
            }
            _ => false,
        }
    }

    fn select(&mut self, invocation: &Macro) {
        let Ok(branches) = branches.parse2(invocation.tokens.clone()) else { return };
        for branch in branches {
            self.look_for_dropped_operation(&branch.future, &format!("`{}!`", name_of(invocation)));
            self.visit_expr(&branch.future);
            self.locals_of_branch(branch);
        }
    }

    fn locals_of_branch(&mut self, branch: Branch) {
        self.locals.begin();
        if let Some(pattern) = &branch.pattern {
            self.bind(pattern, super::values::Value::Unknown);
        }
        for expression in branch.guard.iter().chain(&branch.handler) {
            self.visit_expr(expression);
        }
        self.locals.end();
    }
}

fn name_of(invocation: &Macro) -> String {
    let names = invocation.path.segments.iter().map(|segment| plain(&segment.ident));
    names.collect::<Vec<_>>().join("::")
}

fn separated_by_commas(input: ParseStream<'_>) -> syn::Result<Punctuated<Expr, Token![,]>> {
    Punctuated::parse_terminated(input)
}

fn names_and_commas(input: ParseStream<'_>) -> syn::Result<Punctuated<Ident, Token![,]>> {
    Punctuated::parse_terminated(input)
}

fn first_expression(input: ParseStream<'_>) -> syn::Result<Expr> {
    let expression = input.parse()?;
    input.parse::<proc_macro2::TokenStream>()?;
    Ok(expression)
}

/// What is pinned, if it is a `pin!`.
pub fn pinned(invocation: &Macro) -> Option<Expr> {
    let last = invocation.path.segments.last()?;
    if last.ident == "pin" { invocation.parse_body().ok() } else { None }
}

/// A branch of a `select!`, of tokio's or of futures'. One without a pattern, `else` or `complete`,
/// has no future either, and is left out, except for what it does.
struct Branch {
    pattern: Option<Pat>,
    future: Expr,
    guard: Option<Expr>,
    handler: Option<Expr>,
}

fn branches(input: ParseStream<'_>) -> syn::Result<Vec<Branch>> {
    let mut all = Vec::new();
    if input.peek(Ident) && input.peek2(Token![;]) {
        input.parse::<Ident>()?; // `biased`
        input.parse::<Token![;]>()?;
    }
    while !input.is_empty() {
        all.push(branch(input)?);
        input.parse::<Option<Token![,]>>()?;
    }
    Ok(all)
}

fn branch(input: ParseStream<'_>) -> syn::Result<Branch> {
    if input.peek(Token![else]) || (input.peek(Ident) && input.peek2(Token![=>])) {
        match input.parse::<Option<Token![else]>>()? {
            Some(_) => {}
            None => drop(input.parse::<Ident>()?),
        }
        input.parse::<Token![=>]>()?;
        let future = handler(input)?;
        return Ok(Branch { pattern: None, future, guard: None, handler: None });
    }
    let pattern = Pat::parse_multi_with_leading_vert(input)?;
    input.parse::<Token![=]>()?;
    let future = Expr::parse(input)?;
    let guard = match input.peek(Token![,]) && input.peek2(Token![if]) {
        true => {
            input.parse::<Token![,]>()?;
            input.parse::<Token![if]>()?;
            Some(Expr::parse(input)?)
        }
        false => None,
    };
    input.parse::<Token![=>]>()?;
    let handler = Some(handler(input)?);
    Ok(Branch { pattern: Some(pattern), future, guard, handler })
}

/// A block ends a handler; after anything else there is a comma.
fn handler(input: ParseStream<'_>) -> syn::Result<Expr> {
    if input.peek(syn::token::Brace) {
        let block = input.parse()?;
        return Ok(Expr::Block(syn::ExprBlock { attrs: Vec::new(), label: None, block }));
    }
    Expr::parse(input)
}
