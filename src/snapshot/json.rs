//! A dump as JSON.

use std::fmt::{Display, Write};

use crate::error::Reason;
use crate::generator::entered::{self, Stage};
use crate::platform::clock::Nanos;
use crate::schedule::ids::UnitId;
use crate::schedule::turn::history::LastPoll;
use crate::scope::frame;
use crate::scope::tree::{Level, Patience};
use crate::snapshot::dump::{Body, Dump, Place, Role, Scope, State, Task, What};
use crate::snapshot::wakes::Wakes;
use crate::threads::job;
use crate::world::seen::{Address, Ends, Opened, Seen as Source};

impl Dump {
    /// Writes the dump as JSON, on one line.
    ///
    /// Times are in seconds, as numbers with a fraction; places are strings, `"src/main.rs:7:9"`. A
    /// member that would say nothing is left out. Further members, and further values of those that
    /// name a kind, may be added in later versions; if anything else changes, so does `schema`.
    ///
    /// | member of the whole | value |
    /// |---|---|
    /// | `schema` | 1 |
    /// | `run`, `place` | the number of the run in its process, and where it was called |
    /// | `time` | how long the run had been going on |
    /// | `ending` | `true` when the main future has ended |
    /// | `tree` | what is in the run: an array of nodes |
    /// | `sockets` | sockets and other descriptors for which something has waited, an array: see below |
    /// | `generators` | an array: `name`, `made_at`, `state` (`suspended` or `running`), `suspended_at`, `awaiting`, `task` (the `id` of the one that runs it) |
    /// | `context_managers` | those that were entered, an array: `made_at`, `entered_at`, `stage` (`sets_up`, `around_body` or `cleans_up`), `task` |
    /// | `jobs` | functions on other threads, an array: `called_at`, `for`, `asks_at` if it waits for this run, `abandoned` |
    /// | `missing` | what could not be looked at, an array of strings |
    ///
    /// | member of a node | of which `kind` | value |
    /// |---|---|---|
    /// | `kind` | all | `task`, `body` (of a nursery), `scope`, `nursery`, `apart` (a nursery that is not reached from the main future) |
    /// | `children` | all | an array of nodes |
    /// | `id` | task, body | a number that no other task that exists has |
    /// | `role` | task | `main`, `child`, or `system` for a task of the run itself |
    /// | `name` | task | its name, if it has one |
    /// | `spawned_at` | task | the place |
    /// | `state` | task, body | `running`, `polls`, `ready`, `waits`, `nursery`, `elsewhere`: in the order of [the table](crate::inspect#what-a-dump-says-of-a-task) |
    /// | `operation`, `at` | task, body, if it `waits` | the operation and the place of its call |
    /// | `for` | task, body | how long it has been ready, or how long ago it was last polled |
    /// | `at_least` | task, body | `true` if it may have been longer |
    /// | `timer_in` | task, body, unless it is ready or running | when a timer will wake it, if there is one; for `sleep`, how long it has left |
    /// | `awaits` | task, body, in the operation `Task` | an array: the `id` of each task that it waits for |
    /// | `opened_at` | scope, nursery, apart | the place |
    /// | `body_ended` | nursery | `true` when only the tasks are left |
    /// | `deadline_in` | scope, nursery | how long it has left; negative when that has passed |
    /// | `shield` | scope, nursery | `true` if it hides cancellations from outside |
    /// | `patience` | scope, nursery | `finishes` or `serves`: what it does in a graceful cancellation |
    /// | `level` | scope, nursery | how far it is cancelled, by itself or from outside: `spared`, `graceful`, `full` |
    /// | `cancelled` | scope, nursery | if it was cancelled itself: `reason` (`deadline`, `child_failed`, `requested`, `grace_over`, `shutdown`, `interrupted`), `by` and `text` |
    ///
    /// | member of a socket | value |
    /// |---|---|
    /// | `descriptor` | its number, on Linux and Android |
    /// | `local`, `peer` | its addresses: `"10.0.0.1:80"`, a path, `@` and an abstract name, or empty; only if it is a socket and the number is known |
    /// | `listens` | `true` if it is a socket that listens |
    /// | `accepted` | `true` if the peer has opened the connection |
    /// | `waits` | an array: the `operation` that waits for the socket, and the `id` of its `task`, unless another library has polled it |
    ///
    /// ```
    /// use seedbed::inspect;
    ///
    /// seedbed::run(async {
    ///     let json = inspect::dump()?.to_json();
    ///     assert!(json.starts_with("{\"schema\":1,"));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), seedbed::Error>(())
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = Json { text: String::new(), first: true };
        json.object(|json| {
            json.raw("schema", 1);
            json.raw("run", self.run);
            json.string("place", self.place);
            json.time("time", self.now);
            json.flag("ending", self.is_ending);
            json.key("tree");
            self.write_tree(json);
            json.array("sockets", &self.sources, write_source);
            json.array("generators", &self.generators, Dump::write_generator);
            json.array("context_managers", &self.managers, write_manager);
            json.array("jobs", &self.jobs, |json, job| {
                json.time("for", self.now.saturating_sub(job.began));
                Dump::write_job(json, job);
            });
            self.write_missing(json);
        });
        json.text
    }

    pub(super) fn write_generator(json: &mut Json, generator: &frame::Seen) {
        json.string("name", &generator.name);
        json.string("made_at", generator.place);
        match generator.suspended_at {
            Some(_) => json.string("state", "suspended"),
            None => json.string("state", "running"),
        }
        json.place("suspended_at", generator.suspended_at);
        if let Some(awaiting) = generator.awaiting {
            json.string("awaiting", awaiting);
        }
        json.task(generator.driver);
    }

    pub(super) fn write_job(json: &mut Json, job: &job::Seen) {
        json.string("called_at", job.place);
        json.place("asks_at", job.asks);
        json.flag("abandoned", job.is_abandoned);
    }

    pub(super) fn write_missing(&self, json: &mut Json) {
        json.key("missing");
        json.open_array();
        for missing in &self.missing {
            json.comma();
            json.quote(missing);
        }
        json.close_array();
    }

    /// There is no recursion, because nurseries may be nested deeply.
    fn write_tree(&self, json: &mut Json) {
        json.open_array();
        let mut open = 0;
        for (at, item) in self.items.iter().enumerate() {
            json.comma();
            json.text.push('{');
            json.first = true;
            self.write_node(json, &item.what);
            let depth = item.depth;
            let next = self.items.get(at + 1).map_or(0, |next| next.depth);
            if next > depth {
                json.key("children");
                json.open_array();
                open += 1;
                continue;
            }
            json.text.push('}');
            for _ in next..depth {
                json.text.push_str("]}");
                open -= 1;
            }
            json.first = false;
        }
        debug_assert_eq!(open, 0, "each node is closed");
        json.close_array();
    }

    pub(super) fn write_node(&self, json: &mut Json, what: &What) {
        match what {
            What::Task(task) => self.write_task(json, task),
            What::Scope(scope) => {
                json.string("kind", "scope");
                self.write_scope(json, scope);
            }
            What::Nursery(scope, body) => {
                json.string("kind", "nursery");
                json.flag("body_ended", *body == Body::HasEnded);
                self.write_scope(json, scope);
            }
            What::Apart(place) => {
                json.string("kind", "apart");
                json.string("opened_at", place);
            }
        }
    }

    fn write_task(&self, json: &mut Json, task: &Task) {
        let role = match task.role {
            Role::Body => None,
            Role::Main => Some("main"),
            Role::Child => Some("child"),
            Role::System => Some("system"),
        };
        json.string("kind", if role.is_some() { "task" } else { "body" });
        json.raw("id", task.id);
        if let Some(role) = role {
            json.string("role", role);
            if let Some(name) = task.spawned.name() {
                json.string("name", name);
            }
            json.string("spawned_at", task.spawned.place());
        }
        self.write_state(json, &task.state);
        if !matches!(task.state, State::Running | State::PollsNursery | State::Ready(_)) {
            self.write_wakes(json, task);
        }
    }

    pub(super) fn write_state(&self, json: &mut Json, state: &State) {
        match *state {
            State::Running => json.string("state", "running"),
            State::PollsNursery => json.string("state", "polls"),
            State::InNursery => json.string("state", "nursery"),
            State::Ready(_) => json.string("state", "ready"),
            State::Waits(kind, place, _) => {
                json.string("state", "waits");
                json.string("operation", kind.name());
                json.place("at", place);
            }
            State::Elsewhere(_) => json.string("state", "elsewhere"),
        }
        self.write_since(json, state);
    }

    fn write_wakes(&self, json: &mut Json, task: &Task) {
        // Timers come first, the earliest before the others; sockets say themselves what waits.
        let wakes = self.wakes(task);
        if let Some(&Wakes::Timer(at)) = wakes.first() {
            json.time_until("timer_in", at, self.now);
        }
        if let Some(Wakes::Child(_)) = wakes.last() {
            json.key("awaits");
            json.open_array();
            for wakes in wakes {
                if let Wakes::Child(id) = wakes {
                    json.comma();
                    json.text.push_str(&id.to_string());
                }
            }
            json.close_array();
        }
    }

    /// How long it has been ready, or how long ago it was last polled.
    pub(super) fn write_since(&self, json: &mut Json, state: &State) {
        match *state {
            State::Running | State::PollsNursery | State::InNursery => {}
            State::Ready(since) => json.time("for", self.now.saturating_sub(since)),
            State::Waits(_, _, last) | State::Elsewhere(last) => {
                json.time("for", self.waited(last));
                json.flag("at_least", matches!(last, LastPoll::Before(_)));
            }
        }
    }

    fn write_scope(&self, json: &mut Json, scope: &Scope) {
        json.string("opened_at", scope.place);
        if let Some(deadline) = scope.deadline {
            json.time_until("deadline_in", deadline, self.now);
        }
        json.flag("shield", scope.shield);
        match scope.patience {
            Patience::None => {}
            Patience::Finishes => json.string("patience", "finishes"),
            Patience::Serves => json.string("patience", "serves"),
        }
        match scope.level {
            Level::None => {}
            Level::Spared => json.string("level", "spared"),
            Level::Graceful => json.string("level", "graceful"),
            Level::Full => json.string("level", "full"),
        }
        let Some(why) = &scope.why else { return };
        json.key("cancelled");
        json.object(|json| {
            json.string(
                "reason",
                match why.reason() {
                    Reason::Deadline => "deadline",
                    Reason::ChildFailed(_) => "child_failed",
                    Reason::Requested(_) => "requested",
                    Reason::GraceOver => "grace_over",
                    Reason::Shutdown => "shutdown",
                    Reason::Interrupted => "interrupted",
                },
            );
            json.place("by", why.cancelled_by());
            match why.reason() {
                Reason::ChildFailed(text) => json.string("text", text),
                Reason::Requested(Some(text)) => json.string("text", text),
                _ => {}
            }
        });
    }
}

