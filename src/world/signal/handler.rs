//! The one handler that this crate gives to the system for a signal, and what it does.
//!
//! It is installed when something begins to heed the signal for the first time, and stays: a handler
//! cannot be taken out again in a way that is safe where threads and other libraries install their
//! own. While nothing heeds the signal it has the effect that it would have without this crate:
//!
//! * a handler from before is called, always;
//! * what was ignored stays ignored;
//! * where the system's default was in force it is again, if this handler is the one that the system
//!   calls. If it is called by another's, which was installed later and passes the signal on, then
//!   somebody listens.
//!
//! So no library's registry is used. One that is shared does not tell who else is in it, and whoever
//! listens through it would be killed by the default effect meant for nobody.
//!
//! # Invariants
//!
//! 1. [`handle`] does only what is allowed between any two instructions of the program: it reads and
//!    writes atomics, and sends to a pipe without blocking. It takes no lock, and neither allocates
//!    nor frees.
//! 2. A `Plan` is changed by putting another one in its place. The former is freed only when no
//!    handler runs any more that may have found it; if that takes too long it is leaked.
//! 3. `previous` is null or points to a `Previous` that is never freed, and is set before the handler
//!    is installed.

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
use signal_hook::consts::{SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSTOP};
use signal_hook::low_level::{emulate_default_handler, signal_name};

/// Held while a plan is changed.
static CHANGES: Mutex<()> = Mutex::new(());

static SLOTS: [Slot; 65] = [const { Slot::new() }; 65];

/// What is known of a signal.
struct Slot {
    plan: AtomicPtr<Plan>,
    /// How many handlers may be using a plan.
    running: AtomicUsize,
    /// What this handler has taken the place of.
    previous: AtomicPtr<Previous>,
    /// The next has its default effect, whoever heeds the signal.
    spent: AtomicBool,
    /// It has come, and no listener has received it since.
    unreceived: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Previous {
    Default,
    Ignored,
    /// The address of a function, and whether it is one with three arguments.
    Handler(usize, bool),
}

/// Who heeds a signal.
#[derive(Clone, Default)]
pub(super) struct Plan {
    pub(super) listeners: Vec<Arc<Note>>,
    /// The one that heeds it while nobody listens: once; the next has its default effect.
    pub(super) interrupt: Option<Arc<Note>>,
}

/// Where it is noted that a signal has come.
pub(super) struct Note {
    noted: AtomicBool,
    /// Written to afterwards, so that whoever finds the byte finds the note as well.
    pipe: UnixStream,
    /// Whether the signal that follows has its default effect.
    last: bool,
}

impl Note {
    /// A note of signals that come while it is in a plan.
    pub(super) fn new(pipe: UnixStream, last: bool) -> Arc<Note> {
        Arc::new(Note { noted: AtomicBool::new(false), pipe, last })
    }

    pub(super) fn is_noted(&self) -> bool {
        self.noted.load(Ordering::Relaxed)
    }

    /// Whether the signal has come since this was asked for the last time.
    pub(super) fn take(&self) -> bool {
        self.is_noted() && self.noted.swap(false, Ordering::SeqCst)
    }

