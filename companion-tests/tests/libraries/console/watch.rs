//! The server of `console-subscriber`, and a client that reads what it says.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::ops::Index;
use std::thread;
use std::time::Duration;

use console_api::Field;
use console_api::field::{Name, Value};
use console_api::instrument::instrument_client::InstrumentClient;
use console_api::instrument::{InstrumentRequest, Update};
use console_api::tasks::{Stats, Task};
use console_subscriber::{ConsoleLayer, ServerParts};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tracing::subscriber::{NoSubscriber, set_default, set_global_default};
use tracing_subscriber::layer::SubscriberExt;

/// Everything that this process says from now on goes to `console-subscriber`, whose server is on a
/// thread of its own, with a runtime of tokio's, as `console_subscriber::init` has it.
pub struct Watch {
    server: SocketAddr,
}

impl Watch {
    pub fn begin() -> Watch {
        let (layer, server) =
            ConsoleLayer::builder().publish_interval(Duration::from_millis(5)).build();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ServerParts { instrument_server, aggregator, .. } = server.into_parts();
        thread::spawn(move || {
            in_tokio(async {
                tokio::spawn(aggregator.run());
                listener.set_nonblocking(true).unwrap();
                let incoming = tokio::net::TcpListener::from_std(listener).unwrap();
                let server = Server::builder().add_service(instrument_server);
                server.serve_with_incoming(TcpIncoming::from(incoming)).await.unwrap();
            });
        });
        set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
        Watch { server: address }
    }

    /// Connects, and reads until this is true of what has been said.
    pub fn until(&self, is_all: impl Fn(&Tasks) -> bool) -> Tasks {
        in_tokio(async {
            let server = Endpoint::from_shared(format!("http://{}", self.server)).unwrap();
            let mut client = InstrumentClient::connect(server).await.unwrap();
            let updates = client.watch_updates(InstrumentRequest {}).await.unwrap();
            let (mut updates, mut tasks) = (updates.into_inner(), Tasks::default());
            while !is_all(&tasks) {
                tasks.update(updates.message().await.unwrap().expect("it goes on for ever"));
            }
            tasks
        })
    }
}

/// Runs something of tokio's, of which the console is told nothing.
fn in_tokio<T>(main: impl Future<Output = T>) -> T {
    let _nobody = set_default(NoSubscriber::default());
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(main)
}

/// What has been said of tasks.
#[derive(Default)]
pub struct Tasks(BTreeMap<u64, Seen>);

/// A task, as it is seen.
#[derive(Debug, Default)]
pub struct Seen {
    pub name: String,
    pub kind: String,
    /// The file and the line.
    pub place: (String, u32),
    pub counts: Counts,
    /// How many there have been, and how many have been dropped.
    pub wakers: (u64, u64),
    pub busy: Duration,
    pub has_ended: bool,
    fields: BTreeMap<String, String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub polls: u64,
    pub wakes: u64,
    pub self_wakes: u64,
}

impl Tasks {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Seen> {
        self.0.values()
    }

    /// For how long all tasks together were busy.
    pub fn busy(&self) -> Duration {
        self.iter().map(|task| task.busy).sum()
    }

    fn update(&mut self, update: Update) {
        let tasks = update.task_update.unwrap();
        assert_eq!(tasks.dropped_events, 0);
        for task in tasks.new_tasks {
            let id = task.id.unwrap().id;
            self.0.entry(id).or_default().describe(task);
        }
        for (id, stats) in tasks.stats_update {
            self.0.entry(id).or_default().count(&stats);
        }
    }
}

/// The only task of this name.
impl Index<&str> for Tasks {
    type Output = Seen;

    fn index(&self, name: &str) -> &Seen {
        let mut named = self.iter().filter(|task| task.name == name);
        let (task, other) = (named.next(), named.next());
        assert!(other.is_none(), "there are several of the name {name:?}");
        task.unwrap_or_else(|| panic!("there is none of the name {name:?}"))
    }
}

impl Seen {
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |value| value)
    }

    fn describe(&mut self, task: Task) {
        self.fields = task.fields.into_iter().map(text).collect();
        let location = task.location.unwrap();
        self.place = (location.file.unwrap(), location.line.unwrap());
        self.name = self.field("task.name").to_owned();
        self.kind = self.field("kind").to_owned();
    }

    fn count(&mut self, stats: &Stats) {
        let polls = stats.poll_stats.as_ref().unwrap();
        let busy = polls.busy_time.as_ref().unwrap();
        self.busy = Duration::new(busy.seconds as u64, busy.nanos as u32);
        let (polls, wakes, self_wakes) = (polls.polls, stats.wakes, stats.self_wakes);
        self.counts = Counts { polls, wakes, self_wakes };
        self.wakers = (stats.waker_clones, stats.waker_drops);
        self.has_ended = stats.dropped_at.is_some();
    }
}

fn text(field: Field) -> (String, String) {
    let Some(Name::StrName(name)) = field.name else { panic!("{field:?}") };
    let value = match field.value.unwrap() {
        Value::DebugVal(text) | Value::StrVal(text) => text,
        Value::U64Val(number) => number.to_string(),
        Value::I64Val(number) => number.to_string(),
        Value::BoolVal(is) => is.to_string(),
    };
    (name, value)
}
