//! Texts that need not compile: odd ones, half ones, and such as no test crate could import.

use seedbed_lint::{Place, Rule, check, with_stack};

use crate::{found, rules_in};

const YIELD: Rule = Rule::YieldInScope;

/// The body of a generator, in a function of a file that imports everything.
fn body(text: &str) -> String {
    format!(
        "use seedbed::*;\nfn f() -> Generator<'static, u32> {{\ngenerator(async |y: Yielder<u32>| \
         {{\n{text}\n}})\n}}\n"
    )
}

#[test]
fn o03_the_message_has_the_place_the_opening_and_the_advice() {
    let text = body("fail_after(LIMIT, async { y.yield_(1).await.map(drop) }).await");
    let findings = found(&text);
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!(finding.at, Place { line: 4, column: 29 });
    assert_eq!(
        finding.text,
        "the yield is inside a timeout, opened at src/main.rs:4:1, which would stay open while \
         the consumer runs; yield outside it, or make this a context manager, or run it behind \
         `safe_channel`"
    );
}

#[test]
fn o03_a_column_is_a_character() {
    let text = body("/* ÄÖ */ nursery(async |_| y.yield_('é').await.map(drop)).await");
    assert_eq!(found(&text)[0].at, Place { line: 4, column: 30 });
}

#[test]
fn o03_names_from_other_crates_and_files_mean_nothing() {
    for import in [
        "use trio::*;",
        "use crate::*;",
        "use super::*;",
        "use crate::prelude::{fail_after, generator, Yielder};",
        "",
    ] {
        let text = body("fail_after(LIMIT, async { y.yield_(1).await }).await");
        let text = text.replace("use seedbed::*;", import);
        assert_eq!(rules_in(&text), [], "with {import:?}");
    }
}

#[test]
fn o03_every_way_to_import() {
    for import in [
        "use seedbed::*;",
        "use ::seedbed::*;",
        "use seedbed::{self, fail_after, generator, Yielder};",
        "use seedbed::{self as s, *};",
        "use {seedbed::{fail_after}, seedbed::generator, seedbed::{Yielder as Yielder}};",
        "extern crate seedbed; use seedbed::*;",
        "extern crate seedbed as s; use s::{fail_after, generator, Yielder};",
        "use seedbed as s; use self::s::{fail_after, generator, Yielder};",
        "mod p { pub use seedbed::*; } use p::*;",
        "mod p { pub mod q { pub use seedbed::*; } pub use self::q::*; } use self::p::*;",
        "mod p { pub use seedbed::*; } use p::fail_after; use p::{generator, Yielder};",
        "pub(crate) use seedbed::{fail_after, generator, Yielder};",
        "#[cfg(test)] use seedbed::*; #[cfg(not(test))] use seedbed::*;",
    ] {
        let text = body("fail_after(LIMIT, async { y.yield_(1).await }).await");
        let text = text.replace("use seedbed::*;", import);
        assert_eq!(rules_in(&text), [(4, YIELD)], "with {import:?}");
    }
}

#[test]
fn o03_imports_in_circles_mean_nothing() {
    let text = "
        use a::*; use b::c as d; use e::e;
        mod a { pub use super::b::*; pub use super::a::*; }
        mod b { pub use super::a::*; pub use self::c as c; }
        use self::x as y; use self::y as x;
        fn f() { let _ = x(1); d(2); e(); generator(async |y| y.yield_(1).await); }
    ";
    assert_eq!(rules_in(text), []);
    // The crate is found all the same.
    let text = format!("mod p {{ pub use super::*; }} use p::*; {}", body("nursery(y.yield_(1))"));
    assert_eq!(rules_in(&text), [(4, YIELD)]);
}