    /// Notes that it has come; false if that is noted already.
    fn set(&self) -> bool {
        if self.noted.swap(true, Ordering::SeqCst) {
            return false;
        }
        #[cfg(not(target_vendor = "apple"))]
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        // The standard library has set an option of the socket in place of the other flag.
        #[cfg(target_vendor = "apple")]
        let flags = SendFlags::DONTWAIT;
        // A pipe that is full has woken its reader already.
        let _ = rustix::net::send(&self.pipe, &[0], flags);
        true
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

    /// Lets those know who heed the signal. False if it is to have its default effect as well.
    fn tell(&self) -> bool {
        let spent = self.spent.load(Ordering::SeqCst);
        self.running.fetch_add(1, Ordering::SeqCst);
        // SAFETY: invariant 2: `running` says so.
        let plan = unsafe { self.plan.load(Ordering::SeqCst).as_ref() };
        let heeded = plan.is_some_and(|plan| self.carry_out(plan));
        self.running.fetch_sub(1, Ordering::SeqCst);
        heeded && !spent
    }

    /// False if nobody heeds it.
    fn carry_out(&self, plan: &Plan) -> bool {
        if plan.listeners.is_empty() {
            return plan.interrupt.as_ref().is_some_and(|note| note.set());
        }
        self.unreceived.store(true, Ordering::SeqCst);
        for note in &plan.listeners {
            if note.last {
                self.spent.store(true, Ordering::SeqCst);
            }
            note.set();
        }
        true
    }

    /// Waits until no handler uses a former plan. False if it takes too long, in a process that was
    /// forked while one ran, for one.
    fn is_quiet(&self) -> bool {
        (0..1000).any(|_| {
            let is_quiet = self.running.load(Ordering::SeqCst) == 0;
            if !is_quiet {
                thread::yield_now();
            }
            is_quiet
        })
    }
}

/// What the system calls, or the handler that was installed after this one.
#[inline(never)] // one address
extern "C" fn handle(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(slot) = usize::try_from(signal).ok().and_then(|signal| SLOTS.get(signal)) else {
        return;
    };
    let errno = errno();
    let heeded = slot.tell();
    match slot.previous() {
        Some(Previous::Handler(function, true)) => {
            // SAFETY: it was installed as such a function.
            let function = unsafe {
                mem::transmute::<usize, extern "C" fn(c_int, *mut siginfo_t, *mut c_void)>(function)
            };
            function(signal, info, context);
        }
        Some(Previous::Handler(function, false)) => {
            // SAFETY: as above.
            let function = unsafe { mem::transmute::<usize, extern "C" fn(c_int)>(function) };
            function(signal);
        }
        Some(Previous::Default) if !heeded && is_ours(signal) => {
            // It fails only for what is no signal.
            let _ = emulate_default_handler(signal);
        }
        _ => {}
    }
    set_errno(errno);
}

/// What the system does about a signal at present.
fn disposition(signal: c_int) -> io::Result<libc::sigaction> {
    // SAFETY: it is a plain C structure, and only written to.
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
        // Installed after ours, which it calls: to call it in turn would have no end.
        _ if slot.previous().is_some() => return Ok(()),
        function => {
            let three = present.sa_flags & libc::SA_SIGINFO != 0;
            Box::into_raw(Box::new(Previous::Handler(function, three)))
        }
    };
    slot.previous.store(previous.cast_mut(), Ordering::SeqCst);
    // SAFETY: the structure is as the system wants it, and `handle` is what may be called there.
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

/// The slot of a signal that may be heeded.
fn slot(signal: c_int) -> io::Result<&'static Slot> {
    // They cannot be caught, or come again when the handler returns.
    let forbidden = [SIGKILL, SIGSTOP, SIGILL, SIGFPE, SIGSEGV].contains(&signal);
    let slot = usize::try_from(signal).ok().and_then(|signal| SLOTS.get(signal));
    let name = signal_name(signal);
    slot.filter(|_| !forbidden && name.is_some()).ok_or_else(|| {
        let name = name.map_or_else(|| format!("signal {signal}"), str::to_owned);
        let text = format!("{name} is not one that a program can listen to");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })
}

/// Whether the signal is ignored while nothing of this crate heeds it.
pub(super) fn is_ignored(signal: c_int) -> io::Result<bool> {
    let slot = slot(signal)?;
    Ok(match disposition(signal)?.sa_sigaction {
        libc::SIG_IGN => true,
        _ => is_ours(signal) && slot.previous() == Some(Previous::Ignored),
    })
}

/// Changes who heeds a signal. One that comes meanwhile is told to those from before or to those
/// from afterwards.
pub(super) fn change<T>(signal: c_int, change: impl FnOnce(&mut Plan) -> T) -> io::Result<T> {
    let slot = slot(signal)?;
    let _one_at_a_time = CHANGES.lock();
    // SAFETY: invariant 2: only whoever holds the lock frees one.
    let former = unsafe { slot.plan.load(Ordering::SeqCst).as_ref() };
    let mut plan = Box::new(former.cloned().unwrap_or_default());
    let value = change(&mut plan);
    install(signal, slot)?;
    let former = slot.plan.swap(Box::into_raw(plan), Ordering::SeqCst);
    if !former.is_null() && slot.is_quiet() {
        // SAFETY: it came from `Box::into_raw`, and invariant 2: no handler uses it.
        drop(unsafe { Box::from_raw(former) });
    }
    Ok(value)
}

/// Whether the next has its default effect, whoever heeds the signal.
pub(super) fn set_spent(signal: c_int, spent: bool) {
    if let Ok(slot) = slot(signal) {
        slot.spent.store(spent, Ordering::SeqCst);
    }
}

/// A listener has received it. False if one had done so before.
pub(super) fn receive(signal: c_int) -> bool {
    slot(signal).is_ok_and(|slot| slot.unreceived.swap(false, Ordering::SeqCst))
}

/// The thread's, which a handler has to leave as it was.
fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

#[cfg(target_os = "linux")]
fn set_errno(errno: c_int) {
    // SAFETY: it gives a place of the thread's own.
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

/// Where it is kept is not known here. Little of what the handler does changes it.
#[cfg(not(any(
    target_os = "linux",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "android",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
fn set_errno(_: c_int) {}
