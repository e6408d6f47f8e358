//! How often something is tried, and how long to wait in between.

use std::time::Duration;

use crate::error::Error;

/// The pause before the second attempt, unless another is set.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// How many times as long each pause is as the one before, unless that is set.
const FACTOR: f64 = 2.0;
/// The longest pause, unless another is set.
const MAX_DELAY: Duration = Duration::from_secs(30);

/// How often [`retry`](crate::flow::retry) tries, and how long it waits in between: exponential
/// back-off.
///
/// By default it tries again after any error. It waits for 100 ms before the second attempt, and
/// then twice as long each time, but at most 30 s.
///
/// ```
/// use seedbed::flow::Retry;
/// use std::io;
/// use std::time::Duration;
///
/// let policy = Retry::attempts(5)
///     .first_delay(Duration::from_millis(20)) // then 60, 180, and 200 ms
///     .factor(3.0)
///     .max_delay(Duration::from_millis(200))
///     .only_if(|error| error.is::<io::Error>());
/// # let _ = policy;
/// ```
#[must_use = "it does nothing until it is given to `retry`"]
pub struct Retry<'a> {
    /// `None` if there is no limit.
    attempts: Option<u32>,
    first_delay: Duration,
    factor: f64,
    max_delay: Duration,
    only_if: Option<Condition<'a>>,
    jitter: Option<Jitter>,
    counts: Counts,
}

type Condition<'a> = Box<dyn FnMut(&Error) -> bool + 'a>;

/// What the attempts are counted from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    FromTheBeginning,
    FromTheLastItem,
}

impl<'a> Retry<'a> {
    /// Tries up to this many times in all: once, and `attempts - 1` times again.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[track_caller]
    pub fn attempts(attempts: u32) -> Self {
        assert!(attempts > 0, "with 0 attempts nothing would ever be tried");
        Retry { attempts: Some(attempts), ..Self::forever() }
    }

    /// Tries again for ever.
    pub fn forever() -> Self {
        Retry {
            attempts: None,
            first_delay: FIRST_DELAY,
            factor: FACTOR,
            max_delay: MAX_DELAY,
            only_if: None,
            jitter: None,
            counts: Counts::FromTheBeginning,
        }
    }

    /// Sets the pause before the second attempt. With zero there are no pauses at all, but a
    /// checkpoint each time.
    pub fn first_delay(mut self, delay: Duration) -> Self {
        self.first_delay = delay;
        self
    }

    /// Sets how many times as long each pause is as the one before.
    ///
    /// # Panics
    ///
    /// If it is less than 1, or not a number.
    #[track_caller]
    pub fn factor(mut self, factor: f64) -> Self {
        assert!(factor >= 1.0, "the factor of a back-off is at least 1, and not {factor}");
        self.factor = factor;
        self
    }

    /// Sets the longest pause.
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Tries again only after an error for which this is true. Any other one comes out as it is.
    /// (A cancellation always does.)
    pub fn only_if(mut self, f: impl FnMut(&Error) -> bool + 'a) -> Self {
        self.only_if = Some(Box::new(f));
        self
    }

    /// Makes each pause shorter by up to half, at random, so that the clients of a server that has
    /// come back do not all connect at once. The same seed gives the same pauses; use one that
    /// differs from client to client, such as a process's number.
    pub fn jitter(mut self, seed: u64) -> Self {
        self.jitter = Some(Jitter(seed));
        self
    }

    /// Begins to count attempts and pauses anew when an item has come. Without this, a connection
    /// that is lost once a day would be given up after some days.
    pub fn anew_after_item(mut self) -> Self {
        self.counts = Counts::FromTheLastItem;
        self
    }

    /// How many attempts count after an item has come, if so many did before.
    pub(super) fn after_item(&self, attempts: u32) -> u32 {
        match self.counts {
            Counts::FromTheBeginning => attempts,
            Counts::FromTheLastItem => 0,
        }
    }

    /// What to do after so many attempts, when the last one has failed with this error. Calls
    /// foreign code.
    pub(super) fn after(&mut self, attempts: u32, error: &Error) -> Next {
        if let Some(only_if) = &mut self.only_if
            && !only_if(error)
        {
            return Next::Fail;
        }
        if self.attempts.is_some_and(|most| attempts >= most) {
            return Next::GiveUp;
        }
        Next::Wait(self.delay(attempts))
    }

    /// The pause after so many attempts.
    fn delay(&mut self, attempts: u32) -> Duration {
        let times = self.factor.powf(f64::from(attempts.saturating_sub(1)));
        let seconds = self.first_delay.as_secs_f64() * times;
        let delay = match Duration::try_from_secs_f64(seconds) {
            Ok(delay) => delay.min(self.max_delay),
            Err(_) => self.max_delay,
        };
        match &mut self.jitter {
            Some(jitter) => delay.mul_f64(1.0 - jitter.draw() / 2.0),
            None => delay,
        }
    }
}

/// What comes after an attempt that has failed.
pub(super) enum Next {
    Wait(Duration),
    /// It is not worth trying again.
    Fail,
    /// It has been tried often enough.
    GiveUp,
}

/// Random numbers: SplitMix64.
struct Jitter(u64);

impl Jitter {
    /// A number from 0 up to, but not including, 1.
    fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl std::fmt::Debug for Retry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retry")
            .field("attempts", &self.attempts)
            .field("first_delay", &self.first_delay)
            .field("factor", &self.factor)
            .field("max_delay", &self.max_delay)
            .finish_non_exhaustive()
    }
}
