//! The one handler that this crate installs for a signal, and what it does.
//!
//! It is installed when something of this crate first claims the signal, and stays: a handler
//! cannot be removed safely if threads and other libraries install their own. While nothing claims
//! the signal, it has the effect that it would have without this crate:
//!
//! * a handler that was there before is always called;
//! * a signal that was ignored stays ignored;
//! * if the system's default was in force, it applies again, provided that this handler is the one
//!   that the system calls. If it is called by another handler, which was installed later and
//!   passes the signal on, then somebody is listening.
//!
//! So no library's registry is used. A shared registry does not tell who else is using it, and
//! whoever listens through it would be killed by a default effect that was meant for the case that
//! nobody listens.
//!
//! # Invariants
//!
//! 1. [`handle`] does only what is allowed between any two instructions of the program: it reads
//!    and writes atomics, and sends to a pipe without blocking. It takes no lock, and neither
//!    allocates nor frees.
//! 2. A `Plan` is changed by putting another one in its place. The former plan is freed only once
//!    no handler is running that may have found it; if that takes too long, it is leaked.
//! 3. `previous` is null or points to a `Previous` that is never freed, and is set before the
//!    handler is installed.

use std::io;
use std::mem;
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::thread;

use libc::{c_int, c_void, siginfo_t};
use parking_lot::Mutex;
use rustix::net::SendFlags;
use signal_hook::low_level::emulate_default_handler;

/// Locked while a plan is changed.
static CHANGES: Mutex<()> = Mutex::new(());

static SLOTS: [Slot; 65] = [const { Slot::new() }; 65];

/// The state of one signal.
struct Slot {
    plan: AtomicPtr<Plan>,
    /// How many handlers may be using a plan.
    running: AtomicUsize,
    /// The handler that this one replaced.
    previous: AtomicPtr<Previous>,
    /// The next signal has its default effect, whoever claims it.
    spent: AtomicBool,
    /// The signal has come, and no listener has received it since.
    unreceived: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Previous {
    Default,
    Ignored,
    /// The address of a function that takes the signal's number.
    Handler(usize),
    /// The address of a function that takes three arguments (`SA_SIGINFO`).
    HandlerWithInfo(usize),
}

/// Who claims a signal.
#[derive(Clone, Default)]
pub(super) struct Plan {
    pub(super) listeners: Vec<Arc<Flag>>,
    /// Claims the signal while nobody listens, but only once: the next has its default effect.
    pub(super) interrupt: Option<Arc<Flag>>,
}

/// Set when a signal comes.
pub(super) struct Flag {
    set: AtomicBool,
    /// Written to after the flag is set, so that whoever finds the byte finds the flag set too.
    pipe: UnixStream,
    following: Following,
}

/// The effect of the signal after this one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Following {
    /// It does the same.
    Same,
    /// It has its default effect, whoever claims it.
    Default,
}

/// Whether a signal was claimed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    Claimed,
    /// It was not, and has its default effect.
    Unclaimed,
}

/// Whether a signal had been received before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Receipt {
    First,
    Again,
}

impl Flag {
    /// A flag for signals that come while it is in a plan.
    pub(super) fn new(pipe: UnixStream, following: Following) -> Arc<Flag> {
        Arc::new(Flag { set: AtomicBool::new(false), pipe, following })
    }

    pub(super) fn is_set(&self) -> bool {
        self.set.load(Ordering::Relaxed)
    }

    /// Whether the signal has come since this was last asked.
    pub(super) fn take(&self) -> bool {
        self.is_set() && self.set.swap(false, Ordering::SeqCst)
    }

