//! Who set hyper up for a connection.

/// Who set hyper up, which decides how much is known of the requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Somebody else. In HTTP/1 hyper runs the handler itself, and nothing tells whether one is
    /// running; in HTTP/2 a [`NurseryExecutor`](crate::serve::hyper::NurseryExecutor) runs it.
    ByHand,
    /// [`serve_connection`](crate::serve::hyper::serve_connection()): each request is a task.
    Served,
}