#[test]
fn o03_macros_of_which_nothing_is_known_are_left_alone() {
    for (text, expected) in [
        ("nursery(async |_| { my_macro!(y.yield_(1).await); Ok(()) }).await", 0),
        ("nursery(async |_| { println!(\"{:?}\", y.yield_(1).await); Ok(()) }).await", 1),
        ("nursery(async |_| { assert!(y.yield_(1).await.is_ok(), \"{}\", 1); Ok(()) }).await", 1),
        ("nursery(async |_| { vec![0; 9]; vec![y.yield_(1).await]; Ok(()) }).await", 1),
        ("nursery(async |_| if let true = matches!(y.yield_(1).await, Ok(_) if true) {}).await", 1),
        ("nursery(async |_| { dbg!(y.yield_(1).await)?; Ok(()) }).await", 1),
        (
            "nursery(async |_| tokio::select! { _ = y.yield_(1) => Ok(()), else => Ok(()) }).await",
            1,
        ),
        (
            "nursery(async |_| tokio::select! { biased; Ok(x) = rx, if true => { y.yield_(x).await } \
             }).await",
            1,
        ),
        ("nursery(async |_| futures::select! { default => y.yield_(1).await, }).await", 1),
        ("nursery(async |_| futures::select! { this is not one }).await", 0),
    ] {
        assert_eq!(rules_in(&body(text)), vec![(4, YIELD); expected], "of {text}");
    }
}

#[test]
fn o03_a_macro_that_is_defined_in_the_file_is_left_alone() {
    let text = "
        use seedbed::*;
        macro_rules! stream { ($y:ident => $body:expr) => { generator(async |$y: Yielder<u32>| $body) } }
        fn f() { stream!(y => nursery(async |_| y.yield_(1).await.map(drop)).await); }
    ";
    assert_eq!(rules_in(text), []);
}

#[test]
fn o03_odd_syntax() {
    for (text, expected) in [
        ("(fail_after)(LIMIT, async { y.yield_(1).await }).await", 1),
        ("fail_after::<()>(LIMIT, async { y.yield_(1).await }).await", 1),
        ("self::fail_after(LIMIT, async { (y.yield_)(1).await }).await", 0),
        ("fail_after(LIMIT, async { Yielder::yield_(&y, 1).await }).await", 1),
        ("fail_after(LIMIT, async { <Yielder<u32>>::yield_(&y, 1).await }).await", 1),
        ("fail_after(LIMIT, async { (&y).yield_(1).await }).await", 1),
        ("fail_after(LIMIT, async { (*&y).yield_(1).await }).await", 1),
        ("fail_after(LIMIT, async { { &y }.yield_(1).await }).await", 1),
        ("fail_after(LIMIT, { let y = &y; async move { y.yield_(1).await } }).await", 1),
        ("fail_after(LIMIT, if b { y.yield_(1) } else { y.yield_(2) }).await", 2),
        ("fail_after(LIMIT, (async || y.yield_(1).await)()).await", 1),
        ("fail_after(LIMIT, async { let z = y; z.yield_(1).await }).await", 1),
        ("let z = &y; fail_after(LIMIT, async { z.yield_(1).await }).await", 1),
        ("let z = Rc::new(y); fail_after(LIMIT, async { z.yield_(1).await }).await", 1),
        ("let z = Rc::new(y); let z = z.clone(); nursery(async |_| z.yield_(1).await).await", 1),
        ("let (a, b) = (y, 1); fail_after(LIMIT, a.yield_(b)).await", 1),
        ("let run = fail_after; run(LIMIT, y.yield_(1)).await", 1),
        ("fail_after(LIMIT, async { 'a: { loop { break 'a y.yield_(1).await } } }).await", 1),
        ("fail_after(LIMIT, async { unsafe { y.yield_(1).await } }).await", 1),
        ("fail_after(LIMIT, async { return y.yield_(1).await }).await", 1),
        ("fail_after(LIMIT, async { Ok([y.yield_(1).await?; 1]) }).await", 1),
        ("fail_after(LIMIT, async { Ok(S { a: y.yield_(1).await?, ..z }) }).await", 1),
        ("fail_after(LIMIT, async { a && y.yield_(1).await.is_ok() }).await", 1),
        ("fail_after(LIMIT, async { y.yield_all([1, 2]).await }).await", 1),
        ("fail_after(LIMIT, y.yield_all([])).await", 0),
        ("y.yield_(fail_after(LIMIT, async { Ok(1) }).await?).await", 0),
        ("let y = 1; fail_after(LIMIT, async { y.yield_(1).await }).await", 0),
        ("let s = fail_after(LIMIT, sleep(1)); y.yield_(1).await?; s.await", 0),
        ("if let Some(y) = other { fail_after(LIMIT, y.yield_(1)).await }", 0),
        ("for y in others { fail_after(LIMIT, y.yield_(1)).await }", 0),
        ("match other { Some(y) => fail_after(LIMIT, y.yield_(1)).await, None => {} }", 0),
        ("let f = |y: Other| fail_after(LIMIT, y.yield_(1)); f(o).await", 0),
    ] {
        let lines: Vec<_> = rules_in(&body(text));
        assert_eq!(lines, vec![(4, YIELD); expected], "of {text}");
    }
}