fn write_manager(json: &mut Json, manager: &entered::Seen) {
    json.string("made_at", manager.made_at);
    json.string("entered_at", manager.entered_at);
    let stage = match manager.stage {
        Stage::SetsUp => "sets_up",
        Stage::AroundBody => "around_body",
        Stage::CleansUp => "cleans_up",
    };
    json.string("stage", stage);
    json.task(Some(manager.unit));
}

fn write_source(json: &mut Json, source: &Source) {
    if let Some(number) = source.descriptor {
        json.raw("descriptor", number);
    }
    match &source.ends {
        Ends::Unknown => {}
        Ends::Listening(local) => {
            json.address("local", local);
            json.flag("listens", true);
        }
        Ends::Socket(local, peer) => {
            json.address("local", local);
            if let Some(peer) = peer {
                json.address("peer", peer);
            }
        }
    }
    json.flag("accepted", source.opened == Opened::ByPeer);
    json.array("waits", &source.waits, |json, waits| {
        json.string("operation", waits.what.name());
        json.task(waits.unit);
    });
}

/// JSON that is being written.
pub(crate) struct Json {
    pub(crate) text: String,
    /// Whether nothing stands before, in this object or array.
    pub(crate) first: bool,
}

impl Json {
    pub(crate) fn comma(&mut self) {
        if !std::mem::replace(&mut self.first, false) {
            self.text.push(',');
        }
    }

