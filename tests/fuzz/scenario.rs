//! Any program in the language of the conformance scenarios (`tests/conformance/README.md`), and
//! what must hold of each under every schedule:
//!
//! - The run returns, with no error or panic of its own, and nothing of the program is left over.
//! - When the main task and the closing of dropped generators have ended, only that task and the
//!   run's own scopes are left, and no timer.
//! - The main task ends once, and time never goes back in any trace.
//! - The same choices give the same trace.

#[path = "../conformance/interpreter.rs"]
mod interpreter;

use std::time::Duration;

use interpreter::{HANGS, MISUSED, Program, Trace};
use seedbed::testing::statistics;
use seedbed::{Builder, sleep};
use serde_json::{Value, json};

const GENERATORS: usize = 3;
const MANAGERS: usize = 3;
const ERRORS: [&str; 3] = ["E1", "E2", "E3"];
const CAUGHT: [&str; 8] =
    ["E1", "E2", "E3", "Cancelled", "TooSlow", "NotStarted", "YieldInScope", "Group"];

/// Where a statement stands.
#[derive(Clone, Copy)]
struct Place {
    depth: u32,
    /// In the body of a generator, and not in a task of its own there.
    may_yield: bool,
    /// The first generator, and the first context manager, that it may use: so none can contain
    /// itself.
    generator: usize,
    manager: usize,
}

/// Makes a program from bytes. When they are used up, nothing more is added.
struct Maker<'a> {
    bytes: &'a [u8],
    /// How many statements there may still be.
    left: u32,
    names: u32,
    /// Scopes and nurseries, which may be cancelled from anywhere.
    scopes: Vec<String>,
    /// Nurseries that are open here, of this body or of those around it.
    nurseries: Vec<String>,
}

