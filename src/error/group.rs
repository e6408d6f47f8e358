//! [`Group`]: the failures of a nursery, and taking them apart.

use std::error::Error as StdError;
use std::mem;
use std::panic::Location;
use std::vec;

use super::{Error, Repr, Spawned};

/// All the failures of a nursery, or of the cores of [`run_on_cores`](crate::run_on_cores()), in
/// the order in which they happened.
///
/// This is Python's `ExceptionGroup` (PEP 654) under Trio's strict rule: a nursery that fails
/// always fails with a group, even if there is only one failure, so that code which handles one
/// failure need not change when there are two. Groups nest as nurseries do.
///
/// A nursery in which nothing failed, and everything was cancelled, fails with a plain
/// [`Cancelled`](crate::Cancelled) instead. So a group is never empty, and somewhere in it there is
/// an error that is not a cancellation.
///
/// There are two ways to handle a group: [`Error::find`] looks for one kind of failure, and
/// [`Error::split`] separates the failures that can be dealt with from the rest.
///
/// ```
/// use seedbed::Error;
///
/// fn log(error: &Error) {
///     match error.as_group() {
///         Some(group) => {
///             eprintln!("{} failures in the nursery at {}", group.len(), group.place());
///             group.errors().for_each(log);
///         }
///         None => eprintln!("{error}"),
///     }
/// }
/// log(&Error::msg("out of paper"));
/// ```
pub struct Group {
    place: &'static Location<'static>,
    members: Vec<Member>,
}

/// A failure, and where it happened.
pub(crate) struct Member {
    pub(crate) error: Error,
    pub(crate) origin: Origin,
}

/// The part of a nursery, or of a `run_on_cores`, that failed.
#[derive(Clone)]
pub(crate) enum Origin {
    Body,
    /// A child.
    Task(Spawned),
    /// This core of [`run_on_cores`](crate::run_on_cores).
    #[cfg(not(loom))]
    Core(usize),
}

impl Group {
    /// Makes what a nursery fails with, given at least one failure: a group of them all, or the
    /// first `Cancelled` if there is nothing else.
    pub(crate) fn from_failures(place: &'static Location<'static>, members: Vec<Member>) -> Error {
        assert!(!members.is_empty(), "a nursery failed without a failure");
        // There is no nested group that contains only `Cancelled`s: it would have come through here
        // too.
        let first = members.first().and_then(|member| member.error.cancellation());
        if let Some(first) = first.cloned()
            && members[1..].iter().all(|member| member.error.cancellation().is_some())
        {
            return first.into();
        }
        Error(Repr::Group(Box::new(Group { place, members })))
    }

    /// The failures, in the order in which they happened. Each may itself be a group.
    ///
    /// ```
    /// fn first(group: &seedbed::Group) -> String {
    ///     group.errors().map(ToString::to_string).next().unwrap()
    /// }
    /// ```
    pub fn errors(&self) -> impl DoubleEndedIterator<Item = &Error> + ExactSizeIterator {
        self.members.iter().map(|member| &member.error)
    }

    /// The failures by value, in the same order as [`errors`](Group::errors).
    ///
    /// ```
    /// use seedbed::{Error, Group};
    ///
    /// /// The failures without their shape.
    /// fn flatten(error: Error) -> Vec<Error> {
    ///     match error.downcast::<Group>() {
    ///         Ok(group) => group.into_errors().flat_map(flatten).collect(),
    ///         Err(single) => vec![single],
    ///     }
    /// }
    /// assert_eq!(flatten(Error::msg("out of paper")).len(), 1);
    /// ```
    pub fn into_errors(mut self) -> impl DoubleEndedIterator<Item = Error> + ExactSizeIterator {
        mem::take(&mut self.members).into_iter().map(|member| member.error)
    }

    /// The number of failures, where a nested group counts as one. It is never zero.
    ///
    /// ```
    /// fn alone(group: &seedbed::Group) -> bool {
    ///     group.len() == 1
    /// }
    /// ```
    #[expect(clippy::len_without_is_empty, reason = "there is no empty group")]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Where the nursery was opened, or where [`run_on_cores`](crate::run_on_cores()) was called.
    ///
    /// ```
    /// fn log(group: &seedbed::Group) {
    ///     eprintln!("the nursery opened at {} failed", group.place());
    /// }
    /// ```
    pub fn place(&self) -> &'static Location<'static> {
        self.place
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }
}

impl StdError for Group {}

/// Drops nested groups without recursion, so that no depth of nesting can overflow the stack.
impl Drop for Group {
    fn drop(&mut self) {
        let mut nested = Vec::new();
        self.take_nested(&mut nested);
        while let Some(member) = nested.pop() {
            if let Repr::Group(mut group) = member.error.0 {
                group.take_nested(&mut nested); // when it is dropped, it has none left
            }
        }
    }
}

impl Group {
    /// Moves the members that are groups into `nested`.
    fn take_nested(&mut self, nested: &mut Vec<Member>) {
        nested.extend(self.members.extract_if(.., |member| member.error.as_group().is_some()));
    }
}

