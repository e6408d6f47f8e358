//! What is wrong with the yields that the walk has recorded.

use std::collections::{HashMap, HashSet};

use crate::finding::Finding;
use crate::names::FunctionId;
use crate::place::Place;
use crate::rules::Rule;
use crate::walk::Walked;
use crate::walk::frames::{FrameId, Hold, HoldId, Holding, Maker, Role, Sight, Use, What};

/// Judges the yields of a file, whose name is for the texts.
pub fn judge(walked: Walked, file: &str) -> Vec<Finding> {
    let mut judge = Judge {
        walked: &walked,
        file,
        yields: HashMap::new(),
        held: HashMap::new(),
        around: HashMap::new(),
    };
    let mut findings = Vec::new();
    for frame in judge.run_by_generators() {
        for used in &walked.frames[frame.0].uses {
            findings.extend(judge.inside(used));
        }
    }
    findings.extend(walked.strays.iter().filter_map(|used| judge.stray(used)));
    findings.extend(walked.findings);
    findings
}

struct Judge<'a> {
    walked: &'a Walked,
    file: &'a str,
    yields: HashMap<FrameId, Option<Place>>,
    held: HashMap<FrameId, Option<HoldId>>,
    around: HashMap<(FunctionId, usize), Option<HoldId>>,
}

impl Judge<'_> {
    /// The bodies of generators, and the functions that they pass their yielders to.
    fn run_by_generators(&self) -> Vec<FrameId> {
        let frames = self.walked.frames.iter().enumerate();
        let generators = frames.filter(|(_, frame)| frame.roles.contains(&Role::Generator));
        let mut found: Vec<FrameId> = generators.map(|(i, _)| FrameId(i)).collect();
        let mut seen: HashSet<FrameId> = found.iter().copied().collect();
        let mut next = 0;
        while let Some(frame) = found.get(next) {
            for callee in self.walked.frames[frame.0].uses.iter().filter_map(callee_of) {
                if seen.insert(callee) {
                    found.push(callee);
                }
            }
            next += 1;
        }
        found
    }

    /// Where a frame yields, itself or through a function that it calls.
    fn yields(&mut self, frame: FrameId) -> Option<Place> {
        if let Some(known) = self.yields.get(&frame) {
            return *known;
        }
        self.yields.insert(frame, None); // for functions that call one another
        let walked = self.walked;
        let place = walked.frames[frame.0].uses.iter().find_map(|used| self.yield_at(used));
        self.yields.insert(frame, place);
        place
    }

    fn yield_at(&mut self, used: &Use) -> Option<Place> {
        match &used.what {
            What::Yield => Some(used.at),
            What::Call { callee, .. } => self.yields(*callee),
            What::Named { yields, .. } => self.yield_at(yields),
        }
    }

    /// The innermost of these that really forbids a yield.
    fn forbidding(&mut self, holds: &[HoldId]) -> Option<HoldId> {
        holds.iter().rev().find_map(|id| match self.walked.holds[id.0].what {
            Holding::Scope(_) | Holding::Guard(_) => Some(*id),
            Holding::Manager(Maker::Body(frame)) => self.held_by(frame),
            Holding::Manager(Maker::Function(id)) => self.held_by(*self.walked.made.get(&id)?),
            Holding::Parameter(function, i) => self.around(function, i),
        })
    }

    /// What a function has open where it uses a parameter.
    fn around(&mut self, function: FunctionId, i: usize) -> Option<HoldId> {
        if let Some(known) = self.around.get(&(function, i)) {
            return *known;
        }
        self.around.insert((function, i), None); // for functions that call one another
        let walked = self.walked;
        let hold = self.forbidding(walked.around.get(&(function, i))?);
        self.around.insert((function, i), hold);
        hold
    }

    /// What the body of a context manager has open wherever it yields. If it yields elsewhere as
    /// well, or its yielder goes where it cannot be seen, it is not known to hold anything.
    fn held_by(&mut self, frame: FrameId) -> Option<HoldId> {
        if let Some(known) = self.held.get(&frame) {
            return *known;
        }
        self.held.insert(frame, None);
        let body = &self.walked.frames[frame.0];
        let mut held = None;
        if body.yielder == Sight::Kept {
            for used in &body.uses {
                if self.yield_at(used).is_none() {
                    continue;
                }
                let inside = match (self.forbidding(&used.holds), callee_of(used)) {
                    (None, Some(callee)) => self.held_by(callee),
                    (inside, _) => inside,
                };
                match inside {
                    Some(_) => held = held.or(inside),
                    None => return None,
                }
            }
        }
        self.held.insert(frame, held);
        held
    }

    fn inside(&mut self, used: &Use) -> Option<Finding> {
        let Hold { what, opened, .. } = &self.walked.holds[self.forbidding(&used.holds)?.0];
        let what = match what {
            Holding::Scope(name) => name,
            Holding::Guard(reason) => reason.as_str(),
            Holding::Manager(_) | Holding::Parameter(..) => "a scope",
        };
        let text = format!(
            "{} is inside {what}, opened at {}:{opened}, which would stay open while the consumer \
             runs; yield outside it, or make this a context manager, or run it behind \
             `safe_channel`",
            self.what_yields(used)?,
            self.file
        );
        Some(Finding { at: used.at, rule: Rule::YieldInScope, text })
    }

    fn stray(&mut self, used: &Use) -> Option<Finding> {
        let text = format!(
            "{} is not in the body that its yielder belongs to, but in a task or another \
             generator; send the value to the body through a channel, and yield it there",
            self.what_yields(used)?
        );
        Some(Finding { at: used.at, rule: Rule::YieldInOtherFrame, text })
    }

    /// The subject of the text, or `None` if nothing yields there after all.
    fn what_yields(&mut self, used: &Use) -> Option<String> {
        let place = self.yield_at(used)?;
        Some(match &used.what {
            What::Yield => "the yield".to_owned(),
            What::Call { name, .. } => {
                format!("the call of `{name}`, which yields at {}:{place},", self.file)
            }
            What::Named { name, .. } => format!("`{name}`, which yields at {}:{place},", self.file),
        })
    }
}

fn callee_of(used: &Use) -> Option<FrameId> {
    match &used.what {
        What::Yield => None,
        What::Call { callee, .. } => Some(*callee),
        What::Named { yields, .. } => callee_of(yields),
    }
}
