//! What has changed from one dump of a run to the next, as JSON.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::discriminant;

use crate::platform::clock::Nanos;
use crate::schedule::turn::history::LastPoll;
use crate::snapshot::dump::{Dump, Item, Place, Scope, State, What};
use crate::snapshot::json::Json;

/// How many bytes a piece of JSON has before it is passed on.
const PIECE: usize = 32 * 1024;

/// How many generators and jobs are listed.
const LISTED: usize = 200;

/// What a reader knows of a run, who is told of dumps, one after another.
///
/// Each dump is an object of these members:
///
/// | member | value |
/// |---|---|
/// | `time` | how long the run had been going on |
/// | `ending` | `true` when the main future has ended |
/// | `nodes` | what is new or has changed, outer ones first |
/// | `gone` | the `id`s of what is no longer there |
/// | `rest` | if there are others than before: `generators`, `jobs` and `missing`, as in [`Dump::to_json`] |
///
/// A node is as in [`Dump::to_json`], but instead of its `children` it has the `id` of what it is
/// `in`. Everything has an `id`; those of scopes and nurseries are negative. A node without a
/// `kind` is a task that is known: it has a new `state`, or, if it has none, has only been polled
/// again.
#[derive(Default)]
pub(crate) struct Changes {
    known: HashMap<Key, Known>,
    /// How many dumps there were.
    dumps: u32,
    /// How many scopes.
    scopes: i64,
    /// When the previous dump was taken.
    before: Nanos,
    rest: String,
}

/// What identifies a part of a run as long as it exists.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Task(u64),
    Scope(usize),
    /// Which of them it is.
    Apart(usize),
}

struct Known {
    id: i64,
    inside: Option<i64>,
    look: u64,
    /// The number of the latest dump that it was in.
    dump: u32,
}

/// What there is to tell of a part of a run.
enum News {
    /// It is new, has been moved, or is not a task.
    Whole,
    State,
    PolledAgain,
    None,
}

impl Changes {
    /// Tells of the next dump, in pieces, which together are the JSON. They have to be asked for to
    /// the end.
    pub(crate) fn until<'a>(&'a mut self, dump: &'a Dump) -> Pieces<'a> {
        self.dumps += 1;
        let json = Json { text: String::new(), first: true };
        let stage = Stage::Head;
        Pieces { changes: self, dump, json, stage, around: Vec::new(), aparts: 0 }
    }
}

/// The pieces of a dump's JSON.
pub(crate) struct Pieces<'a> {
    changes: &'a mut Changes,
    dump: &'a Dump,
    json: Json,
    stage: Stage,
    /// What is around the next item, with its depth, the nearest last.
    around: Vec<(u32, i64)>,
    aparts: usize,
}

enum Stage {
    Head,
    /// The next item.
    Items(usize),
    Tail,
    Done,
}

impl Iterator for Pieces<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        while self.json.text.len() < PIECE {
            match self.stage {
                Stage::Head => {
                    self.head();
                    self.stage = Stage::Items(0);
                }
                Stage::Items(at) => match self.dump.items.get(at) {
                    Some(item) => {
                        self.item(item);
                        self.stage = Stage::Items(at + 1);
                    }
                    None => self.stage = Stage::Tail,
                },
                Stage::Tail => {
                    self.tail();
                    self.stage = Stage::Done;
                }
                Stage::Done => break,
            }
        }
        let piece = std::mem::take(&mut self.json.text);
        (!piece.is_empty()).then_some(piece)
    }
}