#[test]
fn o03_what_operators_are_given_is_in_tasks() {
    for text in [
        "flow(x).then(async |n| y.yield_(n).await).collect::<Vec<_>>().await",
        "flow(x).map(f).buffered(4, async |n| y.yield_(n).await).count().await",
        "flow(x).buffer_unordered(4, |n| async { y.yield_(n).await }).count().await",
        "flow(x).map_latest(async |n| y.yield_(n).await).first().await",
        "flow::from_iter(x).for_each_concurrent(2, async |n| y.yield_(n).await).await",
    ] {
        assert_eq!(rules_in(&body(text)), [(4, Rule::YieldInOtherFrame)], "of {text}");
    }
}

#[test]
fn o03_results_are_thrown_away_in_several_ways() {
    for (text, expected) in [
        ("let _ = sleep(S).await.map(drop);", 1),
        ("sleep(S).await.map_err(log).ok();", 1),
        ("let _ = sleep(S).await.inspect_err(|error| warn!(\"{error}\"));", 1),
        ("async_stream::try_stream! { sleep(S).await.ok(); yield 1; };", 1),
        ("tokio::select! { _ = x => { let _ = sleep(S).await; } }", 1),
        ("let _ = flow(x).count().await;", 1),
        ("let n: &Nursery<'_, '_> = m; n.start(child).await.ok();", 1),
        ("let e: Event = made(); let _ = e.wait().await;", 1),
        ("let e: Rc<Event> = made(); let _ = e.clone().wait().await;", 1),
        ("let _ = std::rc::Rc::new(Event::new()).wait().await;", 1),
        ("let e = Event::new(); let _ = (&e).wait().await;", 1),
        ("let _ = Box::pin(sleep(S)).await;", 1),
        ("let _ = (sleep(S)).await;", 1),
        ("let _x = sleep(S).await;", 0),
        ("let e = other(); let _ = e.wait().await;", 0),
        ("let _ = sleep(S).await.is_ok();", 0),
        ("let _ = sleep(S).await?;", 0),
        ("let (_, b) = (sleep(S).await?, 1);", 0),
        ("let _ = other::sleep(S).await;", 0),
        ("fn sleep() {} let _ = sleep(S).await;", 0),
        ("let sleep = other; let _ = sleep(S).await;", 0),
        ("let _ = crate::sleep(S).await;", 0),
    ] {
        let expected = vec![(4, Rule::SwallowedCancellation); expected];
        assert_eq!(rules_in(&body(text)), expected, "of {text}");
    }
}

