//! C11: streams and sinks of other libraries, which `cancellable_stream` wraps.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures::future::join;
use futures::stream::{self, FuturesUnordered};
use futures::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use seedbed::{
    CancelScope, CancellableStream, Reason, cancel_scope, cancellable_stream, channel,
    move_on_after, nursery, sleep, sleep_forever, yield_now,
};

use crate::reason;
use crate::support::{is_cancelled, run, secs};

/// A state machine of another library: it has items, and takes items while it has room.
#[derive(Clone, Default)]
struct Machine(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    items: VecDeque<io::Result<u32>>,
    taken: Vec<u32>,
    flushed: usize,
    room: usize,
    polls: u32,
    waker: Option<Waker>,
    /// Something that it cancels while it is polled.
    cancels: Option<CancelScope>,
}

impl Machine {
    fn with_room(room: usize) -> Machine {
        let machine = Machine::default();
        machine.0.borrow_mut().room = room;
        machine
    }

    fn gets(&self, item: io::Result<u32>) {
        self.0.borrow_mut().items.push_back(item);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.0.borrow_mut().waker.take() {
            waker.wake();
        }
    }

    /// Looks at its state, and remembers who is to be woken.
    fn poll<T>(&self, cx: &Context<'_>, look: impl FnOnce(&mut State) -> Option<T>) -> Poll<T> {
        let mut state = self.0.borrow_mut();
        state.polls += 1;
        if let Some(scope) = state.cancels.take() {
            scope.cancel();
        }
        match look(&mut state) {
            Some(value) => Poll::Ready(value),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Stream for Machine {
    type Item = io::Result<u32>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<u32>>> {
        self.poll(cx, |state| state.items.pop_front()).map(Some)
    }
}

impl Sink<u32> for Machine {
    type Error = io::Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |state| (state.taken.len() - state.flushed < 2).then_some(Ok(())))
    }

    fn start_send(self: Pin<&mut Self>, item: u32) -> io::Result<()> {
        self.0.borrow_mut().taken.push(item);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |state| {
            state.flushed = state.taken.len().min(state.room);
            (state.flushed == state.taken.len()).then_some(Ok(()))
        })
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[test]
fn c11_a_stream_that_is_cancelled_goes_on_outside_the_scope() {
    run(async {
        let machine = Machine::default();
        let mut stream = cancellable_stream(machine.clone());
        for number in 0..3 {
            let cut = move_on_after(secs(1), async { stream.next().await.transpose() });
            assert_eq!(cut.await?, None);
            machine.gets(Ok(number));
            assert_eq!(stream.next().await.transpose()?, Some(number));
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn c11_what_is_there_stays_there_if_the_scope_is_cancelled() {
    run(async {
        let machine = Machine::default();
        machine.gets(Ok(1));
        let mut stream = cancellable_stream(machine.clone());
        cancel_scope(async |scope| {
            scope.cancel_with("no more");
            let error = stream.next().await.unwrap().unwrap_err();
            assert_eq!(reason::<()>(Err(error)), Reason::Requested(Some("no more".into())));
            Ok(())
        })
        .await?;
        assert_eq!(machine.0.borrow().polls, 0, "it never knew");
        assert_eq!(stream.next().await.transpose()?, Some(1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c11_code_that_skips_errors_comes_to_an_end_in_a_cancelled_scope() {
    run(async {
        let machine = Machine::default();
        let mut stream = cancellable_stream(machine.clone());
        cancel_scope(async |scope| {
            scope.cancel();
            assert_eq!(stream.by_ref().filter_map(async |item| item.ok()).count().await, 0);
            // Under a shield nothing is cancelled, so it goes on there as well.
            machine.gets(Ok(1));
            let shield = CancelScope::new().with_shield();
            let item = shield.enter(async |_| stream.next().await.transpose()).await?;
            assert_eq!(item, Some(Some(1)));
            Ok(())
        })
        .await?;
        machine.gets(Ok(2));
        assert_eq!(stream.next().await.transpose()?, Some(2));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c11_each_scope_that_is_cancelled_is_told_so_and_the_stream_has_not_ended() {
    run(async {
        let machine = Machine::default();
        let mut stream = cancellable_stream(machine.clone());
        let limited = async |stream: &mut CancellableStream<Machine>| {
            move_on_after(secs(0), async { Ok(stream.next().await.transpose()?.is_some()) }).await
        };
        for _ in 0..2 {
            assert_eq!(
                limited(&mut stream).await?,
                None,
                "it was cut short, and is not at its end"
            );
        }
        cancel_scope(async |outer| {
            outer.cancel();
            assert!(is_cancelled(&stream.next().await.unwrap().map(drop)));
            for _ in 0..2 {
                // The same cancellation reaches a scope within.
                let inner = cancel_scope(async |_| Ok(stream.next().await.is_none())).await?;
                assert_eq!(inner, Some(true));
            }
            Ok(())
        })
        .await?;
        machine.gets(Ok(7));
        assert_eq!(stream.next().await.transpose()?, Some(7));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c11_an_error_of_the_stream_is_passed_on_with_the_place_of_the_wrapper() {
    run(async {
        let machine = Machine::default();
        let mut stream = cancellable_stream(machine.clone());
        machine.gets(Err(io::ErrorKind::InvalidData.into()));
        machine.gets(Ok(1));
        let error = stream.next().await.unwrap().unwrap_err();
        assert_eq!(error.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::InvalidData);
        assert!(format!("{error:?}").contains("foreign_streams.rs"), "{error:?}");
        assert_eq!(stream.next().await.transpose()?, Some(1)); // whether it ends is its own affair
        Ok(())
    })
    .unwrap();
}

#[test]
fn c11_a_sink_has_taken_an_item_or_was_cancelled() {
    run(async {
        let machine = Machine::with_room(1);
        let mut sink = cancellable_stream(machine.clone());
        let mut taken = Vec::new();
        for number in 0..6 {
            if move_on_after(secs(1), sink.feed(number)).await?.is_some() {
                taken.push(number);
            }
        }
        // One got through, and two wait.
        assert_eq!(move_on_after(secs(1), sink.flush()).await?, None);
        assert_eq!(machine.0.borrow().taken, taken);
        assert_eq!(taken, [0, 1]);
        machine.0.borrow_mut().room = 100;
        sink.flush().await?;
        for number in 6..9 {
            sink.send(number).await?;
            taken.push(number);
        }
        sink.close().await?;
        assert_eq!(machine.0.borrow().taken, taken);
        Ok(())
    })
    .unwrap();
}

#[test]
fn c11_a_cancelled_stream_is_reached_inside_other_libraries_combinators() {
    run(async {
        let (reads, writes) = (Machine::default(), Machine::with_room(0));
        let mut reading = cancellable_stream(reads.clone());
        let mut writing = cancellable_stream(writes.clone());
        let both = async {
            let (read, written) = join(reading.next(), writing.send(1)).await;
            assert!(is_cancelled(&read.unwrap()));
            written
        };
        assert_eq!(move_on_after(secs(1), both).await?, None);
        let many = async {
            let mut all = FuturesUnordered::new();
            all.push(async { reading.next().await.transpose().map(drop) }.boxed_local());
            all.push(sleep_forever().boxed_local());
            while let Some(outcome) = all.next().await {
                outcome?;
            }
            Ok(())
        };
        assert_eq!(move_on_after(secs(1), many).await?, None);
        reads.gets(Ok(1));
        assert_eq!(reading.next().await.transpose()?, Some(1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c11_a_stream_that_cancels_its_own_scope_while_it_is_polled_is_reached() {
    run(async {
        let machine = Machine::default();
        let mut stream = cancellable_stream(machine.clone());
        let none = cancel_scope(async |scope| {
            machine.0.borrow_mut().cancels = Some(scope.clone());
            stream.next().await.transpose()
        });
        assert_eq!(none.await?, None);
        // Also if only a waker of its own would reach it, and if it has something all the same.
        let none = cancel_scope(async |scope| {
            machine.0.borrow_mut().cancels = Some(scope.clone());
            join(stream.next(), async {}).await.0.transpose()
        });
        assert_eq!(none.await?, None);
        let some = cancel_scope(async |scope| {
            machine.0.borrow_mut().cancels = Some(scope.clone());
            machine.gets(Ok(1));
            stream.next().await.transpose()
        });
        assert_eq!(some.await?, Some(Some(1)));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c11_what_is_inside_does_not_see_a_cancellation_that_it_has_caused() {
    run(async {
        let cancels = RefCell::new(None::<CancelScope>);
        let (sender, mut receiver) = channel(1);
        // A receiver ends for good when it is cancelled.
        let mut stream = cancellable_stream(stream::poll_fn(|cx| {
            if let Some(scope) = cancels.take() {
                scope.cancel();
            }
            receiver.poll_next_unpin(cx)
        }));
        let none = cancel_scope(async |scope| {
            cancels.replace(Some(scope.clone()));
            stream.next().await.transpose()
        });
        assert_eq!(none.await?, None);
        sender.send(1).await?;
        assert_eq!(stream.next().await.transpose()?, Some(1));
        Ok(())
    })
    .unwrap();
}

#[test]
fn c11_inside_nothing_is_cancelled() {
    run(async {
        // What it awaits are operations of this crate, which are not told either.
        let numbers = Box::pin(stream::unfold(0, async |number: u32| {
            let slept = sleep(secs(3)).await;
            Some((slept.map(|()| number), number + 1))
        }));
        let mut stream = cancellable_stream(numbers);
        for number in 0..3 {
            for _ in 0..2 {
                let cut = move_on_after(secs(1), async { stream.next().await.transpose() });
                assert_eq!(cut.await?, None);
            }
            assert_eq!(stream.next().await.transpose()?, Some(number));
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn c11_two_tasks_may_read_and_write_each_in_its_own_scope() {
    run(async {
        let machine = Machine::with_room(100);
        let (mut sink, mut stream) = cancellable_stream(machine.clone()).split::<u32>();
        nursery(async |n| {
            let reading = n.spawn(async move {
                let cut = move_on_after(secs(5), async { stream.next().await.transpose() });
                assert_eq!(cut.await?, None);
                assert_eq!(stream.next().await.transpose()?, Some(7));
                Ok(())
            });
            for number in 0..10 {
                sleep(secs(1)).await?;
                sink.send(number).await?;
            }
            machine.gets(Ok(7));
            reading.await
        })
        .await?;
        assert_eq!(machine.0.borrow().taken.len(), 10);
        Ok(())
    })
    .unwrap();
}

#[test]
fn c11_items_that_are_ready_let_others_run() {
    run(async {
        let mut stream = cancellable_stream(stream::repeat(1).map(Ok::<u32, io::Error>));
        nursery(async |n| {
            n.spawn(async {
                yield_now().await?;
                n.cancel();
                Ok(())
            });
            while stream.next().await.transpose()?.is_some() {}
            Ok(())
        })
        .await
    })
    .unwrap();
}
