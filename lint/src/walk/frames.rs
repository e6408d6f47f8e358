//! Frames, what is open in them, and where their yielders are used.

use crate::names::FunctionId;
use crate::place::Place;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameId(pub usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HoldId(pub usize);

/// What a frame is the body of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Generator,
    Manager,
    Task,
}

/// The body of a generator, of a context manager or of a task; or a function or closure that is
/// given a yielder, and runs in the frame that this belongs to.
#[derive(Debug, Default)]
pub struct Frame {
    /// What is known of who runs it. A function has the roles of those that call it as well.
    pub roles: Vec<Role>,
    /// Each place where something of it yields.
    pub uses: Vec<Use>,
    /// What is open where the walk is, the outermost first.
    pub open: Vec<HoldId>,
    pub yielder: Sight,
}

/// Whether all that is done with a yielder can be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    #[default]
    Kept,
    /// It was passed to something else.
    Lost,
}

/// Something that forbids yields in a frame while it is open.
#[derive(Debug)]
pub struct Hold {
    pub what: Holding,
    pub opened: Place,
    /// Whether what is inside sees no cancellation from outside.
    pub shield: Shield,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shield {
    Up,
    Down,
}

#[derive(Clone, Debug)]
pub enum Holding {
    /// The name of the kind of scope.
    Scope(&'static str),
    /// The reason that was given to `prevent_yields`, or what stands for it.
    Guard(String),
    /// Whatever the context manager has open at its yield.
    Manager(Maker),
    /// Whatever a function of the file has open where it uses a parameter.
    Parameter(FunctionId, usize),
}

/// Where a context manager comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// From this body.
    Body(FrameId),
    /// From this function of the file.
    Function(FunctionId),
}

/// A place where something yields.
#[derive(Clone, Debug)]
pub struct Use {
    pub at: Place,
    pub what: What,
    /// What is open there in the yielder's frame, the outermost first.
    pub holds: Vec<HoldId>,
}

#[derive(Clone, Debug)]
pub enum What {
    Yield,
    /// The call of a function that is given the yielder, and may yield.
    Call {
        name: String,
        callee: FrameId,
    },
    /// The use of a name that a closure or a future was given which yields at this place.
    Named {
        name: String,
        yields: Box<Use>,
    },
}
