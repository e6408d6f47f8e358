//! A random program, and what must hold of it.
#![allow(dead_code, reason = "a fuzz target is made of this, too, and needs not all of it")]

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt;
use futures::future::select;
use futures::stream::FuturesUnordered;
use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, ContextManager, Deadlock, Error, Generator, GeneratorState, NotRunning,
    Nursery, Result, Stuck, YieldInCancelScope, Yielder, YielderMisused, aclosing, cancel_scope,
    checkpoint, context_manager, fail_after, generator, iterate, move_on_after, nursery,
    prevent_yields, sleep, with, yield_now,
};

/// Where the choices that make a program come from.
pub enum Choices<'a> {
    /// SplitMix64.
    Drawn(u64),
    /// Each byte is one. When there are none left it is always the first.
    Given(&'a [u8]),
}

impl Choices<'_> {
    fn next(&mut self) -> u64 {
        match self {
            Choices::Drawn(state) => {
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut bits = *state;
                bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                bits ^ (bits >> 31)
            }
            Choices::Given(bytes) => match bytes.split_first() {
                Some((first, rest)) => {
                    *bytes = rest;
                    u64::from(*first) * 0x0101_0101_0101_0101
                }
                None => 0,
            },
        }
    }

    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

type Body = Rc<Vec<Op>>;

#[derive(Debug)]
enum Op {
    Checkpoint,
    YieldNow,
    Sleep(u64),
    Fail,
    Panic,
    /// In a generator: yields. Elsewhere: nothing.
    Yield,
    /// In a generator that is sent nothing: yields this many at once. In another: one.
    YieldAll(u64),
    /// In a context manager, once.
    Enter,
    Loop(u64, Body),
    /// Goes on after an error and, if it is `all`, after a cancellation too.
    Try {
        all: bool,
        body: Body,
    },
    /// Runs the second body whatever comes of the first.
    Finally(Body, Body),
    Scope {
        timeout: Option<u64>,
        shield: bool,
        body: Body,
    },
    FailAfter(u64, Body),
    MoveOnAfter(u64, Body),
    Guard(Body),
    /// Cancels one of the scopes that were opened lately, anywhere.
    Cancel(u64),
    Nursery {
        children: Vec<Body>,
        generator: Option<(Body, u64)>,
        body: Body,
    },
    /// A generator into a slot, driven a few times at once. Values can be sent into it, or it
    /// yields several at once.
    New {
        slot: usize,
        sent_to: bool,
        body: Body,
        drives: u64,
    },
    Drive {
        slot: usize,
        how: How,
        polls: Option<u64>,
    },
    Drop(usize),
    Forget(usize),
    Swap(usize, usize),
    For {
        generator: Body,
        how: Iterates,
        items: u64,
        body: Body,
    },
    With {
        manager: Body,
        body: Body,
    },
    Together(Vec<Body>),
    Race(Body, Body),
}

#[derive(Clone, Copy, Debug)]
enum Iterates {
    Left,
    Closing,
    /// As part of the consumer.
    InPlace,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Anext,
    Asend,
    Athrow,
    Aclose,
}

const SLOTS: u64 = 4;

/// Makes programs.
struct Maker<'a> {
    random: Choices<'a>,
    /// Whether futures may be dropped half-way, and bodies panic.
    rough: bool,
    /// How many statements there may still be.
    left: u64,
}

