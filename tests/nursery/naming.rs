//! N12: names of tasks.

use std::cell::RefCell;
use std::future::pending;

use seedbed::{Error, Result, Stuck, TaskCancelled, nursery, sleep_forever, yield_now};

use super::{Events, SECOND, fails, run};

/// A hundred on one line, of which one fails.
#[test]
fn n12_a_name_tells_a_task_from_others_of_its_place() {
    let error = run(nursery::<_, ()>(async |n| {
        for i in 0..100 {
            n.named(format!("worker {i}")).spawn(async move {
                seedbed::sleep(SECOND * i).await?;
                if i == 42 { fails("child") } else { Ok(()) }
            });
        }
        Ok(())
    }))
    .unwrap_err();
    let tree = format!("{error:?}");
    assert!(
        tree.contains("in the task \"worker 42\" spawned at tests/nursery/naming.rs:"),
        "{tree}"
    );
    assert!(!tree.contains("worker 43"), "{tree}");
}

#[test]
fn n12_without_a_name_the_place_is_all() {
    let error = run(nursery::<_, ()>(async |n| {
        n.spawn(async { fails::<()>("child") });
        Ok(())
    }))
    .unwrap_err();
    let tree = format!("{error:?}");
    assert!(tree.contains("in the task spawned at tests/nursery/naming.rs:"), "{tree}");
}

#[test]
fn n12_a_cancellation_names_the_task_that_failed() {
    let told = std::cell::RefCell::new(String::new());
    run(nursery::<_, ()>(async |n| {
        n.spawn(async {
            let error = sleep_forever().await.unwrap_err();
            told.replace(error.to_string());
            Err::<(), _>(error)
        });
        n.named("importer").spawn(async { fails::<()>("out of paper") });
        Ok(())
    }))
    .unwrap_err();
    let told = told.take();
    assert!(told.contains("the task \"importer\" spawned at"), "{told}");
    assert!(told.ends_with("failed: out of paper"), "{told}");
}

/// A name stays in its line, whatever is in it.
#[test]
fn n12_a_name_is_quoted() {
    let error = run(nursery::<_, ()>(async |n| {
        n.named("a \"b\"\nc").spawn(async { fails::<()>("child") });
        Ok(())
    }))
    .unwrap_err();
    let tree = format!("{error:?}");
    assert!(tree.contains(r#"the task "a \"b\"\nc" spawned at"#), "{tree}");
}

#[test]
fn n12_a_handle_and_start_name_tasks_too() -> Result<()> {
    run(nursery(async |n| {
        let handle = n.handle();
        let task = handle.named("by handle").spawn(async { Ok(1) })?;
        assert!(format!("{task:?}").contains("\"by handle\""), "{task:?}");
        assert_eq!(task.await?, 1);
        let error = n
            .named("by start")
            .start(async |started| {
                started.ready(());
                yield_now().await?;
                fails("child")
            })
            .await;
        error?;
        sleep_forever().await
    }))
    .map_or_else(
        |error| {
            let tree = format!("{error:?}");
            assert!(tree.contains("the task \"by start\" spawned at"), "{tree}");
            Ok(())
        },
        |()| fails("it was to fail"),
    )
}

#[test]
fn n12_names_stand_in_the_errors_of_tasks() {
    run(nursery(async |n| {
        let task = n.named("download").spawn(sleep_forever());
        task.cancel_with("the window was closed");
        let error = task.await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("the task \"download\" spawned at "), "{text}");
        assert_eq!(error.find::<TaskCancelled>().unwrap().name(), Some("download"));
        Ok(())
    }))
    .unwrap();
}

#[test]
fn n12_names_stand_in_what_is_stuck() {
    let error: Error = run(async {
        nursery(async |n| {
            n.named("deaf").spawn(async {
                pending::<()>().await;
                Ok(())
            });
            yield_now().await?;
            n.cancel();
            Ok(())
        })
        .await
    })
    .unwrap_err();
    let stuck = error.find::<Stuck>().expect("a child that hears nothing is stuck");
    assert_eq!(stuck.task_names().collect::<Vec<_>>(), [Some("deaf")]);
    assert!(error.to_string().contains("(\"deaf\")"), "{error}");
}

#[test]
fn n12_a_second_panic_is_reported_with_its_name() {
    let events = Events::default();
    let outcome = events.record(|| {
        std::panic::catch_unwind(|| {
            run(nursery::<_, ()>(async |n| {
                n.spawn(async { if true { panic!("first") } else { Ok(()) } });
                n.named("second").spawn(async { if true { panic!("second") } else { Ok(()) } });
                Ok(())
            }))
        })
    });
    assert!(outcome.is_err());
    let reports = events.with("a further panic in a nursery");
    assert_eq!(reports.len(), 1);
    assert!(reports[0].contains("task=\"second\""), "{reports:?}");
}

/// The value that nobody wants is dropped when the child has ended.
#[test]
fn n12_a_panic_in_dropping_a_value_is_the_tasks() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let why = RefCell::new(String::new());
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run(nursery::<_, ()>(async |n| {
            n.spawn::<_, ()>(async {
                let error = sleep_forever().await.unwrap_err();
                *why.borrow_mut() = error.to_string();
                Err(error)
            });
            yield_now().await?;
            drop(n.named("maker").spawn(async { Ok(Panics) }));
            Ok(())
        }))
    }));
    assert!(outcome.is_err());
    assert!(why.borrow().contains("the task \"maker\" spawned at"), "{why:?}");
}
