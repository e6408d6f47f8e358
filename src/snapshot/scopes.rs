//! The scopes of a run, by what they are in.
//!
//! # Invariants
//!
//! 1. The scopes and units that are pointed to are alive: no foreign code runs while a dump is
//!    taken, so nothing is freed.

use crate::nursery::core::Core;
use crate::schedule::ids::UnitId;
use crate::schedule::units::table;
use crate::schedule::units::unit::Unit;
use crate::scope::tree::Scope;

/// The index of no scope.
const NONE: u32 = u32::MAX;

/// Scopes of a run, in lists: of those that one is directly inside, and those in which a unit's
/// poll begins.
#[derive(Default)]
pub(super) struct Scopes {
    all: Vec<Known>,
    /// By the index of a unit.
    of_units: Vec<OfUnit>,
}

struct Known {
    scope: *const Scope,
    /// The first of those that are directly inside, and the next beside this one.
    first_inner: u32,
    next: u32,
}

#[derive(Clone, Copy)]
struct OfUnit {
    first: u32,
    hosts: Hosts,
}

/// Whether a unit polls a nursery.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Hosts {
    Nothing,
    /// It waits for one.
    Nursery,
    /// It is being polled, and a nursery in it as well.
    NurseryInPoll,
}

impl Scopes {
    /// Adds a scope and all that are inside. Returns its index.
    pub(super) fn add(&mut self, root: &Scope) -> u32 {
        let index_of_root = self.all.len() as u32;
        // Those around the present one, with their indices.
        let mut around: Vec<(*const Scope, u32)> = Vec::new();
        root.walk(|scope| {
            let index = self.all.len() as u32;
            self.all.push(Known { scope, first_inner: NONE, next: NONE });
            while let Some(&(outer, at)) = around.last() {
                if outer == scope.around() {
                    self.put_into(index, scope, at);
                    break;
                }
                around.pop();
            }
            self.note_host(scope);
            around.push((scope, index));
            true
        });
        index_of_root
    }

    /// Puts a scope into the list that it belongs to. The tree has the latest first, and so the
    /// list has the earliest first.
    fn put_into(&mut self, index: u32, scope: &Scope, outer: u32) {
        // SAFETY: invariant 1.
        let nursery = unsafe { &*self.all[outer as usize].scope }.roster();
        let unit = nursery.and_then(|nursery| {
            let host = table::lookup(scope.host())?;
            // SAFETY: invariant 1.
            let is_in_nursery = std::ptr::eq(unsafe { &*host }.roster(), nursery);
            is_in_nursery.then(|| scope.host())
        });
        let first = match unit {
            Some(unit) => &mut self.of_unit(unit).first,
            None => &mut self.all[outer as usize].first_inner,
        };
        let next = std::mem::replace(first, index);
        self.all[index as usize].next = next;
    }

    fn note_host(&mut self, scope: &Scope) {
        let Some(nursery) = scope.roster() else { return };
        if table::lookup(scope.host()).is_some() {
            let hosts = match nursery.is_draining() {
                true => Hosts::NurseryInPoll,
                false => Hosts::Nursery,
            };
            let unit = self.of_unit(scope.host());
            unit.hosts = unit.hosts.max(hosts);
        }
    }

    fn of_unit(&mut self, unit: UnitId) -> &mut OfUnit {
        let index = unit.index() as usize;
        if self.of_units.len() <= index {
            self.of_units.resize(index + 1, OfUnit { first: NONE, hosts: Hosts::Nothing });
        }
        &mut self.of_units[index]
    }

    pub(super) fn scope(&self, index: u32) -> &Scope {
        // SAFETY: invariant 1.
        unsafe { &*self.all[index as usize].scope }
    }

    /// The nursery whose scope this is.
    pub(super) fn nursery(&self, index: u32) -> Option<&Core> {
        // SAFETY: invariant 1.
        self.scope(index).roster().map(|roster| unsafe { Core::of(roster) })
    }

    /// The scopes directly inside this one, except those of a nursery's units.
    pub(super) fn inside(&self, index: u32) -> impl Iterator<Item = u32> {
        self.list(self.all[index as usize].first_inner)
    }

    /// The scopes in which a poll of this unit begins.
    pub(super) fn of(&self, unit: &Unit) -> impl Iterator<Item = u32> {
        self.list(self.of_units.get(unit.index() as usize).map_or(NONE, |of| of.first))
    }

    pub(super) fn hosted_by(&self, unit: &Unit) -> Hosts {
        self.of_units.get(unit.index() as usize).map_or(Hosts::Nothing, |of| of.hosts)
    }

    fn list(&self, first: u32) -> impl Iterator<Item = u32> {
        let mut next = first;
        std::iter::from_fn(move || {
            let this = next;
            next = self.all.get(this as usize)?.next;
            Some(this)
        })
    }
}