impl Maker<'_> {
    fn body(&mut self, depth: u64) -> Body {
        let count = 1 + self.random.below(4);
        Rc::new((0..count).map(|_| self.op(depth)).collect())
    }

    /// For a generator: it yields somewhere.
    fn yielding(&mut self, depth: u64) -> Body {
        let mut ops: Vec<_> = (0..self.random.below(3)).map(|_| self.op(depth)).collect();
        for _ in 0..1 + self.random.below(3) {
            let at = self.random.below(ops.len() as u64 + 1) as usize;
            let several = self.random.one_in(3).then(|| self.random.below(5));
            ops.insert(at, several.map_or(Op::Yield, Op::YieldAll));
        }
        if self.random.one_in(2) {
            let times = 1 + self.random.below(5);
            ops = vec![Op::Loop(times, Rc::new(ops))];
        }
        if self.random.one_in(2) {
            let last = self.body(depth.saturating_sub(1));
            ops = vec![Op::Finally(Rc::new(ops), last)];
        }
        Rc::new(ops)
    }

    fn slot(&mut self) -> usize {
        self.random.below(SLOTS) as usize
    }

    fn op(&mut self, depth: u64) -> Op {
        self.left = self.left.saturating_sub(1);
        if depth == 0 || self.left == 0 || self.random.one_in(3) {
            return match self.random.below(if self.rough { 14 } else { 13 }) {
                0 => Op::Checkpoint,
                1 => Op::YieldNow,
                2 | 3 => Op::Sleep(self.random.below(4)),
                4..=7 => Op::Yield,
                8 => Op::Cancel(self.random.next()),
                9 => {
                    let how = self.how();
                    Op::Drive { slot: self.slot(), how, polls: None }
                }
                10 => Op::Drop(self.slot()),
                11 => {
                    if self.random.one_in(3) {
                        Op::Forget(self.slot())
                    } else {
                        Op::Swap(self.slot(), self.slot())
                    }
                }
                12 if self.random.one_in(2) => Op::Fail,
                12 => Op::Yield,
                _ if self.random.one_in(6) => Op::Panic,
                _ => Op::Drive {
                    slot: self.slot(),
                    how: self.how(),
                    polls: Some(1 + self.random.below(3)),
                },
            };
        }
        let depth = depth - 1;
        match self.random.below(if self.rough { 18 } else { 16 }) {
            0 => Op::Loop(1 + self.random.below(4), self.body(depth)),
            1 => Op::Try { all: self.random.one_in(3), body: self.body(depth) },
            2 => Op::Finally(self.body(depth), self.body(depth)),
            3 => Op::Scope {
                timeout: self.random.one_in(2).then(|| self.random.below(4)),
                shield: self.random.one_in(3),
                body: self.body(depth),
            },
            4 => Op::FailAfter(self.random.below(5), self.body(depth)),
            5 => Op::MoveOnAfter(self.random.below(5), self.body(depth)),
            6 => Op::Guard(self.body(depth)),
            7 | 8 => Op::Nursery {
                children: (0..self.random.below(3)).map(|_| self.body(depth)).collect(),
                generator: self
                    .random
                    .one_in(2)
                    .then(|| (self.yielding(depth), self.random.below(3))),
                body: self.body(depth),
            },
            9..=11 => Op::New {
                slot: self.slot(),
                sent_to: self.random.one_in(2),
                body: self.yielding(depth),
                drives: self.random.below(3),
            },
            12 | 13 => Op::For {
                generator: self.yielding(depth),
                how: match self.random.below(4) {
                    0 => Iterates::Left,
                    1 => Iterates::Closing,
                    _ => Iterates::InPlace,
                },
                items: self.random.below(5),
                body: self.body(depth),
            },
            14 | 15 => Op::With { manager: self.manager(depth), body: self.body(depth) },
            16 => Op::Together(
                (0..1 + self.random.below(3)).map(|_| self.body(depth)).collect::<Vec<_>>(),
            ),
            _ => Op::Race(self.body(depth), self.body(depth)),
        }
    }

    fn how(&mut self) -> How {
        match self.random.below(8) {
            0 => How::Asend,
            1 => How::Athrow,
            2 => How::Aclose,
            _ => How::Anext,
        }
    }

    /// With one `Enter` in it, somewhere.
    fn manager(&mut self, depth: u64) -> Body {
        let mut ops: Vec<_> = (0..self.random.below(2)).map(|_| self.op(depth)).collect();
        let inner = if depth == 0 || self.random.one_in(2) {
            Op::Enter
        } else {
            let body = self.manager(depth - 1);
            match self.random.below(8) {
                0 => Op::Scope { timeout: None, shield: self.random.one_in(3), body },
                1 => Op::FailAfter(1 + self.random.below(5), body),
                2 => Op::MoveOnAfter(1 + self.random.below(5), body),
                3 => Op::Guard(body),
                4 | 5 => Op::Nursery {
                    children: (0..self.random.below(3)).map(|_| self.body(depth - 1)).collect(),
                    generator: None,
                    body,
                },
                6 => Op::Finally(body, self.body(depth - 1)),
                _ => Op::Try { all: self.random.one_in(3), body },
            }
        };
        ops.push(inner);
        ops.extend((0..self.random.below(2)).map(|_| self.op(depth)));
        Rc::new(ops)
    }
}

