//! Building groups and taking them apart.

use super::*;

fn parts((left, right): (Option<Error>, Option<Error>)) -> (Option<String>, Option<String>) {
    (left.as_ref().map(shape), right.as_ref().map(shape))
}

fn texts(one_of: &'static [&'static str]) -> impl FnMut(&Error) -> bool {
    |error| one_of.contains(&&*error.to_string())
}

#[test]
fn n02_every_failure_is_there_in_the_order_it_happened() {
    let error = group([Error::msg("B"), Error::msg("A"), Error::msg("C")]);
    let group = error.as_group().unwrap();
    assert_eq!(group.len(), 3);
    assert_eq!(shape(&error), "[B, A, C]");
    assert_eq!(error.place(), Some(group.place()));

    let errors = error.downcast::<Group>().unwrap().into_errors();
    assert_eq!(errors.map(|error| shape(&error)).collect::<String>(), "BAC");
}

#[test]
fn n03_one_failure_is_a_group_too() {
    assert_eq!(shape(&group([Error::msg("A")])), "[A]");
    assert_eq!(shape(&group([group([Error::msg("A")])])), "[[A]]");
}

#[test]
fn n03_nothing_but_cancelled_is_the_first_of_them() {
    let error = group([cancelled("first").into(), cancelled("second").into()]);
    assert!(error.is_cancelled());
    assert_eq!(error.to_string(), "cancelled: first");
}

#[test]
fn n03_nothing_but_cancelled_at_any_depth_is_the_first_of_them() {
    let inner = group([group([cancelled("first").into()])]);
    let error = group([inner, cancelled("second").into()]);
    assert_eq!(error.to_string(), "cancelled: first");
}

#[test]
fn n03_cancelled_beside_a_failure_stays_in_the_group() {
    let error = group([cancelled("x").into(), Error::msg("A")]);
    assert!(!error.is_cancelled());
    assert_eq!(shape(&error), "[cancelled: x, A]");
}

#[test]
#[should_panic = "without a failure"]
fn n03_there_is_no_empty_group() {
    group([]);
}

#[test]
fn c06_a_plain_cancelled_is_absorbed_whole() {
    let absorbed = Error::from(cancelled("x")).absorb_cancelled();
    assert!(matches!(absorbed, Absorbed::Everything));
}

#[test]
fn c06_without_a_cancelled_nothing_changes() {
    assert_eq!(shape(&unabsorbed(Error::msg("A"))), "A");

    let error = group([Error::msg("A"), group([Error::msg("B")])]);
    assert_eq!(shape(&unabsorbed(error)), "[A, [B]]");
}

#[test]
fn c06_what_is_left_keeps_its_shape_and_places() {
    let (inner_place, spawned) = (here(), here());
    let inner = Group::from_failures(
        inner_place,
        vec![
            Member { error: cancelled("x").into(), origin: Origin::Body },
            Member { error: Error::msg("B"), origin: Origin::Task(Spawned::At(spawned)) },
        ],
    );
    let raised = inner.as_group().unwrap().errors().last().unwrap().place();
    let error = group([Error::msg("A"), cancelled("x").into(), inner]);
    let place = error.place();

    let rest = partly_absorbed(error);
    assert_eq!(shape(&rest), "[A, [B]]");
    assert_eq!(rest.place(), place);
    let inner = rest.as_group().unwrap().errors().last().unwrap();
    assert_eq!(inner.place(), Some(inner_place));
    let [member] = inner.as_group().unwrap().members() else {
        panic!("{inner}");
    };
    assert!(matches!(&member.origin, Origin::Task(task) if task.place() == spawned));
    assert_eq!(member.error.place(), raised);
}

#[test]
fn c06_a_cancelled_that_is_only_a_cause_stays() {
    let error = NoValue::new(here(), cancelled("x"));
    assert!(unabsorbed(group([error.into()])).find::<NoValue>().is_some());
}