    pub(crate) fn key(&mut self, key: &str) {
        self.comma();
        self.quote(key);
        self.text.push(':');
    }

    pub(crate) fn object(&mut self, write: impl FnOnce(&mut Json)) {
        self.text.push('{');
        self.first = true;
        write(self);
        self.text.push('}');
        self.first = false;
    }

    pub(crate) fn array<T>(&mut self, key: &str, of: &[T], write: impl Fn(&mut Json, &T)) {
        self.key(key);
        self.open_array();
        for each in of {
            self.comma();
            self.object(|json| write(json, each));
        }
        self.close_array();
    }

    fn open_array(&mut self) {
        self.text.push('[');
        self.first = true;
    }

    fn close_array(&mut self) {
        self.text.push(']');
        self.first = false;
    }

    /// A member whose value is written as it is.
    pub(crate) fn raw(&mut self, key: &str, value: impl Display) {
        self.key(key);
        let _ = write!(self.text, "{value}"); // a `String` takes everything
    }

    pub(crate) fn string(&mut self, key: &str, value: impl Display) {
        self.key(key);
        self.quote(value);
    }

    pub(crate) fn place(&mut self, key: &str, place: Option<Place>) {
        if let Some(place) = place {
            self.string(key, place);
        }
    }

    pub(crate) fn time(&mut self, key: &str, time: Nanos) {
        self.raw(key, Seconds(time));
    }