/// Panics that are planned need not say so.
pub fn silence_planned() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<Planned>() {
            report(info);
        }
    }));
}

/// A failure or a panic that is part of the program.
#[derive(Debug)]
struct Planned(&'static str);

impl std::fmt::Display for Planned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Planned {}

type Numbers = Generator<'static, Token>;

/// A generator that is kept.
enum Kept {
    /// It is sent nothing.
    Plain(Numbers),
    SentTo(Generator<'static, Token, Token>),
}

impl Kept {
    async fn drive(&mut self, world: &Rc<World>, how: How) -> Result<()> {
        match (self, how) {
            (Kept::Plain(g), How::Anext) => g.anext().await.map(drop),
            (Kept::SentTo(g), How::Anext) => g.anext().await.map(drop),
            (Kept::Plain(g), How::Asend) => g.asend(()).await.map(drop).map_err(Into::into),
            (Kept::SentTo(g), How::Asend) => {
                g.asend(world.token()).await.map(drop).map_err(Into::into)
            }
            (Kept::Plain(g), How::Athrow) => g.athrow(Planned("thrown")).await.map(drop),
            (Kept::SentTo(g), How::Athrow) => g.athrow(Planned("thrown")).await.map(drop),
            (Kept::Plain(g), How::Aclose) => g.aclose().await,
            (Kept::SentTo(g), How::Aclose) => g.aclose().await,
        }
    }

    fn state(&self) -> GeneratorState {
        match self {
            Kept::Plain(g) => g.state(),
            Kept::SentTo(g) => g.state(),
        }
    }
}

/// What all bodies of a program share.
#[derive(Default)]
struct World {
    clock: VirtualClock,
    fuel: Cell<u64>,
    slots: RefCell<Vec<Option<Kept>>>,
    scopes: RefCell<Vec<CancelScope>>,
    /// How often each token was dropped.
    tokens: RefCell<Vec<u32>>,
    begun: Cell<u64>,
    ended: Cell<u64>,
    /// Generators' and context managers' bodies that were dropped before their end.
    cut_short: Cell<u64>,
    /// Those that yielded while they were closed: theirs is to be dropped.
    stubborn: Cell<u64>,
    yields: Cell<u64>,
    refusals: Cell<u64>,
    trouble: RefCell<Option<String>>,
    talks: bool,
}

/// A value that must be dropped exactly once.
struct Token(Rc<World>, usize);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.tokens.borrow_mut()[self.1] += 1;
    }
}

/// A body that runs.
struct Begun {
    world: Rc<World>,
    yields: bool,
    ended: bool,
    _token: Token,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.world.ended.set(self.world.ended.get() + 1);
        if self.yields && !self.ended && !std::thread::panicking() {
            self.world.cut_short.set(self.world.cut_short.get() + 1);
        }
    }
}

impl World {
    fn token(self: &Rc<Self>) -> Token {
        let mut tokens = self.tokens.borrow_mut();
        tokens.push(0);
        Token(self.clone(), tokens.len() - 1)
    }