impl Error {
    /// Separates the errors that match from the rest, and leaves both in the shape of the groups
    /// they came in. Groups that become empty are dropped. An error that is not a group goes to one
    /// side whole.
    ///
    /// This is PEP 654's `ExceptionGroup.split`, with two differences. Only the leaves are passed
    /// to `matches`, never the groups. And a part that consists only of cancellations becomes a
    /// plain [`Cancelled`](crate::Cancelled), as it does when a nursery fails.
    ///
    /// If you handle some failures, let the rest pass, and the cancellations with them:
    ///
    /// ```
    /// use seedbed::{Error, Result};
    /// use std::io;
    ///
    /// /// A client that goes away is not our failure.
    /// fn tolerate_hangups(result: Result<()>) -> Result<()> {
    ///     let Err(error) = result else { return Ok(()) };
    ///     let (_, rest) = error.split(|error| {
    ///         error
    ///             .downcast_ref::<io::Error>()
    ///             .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
    ///     });
    ///     rest.map_or(Ok(()), Err)
    /// }
    ///
    /// let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    /// assert!(tolerate_hangups(Err(reset.into())).is_ok());
    /// assert!(tolerate_hangups(Err(Error::msg("out of paper"))).is_err());
    /// ```
    pub fn split(self, mut matches: impl FnMut(&Error) -> bool) -> (Option<Error>, Option<Error>) {
        let mut groups: Vec<Splitting> = Vec::new();
        let mut next = self;
        loop {
            let mut halves = match next.0 {
                Repr::Group(mut group) => {
                    let members = mem::take(&mut group.members).into_iter();
                    groups.push(Splitting::new(group.place, members));
                    None
                }
                single => {
                    let single = Error(single);
                    Some(if matches(&single) { (Some(single), None) } else { (None, Some(single)) })
                }
            };
            // Go up to the next group that has another member.
            next = loop {
                let Some(group) = groups.last_mut() else {
                    return halves.expect("without a group it was a single error");
                };
                if let Some(halves) = halves.take() {
                    group.take_in(halves);
                }
                match group.members.next() {
                    Some(member) => {
                        group.origin = member.origin;
                        break member.error;
                    }
                    None => halves = groups.pop().map(Splitting::end),
                }
            };
        }
    }

    /// Unwraps a group of one, and leaves any other error as it is. This is for code that uses a
    /// nursery without showing it.
    pub(crate) fn into_single(self) -> Error {
        match self.0 {
            Repr::Group(mut group) if group.members.len() == 1 => group.members.remove(0).error,
            other => Error(other),
        }
    }

    /// Takes every `Cancelled` out of an error that leaves a cancelled scope.
    ///
    /// This includes what other libraries have made of a `Cancelled`, which travelled through them
    /// as an `io::Error` and came back as the cause of an error of theirs.
    pub(crate) fn absorb_cancelled(self) -> Absorbed {
        // A group that has left a scope before seldom has any.
        if self.as_group().is_some_and(Group::is_uncancelled) {
            return Absorbed::Nothing(self);
        }
        match self.split(|error| error.cancellation().is_some()) {
            (None, Some(error)) => Absorbed::Nothing(error),
            (Some(_), Some(rest)) => Absorbed::Part(rest),
            (Some(_), None) => Absorbed::Everything,
            (None, None) => unreachable!("an error is on one side or the other"),
        }
    }
}

/// How much of an error has been absorbed.
#[must_use]
pub(crate) enum Absorbed {
    /// There was no cancellation in it, and it is as it was.
    Nothing(Error),
    /// Its cancellations; the failures are left, in their shape.
    Part(Error),
    /// All of it, because it consisted only of cancellations.
    Everything,
}

impl Absorbed {
    /// The rest of the error.
    pub(crate) fn rest(self) -> Option<Error> {
        match self {
            Absorbed::Nothing(rest) | Absorbed::Part(rest) => Some(rest),
            Absorbed::Everything => None,
        }
    }
}

impl Group {
    /// Whether there is no cancellation in the group.
    fn is_uncancelled(&self) -> bool {
        let mut groups = vec![self.errors()];
        while let Some(group) = groups.last_mut() {
            match group.next() {
                Some(error) if error.cancellation().is_some() => return false,
                Some(error) => groups.extend(error.as_group().map(Group::errors)),
                None => _ = groups.pop(),
            }
        }
        true
    }
}

/// A group that is being split.
struct Splitting {
    place: &'static Location<'static>,
    members: vec::IntoIter<Member>,
    /// The origin of the member whose halves come next.
    origin: Origin,
    matched: Vec<Member>,
    rest: Vec<Member>,
}

impl Splitting {
    fn new(place: &'static Location<'static>, members: vec::IntoIter<Member>) -> Splitting {
        Splitting { place, members, origin: Origin::Body, matched: Vec::new(), rest: Vec::new() }
    }

    fn take_in(&mut self, (matched, rest): (Option<Error>, Option<Error>)) {
        let member = |error| Member { error, origin: self.origin.clone() };
        self.matched.extend(matched.map(member));
        self.rest.extend(rest.map(member));
    }

    fn end(self) -> (Option<Error>, Option<Error>) {
        let regroup = |members: Vec<Member>| {
            (!members.is_empty()).then(|| Group::from_failures(self.place, members))
        };
        (regroup(self.matched), regroup(self.rest))
    }
}

/// The texts above what has failed.
impl Group {
    /// How many failures there were, and where.
    pub(crate) fn heading(&self) -> String {
        let (count, place) = (self.len(), self.place());
        let failures = if count == 1 { "failure" } else { "failures" };
        match self.members()[0].origin {
            Origin::Body | Origin::Task(_) => {
                format!("{count} {failures} in the nursery opened at {place}")
            }
            #[cfg(not(loom))]
            Origin::Core(_) => format!("{count} {failures} in the `run_on_cores` at {place}"),
        }
    }

    /// The same, where all of them follow.
    pub(crate) fn heading_of_tree(&self) -> String {
        let order = if self.len() > 1 { ", in the order they happened:" } else { ":" };
        format!("{}{order}", self.heading())
    }
}
