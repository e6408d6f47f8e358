//! On a virtual clock, with imaginary connections.

use std::cell::{Cell, RefCell};

use super::*;
use crate::operation::time::{sleep, sleep_forever};
use crate::run::Builder;
use crate::scope::cancel_scope;
use crate::testing::VirtualClock;

/// The outcome of an attempt, and after how many milliseconds it comes.
#[derive(Clone, Copy)]
enum Peer {
    Accepts(u64),
    Refuses(u64),
    Hangs,
}

use Peer::{Accepts, Hangs, Refuses};

/// A connection, which is counted while it is open.
struct Connection<'a> {
    number: usize,
    open: &'a Cell<usize>,
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        self.open.set(self.open.get() - 1);
    }
}

#[derive(Default)]
struct Network {
    clock: VirtualClock,
    /// Which attempts were begun, and when.
    begun: RefCell<Vec<(usize, u128)>>,
    /// How many attempts and connections there are.
    open: Cell<usize>,
}

impl Network {
    fn millis(&self) -> u128 {
        self.clock.elapsed().as_millis()
    }

    async fn connect(&self, (number, peer): (usize, Peer)) -> Result<Connection<'_>> {
        self.begun.borrow_mut().push((number, self.millis()));
        self.open.set(self.open.get() + 1);
        let connection = Connection { number, open: &self.open };
        match peer {
            Accepts(after) => {
                sleep(Duration::from_millis(after)).await?;
                Ok(connection)
            }
            Refuses(after) => {
                sleep(Duration::from_millis(after)).await?;
                Err(Error::msg(format_args!("{number} refuses")))
            }
            Hangs => {
                sleep_forever().await?;
                unreachable!("it is for ever")
            }
        }
    }

    async fn race(&self, peers: &[Peer]) -> Result<Result<Connection<'_>, Vec<Error>>> {
        let peers: Vec<_> = peers.iter().copied().enumerate().collect();
        race(&peers, async |peer| self.connect(peer).await).await
    }

    fn run<T>(&self, main: impl Future<Output = Result<T>>) -> T {
        Builder::new().clock(&self.clock).detect_deadlock(true).run(main).unwrap()
    }
}

/// Which of the peers was connected to, and when; then, which attempts were begun, and when.
fn won(peers: &[Peer]) -> ((usize, u128), Vec<(usize, u128)>) {
    let network = Network::default();
    let won = network.run(async {
        let Ok(connection) = network.race(peers).await? else { panic!("nobody accepts") };
        assert_eq!(network.open.get(), 1, "the others are closed");
        Ok((connection.number, network.millis()))
    });
    assert_eq!(network.open.get(), 0);
    (won, network.begun.take())
}

/// What the attempts failed with, and when; then, which were begun, and when.
fn lost(peers: &[Peer]) -> (Vec<String>, u128, Vec<(usize, u128)>) {
    let network = Network::default();
    let errors = network.run(async {
        let Err(errors) = network.race(peers).await? else { panic!("somebody accepts") };
        Ok(errors.iter().map(ToString::to_string).collect())
    });
    assert_eq!(network.open.get(), 0);
    (errors, network.millis(), network.begun.take())
}

#[test]
fn the_first_answers_before_the_second_is_tried() {
    assert_eq!(won(&[Accepts(249), Accepts(0)]), ((0, 249), vec![(0, 0)]));
}

#[test]
fn attempts_are_begun_a_quarter_of_a_second_apart() {
    let begun = vec![(0, 0), (1, 250), (2, 500)];
    assert_eq!(won(&[Hangs, Hangs, Accepts(100)]), ((2, 600), begun.clone()));
    assert_eq!(won(&[Accepts(700), Hangs, Hangs]), ((0, 700), begun.clone()));
    assert_eq!(won(&[Hangs, Accepts(400), Accepts(300)]), ((1, 650), begun));
}

#[test]
fn the_next_is_tried_as_soon_as_one_has_failed() {
    assert_eq!(won(&[Refuses(10), Accepts(5)]), ((1, 15), vec![(0, 0), (1, 10)]));
    let begun = vec![(0, 0), (1, 10), (2, 260), (3, 290)];
    assert_eq!(won(&[Refuses(10), Hangs, Refuses(30), Accepts(1)]), ((3, 291), begun));
}

#[test]
fn the_failure_of_an_earlier_one_hastens_nothing() {
    let begun = vec![(0, 0), (1, 250), (2, 500)];
    assert_eq!(won(&[Refuses(300), Hangs, Accepts(0)]), ((2, 500), begun));
}

#[test]
fn all_fail_and_the_errors_are_in_the_order_of_the_addresses() {
    let (texts, at, begun) = lost(&[Refuses(600), Refuses(20), Refuses(5)]);
    assert_eq!(texts, ["0 refuses", "1 refuses", "2 refuses"]);
    assert_eq!((at, begun), (600, vec![(0, 0), (1, 250), (2, 270)]));
    assert_eq!(lost(&[Refuses(0)]).0, ["0 refuses"]);
}

#[test]
fn c10_a_cancelled_race_has_no_connection() {
    // At every possible moment, including when a connection has just been made.
    for millis in [0, 100, 250, 299, 300, 301] {
        let network = Network::default();
        let outcome = network.run(cancel_scope(async |scope| {
            scope.set_timeout(Duration::from_millis(millis));
            let won = network.race(&[Hangs, Accepts(50)]).await?;
            assert!(won.is_ok_and(|connection| connection.number == 1));
            Ok(())
        }));
        // The deadline was set first, so it comes first.
        assert_eq!(outcome.is_some(), millis > 300, "after {millis} ms");
        assert_eq!(network.open.get(), 0, "after {millis} ms");
    }
}

#[test]
fn a_connection_that_comes_too_late_is_closed() {
    // Both at once: only one can be returned.
    let (won, _) = won(&[Accepts(300), Accepts(50)]);
    assert_eq!(won, (0, 300));
}

#[test]
fn a_race_that_is_dropped_leaves_nothing() {
    let network = Network::default();
    network.run(async {
        let mut race = Box::pin(network.race(&[Hangs, Hangs]));
        let begun = crate::scope::move_on_after(Duration::from_millis(300), async {
            std::future::poll_fn(|cx| race.as_mut().poll(cx)).await.map(drop)
        });
        assert_eq!(begun.await?, None);
        drop(race);
        assert_eq!(network.open.get(), 0);
        Ok(())
    });
    assert_eq!(network.begun.take().len(), 2);
}

#[test]
fn the_families_take_turns() {
    let order = |text: &str| -> String {
        let parse = |family| if family == '6' { "[::1]:" } else { "127.0.0.1:" };
        let addresses: Vec<SocketAddr> = text
            .chars()
            .zip(1..)
            .map(|(family, port)| format!("{}{port}", parse(family)).parse().unwrap())
            .collect();
        interleave(&addresses).iter().map(|address| address.port().to_string()).collect()
    };
    assert_eq!(order(""), "");
    assert_eq!(order("4"), "1");
    assert_eq!(order("66644"), "14253");
    assert_eq!(order("46666"), "12345");
    assert_eq!(order("4466"), "1324");
    assert_eq!(order("666"), "123");
}