    fn begin(self: &Rc<Self>, yields: bool) -> Begun {
        self.begun.set(self.begun.get() + 1);
        Begun { world: self.clone(), yields, ended: false, _token: self.token() }
    }

    fn trouble(&self, what: impl FnOnce() -> String) {
        self.trouble.borrow_mut().get_or_insert_with(what);
    }

    fn generator(self: &Rc<Self>, ops: &Body) -> Numbers {
        let (world, ops, token) = (self.clone(), ops.clone(), self.token());
        generator(async move |y: Yielder<Token>| {
            let _token = token;
            run_body(&world, Yields::Plain(y), &ops).await
        })
    }

    fn sent_to(self: &Rc<Self>, ops: &Body) -> Generator<'static, Token, Token> {
        let (world, ops, token) = (self.clone(), ops.clone(), self.token());
        generator(async move |y: Yielder<Token, Token>| {
            let _token = token;
            run_body(&world, Yields::SentTo(y), &ops).await
        })
    }

    fn manager(self: &Rc<Self>, ops: &Body) -> ContextManager<'static, i64> {
        let (world, ops) = (self.clone(), ops.clone());
        context_manager(async move |y: Yielder<i64>| {
            run_body(&world, Yields::Manager(y), &ops).await
        })
    }
}

async fn run_body(world: &Rc<World>, yields: Yields, ops: &[Op]) -> Result<()> {
    let mut begun = world.begin(true);
    let frame = Frame::new(yields);
    let outcome = exec(world, &frame, ops).await;
    begun.ended = true;
    drop(frame);
    outcome
}

enum Yields {
    Plain(Yielder<Token>),
    SentTo(Yielder<Token, Token>),
    Manager(Yielder<i64>),
    No,
}

/// The model of a frame.
struct Frame {
    yields: Yields,
    open: Cell<i64>,
    /// How many bodies run beside each other in it: with more than one the order of things is
    /// not modelled.
    together: Cell<i64>,
    closing: Cell<bool>,
}

impl Frame {
    fn new(yields: Yields) -> Frame {
        Frame { yields, open: Cell::new(0), together: Cell::new(0), closing: Cell::new(false) }
    }
}

/// Counts in a cell for as long as it lives.
struct Count<'a>(&'a Cell<i64>, i64);

impl<'a> Count<'a> {
    fn new(cell: &'a Cell<i64>, by: i64) -> Self {
        cell.set(cell.get() + by);
        Count(cell, by)
    }
}

impl Drop for Count<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - self.1);
    }
}

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

fn exec<'a>(world: &'a Rc<World>, frame: &'a Frame, ops: &'a [Op]) -> Boxed<'a> {
    Box::pin(async move {
        for op in ops {
            let Some(fuel) = world.fuel.get().checked_sub(1) else { return Ok(()) };
            world.fuel.set(fuel);
            if let Err(error) = step(world, frame, op).await {
                if error.find::<NotRunning>().is_some() || error.find::<Deadlock>().is_some() {
                    world.trouble(|| format!("{op:?}: {error}"));
                }
                return Err(error);
            }
        }
        Ok(())
    })
}

