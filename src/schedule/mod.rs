//! The scheduler: what runs next, and when somebody looks at the world.
//!
//! | file | concept |
//! |---|---|
//! | `ids` | the numbers of runs and of units |
//! | `units/` | the units of a run and of a nursery: a node's states, rosters, ready queues, memory |
//! | `current` | what is being polled on this thread |
//! | `rounds` | when the next round begins, and who looks at the world in between |
//! | `turn` | how much is done before others have their turn: the budget of a unit, and the turn of all |
//! | `budget` | what an operation does with its unit's budget |
//! | `order` | which of the units that are ready goes first |
//! | `ahead` | what goes ahead when a round lasts for too long |
//! | `wake` | making units ready |
//! | `waker` | `std::task::Waker` as a number |
//! | `foreign` | a waker of another library that is kept |
//! | `counts` | what is counted as it happens |
//! | `remote/` | wakes and calls from other threads |
//!
//! # Rounds
//!
//! There is no queue of all tasks: each nursery polls its own children, and has a queue of those
//! that are ready. So the order of everything is a matter of rules, which are these.
//!
//! 1. **Time is counted in rounds.** A unit keeps the number of the round (its *tick*) in which it
//!    became ready, and is polled in a later one. So everything that becomes ready in one round
//!    runs in the next, within each queue in the order in which it became ready: these are Trio's
//!    batches. The rule costs one comparison, in `Queue::pop`.
//! 2. **The run loop begins a round** when it polls the root nursery, from which every nursery with
//!    something ready is polled in turn.
//! 3. **A nursery begins a round itself** where the loop would come straight back to it
//!    ([`Scheduler::next_round`](rounds::Scheduler::next_round)): if its own queue is the only one
//!    that is not empty. Otherwise a yield at depth d would cost d polls.
//! 4. **Not where its hosts may have something else to do.** A queue does not show everything: a
//!    `join!` of a nursery and something else polls both in one unit, and so does a `with` around a
//!    manager's nursery. So a unit notices whether anything has woken it except the nurseries that
//!    it polls (`Flag::WOKEN`). If that is so for a nursery's host, or for one further up, the
//!    nursery *goes up* when its round is over, to the first nursery for whose hosts it is not so,
//!    and that one may begin the next round if only it and what has gone up to it have anything
//!    ready. Then the hosts are polled for nothing but their nurseries: so a wake of a host costs
//!    one way up, not one for each round. (A unit that is polled through an executor of another
//!    library in between is not seen, and waits for as many turns as there are looks.)
//! 5. **What is behind a new nursery** in a `join!` has not had its first poll when the nursery
//!    has. It waits for one turn at the most. (A `with` says that its body comes next.)
//! 6. **A budget bounds one unit.** An operation that can finish at once does so, and counts; when
//!    the budget is used up, or a millisecond has gone by in one poll, it lets others run first.
//! 7. **A turn bounds all of them.** It is what may be done between two looks at the network, other
//!    threads, the clock and Ctrl-C. When it is over somebody looks, from wherever it happens to
//!    be, between any two polls and at any depth ([`World`](rounds::World)). What that makes ready
//!    joins the queues, and the round goes on. So the bound is the same whether one unit is ready
//!    or a thousand, and nobody's place in a round changes.
//! 8. **What a look has made ready goes ahead** of a round that lasts for too long ([`ahead`]).
//!
//! With a budget of 1 every operation lets others run: that is Trio's schedule exactly. With a
//! seed, a virtual clock, a test that decides, or a budget of 1 no time is read, and except on a
//! virtual clock alone the world is looked at only between two rounds.

pub(crate) mod ahead;
pub(crate) mod budget;
pub(crate) mod counts;
pub(crate) mod current;
pub(crate) mod foreign;
pub(crate) mod ids;
pub(crate) mod order;
pub(crate) mod remote;
pub(crate) mod rounds;
pub(crate) mod turn;
pub(crate) mod units;
pub(crate) mod wake;
pub(crate) mod waker;
