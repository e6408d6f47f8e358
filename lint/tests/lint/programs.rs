//! Programs that are compiled and run. The lines on which something should be found say so, with
//! `//~ RULE`. When such a program runs, it has to fail at a place that was found, with what was
//! found to be open there; and the correct ones have to end well.

use std::collections::BTreeSet;

use seedbed::testing::VirtualClock;
use seedbed::{Builder, Error, Generator, Result, YieldInCancelScope, YielderMisused};
use seedbed_lint::{Finding, Rule};

use crate::found_in;

/// Takes all items of a generator.
pub async fn drain<T>(mut items: Generator<'_, T>) -> Result<()> {
    while items.anext().await?.is_some() {}
    Ok(())
}

/// What came of a program.
struct Run {
    name: &'static str,
    outcome: Result<()>,
}

fn run(program: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
    Builder::new().clock(&VirtualClock::new()).run(program())
}

/// A file, and what came of the programs in it, if they can be run.
struct Programs {
    path: &'static str,
    text: &'static str,
    runs: Vec<Run>,
}

/// `programs! { "broken/scopes.rs" as broken_scopes: a_scope, a_deadline }`
macro_rules! programs {
    ($($path:literal as $module:ident: $($program:ident $(:: $inner:ident)*),* $(,)?;)*) => {
        $(#[allow(dead_code, unused_must_use, clippy::all)] #[path = $path] mod $module;)*

        fn all() -> Vec<Programs> {
            vec![$(Programs {
                path: concat!("lint/tests/lint/", $path),
                text: include_str!($path),
                runs: vec![$(Run {
                    name: stringify!($program $(:: $inner)*),
                    outcome: run($module::$program $(:: $inner)*),
                }),*],
            }),*]
        }
    };
}

programs! {
    "broken/scopes.rs" as broken_scopes:
        a_timeout_around_all_of_it, a_timeout_in_one_line, a_timeout_around_the_future_of_a_yield,
        a_deadline, a_deadline_that_is_no_failure, a_scope, a_scope_that_was_made_before,
        a_scope_in_a_chain, a_nursery_whose_children_feed_it, sections, in_the_consumer_of_a_channel, the_innermost_is_named,
        a_synchronous_one, in_the_generator_of_a_nursery;
    "broken/names.rs" as broken_names:
        a_renamed_crate, renamed_imports, full_paths, imports_in_a_function, a_prelude_of_the_file,
        aliases_of_types, raw_names, inner::what_a_parent_imports, inner::by_super;
    "broken/ways.rs" as broken_ways:
        loops, an_arm, let_else, a_closure_that_is_named_first, a_future_that_is_pinned_first,
        a_boxed_future, a_block_in_a_block, a_chain_of_adapters, conditions, joined,
        tried_together, by_a_function_of_futures, in_an_assertion, a_method, a_body_that_is_a_block,
        a_yielder_of_no_written_type, a_body_that_is_named_first,
        after_another_one_that_is_right;
    "broken/managers.rs" as broken_managers:
        a_manager_of_the_file, a_manager_in_a_variable, a_manager_that_uses_a_manager, a_guard,
        a_guard_that_is_dropped_too_late, a_guard_that_a_function_returns,
        a_helper_that_is_called_inside, a_helper_that_opens, a_helper_of_a_helper,
        a_closure_that_is_called_inside, the_future_of_a_closure, around_a_consumer,
        in_the_body_of_an_iterate, a_helper_that_is_given_a_future,
        a_helper_that_is_given_a_closure, a_helper_that_is_given_what_has_a_name;
    "broken/frames.rs" as broken_frames:
        in_a_child, in_a_child_that_is_given_a_function, in_an_inner_generator, in_a_manager,
        in_a_producer, beside_a_handle, in_the_body_of_an_iterate;
    "broken/flows.rs" as broken_flows:
        for_each, open, a_fold, a_flow_with_a_name, a_flow_of_a_function, merged,
        an_iteration_in_a_flow;
    "broken/types.rs" as broken_types:
        a_method_that_opens, a_method_that_is_called_inside, an_associated_function_that_is_called_inside, a_guard_from_a_method, a_manager_from_a_method, a_manager_from_a_method_of_a_variable, a_default_method_of_a_trait, a_recursion_inside, a_function_item_as_the_body, an_associated_function_as_the_body, a_guard_that_is_assigned, a_scope_in_a_field, a_nursery_in_a_field;
    "broken/everyday.rs" as broken_everyday:
        pagination, prefetching, heartbeats, batches, retries, a_stream_of_futures, a_pinned_stream, a_future_pinned_by_a_macro, shutting_down, a_tee, a_queue_in_a_block;
    "broken/lost.rs" as broken_lost: ;
    "broken/races.rs" as broken_races: ;
    "correct/outside.rs" as correct_outside:
        the_value_is_taken_out, the_scope_is_the_consumers, a_generator_made_in_a_scope,
        a_generator_of_a_nursery, in_the_consumer_of_an_inner_one,
        an_inner_one_inside_a_scope_of_the_outer, a_producer, a_channel_from_a_child,
        one_after_the_other, a_future_that_is_used_elsewhere, a_closure_that_is_called_outside,
        what_only_looks_like_a_yield, what_only_looks_like_a_scope, a_synchronous_one,
        in_the_consumer_of_an_iterate, a_future_that_is_made_inside_and_run_outside;
    "correct/names.rs" as correct_names:
        a_function_of_a_module, an_import_from_elsewhere, a_glob_that_is_shadowed,
        a_local_that_shadows, a_module_with_the_name_of_the_crate;
    "correct/managers.rs" as correct_managers:
        a_manager_yields_in_a_nursery, the_consumer_opens_it, a_manager_that_holds_nothing,
        a_manager_that_has_left_its_scope, a_manager_used_in_between, a_guard_that_was_dropped,
        a_guard_of_a_block, a_guard_that_moved_on, a_guard_of_the_consumer,
        a_helper_that_is_called_outside, a_helper_of_a_manager, a_manager_in_a_generator,
        a_helper_that_runs_it_outside, a_helper_that_is_given_what_came_out,
        a_helper_that_uses_what_came_out_inside;
    "correct/flows.rs" as correct_flows:
        items_of_a_nursery, a_flow_that_is_returned, a_source_that_yields, folded_before;
    "correct/types.rs" as correct_types:
        a_method_that_has_left_its_scope, a_method_of_a_manager, another_type_with_that_method, methods_of_a_trait, a_method_that_only_has_a_yielder, a_recursion, a_guard_that_is_assigned_and_dropped;
    "correct/everyday.rs" as correct_everyday:
        pagination, heartbeats, prefetching, batches, retries, a_generator_for_each_child, a_generator_inside_of_a_task_of_a_generator, a_pinned_stream, a_step_that_is_begun_outside, clean_up_under_a_shield, zipped, nested_iterations;
    "correct/lost.rs" as correct_lost:
        passed_on, what_is_no_operation, under_a_shield, a_shield_that_is_put_up,
        a_task_that_is_not_waited_for, a_guard_with_a_name;
}

/// The lines that say what should be found on them.
fn marked(text: &str) -> BTreeSet<(usize, Rule)> {
    let mut all = BTreeSet::new();
    for (i, line) in text.lines().enumerate() {
        if let Some((_, names)) = line.split_once("//~ ") {
            all.extend(names.split(' ').map(|name| (i + 1, Rule::named(name).expect(name))));
        }
    }
    all
}

#[test]
fn o03_what_is_marked_is_found_and_nothing_else() {
    let mut wrong = Vec::new();
    for Programs { path, text, .. } in all() {
        let found: BTreeSet<_> = found_in(path, text).iter().map(|f| (f.at.line, f.rule)).collect();
        let marked = marked(text);
        let missed = marked.difference(&found).map(|(line, rule)| (path, *line, "missed", *rule));
        let alarms = found.difference(&marked).map(|(line, rule)| (path, *line, "false", *rule));
        wrong.extend(missed.chain(alarms));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn o03_what_fails_when_a_program_runs_was_found() {
    for Programs { path, text, runs } in all() {
        let found = found_in(path, text);
        for Run { name, outcome } in runs {
            match outcome {
                Ok(()) => assert!(!path.contains("broken"), "{path}: {name} does not fail"),
                Err(error) => assert!(
                    found.iter().any(|finding| agrees(name, &error, finding, path)),
                    "{path}: {name} was not found: {error}"
                ),
            }
        }
    }
}

/// An error of this type, also in a group.
fn inner<E: std::error::Error + 'static>(error: &Error) -> Option<&E> {
    let members = error.as_group().into_iter().flat_map(|group| group.errors());
    error.downcast_ref().or_else(|| members.into_iter().find_map(inner))
}

/// The programs in which something is open that was made where it cannot be seen: what is found is
/// where it is entered, or comes from.
const MADE_ELSEWHERE: &[&str] =
    &["a_guard_from_a_method", "a_guard_that_a_function_returns", "a_scope_in_a_field"];

/// Whether an error is the one that was found: at the same place, with the same advice.
fn agrees(program: &str, error: &Error, finding: &Finding, path: &str) -> bool {
    let here = format!("{path}:{}", finding.at);
    let says = |place: String| here == place || finding.text.contains(&format!("{place},"));
    if let Some(refused) = inner::<YieldInCancelScope>(error) {
        let same = match MADE_ELSEWHERE.contains(&program) {
            true => finding.text.contains(&format!(" is inside {}, opened at ", refused.reason())),
            false => {
                let (_, advice) = finding.text.split_once(" is inside ").unwrap_or_default();
                refused.to_string().ends_with(&format!(" is inside {advice}"))
            }
        };
        return finding.rule == Rule::YieldInScope
            && says(refused.yielded_at().to_string())
            && same;
    }
    inner::<YielderMisused>(error).is_some_and(|misused| {
        finding.rule == Rule::YieldInOtherFrame && says(misused.place().to_string())
    })
}