/// Yields so many values at once, or one.
async fn yields(world: &Rc<World>, frame: &Frame, several: Option<u64>) -> Result<()> {
    let several = match frame.yields {
        Yields::Plain(_) => several,
        Yields::SentTo(_) => None,
        Yields::Manager(_) | Yields::No => return Ok(()),
    };
    world.yields.set(world.yields.get() + several.unwrap_or(1));
    if several == Some(0) {
        let Yields::Plain(y) = &frame.yields else { unreachable!() };
        return y.yield_all([]).await; // whatever is open
    }
    let open = frame.open.get();
    if open == 0 && frame.closing.get() {
        // If it is refused for its scopes that comes first; otherwise this is the end.
        world.stubborn.set(world.stubborn.get() + 1);
    }
    let outcome = match (&frame.yields, several) {
        (Yields::Plain(y), Some(n)) => {
            y.yield_all(Vec::from_iter((0..n).map(|_| world.token()))).await
        }
        (Yields::Plain(y), None) => y.yield_(world.token()).await.map(drop),
        (Yields::SentTo(y), _) => y.yield_(world.token()).await.map(drop),
        (Yields::Manager(_) | Yields::No, _) => unreachable!(),
    };
    let refused = outcome.as_ref().is_err_and(Error::is::<YieldInCancelScope>);
    world.refusals.set(world.refusals.get() + u64::from(refused));
    let together = frame.together.get() > 0;
    let misused = outcome.as_ref().is_err_and(Error::is::<YielderMisused>);
    if refused != (open > 0) && !together || open > 0 && !refused && !(together && misused) {
        let how = outcome.as_ref().err().map(Error::to_string);
        world.trouble(|| format!("a yield with {open} open: {how:?}"));
    }
    if outcome.as_ref().is_err_and(Error::is::<seedbed::GeneratorExit>) {
        frame.closing.set(true);
    }
    outcome
}

/// Drives the generator in a slot, to the end of the step or for that many polls. Meanwhile the
/// slot is empty.
async fn drive(world: &Rc<World>, slot: usize, how: How, polls: Option<u64>) -> Result<()> {
    let Some(mut taken) = world.slots.borrow_mut()[slot].take() else { return Ok(()) };
    let outcome = {
        let mut drive = pin!(taken.drive(world, how));
        let mut left = polls.unwrap_or(u64::MAX);
        poll_fn(|cx| {
            left -= 1;
            match drive.as_mut().poll(cx) {
                Poll::Pending if left == 0 => Poll::Ready(Ok(())),
                polled => polled,
            }
        })
        .await
    };
    let old = world.slots.borrow_mut()[slot].replace(taken);
    drop(old);
    outcome
}

