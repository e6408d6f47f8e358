//! Leaving out what repeats the item before.

use crate::generator::flow::sequential::each::Step;
use crate::generator::flow::{Flow, Source};

impl<'a, S: Source + 'a> Flow<'a, S> {
    /// Leaves out each item that is equal to the one before it. The name is Kotlin's.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let states = flow::from_iter(["up", "up", "down", "up"]);
    ///     let changes: Vec<_> = states.distinct_until_changed().collect().await?;
    ///     assert_eq!(changes, ["up", "down", "up"]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn distinct_until_changed(self) -> Flow<'a, impl Source<Value = S::Value> + 'a>
    where
        S::Value: Clone + PartialEq + 'a,
    {
        self.distinct_until_changed_by(S::Value::clone)
    }

    /// Leaves out each item whose `key` is equal to that of the one before it. The name is Kotlin's.
    ///
    /// # Panics
    ///
    /// If `key` does: the flow is closed, and its terminal operation panics.
    ///
    /// ```
    /// use seedbed::flow;
    ///
    /// seedbed::run(async {
    ///     let readings = flow::from_iter([20.1, 20.4, 21.3, 21.2]);
    ///     let degrees = readings.distinct_until_changed_by(|reading| *reading as i32);
    ///     let degrees: Vec<_> = degrees.collect().await?;
    ///     assert_eq!(degrees, [20.1, 21.3]);
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    pub fn distinct_until_changed_by<K, F>(
        self,
        mut key: F,
    ) -> Flow<'a, impl Source<Value = S::Value> + 'a>
    where
        K: PartialEq + 'a,
        F: FnMut(&S::Value) -> K + 'a,
    {
        let mut before = None;
        self.each(move |item| {
            let key = Some(key(&item));
            if key == before {
                return Step::Skip;
            }
            before = key;
            Step::Give(item)
        })
    }
}
