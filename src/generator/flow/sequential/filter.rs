//! Leaving items out.

use crate::generator::flow::sequential::each::Step;
use crate::generator::flow::{Flow, Source};

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Gives only the items for which `keep` is true. The name is that of `Iterator::filter`,
    /// Kotlin's `filter` and `StreamExt::filter`. For a condition that awaits there is
    /// [`then`](Self::then), followed by [`filter_map`](Self::filter_map).
    ///
    /// # Panics
    ///
    /// If `keep` does: the flow is closed, and its terminal operation panics.
    ///
    /// # With `StreamExt`
    ///
    /// The condition of `StreamExt::filter` is a future. If whoever asks for the next item gives up
    /// while it waits, as a time limit does, the condition stays half-way, and holds what it holds
    /// until somebody asks again. That cannot happen to a plain condition.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let even: Vec<_> = flow::from_iter(1..=6).filter(|n| n % 2 == 0).collect().await?;
    ///     assert_eq!(even, [2, 4, 6]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn filter<F>(self, mut keep: F) -> Flow<'a, impl Source<Value = S::Value> + 'a>
    where
        F: FnMut(&S::Value) -> bool + 'a,
    {
        self.each(move |item| if keep(&item) { Step::Give(item) } else { Step::Skip })
    }

    /// Turns each item into another, or leaves it out if `f` returns `None`. The name is that of
    /// `Iterator::filter_map`; Kotlin calls it `mapNotNull`.
    ///
    /// # Panics
    ///
    /// If `f` does: the flow is closed, and its terminal operation panics.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let texts = flow::from_iter(["1", "one", "2"]);
    ///     let numbers = texts.filter_map(|text| text.parse::<u8>().ok());
    ///     let numbers: Vec<_> = numbers.collect().await?;
    ///     assert_eq!(numbers, [1, 2]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn filter_map<U, F>(self, mut f: F) -> Flow<'a, impl Source<Value = U> + 'a>
    where
        F: FnMut(S::Value) -> Option<U> + 'a,
        U: 'a,
    {
        self.each(move |item| f(item).map_or(Step::Skip, Step::Give))
    }
}
