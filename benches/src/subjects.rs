//! The subjects: what is measured. How each runtime is set up is in `runtimes`.

/// The names of the subjects, and what they are.
pub const SUBJECTS: &[(&str, &str)] = &[
    (SEEDBED, "this crate"),
    (SEEDBED_COMPANION, "this crate, over what belongs to a tokio runtime beside the run"),
    (TOKIO, "tokio, LocalRuntime (one thread, tasks need not be Send), JoinSet"),
    (TOKIO_LOCAL_SET, "tokio, current-thread runtime with a LocalSet, as before LocalRuntime"),
    (TOKIO_SEND, "tokio, current-thread runtime with tokio::spawn (tasks are Send), JoinHandles"),
    (TOKIO_WORKER, "tokio, multi-thread runtime with one worker"),
    (SMOL, "smol's LocalExecutor (async-executor) with async-io"),
    (FUTURES_UNORDERED, "futures' FuturesUnordered, under its block_on"),
    (MORO_LOCAL, "moro-local's scopes, under futures' block_on"),
    (MONOIO_EPOLL, "monoio with its epoll driver"),
    (MONOIO_URING, "monoio with io_uring"),
    (COMPIO_EPOLL, "compio with its epoll driver"),
    (COMPIO_URING, "compio with io_uring"),
    (GLOMMIO, "glommio, which has io_uring only"),
    (ASYNC_STREAM, "async-stream's stream! and try_stream!"),
    (ASYNK_STRIM, "asynk-strim's try_stream_fn"),
    (GENAWAITER, "genawaiter's rc::Gen"),
    (UNFOLD, "futures' stream::try_unfold"),
    (
        HAND_WRITTEN,
        "no library: a Stream, or a loop on mio, written by hand for the case (the limit)",
    ),
    (HAND_WRITTEN_MMSG, "the same, with many datagrams in a system call (sendmmsg, recvmmsg)"),
    (HAND_WRITTEN_GSO, "the same, with one datagram that the system cuts and joins (GSO, GRO)"),
];

pub const SEEDBED: &str = "seedbed";
pub const SEEDBED_COMPANION: &str = "seedbed-companion";
pub const TOKIO: &str = "tokio";
pub const TOKIO_LOCAL_SET: &str = "tokio-localset";
pub const TOKIO_SEND: &str = "tokio-send";
pub const TOKIO_WORKER: &str = "tokio-worker";
pub const SMOL: &str = "smol";
pub const FUTURES_UNORDERED: &str = "futures-unordered";
pub const MORO_LOCAL: &str = "moro-local";
pub const MONOIO_EPOLL: &str = "monoio-epoll";
pub const MONOIO_URING: &str = "monoio-uring";
pub const COMPIO_EPOLL: &str = "compio-epoll";
pub const COMPIO_URING: &str = "compio-uring";
pub const GLOMMIO: &str = "glommio";
pub const ASYNC_STREAM: &str = "async-stream";
pub const ASYNK_STRIM: &str = "asynk-strim";
pub const GENAWAITER: &str = "genawaiter";
pub const UNFOLD: &str = "unfold";
pub const HAND_WRITTEN: &str = "hand-written";
pub const HAND_WRITTEN_MMSG: &str = "hand-written-mmsg";
pub const HAND_WRITTEN_GSO: &str = "hand-written-gso";

/// Why a subject cannot run on this machine, if it cannot.
pub fn unavailable(subject: &str) -> Option<String> {
    #[cfg(feature = "peers")]
    match subject {
        MONOIO_URING | COMPIO_URING if !::monoio::utils::detect_uring() => {
            return Some("the kernel has no io_uring".to_owned());
        }
        GLOMMIO => return crate::runtimes::glommio::unavailable(),
        _ => {}
    }
    let _ = subject;
    None
}
