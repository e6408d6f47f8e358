//! What has to be known of seedbed's public names: what its functions do with their arguments, and
//! which of them are operations.
//!
//! `tests` checks that every public function of the crate is in here, and every operation.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

/// What a function does with an argument that is a body: a closure or a future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// It runs where the call is awaited, in something that forbids the yields of its frame. The
    /// name is the one that the run-time error has.
    Inside(&'static str),
    /// It runs where the call is awaited, and nothing is opened around it.
    Here,
    /// It runs in what the call's first argument, a context manager, holds.
    InManager,
    /// It is the body of a generator, a frame of its own.
    Generator,
    /// It is the body of a context manager, a frame of its own.
    Manager,
    /// It runs in a task.
    Task,
}

/// A type whose values are followed, as far as they can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Yielder,
    Nursery,
    Scope,
    Guard,
    Manager,
    Flow,
    /// One that only has operations.
    Other(&'static str),
}

/// A body among the arguments of a function.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    pub argument: usize,
    pub runs: Runs,
    /// What the body is called with, if it is a closure.
    pub given: Option<Type>,
}

/// Whether a cancellation is an error of what a call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// It is an operation, or runs operations: the error may be `Cancelled`.
    Operation,
    No,
}

pub struct Function {
    pub path: &'static str,
    pub bodies: &'static [Body],
    pub awaited: Awaited,
}

const fn body(argument: usize, runs: Runs) -> Body {
    Body { argument, runs, given: None }
}

const fn closure(argument: usize, runs: Runs, given: Type) -> Body {
    Body { argument, runs, given: Some(given) }
}

const fn operation(path: &'static str, bodies: &'static [Body]) -> Function {
    Function { path, bodies, awaited: Awaited::Operation }
}

const fn other(path: &'static str, bodies: &'static [Body]) -> Function {
    Function { path, bodies, awaited: Awaited::No }
}

use Runs::{Generator, Here, InManager, Inside, Manager, Task};

pub const TIMEOUT: &str = "a timeout";
pub const SCOPE: &str = "a cancel scope";
pub const NURSERY: &str = "a nursery";
pub const FLOW_OPEN: &str = "a flow";

const GENERATOR: Type = Type::Other("Generator");
const ITEMS: Type = Type::Other("flow::Items");
const RECEIVER: Type = Type::Other("Receiver");

