//! `use seedbed::*` hides no trait of the prelude: this file compiles.

/// Names a trait of the prelude each, next to the glob import, in whose place a name of the crate
/// would not be a trait, or not this one.
macro_rules! traits_of_the_prelude {
    ($module:ident: $($glob:tt)*) => {
        #[allow(dead_code, drop_bounds, reason = "it is enough that it compiles")]
        mod $module {
            #[allow(unused_imports, reason = "it is there to hide something")]
            use $($glob)*;

            pub fn plain<T>()
            where
                T: Send + Sync + Sized + Unpin + Copy + Clone + Default + Eq + PartialEq + Ord,
                T: PartialOrd + ToOwned<Owned = T> + ToString + From<u8> + TryFrom<u16> + Into<u64>,
                T: TryInto<i8>,
            {
            }

            pub fn iterates<T>()
            where
                T: Iterator + DoubleEndedIterator + ExactSizeIterator + IntoIterator,
                Vec<u8>: Extend<<T as Iterator>::Item> + FromIterator<<T as Iterator>::Item>,
            {
            }

            pub fn refers<T: AsRef<[u8]> + AsMut<[u8]> + Drop>() {}

            pub fn calls<F: Fn() + FnMut() + FnOnce(), G: AsyncFn() + AsyncFnMut() + AsyncFnOnce()>(
                _: F,
                _: G,
            ) {
            }

            pub fn awaits<F: Future + IntoFuture>(_: F) {}
        }
    };
}

traits_of_the_prelude!(root: seedbed::*);
traits_of_the_prelude!(testing: seedbed::testing::*);
#[cfg(unix)]
traits_of_the_prelude!(net: seedbed::net::*);
#[cfg(unix)]
traits_of_the_prelude!(signal: seedbed::signal::*);

#[test]
fn a_glob_import_hides_no_trait_of_the_prelude() {
    root::calls(|| (), async || ());
    root::awaits(async {});
}
