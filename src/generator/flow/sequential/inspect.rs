//! Looking at items on their way.

use crate::generator::flow::sequential::each::Step;
use crate::generator::flow::{Flow, Source};

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Calls `f` with each item, and passes it on. The name is that of `Iterator::inspect` and
    /// `StreamExt::inspect`; Kotlin calls it `onEach`.
    ///
    /// # Panics
    ///
    /// If `f` does: the flow is closed, and its terminal operation panics.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let mut asked_for = Vec::new();
    ///     let numbers = flow::from_iter(1..).inspect(|n| asked_for.push(*n)).filter(|n| n % 3 == 0);
    ///     assert_eq!(numbers.first().await?, Some(3));
    ///     assert_eq!(asked_for, [1, 2, 3]); // no more than that
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn inspect<F>(self, mut f: F) -> Flow<'a, impl Source<Value = S::Value> + 'a>
    where
        F: FnMut(&S::Value) + 'a,
    {
        self.each(move |item| {
            f(&item);
            Step::Give(item)
        })
    }
}