    /// Sets the flag. A signal is claimed by the flag only if it was not set before.
    fn raise(&self) -> Claim {
        if self.set.swap(true, Ordering::SeqCst) {
            return Claim::Unclaimed;
        }
        #[cfg(not(target_vendor = "apple"))]
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        // Instead of the other flag, there is an option of the socket, which the standard library
        // has set.
        #[cfg(target_vendor = "apple")]
        let flags = SendFlags::DONTWAIT;
        // A pipe that is full has already woken its reader.
        let _ = rustix::net::send(&self.pipe, &[0], flags);
        Claim::Claimed
    }
}

impl Slot {
    const fn new() -> Slot {
        Slot {
            plan: AtomicPtr::new(ptr::null_mut()),
            running: AtomicUsize::new(0),
            previous: AtomicPtr::new(ptr::null_mut()),
            spent: AtomicBool::new(false),
            unreceived: AtomicBool::new(false),
        }
    }

    fn previous(&self) -> Option<Previous> {
        // SAFETY: invariant 3.
        unsafe { self.previous.load(Ordering::SeqCst).as_ref() }.copied()
    }

    /// Tells everything that claims the signal that it has come.
    fn tell(&self) -> Claim {
        let spent = self.spent.load(Ordering::SeqCst);
        self.running.fetch_add(1, Ordering::SeqCst);
        // SAFETY: invariant 2: `running` keeps it alive.
        let plan = unsafe { self.plan.load(Ordering::SeqCst).as_ref() };
        let claim = plan.map_or(Claim::Unclaimed, |plan| self.carry_out(plan));
        self.running.fetch_sub(1, Ordering::SeqCst);
        if spent { Claim::Unclaimed } else { claim }
    }

    fn carry_out(&self, plan: &Plan) -> Claim {
        if plan.listeners.is_empty() {
            return plan.interrupt.as_ref().map_or(Claim::Unclaimed, |flag| flag.raise());
        }
        self.unreceived.store(true, Ordering::SeqCst);
        for flag in &plan.listeners {
            if flag.following == Following::Default {
                self.spent.store(true, Ordering::SeqCst);
            }
            flag.raise();
        }
        Claim::Claimed
    }

    /// Frees a plan that is no longer the present one, once no handler uses it any more.
    ///
    /// If that takes too long, it is leaked: in a process that was forked while a handler ran, for
    /// example.
    fn free(&self, former: *mut Plan) {
        for _ in 0..1000 {
            if self.running.load(Ordering::SeqCst) == 0 {
                // SAFETY: it came from `Box::into_raw`, and invariant 2: no handler uses it.
                return drop(unsafe { Box::from_raw(former) });
            }
            thread::yield_now();
        }
    }
}

/// Called by the system, or by a handler that was installed after this one.
#[inline(never)] // so that it has one address
extern "C" fn handle(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(slot) = usize::try_from(signal).ok().and_then(|signal| SLOTS.get(signal)) else {
        return;
    };
    let errno = errno();
    let claim = slot.tell();
    match slot.previous() {
        Some(Previous::HandlerWithInfo(function)) => {
            // SAFETY: it was installed as such a function.
            let function = unsafe {
                mem::transmute::<usize, extern "C" fn(c_int, *mut siginfo_t, *mut c_void)>(function)
            };
            function(signal, info, context);
        }
        Some(Previous::Handler(function)) => {
            // SAFETY: as above.
            let function = unsafe { mem::transmute::<usize, extern "C" fn(c_int)>(function) };
            function(signal);
        }
        Some(Previous::Default) if claim == Claim::Unclaimed && is_ours(signal) => {
            // This fails only for a number that is not a signal.
            let _ = emulate_default_handler(signal);
        }
        _ => {}
    }
    set_errno(errno);
}

