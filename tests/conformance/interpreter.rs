//! Interprets scenarios on the public API.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use seedbed::testing::VirtualClock;
use seedbed::{
    Builder, CancelScope, Cancelled, Deadlock, Error, Event, Generator, IgnoredGeneratorExit,
    NotStarted, Nursery, NurseryHandle, Receiver, Result, Sender, Started, Task,
    YieldInCancelScope, Yielder, aclosing, checkpoint, context_manager, generator as generator_of,
    nursery, sleep, with,
};
use serde_json::{Value, json};

/// Whose lines: each `[time, kind, …]`.
pub type Trace = BTreeMap<String, Vec<Value>>;

/// When the scope around `main` gives up, in seconds.
const HORIZON: u64 = 10_000_000;

thread_local! {
    /// Called with a task's name whenever the task is about to log something.
    pub static AT_EACH_STEP: Cell<fn(&str)> = const { Cell::new(|_| ()) };
}

/// Why a scenario cannot be run in which all wait for ever, hidden from the horizon by a shield.
pub const HANGS: &str = "the scenario hangs";

pub struct Program {
    events: Vec<String>,
    channels: Vec<(String, usize)>,
    generators: HashMap<String, Body>,
    managers: HashMap<String, Body>,
    main: Body,
}

type Body = Rc<Vec<Op>>;

enum Op {
    Log(String),
    Sleep(Duration),
    Checkpoint,
    Raise(String),
    Scope { id: String, after: Option<Duration>, shield: bool, body: Body },
    FailAfter { id: String, after: Duration, body: Body },
    Nursery { id: String, body: Body },
    StartSoon { nursery: String, task: String, body: Body },
    Start { nursery: String, task: String, body: Body },
    Started,
    Cancel(String),
    SetShield { scope: String, value: bool },
    SetDeadline { scope: String, after: Option<Duration> },
    Try { body: Body, catch: Vec<String>, handler: Body, finally: Option<Body> },
    Reraise,
    EventSet(String),
    EventWait(String),
    Send { channel: String, value: Value },
    Recv(String),
    Yield(Value),
    GenNew { generator: String, instance: String },
    Anext(String),
    Asend { instance: String, value: Value },
    Athrow { instance: String, error: String },
    Aclose(String),
    GenDrop(String),
    For { generator: String, instance: String, closing: bool, body: Body, break_after: Option<u64> },
    With { manager: String, instance: String, body: Body },
}

impl Program {
    pub fn parse(scenario: &Value) -> Program {
        Program {
            events: strings(&scenario["events"]),
            channels: scenario["channels"]
                .as_object()
                .map(|channels| {
                    channels
                        .iter()
                        .map(|(id, capacity)| {
                            let capacity = capacity.as_u64().expect("a capacity is a number");
                            (id.clone(), usize::try_from(capacity).unwrap())
                        })
                        .collect()
                })
                .unwrap_or_default(),
            generators: bodies(&scenario["gens"]),
            managers: bodies(&scenario["cms"]),
            main: body(&scenario["main"]),
        }
    }
}

fn strings(value: &Value) -> Vec<String> {
    let strings = value.as_array().into_iter().flatten();
    strings.map(|string| string.as_str().expect("a string").to_owned()).collect()
}

fn bodies(value: &Value) -> HashMap<String, Body> {
    let bodies = value.as_object().into_iter().flatten();
    bodies.map(|(id, value)| (id.clone(), body(value))).collect()
}

fn body(value: &Value) -> Body {
    Rc::new(value.as_array().expect("a body is a list").iter().map(op).collect())
}

