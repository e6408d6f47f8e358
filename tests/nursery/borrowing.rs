//! N4: what children may borrow. How that could be abused is tested in `tests/soundness`.

use std::cell::Cell;
use std::rc::Rc;

use seedbed::{Result, nursery, yield_now};

use super::run;

/// Neither `'static` nor `Send`: references into frames outside, mutable ones too.
#[test]
fn n04_children_borrow_from_outside() {
    async fn doubled(numbers: &mut [Rc<Cell<i32>>]) -> Result<i32> {
        let sum = Cell::new(0);
        let mut count = 0;
        nursery(async |n| {
            for number in numbers.iter_mut() {
                let sum = &sum;
                drop(n.spawn(async move {
                    yield_now().await?;
                    *number = Rc::new(Cell::new(number.get() * 2));
                    sum.set(sum.get() + number.get());
                    Ok(())
                }));
            }
            drop(n.spawn(async {
                count += 1;
                yield_now().await?;
                count += 1;
                Ok(())
            }));
            Ok(())
        })
        .await?;
        Ok(sum.get() + count)
    }
    let sum = run(async {
        let mut numbers = [1, 2, 3].map(|i| Rc::new(Cell::new(i)));
        let sum = doubled(&mut numbers).await?;
        assert_eq!(numbers.map(|number| number.get()), [2, 4, 6]);
        Ok(sum)
    });
    assert_eq!(sum.unwrap(), 14);
}

/// From any frame outside, the bodies of outer nurseries included.
#[test]
fn n04_children_borrow_from_an_outer_body() {
    let total = run(nursery(async |outer| {
        let local = [1, 2, 3];
        let task = outer.spawn(async { Ok(10) });
        let sum: i32 = nursery(async |n| {
            let tasks: Vec<_> = local.iter().map(|i| n.spawn(async move { Ok(*i) })).collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await?;
            }
            Ok(sum)
        })
        .await?;
        Ok(sum + task.await?)
    }));
    assert_eq!(total.unwrap(), 16);
}
