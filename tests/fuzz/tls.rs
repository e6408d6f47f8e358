//! A client and a server of TLS, and between them somebody who changes, loses, repeats, adds and
//! cuts whatever goes through.
//!
//! Nobody reads anything but the beginning of what the other side has written, and an end only where
//! that has ended. If nothing is done to it, all of it comes. Nobody spins, and memory is bounded.
//!
//! The first bytes say what the two sides do, and then three are a step of the one between them.

#[path = "../support/tls.rs"]
mod configs;
#[path = "../support/live.rs"]
mod live;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use rustls::client::Resumption;
use rustls::version::{TLS12, TLS13};
use seedbed::testing::VirtualClock;
use seedbed::tls::{self, TlsStream};
use seedbed::{Builder, Result, move_on_after, nursery, sleep, yield_now};

use configs::{Configs, NAME};

/// How much may be under way in each direction.
const CAPACITY: usize = 20_000;

/// What a connection needs at the most, and what is under way in it.
const MEMORY: usize = 400_000;

/// What matters to whoever reads records.
const FRAGMENTS: &[&[u8]] = &[
    &[0x14, 3, 3, 0, 1, 1],           // change_cipher_spec
    &[0x15, 3, 3, 0, 2, 1, 0],        // close_notify
    &[0x15, 3, 3, 0, 2, 1, 90],       // a warning
    &[0x15, 3, 3, 0, 2, 2, 40],       // handshake_failure
    &[0x16, 3, 3, 0, 0],              // nothing
    &[0x16, 3, 3, 0, 4, 0, 0, 0, 0],  // hello_request
    &[0x16, 3, 3, 0, 4, 24, 0, 0, 1], // key_update, cut
    &[0x16, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff],
    &[0x17, 3, 3, 0, 0],
    &[0x17, 3, 3, 0x40, 0],
    &[0x17, 3, 3, 0xff, 0xff],
    b"GET / HTTP/1.1\r\n\r\n",
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Client,
    Server,
}

impl Side {
    fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}

/// How a side leaves when it has written everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leaves {
    Closes,
    Drops,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    Old,
    New,
}

/// Whether an operation is cancelled now and then, and done again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Patience {
    Endless,
    Short,
}

/// What a side does.
#[derive(Debug)]
struct Plan {
    sent: Vec<u8>,
    leaves: Leaves,
    piece: usize,
    room: usize,
    patience: Patience,
}

impl Plan {
    fn new(bytes: [u8; 3]) -> Plan {
        let [length, piece, flags] = bytes;
        let scale = [1, 30, 300][usize::from(flags % 3)];
        Plan {
            sent: (0..usize::from(length) * scale).map(|at| (at * 31 + at / 251) as u8).collect(),
            leaves: if flags / 3 % 4 == 0 { Leaves::Drops } else { Leaves::Closes },
            piece: 1 + usize::from(piece) * 100,
            room: 1 + usize::from(flags) * 80,
            patience: if flags / 12 % 2 == 0 { Patience::Endless } else { Patience::Short },
        }
    }
}

/// What has become of one direction, by the side that writes.
#[derive(Default)]
struct Direction {
    ended: Cell<bool>,
    received: RefCell<Vec<u8>>,
    /// The other side has read an end.
    complete: Cell<bool>,
}

struct Connection {
    version: Version,
    plans: [Plan; 2],
    directions: [Direction; 2],
}

impl Connection {
    async fn side(&self, side: Side, configs: &Configs, end: End) -> Result<()> {
        let stream = match side {
            Side::Client => tls::connect(&configs.client, NAME, end).await?,
            Side::Server => tls::accept(&configs.server, end).await?,
        };
        nursery(async |n| {
            let writing = n.spawn(self.write(side, &stream));
            self.read(side, &stream).await?;
            writing.await
        })
        .await?;
        let plan = &self.plans[side as usize];
        if plan.leaves == Leaves::Drops {
            return Ok(());
        }
        self.end(side, &stream).await?;
        if self.version == Version::Old {
            assert_eq!(stream.read(&mut [0]).await?, 0, "more than was sent");
            self.directions[side.other() as usize].complete.set(true);
        }
        stream.close().await
    }

    async fn write(&self, side: Side, stream: &TlsStream<End>) -> Result<()> {
        let plan = &self.plans[side as usize];
        let mut rest = &plan.sent[..];
        while !rest.is_empty() {
            let piece = &rest[..rest.len().min(plan.piece)];
            if let Some(n) = plan.patience.with(stream.write(piece)).await? {
                rest = &rest[n..];
            }
        }
        while plan.patience.with(stream.flush()).await?.is_none() {}
        // Before TLS 1.3 the end of one direction is also that of the other.
        if plan.leaves == Leaves::Closes && self.version == Version::New {
            self.end(side, stream).await?;
        }
        Ok(())
    }

