//! A value as one of a certain type, if that is its type, even if the value borrows something.

use std::ptr;

/// The value as a `T`, if that is its type.
pub(crate) fn downcast<S, T: 'static>(value: &S) -> Option<&T> {
    let is_same = typeid::of::<S>() == typeid::of::<T>();
    // SAFETY: the types are the same, and `T` has no lifetimes.
    is_same.then(|| unsafe { &*ptr::from_ref(value).cast::<T>() })
}