/// The functions, by their paths below `seedbed`.
pub const FUNCTIONS: &[Function] = &[
    operation("aclosing", &[closure(1, Here, GENERATOR)]),
    operation("cancel_scope", &[closure(0, Inside(SCOPE), Type::Scope)]),
    operation("cancellable", &[]),
    other("cancellable_stream", &[]),
    other("channel", &[]),
    operation("checkpoint", &[]),
    other("context_manager", &[closure(0, Manager, Type::Yielder)]),
    other("current_default_thread_limiter", &[]),
    other("current_effective_deadline", &[]),
    operation("fail_after", &[body(1, Inside(TIMEOUT))]),
    operation("fail_at", &[body(1, Inside(TIMEOUT))]),
    operation("finishing", &[body(0, Inside("a section that finishes its work"))]),
    other("flow", &[]),
    other("flow::from_iter", &[]),
    other("flow::from_stream", &[]),
    other("flow::from_try_stream", &[]),
    other("flow::merge", &[]),
    other("flow::retry", &[]),
    operation("fs::File::create", &[]),
    operation("fs::File::create_new", &[]),
    operation("fs::File::open", &[]),
    operation("fs::canonicalize", &[]),
    operation("fs::copy", &[]),
    operation("fs::create_dir", &[]),
    operation("fs::create_dir_all", &[]),
    other("fs::current_limiter", &[]),
    operation("fs::exists", &[]),
    operation("fs::hard_link", &[]),
    operation("fs::metadata", &[]),
    operation("fs::read", &[]),
    other("fs::read_dir", &[]),
    operation("fs::read_link", &[]),
    operation("fs::read_to_string", &[]),
    operation("fs::remove_dir", &[]),
    operation("fs::remove_dir_all", &[]),
    operation("fs::remove_file", &[]),
    operation("fs::rename", &[]),
    operation("fs::set_permissions", &[]),
    operation("fs::symlink", &[]),
    operation("fs::symlink_metadata", &[]),
    operation("fs::write", &[]),
    operation("gather", &[]),
    other("generator", &[closure(0, Generator, Type::Yielder)]),
    other("get_asyncgen_hooks", &[]),
    other("hyper::closing", &[]),
    operation("hyper::gracefully", &[]),
    operation("hyper::local", &[body(0, Here)]),
    other("hyper::local_answer", &[]),
    operation("hyper::serve", &[body(1, Task)]),
    operation("hyper::serve_connection", &[body(2, Task)]),
    operation("hyper::serve_tower", &[]),
    other("hyper::upgrade", &[body(1, Task)]),
    operation("idle", &[body(0, Inside("a section that is idle"))]),
    other("inspect::add_instrument", &[]),
    other("inspect::dump", &[]),
    other("inspect::enable", &[]),
    other("inspect::metrics", &[]),
    operation("inspect::serve", &[]),
    other("inspect::to_prometheus", &[]),
    other("interval", &[]),
    other("interval_at", &[]),
    operation(
        "iterate",
        &[closure(0, Generator, Type::Yielder), closure(1, Here, Type::Other("Items"))],
    ),
    operation("move_on_after", &[body(1, Inside(TIMEOUT))]),
    operation("move_on_at", &[body(1, Inside(TIMEOUT))]),
    operation("net::TcpListener::bind", &[]),
    operation("net::TcpListener::bind_reuse_port", &[]),
    operation("net::TcpStream::connect", &[]),
    operation("net::UdpSocket::bind", &[]),
    operation("net::UnixDatagram::bind", &[]),
    operation("net::UnixDatagram::bind_addr", &[]),
    operation("net::UnixListener::bind", &[]),
    operation("net::UnixListener::bind_addr", &[]),
    operation("net::UnixStream::connect", &[]),
    operation("net::UnixStream::connect_addr", &[]),
    operation("net::lookup_host", &[]),
    operation("net::system_lookup", &[]),
    other("now", &[]),
    operation("nursery", &[closure(0, Inside(NURSERY), Type::Nursery)]),
    operation("pipe::Receiver::open", &[]),
    operation("pipe::Sender::open", &[]),
    other("pipe::pipe", &[]),
    other("prevent_yields", &[]),
    operation("race", &[]),
    operation("race_ok", &[]),
    other("run", &[]),
    other("run_on_cores", &[]),
    operation("safe_channel", &[body(1, Task), closure(2, Inside(NURSERY), RECEIVER)]),
    operation("serve", &[body(1, Task)]),
    other("set_asyncgen_hooks", &[]),
    operation("sleep", &[]),
    operation("sleep_forever", &[]),
    operation("sleep_until", &[]),
    other("stdio::stderr", &[]),
    other("stdio::stdin", &[]),
    other("stdio::stdout", &[]),
    other("sync::broadcast::channel", &[]),
    other("sync::conflated_channel", &[]),
    other("sync::oneshot::channel", &[]),
    other("sync::unbounded_channel", &[]),
    other("sync::watch::channel", &[]),
    other("sync_generator", &[closure(0, Generator, Type::Yielder)]),
    other("testing::explore", &[]),
    other("testing::statistics", &[]),
    other("thread_channel", &[]),
    operation("tls::accept", &[]),
    operation("tls::connect", &[]),
    operation("to_thread", &[]),
    operation("tokio::call", &[]),
    operation("until_stopped", &[body(0, Inside("a section that is idle"))]),
    operation("with", &[body(1, InManager)]),
    operation("yield_now", &[]),
];

pub struct Methods {
    pub path: &'static str,
    pub is: Type,
    /// Those that are operations.
    pub operations: &'static [&'static str],
}