#[test]
fn c15_deep_nesting_does_not_overflow_the_stack() {
    let error = deep();
    assert!(error.to_string().contains("the deepest"));
    assert!(error.find::<TooSlow>().is_none());
    assert!(partly_absorbed(error).find::<Cancelled>().is_none());
}

/// The first example of `split` in PEP 654, "Subgroups": an outer group of a failure and two
/// nested groups. One side gets the `TypeError`s.
#[test]
fn split_as_in_pep_654() {
    let error = || {
        group([
            Error::msg("Type(1)"),
            group([Error::msg("Type(2)"), Error::msg("Value(3)")]),
            group([Error::msg("OS(4)"), group([Error::msg("Type(5)")])]),
        ])
    };
    let is_type = |error: &Error| error.to_string().starts_with("Type");
    assert_eq!(
        parts(error().split(is_type)),
        (Some("[Type(1), [Type(2)], [[Type(5)]]]".into()), Some("[[Value(3)], [OS(4)]]".into()))
    );
    let all = "[Type(1), [Type(2), Value(3)], [OS(4), [Type(5)]]]";
    assert_eq!(parts(error().split(|_| true)), (Some(all.into()), None));
    assert_eq!(parts(error().split(|_| false)), (None, Some(all.into())));
}

#[test]
fn split_asks_only_about_leaves_and_in_order() {
    let mut asked = Vec::new();
    let error = group([Error::msg("A"), group([Error::msg("B"), cancelled("x").into()])]);
    error.split(|error| {
        asked.push(error.to_string());
        true
    });
    assert_eq!(asked, ["A", "B", "cancelled: x"]);
}

#[test]
fn split_of_a_single_error() {
    let split = || Error::msg("A").split(texts(&["A"]));
    assert_eq!(parts(split()), (Some("A".into()), None));
    let split = || Error::msg("B").split(texts(&["A"]));
    assert_eq!(parts(split()), (None, Some("B".into())));
}

/// N3's rule also holds for the results of `split`: letting the cancellations pass is the same as
/// having had nothing else.
#[test]
fn n03_cancellations_split_off_are_a_plain_cancelled() {
    let error = group([
        Error::msg("A"),
        group([cancelled("x").into(), Error::msg("B")]),
        cancelled("y").into(),
    ]);
    let (cancelled, rest) = error.split(Error::is_cancelled);
    assert_eq!(cancelled.unwrap().to_string(), "cancelled: x");
    assert_eq!(shape(&rest.unwrap()), "[A, [B]]");
}

#[test]
fn find_goes_depth_first_and_into_causes() {
    let slow = |place| TooSlow::new(place, None);
    let [first, second] = [here(), here()];
    let error = group([
        Error::msg("A"),
        group([cancelled("x").into(), slow(first).into()]),
        slow(second).into(),
        NoValue::new(here(), cancelled("y")).into(),
    ]);
    assert_eq!(error.find::<TooSlow>().unwrap().place(), first);
    assert_eq!(error.find::<Cancelled>().unwrap().to_string(), "cancelled: x");
    assert!(error.find::<NoValue>().is_some());
    assert!(error.find::<Group>().is_some());
    assert!(error.find::<NotStarted>().is_none());
    assert!(!error.is::<TooSlow>());

    let error = Error::from(NoValue::new(here(), cancelled("y")));
    assert!(error.find::<Cancelled>().is_some());
    assert!(!error.is::<Cancelled>());
}

#[test]
fn cancelled_and_groups_can_be_downcast() {
    let error = Error::from(cancelled("x"));
    assert!(error.is::<Cancelled>());
    assert!(error.as_group().is_none());
    assert_eq!(error.place(), None);
    let error = error.downcast::<Group>().unwrap_err();
    assert_eq!(error.downcast::<Cancelled>().unwrap().to_string(), "cancelled: x");

    let error = group([Error::msg("A")]);
    assert!(error.downcast_ref::<Group>().is_some());
    let error = error.downcast::<Cancelled>().unwrap_err();
    assert_eq!(error.downcast::<Group>().unwrap().len(), 1);
}
