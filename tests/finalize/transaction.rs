//! F6: PEP 525's transaction.

use std::cell::Cell;
use std::rc::Rc;

use seedbed::{
    Builder, Error, Generator, Result, Yielder, aclosing, fail_after, generator, move_on_after,
    sleep, sleep_forever,
};

use super::quiet;
use crate::support::{Log, run, secs, shielded};

/// A stand-in for a database: what was inserted, and whether it is there for all to see.
#[derive(Clone, Default)]
struct Database {
    log: Log,
    open_cursors: Rc<Cell<u32>>,
}

impl Database {
    async fn execute(&self, statement: &str) -> Result<()> {
        sleep(std::time::Duration::from_millis(10)).await?;
        self.log.add(statement);
        Ok(())
    }

    /// The rows of a cursor, inside a transaction: committed at the end, else rolled back.
    fn rows(&self) -> Generator<'static, u32> {
        let db = self.clone();
        generator(async move |y: Yielder<u32>| {
            db.execute("begin").await?;
            db.open_cursors.set(db.open_cursors.get() + 1);
            let outcome = async {
                for row in 0..3 {
                    db.execute(&format!("fetch {row}")).await?;
                    y.yield_(row).await?;
                }
                Ok(())
            }
            .await;
            // Clean-up that has to wait, but not for ever.
            let end = if outcome.is_ok() { "commit" } else { "rollback" };
            shielded(fail_after(secs(5), db.execute(end))).await?;
            db.open_cursors.set(db.open_cursors.get() - 1);
            outcome
        })
    }
}

#[test]
fn f06_left_half_way_with_aclosing_it_rolls_back_before_the_program_goes_on() {
    let db = Database::default();
    run(async {
        let first = aclosing(db.rows(), async |rows| rows.anext().await).await?;
        assert_eq!(first, Some(0));
        assert_eq!(db.log.take(), ["begin", "fetch 0", "rollback"]);
        assert_eq!(db.open_cursors.get(), 0);
        // By an error, and by a timeout.
        let failed = aclosing(db.rows(), async |rows| {
            rows.anext().await?;
            Err::<(), _>(Error::msg("x"))
        });
        assert_eq!(failed.await.unwrap_err().to_string(), "x");
        assert_eq!(db.log.take(), ["begin", "fetch 0", "rollback"]);
        let late = move_on_after(
            secs(1),
            aclosing(db.rows(), async |rows| {
                rows.anext().await?;
                rows.anext().await?;
                sleep_forever().await
            }),
        );
        assert_eq!(late.await?, None::<()>);
        assert_eq!(db.log.take(), ["begin", "fetch 0", "fetch 1", "rollback"]);
        assert_eq!(db.open_cursors.get(), 0);
        // Read to the end it commits.
        let mut rows = db.rows();
        while rows.anext().await?.is_some() {}
        assert_eq!(db.log.take(), ["begin", "fetch 0", "fetch 1", "fetch 2", "commit"]);
        Ok(())
    })
    .unwrap();
}

#[test]
fn f06_left_half_way_without_it_rolls_back_before_run_returns() {
    for forgotten in [false, true] {
        let db = Database::default();
        quiet(async {
            let mut rows = db.rows();
            rows.anext().await?;
            if forgotten {
                std::mem::forget(rows);
            } else {
                drop(rows);
            }
            assert_eq!(db.log.take(), ["begin", "fetch 0"]);
            Ok(())
        })
        .unwrap();
        assert_eq!(db.log.take(), ["rollback"]);
        assert_eq!(db.open_cursors.get(), 0);
    }
}

#[test]
fn f06_cancelled_in_a_fetch_it_rolls_back() {
    let db = Database::default();
    run(async {
        let limit = std::time::Duration::from_millis(35);
        let late = move_on_after(
            limit,
            aclosing(db.rows(), async |rows| {
                while rows.anext().await?.is_some() {}
                Ok(())
            }),
        );
        assert_eq!(late.await?, None::<()>);
        assert_eq!(db.log.take(), ["begin", "fetch 0", "fetch 1", "rollback"]);
        Ok(())
    })
    .unwrap();
    // Without a virtual clock too.
    Builder::new()
        .run(async { aclosing(db.rows(), async |rows| rows.anext().await).await })
        .unwrap();
    assert_eq!(db.log.take(), ["begin", "fetch 0", "rollback"]);
}