impl Maker<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Few, so that many things happen at the same time.
    fn seconds(&mut self) -> u64 {
        u64::from(self.byte() % 8)
    }

    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}{}", self.names)
    }

    fn program(&mut self) -> Value {
        let around = Place { depth: 5, may_yield: false, generator: 0, manager: 0 };
        let mut main = Vec::new();
        while self.left > 20 && !self.bytes.is_empty() {
            main.extend(self.body(around));
        }
        let generators = (0..GENERATORS).map(|n| {
            let place = Place { depth: 2, may_yield: true, generator: n + 1, manager: 0 };
            let mut body = self.task(place);
            body.push(json!({"op": "yield", "value": self.byte()}));
            body.extend(self.task(place));
            (format!("g{n}"), Value::from(body))
        });
        let generators: serde_json::Map<_, _> = generators.collect();
        let managers = (0..MANAGERS).map(|n| {
            let place = Place { depth: 2, may_yield: false, generator: GENERATORS, manager: n + 1 };
            (format!("c{n}"), Value::from(self.manager(place)))
        });
        let managers: serde_json::Map<_, _> = managers.collect();
        json!({
            "events": ["e0", "e1", "e2"],
            "channels": {"h0": 0, "h1": 1, "h2": 2},
            "gens": generators,
            "cms": managers,
            "main": main,
        })
    }

    fn body(&mut self, place: Place) -> Vec<Value> {
        let count = self.below(6);
        let mut body = Vec::new();
        for _ in 0..count {
            if self.left == 0 || self.bytes.is_empty() {
                break;
            }
            self.left -= 1;
            body.push(self.statement(place));
        }
        body
    }

    /// The body of what may run when the nurseries around it have been left.
    fn task(&mut self, place: Place) -> Vec<Value> {
        let open = std::mem::take(&mut self.nurseries);
        let body = self.body(place);
        self.nurseries = open;
        body
    }

    /// A body with one yield in it.
    fn manager(&mut self, place: Place) -> Vec<Value> {
        let mut body = self.task(place);
        let deeper = Place { depth: place.depth.saturating_sub(1), ..place };
        let inner = match self.below(if place.depth == 0 { 1 } else { 6 }) {
            0 | 1 => json!({"op": "yield", "value": 0}),
            2 => {
                let id = self.name("s");
                self.scopes.push(id.clone());
                let (after, shield) = (self.after(), self.flag());
                let body = self.manager(deeper);
                json!({"op": "scope", "id": id, "after": after, "shield": shield, "body": body})
            }
            3 => {
                let id = self.name("s");
                self.scopes.push(id.clone());
                let after = self.seconds();
                json!({"op": "fail_after", "id": id, "after": after, "body": self.manager(deeper)})
            }
            4 => {
                let id = self.name("n");
                self.scopes.push(id.clone());
                let task = self.name("t");
                let child = json!({
                    "op": "start_soon", "nursery": id, "task": task, "body": self.task(deeper),
                });
                let mut body = vec![child];
                body.extend(self.manager(deeper));
                json!({"op": "nursery", "id": id, "body": body})
            }
            _ => {
                let body = self.manager(deeper);
                self.attempt(deeper, body)
            }
        };
        body.push(inner);
        body.extend(self.task(place));
        body
    }

    fn after(&mut self) -> Value {
        if self.flag() { json!(self.seconds()) } else { Value::Null }
    }

    fn attempt(&mut self, place: Place, body: Vec<Value>) -> Value {
        let which = self.byte();
        let caught = CAUGHT.iter().enumerate().filter(|(n, _)| which >> n & 1 == 1);
        let caught: Vec<_> = caught.map(|(_, error)| *error).collect();
        // One yield of a manager stays the only one.
        let place = Place { may_yield: false, ..place };
        let mut handler = self.body(place);
        if self.flag() {
            handler.push(json!({"op": "reraise"}));
        }
        let last = if self.flag() { json!(self.body(place)) } else { Value::Null };
        json!({"op": "try", "body": body, "catch": caught, "handler": handler, "finally": last})
    }

    fn instance(&mut self) -> String {
        format!("i{}", self.below(4))
    }

    fn scope(&mut self) -> Option<String> {
        let at = usize::from(self.byte()).checked_rem(self.scopes.len())?;
        Some(self.scopes[at].clone())
    }

    fn statement(&mut self, place: Place) -> Value {
        let deeper = Place { depth: place.depth.saturating_sub(1), ..place };
        let task = Place { may_yield: false, ..deeper };
        let simple = 16;
        let kinds = if place.depth == 0 { simple } else { simple + 16 };
        match self.below(kinds) {
            0 => json!({"op": "log", "id": self.name("l")}),
            1 => json!({"op": "sleep", "for": self.seconds()}),
            2 => json!({"op": "checkpoint"}),
            3 if self.one_in(4) => {
                json!({"op": "raise", "error": ERRORS[self.below(ERRORS.len())]})
            }
            4 | 5 => match (self.scope(), self.below(6)) {
                (None, _) => json!({"op": "checkpoint"}),
                (Some(scope), 0 | 1) => {
                    json!({"op": "set_shield", "scope": scope, "value": self.flag()})
                }
                (Some(scope), 2..=4) => {
                    json!({"op": "set_deadline", "scope": scope, "after": self.after()})
                }
                (Some(scope), _) => json!({"op": "cancel", "scope": scope}),
            },
            6 => json!({"op": "event_set", "event": format!("e{}", self.below(3))}),
            7 => {
                let wait = json!({"op": "event_wait", "event": format!("e{}", self.below(3))});
                self.for_a_while(wait)
            }
            8 => {
                let channel = format!("h{}", self.below(3));
                let send = json!({"op": "send", "chan": channel, "value": self.byte()});
                self.for_a_while(send)
            }
            9 => {
                let receive = json!({"op": "recv", "chan": format!("h{}", self.below(3))});
                self.for_a_while(receive)
            }
            10 | 11 if place.may_yield => json!({"op": "yield", "value": self.byte()}),
            10 | 11 if place.generator < GENERATORS => {
                let generator = self.generator(place);
                json!({"op": "gen_new", "gen": generator, "as": self.instance()})
            }
            12 => json!({"op": "gen_drop", "gen": self.instance()}),
            13 | 14 => {
                let drive = json!({"op": "anext", "gen": self.instance()});
                self.may_be_misused(drive)
            }
            15 => {
                let drive = match self.below(3) {
                    0 => json!({"op": "asend", "gen": self.instance(), "value": self.byte()}),
                    1 => {
                        let error = ERRORS[self.below(ERRORS.len())];
                        json!({"op": "athrow", "gen": self.instance(), "error": error})
                    }
                    _ => json!({"op": "aclose", "gen": self.instance()}),
                };
                self.may_be_misused(drive)
            }
            16 | 17 => {
                let id = self.name("s");
                self.scopes.push(id.clone());
                let (after, shield) = (self.after(), self.one_in(4));
                let body = self.body(deeper);
                json!({"op": "scope", "id": id, "after": after, "shield": shield, "body": body})
            }
            18 => {
                let id = self.name("s");
                self.scopes.push(id.clone());
                let after = self.seconds();
                json!({"op": "fail_after", "id": id, "after": after, "body": self.body(deeper)})
            }
            19..=21 => {
                let id = self.name("n");
                self.scopes.push(id.clone());
                self.nurseries.push(id.clone());
                let body = self.body(deeper);
                self.nurseries.pop();
                json!({"op": "nursery", "id": id, "body": body})
            }
            22..=25 => match usize::from(self.byte()).checked_rem(self.nurseries.len()) {
                None => json!({"op": "checkpoint"}),
                Some(at) => {
                    let nursery = self.nurseries[at].clone();
                    // What is spawned may use the nurseries around the one it is in.
                    let inner = self.nurseries.split_off(at + 1);
                    let name = self.name("t");
                    let mut body = self.body(task);
                    let statement = if self.one_in(3) {
                        if !self.one_in(8) {
                            let at = self.below(body.len() + 1);
                            body.insert(at, json!({"op": "started"}));
                        }
                        "start"
                    } else {
                        "start_soon"
                    };
                    self.nurseries.extend(inner);
                    json!({"op": statement, "nursery": nursery, "task": name, "body": body})
                }
            },
            26..=28 => {
                let body = self.body(deeper);
                self.attempt(deeper, body)
            }
            29 if place.generator < GENERATORS => {
                let (generator, name) = (self.generator(place), self.name("f"));
                let after = if self.flag() { json!(1 + self.below(3)) } else { Value::Null };
                let closing = self.flag();
                let body = self.body(deeper);
                json!({
                    "op": "for", "gen": generator, "as": name, "aclosing": closing,
                    "body": body, "break_after": after,
                })
            }
            30 if place.manager < MANAGERS => {
                let manager = place.manager + self.below(MANAGERS - place.manager);
                let name = self.name("w");
                let body = self.body(deeper);
                json!({"op": "with", "cm": format!("c{manager}"), "as": name, "body": body})
            }
            _ => json!({"op": "sleep", "for": self.seconds()}),
        }
    }

    /// What might wait to the end of all time mostly does not.
    fn for_a_while(&mut self, statement: Value) -> Value {
        if self.one_in(4) {
            return statement;
        }
        let (id, after) = (self.name("s"), self.seconds());
        json!({"op": "scope", "id": id, "after": after, "shield": false, "body": [statement]})
    }

    /// The instance may not be there.
    fn may_be_misused(&mut self, statement: Value) -> Value {
        json!({
            "op": "try", "body": [statement], "catch": [MISUSED, "E1", "E2", "E3"], "handler": [],
            "finally": null,
        })
    }

    fn generator(&mut self, place: Place) -> String {
        format!("g{}", place.generator + self.below(GENERATORS - place.generator))
    }
}