    async fn end(&self, side: Side, stream: &TlsStream<End>) -> Result<()> {
        self.directions[side as usize].ended.set(true);
        while self.plans[side as usize].patience.with(stream.shutdown()).await?.is_none() {}
        Ok(())
    }

    async fn read(&self, side: Side, stream: &TlsStream<End>) -> Result<()> {
        let (plan, other) = (&self.plans[side as usize], side.other() as usize);
        let direction = &self.directions[other];
        let mut buffer = vec![0; plan.room];
        loop {
            let all = direction.received.borrow().len() == self.plans[other].sent.len();
            if all && (self.version == Version::Old || plan.leaves == Leaves::Drops) {
                return Ok(());
            }
            match plan.patience.with(stream.read(&mut buffer)).await? {
                Some(0) => break,
                Some(n) => direction.received.borrow_mut().extend_from_slice(&buffer[..n]),
                None => {}
            }
        }
        direction.complete.set(true);
        Ok(())
    }

    fn judge(&self, outcome: &Result<()>, way: Way) {
        for (plan, direction) in self.plans.iter().zip(&self.directions) {
            let received = direction.received.borrow();
            assert!(plan.sent.starts_with(&received), "something else has come");
            if direction.complete.get() {
                assert!(received.len() == plan.sent.len(), "an end too early");
                let told = direction.ended.get() || self.version == Version::Old;
                assert!(told, "an end that nobody has told");
            }
            let closes = self.plans.iter().all(|plan| plan.leaves == Leaves::Closes);
            if way == Way::Good && closes {
                assert!(outcome.is_ok(), "{outcome:?}");
                assert!(direction.complete.get(), "it has no end");
            }
        }
    }
}

impl Patience {
    async fn with<T>(self, op: impl Future<Output = Result<T>>) -> Result<Option<T>> {
        match self {
            Patience::Endless => op.await.map(Some),
            Patience::Short => move_on_after(Duration::from_millis(200), op).await,
        }
    }
}

/// What is done to a connection on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Good,
    Bad,
}

/// One direction.
#[derive(Default)]
struct Lane {
    /// It has been written, and nobody has let it pass.
    held: VecDeque<u8>,
    /// It can be read.
    passed: VecDeque<u8>,
    /// What has passed last.
    last: VecDeque<u8>,
    /// How much has passed.
    all: usize,
    state: State,
    /// Whoever writes says that nothing more comes, or has gone.
    is_ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    #[default]
    Held,
    /// Everything passes.
    Open,
    Cut,
    Reset,
}

impl Lane {
    fn put(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for byte in bytes {
            self.passed.push_back(byte);
            self.last.push_back(byte);
            self.all += 1;
        }
        let surplus = self.last.len().saturating_sub(1000);
        self.last.drain(..surplus);
        self.wake();
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let count = count.min(self.held.len());
        let taken = self.held.drain(..count).collect();
        self.wake();
        taken
    }

    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    fn set(&mut self, state: State) {
        self.state = state;
        if state == State::Open {
            let all = self.take(usize::MAX);
            self.put(all);
        }
        self.wake();
    }
}

/// Who is between the two sides.
struct Between {
    lanes: [RefCell<Lane>; 2],
    polls: Cell<usize>,
    way: Cell<Way>,
    late: Cell<Duration>,
    /// Only when so much has passed, it is done harm.
    spared: usize,
}

impl Between {
    /// The lane on which that side writes.
    fn from(&self, side: Side) -> std::cell::RefMut<'_, Lane> {
        self.lanes[side as usize].borrow_mut()
    }

    async fn meddle(&self, steps: &[u8]) -> Result<()> {
        for step in steps.chunks_exact(3) {
            let [what, which, much] = step else { unreachable!("there are three") };
            let side = if which % 2 == 0 { Side::Client } else { Side::Server };
            self.step(what % 16, side, usize::from(which / 2), usize::from(*much)).await?;
        }
        for side in [Side::Client, Side::Server] {
            if self.from(side).state == State::Held {
                self.from(side).set(State::Open);
            }
        }
        Ok(())
    }

    fn pass(&self, side: Side, count: usize) {
        let mut lane = self.from(side);
        let bytes = lane.take(count);
        lane.put(bytes);
    }

    async fn step(&self, what: u8, side: Side, which: usize, much: usize) -> Result<()> {
        let bad = || self.way.set(Way::Bad);
        let passed: usize = self.lanes.iter().map(|lane| lane.borrow().all).sum();
        match what {
            8.. if passed < self.spared => self.pass(side, 1 + which * 40),
            0..4 => {
                self.pass(side, if which < 16 { 1 + which } else { much * 40 });
            }
            4..7 => {
                for _ in 0..=much % 8 {
                    yield_now().await?;
                }
            }
            7 => {
                let time = Duration::from_millis(much as u64 * 10);
                self.late.set(self.late.get() + time);
                sleep(time).await?;
            }
            8 => {
                let mut lane = self.from(side);
                let mut bytes = lane.take(1 + which);
                if let Some(last) = bytes.last_mut() {
                    *last ^= 1 << (much % 8);
                    bad();
                }
                lane.put(bytes);
            }
            9 => {
                if !self.from(side).take(1 + much).is_empty() {
                    bad();
                }
            }
            10 | 11 => {
                let fragment = FRAGMENTS[which % FRAGMENTS.len()];
                let count = 1 + much % 64;
                self.from(side).put(fragment.repeat(count));
                bad();
            }
            12 => {
                self.from(side).put([much as u8]);
                bad();
            }
            13 => {
                let mut lane = self.from(side);
                let from = lane.last.len().saturating_sub(1 + much);
                let again: Vec<u8> = lane.last.iter().copied().skip(from).collect();
                if !again.is_empty() {
                    bad();
                }
                lane.put(again);
            }
            14 => {
                // The other direction may go on.
                self.from(side).set(State::Cut);
                bad();
            }
            _ => {
                for side in [Side::Client, Side::Server] {
                    self.from(side).set(match much.is_multiple_of(2) {
                        true => State::Reset,
                        false => State::Cut,
                    });
                }
                bad();
            }
        }
        Ok(())
    }
}