fn op(value: &Value) -> Op {
    let text =
        |key: &str| value[key].as_str().unwrap_or_else(|| panic!("`{key}` in {value}")).to_owned();
    let seconds = |key: &str| value[key].as_u64().map(Duration::from_secs);
    let flag = |key: &str| value[key].as_bool().unwrap_or_else(|| panic!("`{key}` in {value}"));
    match text("op").as_str() {
        "log" => Op::Log(text("id")),
        "sleep" => Op::Sleep(seconds("for").expect("a time")),
        "checkpoint" => Op::Checkpoint,
        "raise" => Op::Raise(text("error")),
        "scope" => Op::Scope {
            id: text("id"),
            after: seconds("after"),
            shield: flag("shield"),
            body: body(&value["body"]),
        },
        "fail_after" => Op::FailAfter {
            id: text("id"),
            after: seconds("after").expect("a time"),
            body: body(&value["body"]),
        },
        "nursery" => Op::Nursery { id: text("id"), body: body(&value["body"]) },
        "start_soon" => Op::StartSoon {
            nursery: text("nursery"),
            task: text("task"),
            body: body(&value["body"]),
        },
        "start" => {
            Op::Start { nursery: text("nursery"), task: text("task"), body: body(&value["body"]) }
        }
        "started" => Op::Started,
        "cancel" => Op::Cancel(text("scope")),
        "set_shield" => Op::SetShield { scope: text("scope"), value: flag("value") },
        "set_deadline" => Op::SetDeadline { scope: text("scope"), after: seconds("after") },
        "try" => Op::Try {
            body: body(&value["body"]),
            catch: strings(&value["catch"]),
            handler: body(&value["handler"]),
            finally: (!value["finally"].is_null()).then(|| body(&value["finally"])),
        },
        "reraise" => Op::Reraise,
        "event_set" => Op::EventSet(text("event")),
        "event_wait" => Op::EventWait(text("event")),
        "send" => Op::Send { channel: text("chan"), value: value["value"].clone() },
        "recv" => Op::Recv(text("chan")),
        "yield" => Op::Yield(value["value"].clone()),
        "gen_new" => Op::GenNew { generator: text("gen"), instance: text("as") },
        "anext" => Op::Anext(text("gen")),
        "asend" => Op::Asend { instance: text("gen"), value: value["value"].clone() },
        "athrow" => Op::Athrow { instance: text("gen"), error: text("error") },
        "aclose" => Op::Aclose(text("gen")),
        "gen_drop" => Op::GenDrop(text("gen")),
        "for" => Op::For {
            generator: text("gen"),
            instance: text("as"),
            closing: flag("aclosing"),
            body: body(&value["body"]),
            break_after: value["break_after"].as_u64(),
        },
        "with" => {
            Op::With { manager: text("cm"), instance: text("as"), body: body(&value["body"]) }
        }
        other => panic!("no such statement: {other}"),
    }
}

/// One of the errors that a scenario may raise.
#[derive(Debug)]
struct Raised(String);

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}

/// The error as the traces have it.
fn text(error: &Error) -> String {
    if let Some(group) = error.as_group() {
        let mut members: Vec<_> = group.errors().map(text).collect();
        members.sort();
        format!("Group[{}]", members.join(", "))
    } else if error.is::<Cancelled>() {
        "Cancelled".to_owned()
    } else if error.is::<NotStarted>() {
        "NotStarted".to_owned()
    } else if error.is::<YieldInCancelScope>() {
        "YieldInScope".to_owned()
    } else if error.is::<IgnoredGeneratorExit>() {
        "IgnoredGeneratorExit".to_owned()
    } else {
        error.to_string()
    }
}

/// What all tasks of a scenario share.
struct World {
    clock: VirtualClock,
    trace: RefCell<Trace>,
    events: HashMap<String, Event>,
    channels: HashMap<String, (Sender<Value>, Receiver<Value>)>,
    scopes: RefCell<HashMap<String, CancelScope>>,
    nurseries: RefCell<HashMap<String, NurseryHandle>>,
    generators: HashMap<String, Body>,
    managers: HashMap<String, Body>,
    /// The instances that the run itself holds. One that is being driven is taken out.
    instances: RefCell<HashMap<String, Numbers>>,
}

/// The error of driving an instance that was dropped, or is being driven. Trio's traces have none.
pub const MISUSED: &str = "Misused";

type Numbers = Generator<'static, Value, Value>;

/// What one body runs with.
#[derive(Clone)]
struct Frame {
    world: Rc<World>,
    who: Rc<str>,
    /// In the body of a `start`, until it says `started`.
    started: Rc<Cell<Option<Started<()>>>>,
    /// In the body of a generator or a context manager.
    yielder: Option<Rc<Yields>>,
    /// In a handler, the error that it handles.
    caught: Rc<Cell<Option<Error>>>,
}

enum Yields {
    Generator(Yielder<Value, Value>),
    Manager(Yielder<()>),
}

/// Runs a scenario, and after it `last`, in the main task. An error says why it cannot be run.
pub fn run(
    program: &Program,
    choices: Builder,
    last: impl AsyncFnOnce() -> Result<()>,
) -> Result<Trace, String> {
    let clock = VirtualClock::new();
    let world = Rc::new(World {
        clock: clock.clone(),
        trace: RefCell::default(),
        events: program.events.iter().map(|id| (id.clone(), Event::new())).collect(),
        channels: program
            .channels
            .iter()
            .map(|(id, capacity)| (id.clone(), seedbed::channel(*capacity)))
            .collect(),
        scopes: RefCell::default(),
        nurseries: RefCell::default(),
        generators: program.generators.clone(),
        managers: program.managers.clone(),
        instances: RefCell::default(),
    });
    let main = Frame::new(&world, "main", None);
    let outcome = choices.clock(&clock).detect_deadlock(true).run(async {
        let around = CancelScope::new().with_timeout(Duration::from_secs(HORIZON));
        // `main` has logged its error, if there is one.
        // seedbed-lint: allow(swallowed-cancellation)
        drop(around.enter(async |_| main.task(&program.main).await).await);
        last().await
    });
    drop(main);
    world.instances.take(); // which hold the world
    if Rc::strong_count(&world) > 1 {
        return Err("something of the scenario is left".into());
    }
    match outcome {
        Err(error) if error.is::<Deadlock>() => Err(HANGS.into()),
        Err(error) => Err(error.to_string()),
        Ok(()) => Ok(world.trace.take()),
    }
}

