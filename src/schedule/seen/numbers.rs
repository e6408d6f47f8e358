//! Numbers that describe a run, each with a name, a unit and a sentence, which are written down
//! once: for the documentation, for sums, and for whoever shows them.

use std::time::Duration;

/// What a number is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// How many there are at present.
    Present,
    /// How often something has happened.
    Count,
    /// A sum of times.
    Sum,
    /// The longest of some times.
    Longest,
}

/// A number, with what there is to say of it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Number {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: Kind,
    pub(crate) value: Value,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    Whole(u64),
    Time(Duration),
}

/// The type of a number.
pub(crate) trait Numeric: Copy {
    fn value(self) -> Value;
    /// Adds that of another run.
    fn add(&mut self, other: Self, kind: Kind);
}

impl Numeric for u64 {
    fn value(self) -> Value {
        Value::Whole(self)
    }

    fn add(&mut self, other: u64, _: Kind) {
        *self = self.saturating_add(other);
    }
}

impl Numeric for usize {
    fn value(self) -> Value {
        Value::Whole(self as u64)
    }

    fn add(&mut self, other: usize, _: Kind) {
        *self = self.saturating_add(other);
    }
}

impl Numeric for Duration {
    fn value(self) -> Value {
        Value::Time(self)
    }

    fn add(&mut self, other: Duration, kind: Kind) {
        *self = match kind {
            Kind::Longest => (*self).max(other),
            _ => self.saturating_add(other),
        };
    }
}

/// Declares a struct of numbers. The documentation of each is what is said of it elsewhere too, so
/// it is plain text.
macro_rules! numbers {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[doc = $help:literal])+ pub $field:ident: $type:ty as $kind:ident, )+
            $( ; $( $(#[$more_meta:meta])* pub $more:ident: $more_type:ty, )+ )?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            $( $(#[doc = $help])+ pub $field: $type, )+
            $( $( $(#[$more_meta])* pub $more: $more_type, )+ )?
        }

        impl $name {
            /// Adds the numbers of another run.
            pub(crate) fn add_numbers(&mut self, other: &Self) {
                use $crate::schedule::seen::numbers::{Kind, Numeric};
                $( Numeric::add(&mut self.$field, other.$field, Kind::$kind); )+
            }

            /// The numbers, in the order of their declaration.
            pub(crate) fn numbers(&self) -> Vec<$crate::schedule::seen::numbers::Number> {
                use $crate::schedule::seen::numbers::{Kind, Number, Numeric};
                vec![ $( Number {
                    name: stringify!($field),
                    help: concat!($($help),+),
                    kind: Kind::$kind,
                    value: Numeric::value(self.$field),
                }, )+ ]
            }
        }
    };
}
pub(crate) use numbers;