async fn step(world: &Rc<World>, frame: &Frame, op: &Op) -> Result<()> {
    let exec = |ops| exec(world, frame, ops);
    let open = |scope: &CancelScope| {
        let mut scopes = world.scopes.borrow_mut();
        if scopes.len() >= 8 {
            scopes.remove(0);
        }
        scopes.push(scope.clone());
    };
    let hold = || Count::new(&frame.open, 1);
    if world.talks {
        let text = format!("{op:?}");
        println!("{:>4} {:.100}", world.clock.elapsed().as_millis(), text);
    }
    match op {
        Op::Checkpoint => checkpoint().await?,
        Op::YieldNow => yield_now().await?,
        Op::Sleep(time) => sleep(Duration::from_millis(*time)).await?,
        Op::Fail => return Err(Planned("failed").into()),
        Op::Panic => std::panic::panic_any(Planned("panicked")),
        Op::Yield => yields(world, frame, None).await?,
        Op::YieldAll(n) => yields(world, frame, Some(*n)).await?,
        Op::Enter => {
            if let Yields::Manager(y) = &frame.yields {
                y.yield_(frame.open.get()).await?;
            }
        }
        Op::Loop(times, body) => {
            for _ in 0..*times {
                exec(body).await?;
            }
        }
        Op::Try { all, body } => match exec(body).await {
            Err(error) if !*all && error.is_cancelled() => return Err(error),
            Err(error) if error.is::<seedbed::GeneratorExit>() => return Err(error),
            _ => {}
        },
        Op::Finally(body, last) => {
            let outcome = exec(body).await;
            exec(last).await?;
            outcome?;
        }
        Op::Scope { timeout, shield, body } => {
            let mut scope = CancelScope::new();
            if let Some(timeout) = timeout {
                scope = scope.with_timeout(Duration::from_millis(*timeout));
            }
            if *shield {
                scope = scope.with_shield();
            }
            open(&scope);
            let inner = async |_: &CancelScope| {
                let _hold = hold();
                exec(body).await
            };
            scope.enter(inner).await?;
        }
        Op::FailAfter(time, body) => {
            let inner = async {
                let _hold = hold();
                exec(body).await
            };
            fail_after(Duration::from_millis(*time), inner).await?;
        }
        Op::MoveOnAfter(time, body) => {
            let inner = async {
                let _hold = hold();
                exec(body).await
            };
            move_on_after(Duration::from_millis(*time), inner).await?;
        }
        Op::Guard(body) => {
            let _guard = prevent_yields("a guard");
            let _hold = hold();
            exec(body).await?;
        }
        Op::Cancel(which) => {
            let scope = {
                let scopes = world.scopes.borrow();
                match scopes.len() {
                    0 => return Ok(()),
                    n => scopes[*which as usize % n].clone(),
                }
            };
            scope.cancel();
        }
        Op::Nursery { children, generator, body } => {
            let opened = hold();
            nursery(async |n: &Nursery<'_, '_>| {
                open(&n.scope());
                for child in children {
                    drop(n.spawn(async {
                        let _begun = world.begin(false);
                        let frame = Frame::new(Yields::No);
                        self::exec(world, &frame, child).await
                    }));
                }
                let mut made = generator.as_ref().map(|(ops, items)| {
                    let made = n.generator(async |y: Yielder<Token>| {
                        run_body(world, Yields::Plain(y), ops).await
                    });
                    (made, *items)
                });
                if let Some((made, items)) = &mut made {
                    for _ in 0..*items {
                        made.anext().await?;
                    }
                }
                exec(body).await
            })
            .await?;
            drop(opened);
        }
        Op::New { slot, sent_to, body, drives } => {
            let new = match sent_to {
                true => Kept::SentTo(world.sent_to(body)),
                false => Kept::Plain(world.generator(body)),
            };
            let old = world.slots.borrow_mut()[*slot].replace(new);
            drop(old);
            for _ in 0..*drives {
                drive(world, *slot, How::Anext, None).await?;
            }
        }
        Op::Drive { slot, how, polls } => drive(world, *slot, *how, *polls).await?,
        Op::Drop(slot) => {
            let old = world.slots.borrow_mut()[*slot].take();
            drop(old);
        }
        Op::Forget(slot) => {
            // Kept where nobody finds it until the run is over, as good as forgotten.
            let mut slots = world.slots.borrow_mut();
            let old = slots[*slot].take();
            slots.push(old);
        }
        Op::Swap(one, other) => world.slots.borrow_mut().swap(*one, *other),
        Op::For { generator, how, items, body } => {
            let latest = Cell::new(None);
            // Values come out in the order in which they were made.
            let next = async |item: Option<Token>| match item {
                Some(item) => {
                    let before = latest.replace(Some(item.1));
                    if before >= Some(item.1) {
                        world.trouble(|| format!("value {} comes after {before:?}", item.1));
                    }
                    exec(body).await.map(|()| true)
                }
                None => Ok(false),
            };
            let iterate_made = async |made: &mut Numbers| {
                let mut left = *items;
                while left > 0 && next(made.anext().await?).await? {
                    left -= 1;
                }
                Ok(())
            };
            match how {
                Iterates::Left => iterate_made(&mut world.generator(generator)).await?,
                Iterates::Closing => aclosing(world.generator(generator), iterate_made).await?,
                Iterates::InPlace => {
                    let made = async |y| run_body(world, Yields::Plain(y), generator).await;
                    iterate(made, async |made| {
                        let mut left = *items;
                        while left > 0 && next(made.anext().await?).await? {
                            left -= 1;
                        }
                        Ok(())
                    })
                    .await?;
                }
            }
        }
        Op::With { manager, body } => {
            let made = world.manager(manager);
            with(made, async |held| {
                let _hold = Count::new(&frame.open, held);
                exec(body).await
            })
            .await?;
        }
        Op::Together(bodies) => {
            let _together = Count::new(&frame.together, 1);
            let mut all: FuturesUnordered<_> = bodies.iter().map(|body| exec(body)).collect();
            let mut outcome = Ok(());
            while let Some(one) = all.next().await {
                outcome = outcome.and(one);
            }
            outcome?;
        }
        Op::Race(one, other) => {
            let _together = Count::new(&frame.together, 1);
            select(exec(one), exec(other)).await.factor_first().0?;
        }
    }
    Ok(())
}