impl Pieces<'_> {
    fn head(&mut self) {
        let json = &mut self.json;
        json.text.push('{');
        json.time("time", self.dump.now);
        json.flag("ending", self.dump.is_ending);
        json.key("nodes");
        json.text.push('[');
        json.first = true;
    }

    fn item(&mut self, item: &Item) {
        while self.around.last().is_some_and(|&(depth, _)| depth >= item.depth) {
            self.around.pop();
        }
        let inside = self.around.last().map(|&(_, id)| id);
        let (id, news) = self.news(&item.what, inside);
        self.around.push((item.depth, id));
        let (dump, json) = (self.dump, &mut self.json);
        match (news, &item.what) {
            (News::Whole, what) => {
                json.comma();
                json.object(|json| {
                    if !matches!(what, What::Task(_)) {
                        json.raw("id", id);
                    }
                    if let Some(inside) = inside {
                        json.raw("in", inside);
                    }
                    dump.write_node(json, what);
                });
            }
            (News::State, What::Task(task)) => {
                json.comma();
                json.object(|json| {
                    json.raw("id", id);
                    dump.write_state(json, &task.state);
                });
            }
            (News::PolledAgain, What::Task(task)) => {
                json.comma();
                json.object(|json| {
                    json.raw("id", id);
                    dump.write_since(json, &task.state);
                });
            }
            _ => {}
        }
    }

    /// What is new about this, and its number.
    fn news(&mut self, what: &What, inside: Option<i64>) -> (i64, News) {
        let Changes { known, dumps, scopes, before, .. } = &mut *self.changes;
        let key = match what {
            What::Task(task) => Key::Task(task.id),
            What::Scope(scope) | What::Nursery(scope, _) => Key::Scope(scope.address),
            What::Apart(_) => {
                self.aparts += 1;
                Key::Apart(self.aparts)
            }
        };
        let look = look(what);
        let known = known.entry(key).or_insert_with(|| {
            let id = match key {
                Key::Task(id) => id.cast_signed(),
                Key::Scope(_) | Key::Apart(_) => {
                    *scopes += 1;
                    -*scopes
                }
            };
            Known { id, inside, look, dump: 0 }
        });
        let is_new = std::mem::replace(&mut known.dump, *dumps) == 0;
        let has_moved = std::mem::replace(&mut known.inside, inside) != inside;
        let has_changed = std::mem::replace(&mut known.look, look) != look;
        let news = match what {
            _ if is_new || has_moved => News::Whole,
            What::Task(_) if has_changed => News::State,
            What::Task(task) if polled(&task.state).is_some_and(|time| time >= *before) => {
                News::PolledAgain
            }
            What::Task(_) => News::None,
            _ if has_changed => News::Whole,
            _ => News::None,
        };
        (known.id, news)
    }

    fn tail(&mut self) {
        let (dump, json) = (self.dump, &mut self.json);
        json.text.push(']');
        json.first = false;
        json.key("gone");
        json.text.push('[');
        json.first = true;
        let latest = self.changes.dumps;
        self.changes.known.retain(|_, known| {
            if known.dump != latest {
                json.comma();
                json.text.push_str(&known.id.to_string());
            }
            known.dump == latest
        });
        json.text.push(']');
        json.first = false;
        let rest = rest(dump);
        if rest != self.changes.rest {
            json.key("rest");
            json.text.push_str(&rest);
            self.changes.rest = rest;
        }
        json.text.push('}');
        self.changes.before = dump.now;
    }
}

/// The generators, the jobs, and what is missing. Times are those since which something is the
/// case, because these stay the same.
fn rest(dump: &Dump) -> String {
    let mut json = Json { text: String::new(), first: true };
    json.object(|json| {
        let listed = |count: usize| count.min(LISTED);
        json.raw("generators_in_all", dump.generators.len());
        json.array(
            "generators",
            &dump.generators[..listed(dump.generators.len())],
            Dump::write_generator,
        );
        json.raw("jobs_in_all", dump.jobs.len());
        json.array("jobs", &dump.jobs[..listed(dump.jobs.len())], |json, job| {
            json.time("since", job.began);
            Dump::write_job(json, job);
        });
        dump.write_missing(json);
    });
    json.text
}

/// When it was last polled, or became ready.
fn polled(state: &State) -> Option<Nanos> {
    match *state {
        State::Running | State::PollsNursery | State::InNursery => None,
        State::Ready(time) => Some(time),
        State::Waits(_, _, last) | State::Elsewhere(last) => {
            let (LastPoll::At(time) | LastPoll::Before(time)) = last;
            Some(time)
        }
    }
}

/// A number for what there is to see of a part of a run, except for when it was polled.
fn look(what: &What) -> u64 {
    let mut hasher = DefaultHasher::new();
    match what {
        What::Task(task) => {
            discriminant(&task.state).hash(&mut hasher);
            if let State::Waits(kind, place, _) = task.state {
                (kind.name(), place.map(address)).hash(&mut hasher);
            }
        }
        What::Scope(scope) => hash_scope(scope, &mut hasher),
        What::Nursery(scope, body) => {
            body.hash(&mut hasher);
            hash_scope(scope, &mut hasher);
        }
        What::Apart(place) => address(place).hash(&mut hasher),
    }
    hasher.finish()
}

fn hash_scope(scope: &Scope, hasher: &mut DefaultHasher) {
    let Scope { address: _, place, deadline, shield, patience, level, why } = scope;
    (address(place), deadline, shield, *patience as u8, *level as u8).hash(hasher);
    let why = why.as_ref().map(|why| discriminant(why.reason()));
    why.hash(hasher);
}

fn address(place: Place) -> usize {
    std::ptr::from_ref(place).addr()
}
