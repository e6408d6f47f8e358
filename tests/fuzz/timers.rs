//! Sleeps and deadlines that are set, moved and given up at any time, on a clock that jumps,
//! compared with a sorted map.
//!
//! Three bytes are a step: what is done, to which timer, and how far away it is.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake};
use std::time::{Duration, Instant};

use seedbed::testing::{VirtualClock, statistics};
use seedbed::{Builder, CancelScope, Result, now, sleep_forever, sleep_until};

const TIMERS: u8 = 16;

/// Says in which order timers have gone off.
struct Noted {
    who: u8,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.log.lock().expect("it does not panic").push(self.who);
    }
}

/// Something with a timer, and when that goes off: the instant, and the how-manieth it was of
/// those that were set.
struct Timer<'a> {
    future: Pin<Box<dyn Future<Output = Result<()>> + 'a>>,
    scope: Option<CancelScope>,
    due: Option<(Instant, u64)>,
    fired: bool,
}

struct Pair<'a> {
    clock: &'a VirtualClock,
    timers: BTreeMap<u8, Timer<'a>>,
    model: BTreeMap<(Instant, u64), u8>,
    set: u64,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Pair<'_> {
    async fn step(&mut self, what: u8, who: u8, distance: Duration) -> Result<()> {
        let who = who % TIMERS;
        match what % 8 {
            0 | 1 => self.sleep(who, distance),
            2 => self.scope(who, distance),
            3 => self.move_deadline(who, distance),
            4 => self.poll(who),
            5 => self.drop(who),
            6 => self.clock.advance(distance), // noticed when the loop looks at it next
            _ => self.wait(distance).await?,
        }
        assert_eq!(statistics()?.timers, self.model.len());
        Ok(())
    }

    fn begin(
        &mut self,
        who: u8,
        future: impl Future<Output = Result<()>> + 'static,
        scope: Option<CancelScope>,
        at: Instant,
    ) {
        self.drop(who);
        let timer = Timer { future: Box::pin(future), scope, due: None, fired: false };
        self.timers.insert(who, timer);
        self.set(who, at);
        self.poll(who);
    }

    /// The model sets a timer, unless it is due already.
    fn set(&mut self, who: u8, at: Instant) {
        let timer = self.timers.get_mut(&who).expect("it is there");
        if at <= now() {
            timer.fired = true;
            return;
        }
        self.set += 1;
        timer.due = Some((at, self.set));
        self.model.insert((at, self.set), who);
    }

    fn clear(&mut self, who: u8) {
        let due = self.timers.get_mut(&who).and_then(|timer| timer.due.take());
        if let Some(due) = due {
            assert_eq!(self.model.remove(&due), Some(who));
        }
    }

    fn sleep(&mut self, who: u8, distance: Duration) {
        let Some(at) = now().checked_add(distance) else { return };
        self.begin(who, sleep_until(at), None, at);
    }

    /// A scope that is cancelled by its deadline.
    fn scope(&mut self, who: u8, distance: Duration) {
        let Some(at) = now().checked_add(distance) else { return };
        let scope = CancelScope::new().with_deadline(at);
        let entered = scope.clone();
        let future = async move {
            entered.enter(async |_| sleep_forever().await).await?;
            Ok(())
        };
        self.begin(who, future, Some(scope), at);
    }

    fn move_deadline(&mut self, who: u8, distance: Duration) {
        let Some(at) = now().checked_add(distance) else { return };
        let Some(Timer { scope: Some(scope), fired: false, .. }) = self.timers.get(&who) else {
            return;
        };
        scope.set_deadline(Some(at));
        self.clear(who);
        self.set(who, at);
        if self.timers[&who].fired {
            let woken = self.log.lock().expect("it does not panic").pop();
            assert_eq!(woken, Some(who), "it is cancelled at once");
        }
    }

    fn poll(&mut self, who: u8) {
        let waker = Arc::new(Noted { who, log: self.log.clone() }).into();
        let cx = &mut Context::from_waker(&waker);
        let Some(timer) = self.timers.get_mut(&who) else { return };
        // A sleep whose time has come is over, though its timer was not looked at yet.
        let over =
            timer.fired || timer.scope.is_none() && timer.due.is_some_and(|(at, _)| at <= now());
        let mut polled = timer.future.as_mut().poll(cx);
        for _ in 0..3 {
            // What finds itself cancelled, or due, before it has begun lets others run first.
            if over && polled.is_pending() {
                polled = timer.future.as_mut().poll(cx);
            }
        }
        assert_eq!(polled.is_ready(), over);
        if let Poll::Ready(outcome) = polled {
            outcome.expect("neither fails");
            self.clear(who);
            self.timers.remove(&who);
        }
        // What it has woken was to come back here.
        self.log.lock().expect("it does not panic").retain(|woken| !over || *woken != who);
    }

    fn drop(&mut self, who: u8) {
        self.clear(who);
        self.timers.remove(&who);
    }

    /// Lets time pass, and compares what has gone off meanwhile.
    async fn wait(&mut self, distance: Duration) -> Result<()> {
        let Some(until) = now().checked_add(distance) else { return Ok(()) };
        assert!(self.log.lock().expect("it does not panic").is_empty(), "before its time");
        // For no time it may go on without a look at the clock.
        let until = until.max(now() + Duration::from_nanos(1));
        sleep_until(until).await?;
        let mut expected = Vec::new();
        while let Some(first) = self.model.first_entry()
            && first.key().0 <= until
        {
            let who = first.remove();
            expected.push(who);
            let timer = self.timers.get_mut(&who).expect("it is there");
            (timer.due, timer.fired) = (None, true);
        }
        assert_eq!(std::mem::take(&mut *self.log.lock().expect("it does not panic")), expected);
        assert_eq!(now(), until.max(now()));
        Ok(())
    }
}

pub fn run(bytes: &[u8]) {
    let clock = VirtualClock::new();
    let mut steps = bytes.chunks_exact(3);
    let all = async {
        let before = statistics()?;
        let mut pair = Pair {
            clock: &clock,
            timers: BTreeMap::new(),
            model: BTreeMap::new(),
            set: 0,
            log: Arc::default(),
        };
        while let Some(&[what, who, far]) = steps.next() {
            // Up to half a year, and a bit, so that many are the same and many are near others.
            let distance = (1_u64 << (far % 54)) - 1 + u64::from(far / 54);
            pair.step(what, who, Duration::from_nanos(distance)).await?;
        }
        (0..TIMERS).for_each(|who| pair.drop(who));
        assert!(pair.model.is_empty());
        assert_eq!(statistics()?, before);
        Ok(())
    };
    let outcome: Result<()> = Builder::new().clock(&clock).ctrl_c(false).run(all);
    outcome.expect("it does not fail");
}
