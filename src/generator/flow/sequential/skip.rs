//! All but the beginning.

use crate::generator::flow::sequential::each::Step;
use crate::generator::flow::{Flow, Source};

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Leaves out the first `n` items. The name is that of `Iterator::skip`; Kotlin calls it
    /// `drop`.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let all: Vec<_> = flow::from_iter(["heading", "a", "b"]).skip(1).collect().await?;
    ///     assert_eq!(all, ["a", "b"]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn skip(self, n: usize) -> Flow<'a, impl Source<Value = S::Value> + 'a> {
        let mut left = n;
        self.each(move |item| match left.checked_sub(1) {
            Some(fewer) => {
                left = fewer;
                Step::Skip
            }
            None => Step::Give(item),
        })
    }

    /// Leaves out items for as long as `f` is true for them, and none after that. The name is that
    /// of `Iterator::skip_while`; Kotlin calls it `dropWhile`.
    ///
    /// # Panics
    ///
    /// If `f` does: the flow is closed, and its terminal operation panics.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let all: Vec<_> = flow::from_iter([1, 2, 9, 3]).skip_while(|n| *n < 5).collect().await?;
    ///     assert_eq!(all, [9, 3]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn skip_while<F>(self, mut f: F) -> Flow<'a, impl Source<Value = S::Value> + 'a>
    where
        F: FnMut(&S::Value) -> bool + 'a,
    {
        let mut begun = false;
        self.each(move |item| {
            begun = begun || !f(&item);
            if begun { Step::Give(item) } else { Step::Skip }
        })
    }
}
