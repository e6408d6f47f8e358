//! Opening, closing and using, as the walk comes to it.

use syn::visit::Visit;
use syn::{Expr, ExprPath};

use super::Walker;
use super::frames::{Frame, FrameId, Hold, HoldId, Holding, Role, Shield, Sight, Use, What};
use super::values::{Meaning, Times, Value, start_of};
use crate::names::FunctionId;
use crate::place::Place;

/// A closure or future that is given a name, or returned, and runs where that is used.
pub struct Pending {
    /// How many frames are around it.
    frames: usize,
    /// What has been opened since is inside.
    since: HoldId,
    state: State,
    uses: Vec<(FrameId, Use)>,
}

/// Whether what the walk comes to has run when the name has been bound.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Neither an `.await` nor the beginning of a closure or future has been seen.
    Undecided,
    AtOnce,
    Later,
}

impl Walker {
    pub fn new_frame(&mut self, role: Option<Role>) -> FrameId {
        let frame = Frame { roles: role.into_iter().collect(), ..Frame::default() };
        self.walked.frames.push(frame);
        FrameId(self.walked.frames.len() - 1)
    }

    pub fn frame(&mut self, id: FrameId) -> &mut Frame {
        &mut self.walked.frames[id.0]
    }

    /// The innermost frame.
    pub fn current(&self) -> FrameId {
        *self.stack.last().expect("there is always one")
    }

    pub fn in_frame<T>(&mut self, frame: FrameId, walk: impl FnOnce(&mut Self) -> T) -> T {
        self.stack.push(frame);
        let value = walk(self);
        self.stack.pop();
        value
    }

    /// The number that the next hold will have.
    pub fn next_hold(&self) -> HoldId {
        HoldId(self.walked.holds.len())
    }

    pub fn open(&mut self, what: Holding, opened: Place, shield: Shield) -> HoldId {
        let id = self.hold(what, opened);
        self.walked.holds[id.0].shield = shield;
        let frame = self.current();
        self.frame(frame).open.push(id);
        id
    }

    /// Closes one, whichever frame it is in.
    pub fn close(&mut self, id: HoldId) {
        for frame in self.stack.clone() {
            self.frame(frame).open.retain(|open| *open != id);
        }
    }

    /// Closes all guards of the current frame that were opened since.
    pub fn close_since(&mut self, since: HoldId) {
        let frame = self.current();
        self.frame(frame).open.retain(|open| *open < since);
    }

    /// Whether a scope with a shield is around.
    pub fn is_shielded(&self) -> bool {
        let open = self.stack.iter().flat_map(|frame| &self.walked.frames[frame.0].open);
        open.into_iter().any(|id| self.walked.holds[id.0].shield == Shield::Up)
    }

    /// Raises the shield of the innermost scope.
    pub fn raise_shield(&mut self) {
        let frame = self.current();
        if let Some(innermost) = self.frame(frame).open.last().copied() {
            self.walked.holds[innermost.0].shield = Shield::Up;
        }
    }

    /// What is open in a frame where the walk is. Guards that are around a future which runs later
    /// are not: they may have been dropped by then.
    fn open_in(&self, frame: FrameId) -> Vec<HoldId> {
        let later = self.pending.iter().filter(|pending| pending.state == State::Later);
        let since = later.map(|pending| pending.since).max().unwrap_or(HoldId(0));
        let is_open = |id: &HoldId| {
            *id >= since || !matches!(self.walked.holds[id.0].what, Holding::Guard(_))
        };
        self.walked.frames[frame.0].open.iter().copied().filter(is_open).collect()
    }

    /// Records that the yielder of `owner` is used.
    pub fn use_yielder(&mut self, owner: FrameId, at: Place, what: What) {
        let used = Use { at, what, holds: self.open_in(owner) };
        if self.current() != owner {
            return self.walked.strays.push(used);
        }
        self.yields_later(owner, &used);
        self.frame(owner).uses.push(used);
    }

    /// Tells the closures and futures around this that they yield when they run.
    fn yields_later(&mut self, owner: FrameId, used: &Use) {
        let depth = self.stack.iter().position(|frame| *frame == owner).unwrap_or(0);
        for pending in &mut self.pending {
            // Of what has a name one use is enough: else they would double from name to name.
            let is_known = |(of, known): &(FrameId, Use)| {
                matches!((&known.what, &used.what), (What::Named { .. }, What::Named { .. }))
                    && (*of, &known.holds) == (owner, &used.holds)
            };
            if depth < pending.frames
                && pending.state != State::AtOnce
                && !pending.uses.iter().any(is_known)
            {
                pending.uses.push((owner, used.clone()));
            }
        }
    }