/// The system's present disposition of a signal.
fn disposition(signal: c_int) -> io::Result<libc::sigaction> {
    // SAFETY: `present` is a plain C structure, and the call only writes to it.
    unsafe {
        let mut present = mem::zeroed();
        match libc::sigaction(signal, ptr::null(), &mut present) {
            0 => Ok(present),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

fn is_ours(signal: c_int) -> bool {
    let ours = handle as extern "C" fn(_, _, _) as usize;
    disposition(signal).is_ok_and(|present| present.sa_sigaction == ours)
}

fn install(signal: c_int, slot: &Slot) -> io::Result<()> {
    static DEFAULT: Previous = Previous::Default;
    static IGNORED: Previous = Previous::Ignored;
    let present = disposition(signal)?;
    let previous = match present.sa_sigaction {
        _ if is_ours(signal) => return Ok(()),
        libc::SIG_DFL => ptr::from_ref(&DEFAULT),
        libc::SIG_IGN => ptr::from_ref(&IGNORED),
        // It was installed after ours and calls ours, so calling it in turn would never end.
        _ if slot.previous().is_some() => return Ok(()),
        function => {
            let previous = match present.sa_flags & libc::SA_SIGINFO {
                0 => Previous::Handler(function),
                _ => Previous::HandlerWithInfo(function),
            };
            Box::into_raw(Box::new(previous))
        }
    };
    slot.previous.store(previous.cast_mut(), Ordering::SeqCst);
    // SAFETY: the structure is filled in as the system wants it, and `handle` may run as a handler.
    let installed = unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handle as extern "C" fn(_, _, _) as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(signal, &action, ptr::null_mut())
    };
    match installed {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The slot of a signal that can be claimed.
fn slot(signal: c_int) -> io::Result<&'static Slot> {
    let slot = usize::try_from(signal).ok().and_then(|signal| SLOTS.get(signal));
    slot.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// Whether the signal is ignored while nothing of this crate claims it.
pub(super) fn is_ignored(signal: c_int) -> io::Result<bool> {
    let slot = slot(signal)?;
    Ok(match disposition(signal)?.sa_sigaction {
        libc::SIG_IGN => true,
        _ => is_ours(signal) && slot.previous() == Some(Previous::Ignored),
    })
}

/// Changes who claims a signal. A signal that comes meanwhile goes either to those that claimed it
/// before or to those that claim it afterwards.
pub(super) fn change<T>(signal: c_int, change: impl FnOnce(&mut Plan) -> T) -> io::Result<T> {
    let slot = slot(signal)?;
    let _one_at_a_time = CHANGES.lock();
    // SAFETY: invariant 2: plans are freed only under the lock.
    let former = unsafe { slot.plan.load(Ordering::SeqCst).as_ref() };
    let mut plan = Box::new(former.cloned().unwrap_or_default());
    let value = change(&mut plan);
    install(signal, slot)?;
    let former = slot.plan.swap(Box::into_raw(plan), Ordering::SeqCst);
    if !former.is_null() {
        slot.free(former);
    }
    Ok(value)
}

/// Undoes [`Following::Default`]: the next signal goes to whatever claims it.
pub(super) fn renew(signal: c_int) {
    if let Ok(slot) = slot(signal) {
        slot.spent.store(false, Ordering::SeqCst);
    }
}

/// Records that a listener has received the signal.
pub(super) fn receive(signal: c_int) -> Receipt {
    match slot(signal).is_ok_and(|slot| slot.unreceived.swap(false, Ordering::SeqCst)) {
        true => Receipt::First,
        false => Receipt::Again,
    }
}

/// The thread's error number, which a handler has to preserve.
fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

#[cfg(target_os = "linux")]
fn set_errno(errno: c_int) {
    // SAFETY: the function returns a place of this thread's own.
    unsafe { *libc::__errno_location() = errno };
}

#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
fn set_errno(errno: c_int) {
    // SAFETY: as above.
    unsafe { *libc::__error() = errno };
}

#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
fn set_errno(errno: c_int) {
    // SAFETY: as above.
    unsafe { *libc::__errno() = errno };
}

/// It is not known where this system keeps the number. Little that the handler does changes it.
#[cfg(not(any(
    target_os = "linux",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "android",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
fn set_errno(_: c_int) {}
