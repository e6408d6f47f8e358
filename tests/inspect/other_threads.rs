//! A dump of a run, taken from other threads.

use std::sync::mpsc;
use std::thread;

use seedbed::{CallRefused, Refusal, Token, nursery, sleep_forever, to_thread};

use super::simplify;

fn refusal(outcome: seedbed::Result<seedbed::inspect::Dump>) -> Refusal {
    outcome.unwrap_err().find::<CallRefused>().expect("it was refused").why()
}

#[test]
fn l01_from_another_thread_while_the_run_is_asleep() {
    let dump = seedbed::run(async {
        let token = Token::current()?;
        nursery(async |n| {
            n.spawn(sleep_forever());
            let dump = to_thread(move || token.dump()).await??;
            n.scope().cancel();
            Ok(simplify(&dump.to_string()))
        })
        .await
    })
    .unwrap();
    assert!(dump.contains("main future: in the nursery below"), "{dump}");
    assert!(dump.contains("body: in `to_thread` at <to_thread>"), "{dump}");
    assert!(dump.contains("task spawned at <spawn>: in `sleep` at <sleep_forever>"), "{dump}");
}

#[test]
fn l01_a_run_whose_thread_is_held_up_does_not_answer() {
    let (token, tokens) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let run = thread::spawn(move || {
        seedbed::run(async {
            token.send(Token::current()?).unwrap();
            released.recv().unwrap(); // blocks
            Ok(())
        })
    });
    let token = tokens.recv().unwrap();
    let outcome = token.dump();
    assert!(outcome.as_ref().unwrap_err().to_string().contains("is held up by a task"));
    assert_eq!(refusal(outcome), Refusal::Busy);
    release.send(()).unwrap();
    run.join().unwrap().unwrap();
    assert_eq!(refusal(token.dump()), Refusal::RunFinished);
}

#[test]
fn l01_a_thread_with_a_run_of_its_own_does_not_wait_for_another() {
    let token = seedbed::run(async { Token::current() }).unwrap();
    seedbed::run(async {
        assert_eq!(refusal(token.dump()), Refusal::WouldBlock);
        assert_eq!(Token::current()?.dump()?.tasks(), 1); // its own
        Ok(())
    })
    .unwrap();
}
