//! [`Group`]: the failures of a nursery, and taking them apart.

use std::error::Error as StdError;
use std::mem;
use std::panic::Location;
use std::vec;

use super::{Error, Repr};

/// All that failed in a nursery, or on the cores of [`run_on_cores`](crate::run_on_cores()), in the
/// order in which it happened.
///
/// Python's `ExceptionGroup` (PEP 654), under Trio's strict rule: a nursery that fails always
/// fails with a group, even of one, so that code which handles one failure need not be changed
/// when there are two. Groups nest as nurseries do.
///
/// A nursery in which nothing failed but everything was cancelled fails with a plain
/// [`Cancelled`](crate::Cancelled) instead. So a group is never empty, and somewhere in each
/// there is an error that is not a cancellation.
///
/// Two ways of handling one: [`Error::find`] looks for one kind of failure, and
/// [`Error::split`] separates those that can be dealt with from the rest.
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

/// Which part of a nursery, or of what is one of threads, has failed.
#[derive(Clone, Copy)]
pub(crate) enum Origin {
    Body,
    /// The child that was spawned there.
    Task(&'static Location<'static>),
    /// Of [`run_on_cores`](crate::run_on_cores).
    #[cfg(not(loom))]
    Core(usize),
}

impl Group {
    /// What a nursery fails with, given at least one failure: a group of them all, or the first
    /// `Cancelled` if there is nothing else.
    pub(crate) fn from_failures(place: &'static Location<'static>, members: Vec<Member>) -> Error {
        assert!(!members.is_empty(), "a nursery failed without a failure");
        // A nested group of nothing but `Cancelled` cannot be: it came through here as well.
        let first = members.first().and_then(|member| member.error.cancellation());
        if let Some(first) = first.cloned()
            && members[1..].iter().all(|member| member.error.cancellation().is_some())
        {
            return first.into();
        }
        Error(Repr::Group(Box::new(Group { place, members })))
    }

    /// The failures, in the order in which they happened. Each may be a group again.
    ///
    /// ```
    /// fn first(group: &seedbed::Group) -> String {
    ///     group.errors().map(ToString::to_string).next().unwrap()
    /// }
    /// ```
    pub fn errors(&self) -> impl DoubleEndedIterator<Item = &Error> + ExactSizeIterator {
        self.members.iter().map(|member| &member.error)
    }

    /// The failures by value, as [`errors`](Group::errors).
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

    /// How many failures, a nested group counting as one. Never zero.
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

    /// Where the nursery was opened, or [`run_on_cores`](crate::run_on_cores()) called.
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

/// Without recursion: however deep they are nested, the stack is large enough.
impl Drop for Group {
    fn drop(&mut self) {
        let mut nested = Vec::new();
        self.take_nested(&mut nested);
        while let Some(member) = nested.pop() {
            if let Repr::Group(mut group) = member.error.0 {
                group.take_nested(&mut nested); // and dropped is what has none
            }
        }
    }
}

impl Group {
    /// Takes the members out that are groups.
    fn take_nested(&mut self, nested: &mut Vec<Member>) {
        nested.extend(self.members.extract_if(.., |member| member.error.as_group().is_some()));
    }
}

impl Error {
    /// Separates the errors that match from the rest, both in the shape of the groups they were
    /// in; groups left empty are dropped. An error that is no group goes to one side whole.
    ///
    /// This is PEP 654's `ExceptionGroup.split`, except that only the leaves are asked about,
    /// never the groups, and that a part which is nothing but cancellations becomes a plain
    /// [`Cancelled`](crate::Cancelled), as it does when a nursery fails.
    ///
    /// Whoever handles some failures should let the rest pass, and the cancellations with it:
    ///
    /// ```
    /// use seedbed::{Error, Result};
    /// use std::io;
    ///
    /// /// A client that goes away is no failure of ours.
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
            // Upwards, to the next group that has a further member.
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

    /// The only member of a group of one, or else the error itself: for what uses a nursery
    /// without showing it.
    pub(crate) fn into_single(self) -> Error {
        match self.0 {
            Repr::Group(mut group) if group.members.len() == 1 => group.members.remove(0).error,
            other => Error(other),
        }
    }

    /// What a scope does with the errors that leave it: takes every `Cancelled` away, and says
    /// whether there was one, and what is left, in its shape.
    ///
    /// What other libraries have made of a `Cancelled` goes with it: it has travelled through
    /// them as an `io::Error`, and come back as the cause of an error of theirs.
    pub(crate) fn absorb_cancelled(self) -> (bool, Option<Error>) {
        // Nearly always there is nothing to take out of a group: it has left a scope before.
        if self.as_group().is_some_and(Group::is_uncancelled) {
            return (false, Some(self));
        }
        let (cancelled, rest) = self.split(|error| error.cancellation().is_some());
        (cancelled.is_some(), rest)
    }
}

impl Group {
    /// Whether there is no cancellation in it.
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
    /// That of the member whose halves come next.
    origin: Origin,
    matched: Vec<Member>,
    rest: Vec<Member>,
}

impl Splitting {
    fn new(place: &'static Location<'static>, members: vec::IntoIter<Member>) -> Splitting {
        Splitting { place, members, origin: Origin::Body, matched: Vec::new(), rest: Vec::new() }
    }

    fn take_in(&mut self, (matched, rest): (Option<Error>, Option<Error>)) {
        let origin = self.origin;
        let member = |error| Member { error, origin };
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