    /// A name is used as a value.
    pub fn mention(&mut self, path: &ExprPath) {
        let Meaning::Local(name, value) = self.meaning(path) else { return };
        match value {
            Value::Yielder(owner) => self.frame(owner).yielder = Sight::Lost,
            Value::Held(guard) => self.close(guard),
            Value::Parameter(function, i) => self.use_parameter(function, i),
            Value::Later(later) => {
                let at = start_of(path);
                for (owner, used) in &later.uses {
                    self.use_later(*owner, at, &name, used);
                }
                if later.runs == Times::Once {
                    self.locals.forget(&name);
                }
            }
            _ => {}
        }
    }

    /// Whatever the function was given runs here, if it runs.
    fn use_parameter(&mut self, function: FunctionId, i: usize) {
        let frame = self.current();
        if self.functions.get(&function) == Some(&frame)
            && let Some(innermost) = self.open_in(frame).last()
        {
            self.walked.around.entry((function, i)).or_default().push(*innermost);
        }
    }

    /// Walks through what a function of the file is given, which may use it inside something.
    pub fn given_to(&mut self, function: FunctionId, i: usize, at: Place, argument: &Expr) {
        let uses = self.bound_since(HoldId(0), |walker| walker.visit_expr(argument));
        let around = Holding::Parameter(function, i);
        if let Value::Parameter(outer, j) = self.value_of(argument) {
            let hold = self.hold(around.clone(), at);
            self.walked.around.entry((outer, j)).or_default().push(hold);
        }
        if uses.is_empty() {
            return;
        }
        let hold = self.hold(around, at);
        for (owner, mut used) in uses {
            used.holds.push(hold);
            self.frame(owner).uses.push(used);
        }
    }

    /// Walks through what is taken out of here before it runs: nothing is known to be open then.
    pub fn elsewhere(&mut self, walk: impl FnOnce(&mut Self)) {
        let frame = self.current();
        let open = std::mem::take(&mut self.frame(frame).open);
        walk(self);
        self.frame(frame).open = open;
    }

    fn hold(&mut self, what: Holding, opened: Place) -> HoldId {
        let id = self.next_hold();
        self.walked.holds.push(Hold { what, opened, shield: Shield::Down });
        id
    }

    /// What was open where a closure was written has been recorded; what has been opened since
    /// counts here.
    fn use_later(&mut self, owner: FrameId, at: Place, name: &str, used: &Use) {
        let what = What::Named { name: name.to_owned(), yields: Box::new(used.clone()) };
        let mut here = Use { at, what, holds: self.open_in(owner) };
        if self.current() != owner {
            return self.walked.strays.push(here);
        }
        self.yields_later(owner, &here);
        here.holds.retain(|id| !used.holds.contains(id));
        if !here.holds.is_empty() {
            self.frame(owner).uses.push(here);
        }
    }

    /// Walks through what a name is bound to, or a function returns. What yields in it, but not
    /// before it has been bound, is returned.
    pub fn bound(&mut self, walk: impl FnOnce(&mut Self)) -> Vec<(FrameId, Use)> {
        self.bound_since(self.next_hold(), walk)
    }

    /// The same, if guards that are older than that may be gone by then.
    fn bound_since(&mut self, since: HoldId, walk: impl FnOnce(&mut Self)) -> Vec<(FrameId, Use)> {
        let frames = self.stack.len();
        self.pending.push(Pending { frames, since, state: State::Undecided, uses: Vec::new() });
        walk(self);
        self.pending.pop().map(|pending| pending.uses).unwrap_or_default()
    }

    /// Walks through a closure or a future, which runs when whatever has been given it runs it.
    pub fn later<T>(&mut self, walk: impl FnOnce(&mut Self) -> T) -> T {
        self.nesting += 1;
        let value = self.decided(State::Later, walk);
        self.nesting -= 1;
        value
    }

    /// Walks through what is awaited.
    pub fn at_once<T>(&mut self, walk: impl FnOnce(&mut Self) -> T) -> T {
        self.decided(State::AtOnce, walk)
    }

    fn decided<T>(&mut self, state: State, walk: impl FnOnce(&mut Self) -> T) -> T {
        let outer: Vec<State> = self.pending.iter().map(|pending| pending.state).collect();
        for pending in &mut self.pending {
            if pending.state == State::Undecided {
                pending.state = state;
            }
        }
        let value = walk(self);
        for (pending, state) in self.pending.iter_mut().zip(outer) {
            pending.state = state;
        }
        value
    }
}