const fn followed(path: &'static str, is: Type, operations: &'static [&'static str]) -> Methods {
    Methods { path, is, operations }
}

const fn has(path: &'static str, operations: &'static [&'static str]) -> Methods {
    Methods { path, is: Type::Other(path), operations }
}

const STREAM: &[&str] = &[
    "close",
    "flush",
    "peek",
    "read",
    "read_exact",
    "read_to_end",
    "read_vectored",
    "readable",
    "recv_with_descriptors",
    "send_with_descriptors",
    "writable",
    "write",
    "write_all",
    "write_vectored",
];

const DATAGRAMS: &[&str] = &[
    "connect",
    "connect_addr",
    "peek",
    "peek_from",
    "readable",
    "recv",
    "recv_from",
    "recv_with_descriptors",
    "send",
    "send_to",
    "send_to_addr",
    "send_with_descriptors",
    "writable",
];

const FILE: &[&str] = &[
    "into_std",
    "metadata",
    "read",
    "read_at",
    "read_exact",
    "read_exact_at",
    "read_to_end",
    "read_to_string",
    "seek",
    "set_len",
    "set_permissions",
    "sync_all",
    "sync_data",
    "write",
    "write_all",
    "write_all_at",
    "write_at",
];

const TLS: &[&str] =
    &["close", "flush", "read", "read_exact", "read_to_end", "shutdown", "write", "write_all"];

/// The terminal operations.
const FLOW: &[&str] =
    &["collect", "count", "first", "fold", "for_each", "for_each_concurrent", "last", "open"];

/// The types, by their paths below `seedbed`.
pub const TYPES: &[Methods] = &[
    followed("CancelScope", Type::Scope, &["enter"]),
    followed("ContextManager", Type::Manager, &[]),
    followed("Nursery", Type::Nursery, &["start", "start_service"]),
    followed("NamedTask", Type::Nursery, &["start", "start_service"]),
    followed("NurseryHandle", Type::Nursery, &[]),
    followed("PreventYields", Type::Guard, &[]),
    followed("Yielder", Type::Yielder, &[]),
    followed("flow::Flow", Type::Flow, FLOW),
    has("Builder", &["guest", "guest_on"]),
    has("CapacityLimiter", &["acquire"]),
    has("Event", &["wait"]),
    has("Feed", &["yield_"]),
    has("Generator", &["aclose", "anext", "asend", "athrow"]),
    has("Items", &["anext", "asend", "athrow"]),
    has("Interval", &["tick"]),
    // It is what its future is.
    has("Local", &["scope"]),
    has("Receiver", &["recv", "recv_many"]),
    has("Sender", &["reserve", "send"]),
    has("Server", &["serve"]),
    has("ThreadReceiver", &["recv", "recv_many"]),
    has("ThreadSender", &["send"]),
    has("Unfinished", &["aclose"]),
    has("fd::AsyncFd", &["read", "read_with", "readable", "writable", "write", "write_with"]),
    has("flow::Items", &["close", "next"]),
    has("fs::DirEntry", &["metadata"]),
    has("fs::File", FILE),
    has("fs::OpenOptions", &["open"]),
    has("hyper::Connection", &["serve", "serve_tower"]),
    has("hyper::Sender", &["send", "send_trailers"]),
    has("hyper::Server", &["serve", "serve_tower"]),
    has("inspect::Server", &["serve"]),
    has("net::DatagramSocket", DATAGRAMS),
    has("net::OwnedReadHalf", STREAM),
    has("net::OwnedWriteHalf", STREAM),
    has("net::ReadHalf", STREAM),
    has("net::SocketStream", STREAM),
    has("net::TcpListener", &["accept"]),
    has("net::TcpSocket", &["connect"]),
    has("net::TcpStream", STREAM),
    has("net::UdpSocket", DATAGRAMS),
    has("net::UnixDatagram", DATAGRAMS),
    has("net::UnixListener", &["accept"]),
    has("net::UnixStream", STREAM),
    has("net::WriteHalf", STREAM),
    has("pipe::Receiver", &["read", "read_to_end", "readable"]),
    has("pipe::Sender", &["writable", "write", "write_all"]),
    has("process::Child", &["wait"]),
    has("process::ChildStdin", &["write", "write_all"]),
    has("process::Command", &["output", "run", "status"]),
    has("signal::Signals", &["recv"]),
    has("stdio::Input", &["next_line", "read"]),
    has("stdio::Output", &["write", "write_all"]),
    has("sync::Barrier", &["wait"]),
    has("sync::Condition", &["wait", "wait_while"]),
    has("sync::Mutex", &["lock"]),
    has("sync::Notify", &["notified"]),
    has("sync::OnceCell", &["get_or_init"]),
    has("sync::RwLock", &["read", "write"]),
    has("sync::Semaphore", &["acquire", "acquire_many", "acquire_many_owned", "acquire_owned"]),
    has("sync::broadcast::Receiver", &["recv"]),
    has("sync::broadcast::Sender", &["closed", "send"]),
    has("sync::oneshot::Receiver", &["recv"]),
    has("sync::oneshot::Sender", &["closed"]),
    has("sync::watch::Receiver", &["changed", "wait_for"]),
    has("sync::watch::Sender", &["closed"]),
    has("tls::TlsStream", TLS),
    has("tokio::Call", &["on", "on_cancel", "on_cancel_within", "output"]),
];

/// What the methods of followed types do with a body.
pub fn method(of: Type, name: &str) -> Option<Body> {
    match (of, name) {
        (Type::Nursery, "generator") => Some(closure(0, Generator, Type::Yielder)),
        (Type::Nursery, "service" | "spawn" | "start" | "start_service") => Some(body(0, Task)),
        (Type::Scope, "enter") => Some(closure(0, Inside(SCOPE), Type::Scope)),
        (Type::Flow, "open") => Some(closure(0, Inside(FLOW_OPEN), ITEMS)),
        (Type::Flow, "for_each") => Some(body(0, Inside(FLOW_OPEN))),
        (Type::Flow, "fold") => Some(body(1, Inside(FLOW_OPEN))),
        // What operators are given runs beside the consumer, or cannot await.
        (Type::Flow, "buffered" | "buffer_unordered" | "for_each_concurrent") => {
            Some(body(1, Task))
        }
        (Type::Flow, "map_latest" | "then") => Some(body(0, Task)),
        (Type::Other("Local"), "scope") => Some(body(1, Here)),
        (Type::Other("Server" | "hyper::Connection" | "hyper::Server"), "serve") => {
            Some(body(0, Task))
        }
        _ => None,
    }
}

/// What comes out of a method of a followed type.
pub fn returned(of: Type, method: &str) -> Option<Type> {
    match (of, method) {
        (Type::Flow, "produce_in") => Some(ITEMS),
        // What is no terminal operation is an operator.
        (Type::Flow, other) if !FLOW.contains(&other) => Some(Type::Flow),
        (Type::Nursery, "generator") => Some(GENERATOR),
        (Type::Nursery, "handle" | "named") => Some(Type::Nursery),
        (Type::Nursery, "scope") => Some(Type::Scope),
        (Type::Other("Server" | "hyper::Server" | "hyper::Connection"), _) => Some(of),
        (Type::Other("tls::TlsStream"), "limit") => Some(of),
        (Type::Other("tokio::Call"), "on" | "output") => Some(of),
        _ => None,
    }
}

/// What comes out of a function.
pub fn made_by(function: &str) -> Option<Type> {
    match function {
        "CancelScope::default" => Some(Type::Scope),
        "fs::read_dir" | "generator" => Some(GENERATOR),
        "interval" | "interval_at" => Some(Type::Other("Interval")),
        "flow" => Some(Type::Flow),
        "tokio::call" => Some(Type::Other("tokio::Call")),
        "tls::accept" | "tls::connect" => Some(Type::Other("tls::TlsStream")),
        _ => match function.rsplit_once("::")? {
            ("flow", _) => Some(Type::Flow),
            // `Event::new()`, `TcpStream::connect(…).await?`
            (of, _) => type_at(of).map(|methods| methods.is),
        },
    }
}

/// The ends of the channel that comes out of a function, the sender first.
pub fn ends_made_by(function: &str) -> Option<(Type, Type)> {
    let module = match function {
        "sync::conflated_channel" | "sync::unbounded_channel" => "",
        "thread_channel" => "Thread",
        other => other.strip_suffix("channel")?,
    };
    let end = |name: &str| Some(type_at(&format!("{module}{name}"))?.is);
    Some((end("Sender")?, end("Receiver")?))
}

/// Whether a yielder yields by this method.
pub fn yields(method: &str) -> bool {
    matches!(method, "yield_" | "yield_all")
}

/// The path that something is known by here, if it has two.
fn usual(path: &str) -> Cow<'_, str> {
    if path == "flow::flow" {
        return "flow".into();
    }
    for module in ["net::tcp::", "net::unix::"] {
        if let Some(name) = path.strip_prefix(module) {
            return format!("net::{name}").into();
        }
    }
    path.into()
}

/// The function at a path whose first segment, `seedbed`, is left out.
pub fn function(path: &str) -> Option<&'static Function> {
    let path = &*usual(path);
    FUNCTIONS.iter().find(|function| function.path == path)
}

/// The type at such a path.
pub fn type_at(path: &str) -> Option<&'static Methods> {
    let path = &*usual(path);
    TYPES.iter().find(|methods| methods.path == path)
}

/// The path of a type.
pub fn path_of(of: Type) -> Option<&'static str> {
    TYPES.iter().find(|methods| methods.is == of).map(|methods| methods.path)
}

/// The operations of a type.
pub fn operations(of: Type) -> &'static [&'static str] {
    TYPES.iter().find(|methods| methods.is == of).map_or(&[], |methods| methods.operations)
}

/// Whether there is anything at such a path, or below it, that a glob may bring in.
pub fn is_known(path: &str) -> bool {
    let below = |known: &str| {
        known.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    FUNCTIONS.iter().any(|function| below(function.path))
        || TYPES.iter().any(|methods| below(methods.path))
}