    /// How long it is until then.
    fn time_until(&mut self, key: &str, then: Nanos, now: Nanos) {
        match then.checked_sub(now) {
            Some(left) => self.time(key, left),
            None => self.raw(key, format_args!("-{}", Seconds(now - then))),
        }
    }

    fn address(&mut self, key: &str, address: &Address) {
        match address {
            Address::Internet(address) => self.string(key, address),
            Address::Unix(name) => self.string(key, name),
        }
    }

    fn task(&mut self, unit: Option<UnitId>) {
        if let Some(unit) = unit {
            self.raw("task", unit.in_run());
        }
    }

    /// A member that is there only if it is true.
    pub(crate) fn flag(&mut self, key: &str, is_set: bool) {
        if is_set {
            self.raw(key, true);
        }
    }

    pub(crate) fn quote(&mut self, value: impl Display) {
        self.text.push('"');
        let _ = write!(Escaped(&mut self.text), "{value}"); // as above
        self.text.push('"');
    }
}

/// Seconds, with a fraction down to the microsecond.
struct Seconds(Nanos);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000_000, self.0 % 1_000_000_000 / 1000)
    }
}

/// Writes text as the inside of a string in JSON, in such a way that it may also stand in HTML.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let is_special = |c: char| {
            let is_control = c < ' ' || c == '\x7f';
            is_control || matches!(c, '"' | '\\' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}')
        };
        let mut rest = text;
        while let Some(at) = rest.find(is_special) {
            let (plain, from) = rest.split_at(at);
            self.0.push_str(plain);
            let mut characters = from.chars();
            match characters.next() {
                Some('"') => self.0.push_str("\\\""),
                Some('\\') => self.0.push_str("\\\\"),
                Some('\n') => self.0.push_str("\\n"),
                Some(c) => write!(self.0, "\\u{:04x}", u32::from(c))?,
                None => {}
            }
            rest = characters.as_str();
        }
        self.0.push_str(rest);
        Ok(())
    }
}