impl Frame {
    fn new(world: &Rc<World>, who: &str, started: Option<Started<()>>) -> Frame {
        Frame {
            world: world.clone(),
            who: who.into(),
            started: Rc::new(Cell::new(started)),
            yielder: None,
            caught: Rc::default(),
        }
    }

    fn log(&self, line: Value) {
        AT_EACH_STEP.get()(&self.who);
        let mut line = line;
        let time = self.world.clock.elapsed().as_secs();
        line.as_array_mut().expect("a line is an array").insert(0, json!(time));
        let mut trace = self.world.trace.borrow_mut();
        trace.entry(self.who.to_string()).or_default().push(line);
    }

    /// Runs a whole task, and logs its end.
    async fn task(&self, body: &Body) -> Result<()> {
        let outcome = self.body(body).await;
        match &outcome {
            Ok(()) => self.log(json!(["end", "ok"])),
            Err(error) => self.log(json!(["end", text(error)])),
        }
        outcome
    }

    fn body<'a>(&'a self, body: &'a Body) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>> {
        Box::pin(async move {
            for op in &**body {
                self.op(op).await?;
            }
            Ok(())
        })
    }

    async fn op(&self, op: &Op) -> Result<()> {
        let world = &*self.world;
        match op {
            Op::Log(id) => self.log(json!(["log", id])),
            Op::Sleep(time) => sleep(*time).await?,
            Op::Checkpoint => checkpoint().await?,
            Op::Raise(error) => return Err(Raised(error.clone()).into()),
            Op::Scope { id, after, shield, body } => {
                let mut scope = CancelScope::new();
                if let Some(after) = after {
                    scope = scope.with_timeout(*after);
                }
                if *shield {
                    scope = scope.with_shield();
                }
                self.scope(id, &scope, body).await?;
                self.log(json!(["scope", id, scope.cancelled_caught()]));
            }
            Op::FailAfter { id, after, body } => {
                // The library's `fail_after` is for its own expiry only; here it can be cancelled.
                let scope = CancelScope::new().with_timeout(*after);
                self.scope(id, &scope, body).await?;
                if scope.cancelled_caught() {
                    return Err(Raised("TooSlow".into()).into());
                }
            }
            Op::Nursery { id, body } => {
                let mut scope = None;
                let known = &mut scope;
                nursery(async |n: &Nursery<'_, '_>| {
                    world.nurseries.borrow_mut().insert(id.clone(), n.handle());
                    world.scopes.borrow_mut().insert(id.clone(), n.scope());
                    *known = Some(n.scope());
                    self.body(body).await
                })
                .await?;
                let caught = scope.expect("the body has run").cancelled_caught();
                self.log(json!(["nursery", id, caught]));
            }
            Op::StartSoon { nursery, task, body } => {
                let nursery = world.nurseries.borrow()[nursery].clone();
                let child = Frame::new(&self.world, task, None);
                let body = body.clone();
                let task: Task<'_, ()> = nursery.spawn(async move { child.task(&body).await })?;
                drop(task);
            }
            Op::Start { nursery, task, body } => {
                let nursery = world.nurseries.borrow()[nursery].clone();
                let (world, who, body) = (self.world.clone(), task.clone(), body.clone());
                nursery
                    .start(async move |started| {
                        Frame::new(&world, &who, Some(started)).task(&body).await
                    })?
                    .await?;
                self.log(json!(["start_returned", task]));
            }
            Op::Started => self.started.take().expect("in the body of a start").ready(()),
            Op::Cancel(scope) => {
                let scope = world.scopes.borrow().get(scope).cloned();
                if let Some(scope) = scope {
                    scope.cancel();
                }
            }
            Op::SetShield { scope, value } => {
                let scope = world.scopes.borrow().get(scope).cloned();
                if let Some(scope) = scope {
                    scope.set_shield(*value);
                }
            }
            Op::SetDeadline { scope, after } => {
                let scope = world.scopes.borrow().get(scope).cloned();
                match (scope, after) {
                    (Some(scope), Some(after)) => scope.set_timeout(*after),
                    (Some(scope), None) => scope.set_deadline(None),
                    (None, _) => {}
                }
            }
            Op::Try { body, catch, handler, finally } => {
                let outcome = match self.body(body).await {
                    Err(error) if matches(&error, catch) => {
                        self.log(json!(["caught", text(&error)]));
                        let frame =
                            Frame { caught: Rc::new(Cell::new(Some(error))), ..self.clone() };
                        frame.body(handler).await
                    }
                    outcome => outcome,
                };
                if let Some(finally) = finally {
                    self.body(finally).await?;
                }
                return outcome;
            }
            Op::Reraise => return Err(self.caught.take().expect("directly in a handler")),
            Op::EventSet(event) => world.events[event].set(),
            Op::EventWait(event) => world.events[event].wait().await?,
            Op::Send { channel, value } => world.channels[channel].0.send(value.clone()).await?,
            Op::Recv(channel) => {
                let value = world.channels[channel].1.recv().await?;
                self.log(json!(["recv", channel, value]));
            }
            Op::Yield(value) => match self.yielder.as_deref().expect("in a body that yields") {
                Yields::Generator(y) => {
                    let sent = y.yield_(value.clone()).await?;
                    self.log(json!(["sent", sent]));
                }
                Yields::Manager(y) => drop(y.yield_(()).await?),
            },
            Op::GenNew { generator, instance } => {
                let made = self.instance(generator, instance);
                world.instances.borrow_mut().insert(instance.clone(), made);
            }
            Op::Anext(id) => {
                let outcome = self.driving(id, async |g| g.anext().await).await?;
                self.got(id, outcome);
            }
            Op::Asend { instance: id, value } => {
                let value = value.clone();
                let outcome = self.driving(id, async |g| Ok(g.asend(value).await?)).await?;
                self.got(id, outcome);
            }
            Op::Athrow { instance: id, error } => {
                let error = Raised(error.clone());
                let outcome = self.driving(id, async |g| g.athrow(error).await).await?;
                self.got(id, outcome);
            }
            Op::Aclose(id) => {
                self.driving(id, async |g| g.aclose().await).await?;
                self.log(json!(["closed", id]));
            }
            Op::GenDrop(id) => {
                let dropped = world.instances.borrow_mut().remove(id);
                drop(dropped);
            }
            Op::For { generator, instance, closing, body, break_after } => {
                let mut made = self.instance(generator, instance);
                if *closing {
                    aclosing(made, async |made| {
                        self.iterate(made, instance, body, *break_after).await
                    })
                    .await?;
                } else {
                    self.iterate(&mut made, instance, body, *break_after).await?;
                    drop(made);
                }
                self.log(json!(["for_done", instance]));
            }
            Op::With { manager, instance, body } => {
                let frame = Frame::new(&self.world, instance, None);
                let setup = world.managers[manager].clone();
                let manager = context_manager(async move |y| {
                    let yielder = Some(Rc::new(Yields::Manager(y)));
                    Frame { yielder, ..frame }.body(&setup).await
                });
                with(manager, async |()| self.body(body).await).await?;
                self.log(json!(["with_done", instance]));
            }
        }
        Ok(())
    }

    fn instance(&self, generator: &str, instance: &str) -> Numbers {
        let frame = Frame::new(&self.world, instance, None);
        let body = self.world.generators[generator].clone();
        generator_of(async move |y| {
            let yielder = Some(Rc::new(Yields::Generator(y)));
            Frame { yielder, ..frame }.body(&body).await
        })
    }

    /// Drives an instance that the run holds.
    async fn driving<T>(
        &self,
        id: &str,
        drive: impl AsyncFnOnce(&mut Numbers) -> Result<T>,
    ) -> Result<T> {
        let instances = &self.world.instances;
        let Some(mut taken) = instances.borrow_mut().remove(id) else {
            return Err(Raised(MISUSED.into()).into());
        };
        let outcome = drive(&mut taken).await;
        instances.borrow_mut().insert(id.to_owned(), taken);
        outcome
    }

    fn got(&self, id: &str, value: Option<Value>) {
        match value {
            Some(value) => self.log(json!(["got", id, value])),
            None => self.log(json!(["stop", id])),
        }
    }

    async fn iterate(
        &self,
        numbers: &mut Numbers,
        id: &str,
        body: &Body,
        break_after: Option<u64>,
    ) -> Result<()> {
        let mut items = 0;
        while let Some(value) = numbers.anext().await? {
            self.log(json!(["item", id, value]));
            self.body(body).await?;
            items += 1;
            if Some(items) == break_after {
                break;
            }
        }
        Ok(())
    }

    async fn scope(&self, id: &str, scope: &CancelScope, body: &Body) -> Result<()> {
        self.world.scopes.borrow_mut().insert(id.to_owned(), scope.clone());
        scope.enter(async |_| self.body(body).await).await?;
        Ok(())
    }
}

/// Whether a `catch` lists the error: by its text, and `Group` is for any group.
fn matches(error: &Error, catch: &[String]) -> bool {
    let text = text(error);
    catch.iter().any(|wanted| *wanted == text || wanted == "Group" && text.starts_with("Group["))
}