/// What must hold in the end: only the main task is left.
async fn balances() -> seedbed::Result<()> {
    // What closes a dropped generator may wait, under a shield; perhaps for ever.
    for n in 0..24 {
        let now = statistics()?;
        if now.tasks == 1 {
            assert_eq!((now.scopes, now.timers, now.sources), (2, 0, 0), "{now:?}");
            break;
        }
        sleep(Duration::from_secs(1 << n)).await?;
    }
    Ok(())
}

fn check(trace: &Trace) {
    for (who, lines) in trace {
        let times: Vec<_> = lines.iter().map(|line| line[0].as_u64().expect("a time")).collect();
        assert!(times.is_sorted(), "the time of {who}: {times:?}");
        if who == "main" {
            let ends = lines.iter().filter(|line| line[1] == "end").count();
            assert_eq!(ends, 1, "main ends once");
        }
    }
}

/// The program that bytes stand for, as JSON.
pub fn scenario(bytes: &[u8]) -> Value {
    let (names, scopes, nurseries) = (0, Vec::new(), Vec::new());
    Maker { bytes, left: 60, names, scopes, nurseries }.program()
}

pub fn run(bytes: &[u8]) {
    let (choices, bytes) = bytes.split_at(bytes.len().min(2));
    let choice = |n: usize| choices.get(n).copied().unwrap_or(0);
    let program = Program::parse(&scenario(bytes));
    let trios = Builder::new().budget(1);
    let mut drawn = Builder::new().budget(1 + u32::from(choice(0)));
    if choice(1) >= 64 {
        drawn = drawn.seed(choice(1).into());
    }
    let run = |choices: &Builder| {
        let outcome = interpreter::run(&program, choices.clone().ctrl_c(false), balances);
        match &outcome {
            Ok(trace) => check(trace),
            Err(why) => assert_eq!(why, HANGS),
        }
        outcome
    };
    drop(run(&trios));
    assert_eq!(run(&drawn), run(&drawn), "the same choices give the same trace");
}