/// One end of it.
struct End {
    between: Rc<Between>,
    side: Side,
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.between.polls.set(self.between.polls.get() + 1);
        let mut lane = self.between.from(self.side.other());
        if lane.state == State::Reset {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        let n = lane.passed.len().min(into.len());
        for (byte, from) in into.iter_mut().zip(lane.passed.drain(..n)) {
            *byte = from;
        }
        let is_end = lane.state == State::Cut || lane.is_ended && lane.held.is_empty();
        if n == 0 && !is_end {
            lane.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        lane.wake();
        Poll::Ready(Ok(n))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.between.polls.set(self.between.polls.get() + 1);
        let mut lane = self.between.from(self.side);
        if lane.is_ended || matches!(lane.state, State::Cut | State::Reset) {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let n = bytes.len().min(CAPACITY.saturating_sub(lane.held.len() + lane.passed.len()));
        if n == 0 {
            lane.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        match lane.state {
            State::Open => lane.put(bytes[..n].iter().copied()),
            _ => lane.held.extend(&bytes[..n]),
        }
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut lane = self.between.from(self.side);
        lane.is_ended = true;
        lane.wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        for side in [Side::Client, Side::Server] {
            let mut lane = self.between.from(side);
            lane.is_ended = true;
            lane.wake();
        }
    }
}

/// What neither side may have anything to do with but by its bytes.
fn configs(version: Version) -> Configs {
    thread_local! {
        static BOTH: [Configs; 2] = [&TLS12, &TLS13].map(|version| {
            let mut configs = Configs::new(&[version]);
            // A connection does not depend on those before it.
            Arc::get_mut(&mut configs.client).expect("it is new").resumption = Resumption::disabled();
            configs
        });
    }
    BOTH.with(|both| both[version as usize].clone())
}

pub fn run(bytes: &[u8]) {
    let Some((&[flags, a, b, c, d, e, f], steps)) = bytes.split_first_chunk() else { return };
    let version = if flags % 4 == 0 { Version::Old } else { Version::New };
    let configs = configs(version);
    let connection = Connection {
        version,
        plans: [Plan::new([a, b, c]), Plan::new([d, e, f])],
        directions: Default::default(),
    };
    let between = Rc::new(Between {
        lanes: Default::default(),
        polls: Cell::new(0),
        way: Cell::new(Way::Good),
        late: Cell::new(Duration::ZERO),
        // Within the handshake, about its end, after it, and never.
        spared: [0, 1_500, 4_000, usize::MAX][usize::from(flags / 4 % 4)],
    });
    let used = live::most_bytes(|| {
        let [near, far] =
            [Side::Client, Side::Server].map(|side| End { between: between.clone(), side });
        let outcome = Builder::new().clock(&VirtualClock::new()).run(async {
            let all = nursery(async |n| {
                n.spawn(Box::pin(connection.side(Side::Server, &configs, far)));
                n.spawn(between.meddle(steps));
                connection.side(Side::Client, &configs, near).await
            });
            // Bytes that are lost may be waited for.
            match move_on_after(Duration::from_secs(60), all).await? {
                Some(()) => Ok(()),
                None => Err(io::Error::from(ErrorKind::TimedOut).into()),
            }
        });
        // A handshake has a limit.
        let is_late = between.late.get() > Duration::from_secs(8);
        connection.judge(&outcome, if is_late { Way::Bad } else { between.way.get() });
    });
    let passed = between.lanes.iter().map(|lane| lane.borrow().all).sum::<usize>();
    assert!(used < MEMORY + 4 * passed, "{used} bytes of memory for {passed}");
    let polls = between.polls.get();
    assert!(polls < 10_000 + 20 * steps.len() + passed, "{polls} polls for {passed} bytes");
}
