//! Carrying something along from item to item.

use crate::generator::flow::sequential::each::Step;
use crate::generator::flow::{Flow, Source};

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Turns each item into another, with a state that is carried along. If `f` returns `None`, the
    /// flow ends. The name and meaning are those of `Iterator::scan`.
    ///
    /// # Panics
    ///
    /// If `f` does: the flow is closed, and its terminal operation panics.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let sums = flow::from_iter(1..).scan(0, |sum, n| {
    ///         *sum += n;
    ///         (*sum <= 10).then_some(*sum)
    ///     });
    ///     let sums: Vec<_> = sums.collect().await?;
    ///     assert_eq!(sums, [1, 3, 6, 10]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn scan<B, U, F>(self, mut state: B, mut f: F) -> Flow<'a, impl Source<Value = U> + 'a>
    where
        B: 'a,
        U: 'a,
        F: FnMut(&mut B, S::Value) -> Option<U> + 'a,
    {
        self.each(move |item| f(&mut state, item).map_or(Step::End, Step::Give))
    }

    /// Numbers the items, from 0. The name is that of `Iterator::enumerate`; Kotlin calls it
    /// `withIndex`.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let all: Vec<_> = flow::from_iter(["a", "b"]).enumerate().collect().await?;
    ///     assert_eq!(all, [(0, "a"), (1, "b")]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn enumerate(self) -> Flow<'a, impl Source<Value = (usize, S::Value)> + 'a> {
        let mut numbers = 0..;
        self.each(move |item| match numbers.next() {
            Some(number) => Step::Give((number, item)),
            None => Step::End,
        })
    }
}
