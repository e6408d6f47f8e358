//! What the errors say, in one line.

use std::rc::Rc;
use std::time::Duration;

use super::*;

#[test]
fn c09_cancelled_says_why() {
    let [scope, by] = [here(), here()];
    let failure = || Reason::ChildFailed("out of paper".into());
    let text = || Some("superseded".into());
    let say = |by, reason| Cancelled::new(scope, by, reason).to_string();
    for (by, reason, expected) in [
        (
            None,
            Reason::Deadline,
            format!("cancelled: the deadline of the scope opened at {scope} passed"),
        ),
        (
            Some(by),
            failure(),
            format!(
                "cancelled: in the nursery opened at {scope} the task spawned at {by} failed: \
                 out of paper"
            ),
        ),
        (None, failure(), format!("cancelled: the nursery opened at {scope} failed: out of paper")),
        (Some(by), Reason::Requested(text()), format!("cancelled by {by}: superseded")),
        (None, Reason::Requested(text()), "cancelled: superseded".into()),
        (
            Some(by),
            Reason::Requested(None),
            format!("cancelled by {by}, along with the scope opened at {scope}"),
        ),
        (
            None,
            Reason::Requested(None),
            format!("cancelled along with the scope opened at {scope}"),
        ),
        (
            Some(by),
            Reason::GraceOver,
            format!("cancelled: the grace given to the scope opened at {scope} is over"),
        ),
        (None, Reason::Shutdown, "cancelled: the run is ending".into()),
        (None, Reason::Interrupted, "cancelled: Ctrl-C was pressed".into()),
    ] {
        assert_eq!(say(by, reason), expected);
    }
}

#[test]
fn c09_cancelled_tells_code_too() {
    let [scope, by] = [here(), here()];
    let cancelled = Cancelled::new(scope, Some(by), Reason::Requested(None));
    assert_eq!(cancelled.scope_place(), scope);
    assert_eq!(cancelled.cancelled_by(), Some(by));
    assert_eq!(cancelled.reason(), &Reason::Requested(None));
    assert!(format!("{cancelled:?}").starts_with("Cancelled { scope_place: "));
}

#[test]
fn n02_a_group_is_one_line() {
    let nested = group([Error::msg("B"), Error::msg("C")]);
    let [outer, inner] = [here(), nested.place().unwrap()];
    let member = |error| Member { error, origin: Origin::Body };
    let failures = [Error::msg("A\n\n  more of A\n"), nested].map(member);
    let error = Group::from_failures(outer, failures.into());
    let expected = format!(
        "2 failures in the nursery opened at {outer}: A more of A; \
         (2 failures in the nursery opened at {inner}: B; C)"
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.one_line(), expected);
    assert_eq!(error.as_dyn().to_string(), expected);
}

#[test]
fn n05_not_spawned_gives_the_future_back_whatever_it_is() {
    fn spawn<F>(future: F) -> Result<(), NotSpawned<F>> {
        Err(NotSpawned::new(future, here(), here()))
    }

    // Neither `Send` nor `Debug`, and its type cannot be named.
    let borrowed = Rc::new(());
    let future = async || drop(borrowed.clone());
    let refused = spawn(future()).unwrap_err();
    let place = refused.error().place();
    assert!(refused.to_string().contains(&format!("opened at {place}")));
    assert!(format!("{refused:?}").starts_with("NotSpawned { why: NurseryClosed {"));
    drop(refused.into_inner());

    let through = || -> Result<()> { Ok(spawn(future())?) };
    assert!(through().unwrap_err().is::<NurseryClosed>());
}

#[test]
fn n07_not_started_says_which_start() {
    let place = here();
    let error = NotStarted::new(place);
    assert_eq!(error.place(), place);
    assert_eq!(
        error.to_string(),
        format!(
            "the child of the `start` at {place} ended without calling `started.ready`; \
             call it when the child is ready, or use `spawn`"
        )
    );
}

#[test]
fn n10_no_value_says_which_nursery_and_carries_the_cancellation() {
    let place = here();
    let error = NoValue::new(place, cancelled("enough"));
    assert_eq!(error.place(), place);
    assert_eq!(error.cancelled().unwrap().to_string(), "cancelled: enough");
    assert!(error.to_string().contains(&format!("opened at {place} was cancelled")));
}

#[test]
fn c07_too_slow_says_which_limit() {
    let place = here();
    let error = TooSlow::new(place, Some(Duration::from_millis(1_500)));
    assert_eq!(error.place(), place);
    assert_eq!(error.limit(), Some(Duration::from_millis(1_500)));
    let expected = format!("`fail_after` at {place} was cut short by its limit of 1.5s");
    assert!(error.to_string().contains(&expected));
    let error = TooSlow::new(place, None);
    let expected = format!("`fail_at` at {place} was cut short at its deadline");
    assert!(error.to_string().contains(&expected));
    let error = TooSlow::of_item(place, Duration::from_secs(2));
    assert_eq!((error.place(), error.limit()), (place, Some(Duration::from_secs(2))));
    let expected = format!("an item took longer than the limit of 2s of the `timeout` at {place};");
    assert!(error.to_string().contains(&expected));
}

#[test]
fn retries_exhausted_says_how_many() {
    let place = here();
    for (attempts, said) in [(1, "1 attempt"), (3, "3 attempts")] {
        let error = Error::from(RetriesExhausted::new(attempts, place, Error::msg("worn out")));
        let text = error.to_string();
        let expected = format!(
            "the `retry` at {place} gave up after {said}, the last of which failed: worn out"
        );
        assert!(text.contains(&expected), "{text}");
    }
}

#[test]
fn misuse_says_where() {
    let [place, other] = [here(), here()];
    for error in
        [Error::from(AlreadyRunning::new(other, place)), Error::from(ScopeReused::new(place))]
    {
        let text = error.to_string();
        assert!(text.contains(&format!("{place}")), "{text}");
    }
    assert!(NotRunning.to_string().contains("seedbed::run"));
}

#[test]
fn r05_interrupted_says_what_happened() {
    assert!(Interrupted.to_string().contains("Ctrl-C"));
}
