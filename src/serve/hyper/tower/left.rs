//! Futures of this crate that a service has dropped half-way.
//!
//! A layer with a time limit drops what it waited for, and so does a `select!`. If that is a future
//! of [`local`](crate::hyper::local), then it is moved into a task of its request, in a
//! cancelled scope, and cleans up there.

use std::cell::RefCell;
use std::future::Future;
use std::mem;
use std::pin::Pin;

use crate::error::Result;
use crate::scope::CancelScope;
use crate::serve::hyper::answer::body::Boxed;

thread_local! {
    /// What has been left during the present call of [`collect`], if there is one.
    static LEFT: RefCell<Option<Vec<Boxed<'static>>>> = const { RefCell::new(None) };
}

/// Runs `f`, and collects what is left meanwhile.
pub(super) fn collect<R>(into: &mut Vec<Boxed<'static>>, f: impl FnOnce() -> R) -> R {
    struct Restore<'a> {
        into: &'a mut Vec<Boxed<'static>>,
        outer: Option<Vec<Boxed<'static>>>,
    }
    impl Drop for Restore<'_> {
        fn drop(&mut self) {
            *self.into = LEFT.replace(self.outer.take()).unwrap_or_default();
        }
    }
    let outer = LEFT.replace(Some(mem::take(into)));
    let _restore = Restore { into, outer };
    f()
}

/// Leaves a future that has been dropped half-way to the request that is being polled. If there is
/// none, it is just dropped.
pub(super) fn leave<F: Future + 'static>(future: Pin<Box<F>>) {
    let mut future = Some(future);
    let _gone = LEFT.try_with(|left| {
        if let Some(left) = &mut *left.borrow_mut() {
            left.extend(future.take().map(|future| Box::pin(clean_up(future)) as Boxed<'static>));
        }
    });
    drop(future); // foreign code
}

async fn clean_up<F: Future>(future: Pin<Box<F>>) -> Result<()> {
    let scope = CancelScope::new();
    scope.cancel_with("the service has dropped what it was waiting for");
    let ended = scope.enter(async |_| {
        drop(future.await); // what it ends with concerns nobody any more
        Ok(())
    });
    ended.await.map(drop)
}
