//! The scheduler: what runs next, and when the run looks at the world.
//!
//! | file | concept |
//! |---|---|
//! | `ids` | the numbers of runs and of units |
//! | `units/` | the units of a run and of a nursery: a node's states, rosters, ready queues, memory |
//! | `current` | what is being polled on this thread |
//! | `rounds` | when the next round begins, and when the world is looked at in between |
//! | `turn` | how much is done before others have their turn: one unit's budget, and everybody's turn |
//! | `budget` | how operations use their unit's budget |
//! | `order` | which of the ready units goes first |
//! | `ahead` | which units go ahead when a round takes too long |
//! | `wake` | making units ready |
//! | `waker` | a `std::task::Waker` that is a number |
//! | `foreign` | wakers from other libraries that are kept |
//! | `seen/` | what others see of a run: counters, those who look on |
//! | `remote/` | wakes and calls from other threads; runs that are not the present one |
//!
//! # Rounds
//!
//! There is no queue of all tasks: each nursery polls its own children, and has a queue of those
//! that are ready. The order of everything therefore follows from these rules.
//!
//! 1. **Time is counted in rounds.** A unit records the number of the round (its *tick*) in which
//!    it became ready, and is polled in a later one. So everything that becomes ready in one round
//!    runs in the next, and within each queue in the order in which it became ready. These are
//!    Trio's batches. The rule costs one comparison, in `Queue::pop`.
//! 2. **The run loop begins a round** when it polls the root nursery, from which every nursery with
//!    something ready is polled in turn.
//! 3. **A nursery begins a round itself** if the loop would come straight back to it
//!    ([`Scheduler::next_round`](rounds::Scheduler::next_round)): if its own queue is the only one
//!    that is not empty. Otherwise a yield at depth d would cost d polls.
//! 4. **It does not if one of its hosts may have something else to do.** The queues do not show
//!    everything: a `join!` of a nursery and something else polls both in one unit, and so does a
//!    `with` around a manager's nursery. So a unit records whether anything except the nurseries
//!    that it polls has woken it (`Flag::WOKEN`). If a nursery's host, or one further up, has been
//!    woken in this way, the nursery *goes up* when its round is over: it returns to the first
//!    nursery none of whose hosts has been. That nursery may begin the next round if only it and
//!    the nurseries that have gone up to it have anything ready. From then on the hosts are polled
//!    only because of their nurseries. So waking a host costs one return to that nursery, not one
//!    in each round. (A unit that is polled through another library's executor in between is not
//!    seen, and waits for as many turns as there are looks.)
//! 5. **Something that comes after a new nursery** in a `join!` has not been polled yet when the
//!    nursery is polled for the first time. It waits for one turn at most. (A `with` announces that
//!    its body comes next.)
//! 6. **A budget bounds one unit.** An operation that can finish at once does so, and is charged to
//!    the unit's budget. When that is used up, or one poll has taken a millisecond, the operation
//!    lets others run first.
//! 7. **A turn bounds all of them together.** It is the work that may be done between two looks at
//!    the network, other threads, the clock and Ctrl-C. When it is over, the world is looked at
//!    right there, between any two polls and at any depth ([`World`](rounds::World)). Units that
//!    this makes ready join the queues, and the round goes on. So the bound is the same whether one
//!    unit is ready or a thousand, and nobody's place in a round changes. (A run that is a guest
//!    cannot look at its host's world: there, the round is cut, the loop returns to the host, and
//!    the round continues when the host polls the run again.)
//! 8. **Units that a look has made ready go ahead** if the round takes too long ([`ahead`]).
//!
//! With a budget of 1 every operation lets others run, which is exactly Trio's schedule. With a
//! seed, a virtual clock, a test that decides, or a budget of 1, time is not read. With any of
//! these except a virtual clock alone, the world is looked at only between two rounds.

pub(crate) mod ahead;
pub(crate) mod budget;
pub(crate) mod current;
pub(crate) mod foreign;
pub(crate) mod ids;
pub(crate) mod order;
pub(crate) mod remote;
pub(crate) mod rounds;
pub(crate) mod seen;
pub(crate) mod turn;
pub(crate) mod units;
pub(crate) mod wake;
pub(crate) mod waker;
