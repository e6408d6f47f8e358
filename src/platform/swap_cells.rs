//! Exchanging the contents of two values that are made of cells.

/// Exchanges the contents of these cells of two values of a type. All its fields have to be
/// mentioned; those after the semicolon stay as they are.
macro_rules! swap_cells {
    ($one:tt, $other:tt: $($cell:ident),+ $(; $($stays:ident),+)?) => {{
        let (one, other) = ($one, $other);
        let Self { $($cell: _),+ $(, $($stays: _),+)? } = one;
        $(one.$cell.swap(&other.$cell);)+
    }};
}
pub(crate) use swap_cells;
