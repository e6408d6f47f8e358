//! Where units are.
//!
//! | file | concept |
//! |---|---|
//! | `table` | the units of one run: from a waker's number to the unit it stands for |
//! | `chunk` | their memory |

pub(crate) mod chunk;
pub(crate) mod table;