/// What programs have done.
#[derive(Default)]
pub struct Totals {
    pub programs: u64,
    pub bodies: u64,
    pub yields: u64,
    pub refusals: u64,
    pub cut_short: u64,
}

/// Makes and runs one program, and says what was wrong.
pub fn try_program(
    mut random: Choices<'_>,
    talks: bool,
    totals: &mut Totals,
) -> Result<(), String> {
    let rough = random.one_in(2);
    let schedule = random.one_in(2).then(|| random.next());
    let budget = if random.one_in(2) { 1 } else { 128 };
    let left = 20 + random.below(150);
    let mut maker = Maker { random, rough, left };
    let main: Body = Rc::new((0..8).map(|_| maker.op(5)).collect());
    if talks {
        println!("{main:#?}");
    }
    let world = Rc::new(World {
        fuel: Cell::new(2000),
        slots: RefCell::new((0..SLOTS).map(|_| None).collect()),
        talks,
        ..World::default()
    });
    let mut builder = Builder::new()
        .clock(&world.clock)
        .budget(budget)
        .detect_deadlock(true)
        // What is dropped half-way may be parked: a generator that was driven for a poll or two.
        .fail_when_stuck(!rough);
    if let Some(schedule) = schedule {
        builder = builder.seed(schedule);
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        builder.run(async {
            let _begun = world.begin(false);
            let frame = Frame::new(Yields::No);
            cancel_scope(async |scope| {
                world.scopes.borrow_mut().push(scope.clone());
                exec(&world, &frame, &main).await
            })
            .await
        })
    }));
    match outcome {
        Err(payload) if payload.is::<Planned>() && rough => {}
        Err(payload) => {
            let text = payload.downcast_ref::<String>().cloned();
            return Err(format!("it panicked: {text:?}"));
        }
        Ok(Err(error)) if error.find::<Deadlock>().is_some() => return Err("a deadlock".into()),
        Ok(Err(error)) if error.is::<Stuck>() => return Err(format!("stuck: {error}")),
        Ok(_) => {}
    }
    if let Some(trouble) = world.trouble.take() {
        return Err(trouble);
    }
    if world.begun != world.ended {
        let (begun, ended) = (world.begun.get(), world.ended.get());
        return Err(format!("{begun} bodies have begun, {ended} have ended"));
    }
    let (cut_short, stubborn) = (world.cut_short.get(), world.stubborn.get());
    // What is inside one that does not close goes with it.
    if !rough && stubborn == 0 && cut_short > 0 {
        return Err(format!("{cut_short} bodies were cut short"));
    }
    let slots = world.slots.take();
    for generator in slots.iter().flatten() {
        let state = generator.state();
        if !matches!(state, GeneratorState::Created | GeneratorState::Finished) {
            return Err(format!("a generator is left, {state:?}"));
        }
    }
    drop(slots);
    world.scopes.take();
    let tokens = world.tokens.take();
    if let Some(at) = tokens.iter().position(|drops| *drops != 1) {
        return Err(format!("value {at} was dropped {} times", tokens[at]));
    }
    if Rc::strong_count(&world) != 1 {
        return Err(format!("{} references are left", Rc::strong_count(&world) - 1));
    }
    totals.programs += 1;
    totals.bodies += world.begun.get();
    totals.yields += world.yields.get();
    totals.refusals += world.refusals.get();
    totals.cut_short += cut_short;
    Ok(())
}