#[test]
fn o03_managers_and_guards_come_in_wrappings() {
    let items = "
        async fn open() -> Result<ContextManager<'static, ()>> {
            checkpoint().await?;
            Ok(context_manager(async |y: Yielder<()>| {
                nursery(async |_| y.yield_(()).await.map(drop)).await
            }))
        }
        fn try_lock() -> Result<PreventYields> { Ok(prevent_yields(\"locked\")) }
    ";
    for (text, expected) in [
        ("with(open().await?, async |()| y.yield_(1).await.map(drop)).await", 1),
        ("let m = open().await?; with(m, async |()| y.yield_(1).await.map(drop)).await", 1),
        ("with(open().await?, |()| async { y.yield_(1).await.map(drop) }).await", 1),
        ("let _lock = try_lock()?; y.yield_(1).await", 1),
        ("let _lock = Some(prevent_yields(\"x\")); y.yield_(1).await", 1),
        ("let _lock: PreventYields = prevent_yields(\"x\"); y.yield_(1).await", 1),
        ("let lock = try_lock()?; drop(lock); y.yield_(1).await", 0),
        ("let lock = try_lock()?; keep(lock); y.yield_(1).await", 0),
        ("let lock = try_lock()?; self.lock = lock; y.yield_(1).await", 0),
        ("if a { let _lock = try_lock()?; } y.yield_(1).await", 0),
        ("let other = move || { let _lock = try_lock(); }; y.yield_(1).await", 0),
        ("{ let _lock = try_lock()?; } y.yield_(1).await", 0),
        ("loop { y.yield_(1).await?; let _lock = try_lock()?; }", 0),
        ("with(elsewhere(), async |()| y.yield_(1).await.map(drop)).await", 0),
    ] {
        let text = format!("{}{}", body(text), items);
        assert_eq!(rules_in(&text), vec![(4, YIELD); expected], "of {text}");
    }
}

#[test]
fn o03_what_is_no_rust_is_an_error_with_its_place() {
    for (text, line, why) in [
        ("fn f() { let x = ; }", 1, "expected"),
        ("fn f() {\n    let x = \"unfinished;\n}", 1, "not a token"),
        ("fn f() {\n}\n}", 3, ""),
        ("fn f() {", 1, ""),
        ("\u{0}", 1, ""),
    ] {
        let error = with_stack(|| check("a.rs", text)).unwrap_err();
        assert!(error.at.line <= line + 2 && error.why.contains(why), "{text:?}: {error:?}");
    }
}

#[test]
fn o03_odd_files_are_read() {
    for text in [
        "",
        "\u{feff}fn main() {}",
        "#!/usr/bin/env run-cargo-script\nfn main() {}",
        "#![no_std]",
        "//! only a comment",
        "/* /* nested */ */",
        "fn f() {} // at the end",
        "fn f() {}\r\n// of DOS\r\n",
        "r#\"fn\"#;".trim_end_matches("r#\"fn\"#;"),
    ] {
        assert_eq!(rules_in(text), [], "in {text:?}");
    }
    let shebang =
        format!("#!/usr/bin/env run\n{}", body("nursery(async |_| y.yield_(1).await).await"));
    assert_eq!(rules_in(&shebang), [(5, YIELD)]);
}

#[test]
fn o03_what_is_nested_without_end_is_refused_and_long_is_not() {
    let deep = format!("fn f() {{ {}1{} }}", "(".repeat(3000), ")".repeat(3000));
    let error = with_stack(|| check("a.rs", &deep)).unwrap_err();
    assert!(error.why.contains("nested"), "{error:?}");
    let long = format!("fn f() {{ let x = 1{}; }}", " + 1".repeat(20_000));
    assert_eq!(rules_in(&long), []);
    let twice = |i: u32| format!("let a{} = async || {{ a{i}().await; a{i}().await }};", i + 1);
    let doubled: String = (0..100).map(twice).collect();
    let doubled = format!("let a0 = async || y.yield_(1).await; {doubled} nursery(a100()).await");
    assert_eq!(rules_in(&body(&doubled)), [(4, YIELD)]);
    let chain = format!("fn f() {{ x{}; }}", ".a().await?".repeat(1_000));
    assert_eq!(rules_in(&chain), []);
}
