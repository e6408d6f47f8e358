//! How much is under way on a connection.

use std::cell::Cell;

#[derive(Default)]
pub(crate) struct Counts {
    /// Requests that are being handled, and answers whose bodies are being made or sent.
    under_way: Cell<u32>,
    /// Those of the above that are answers in hyper's hands.
    answers: Cell<u32>,
    /// Bodies of which hyper has a piece that it cannot get rid of yet.
    pieces: Cell<u32>,
    /// All requests so far.
    requests: Cell<u64>,
}

impl Counts {
    pub(super) fn begin(&self) {
        self.under_way.set(self.under_way.get() + 1);
    }

    pub(super) fn end(&self) {
        self.under_way.set(self.under_way.get() - 1);
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.under_way.get() == 0
    }

    /// To be called when hyper gets an answer.
    pub(super) fn begin_answer(&self) {
        self.answers.set(self.answers.get() + 1);
    }

    /// To be called when hyper is done with an answer.
    pub(super) fn end_answer(&self) {
        self.answers.set(self.answers.get() - 1);
    }

    /// Whether everything under way is an answer in hyper's hands: no task is running any more.
    pub(crate) fn has_only_answers(&self) -> bool {
        self.under_way.get() == self.answers.get()
    }

    /// To be called when hyper gets a piece of a body.
    pub(crate) fn give_piece(&self) {
        self.pieces.set(self.pieces.get() + 1);
    }

    /// To be called when hyper has got rid of a piece.
    pub(crate) fn drop_piece(&self) {
        self.pieces.set(self.pieces.get() - 1);
    }

    /// Whether hyper has a piece of some body.
    pub(super) fn has_piece(&self) -> bool {
        self.pieces.get() > 0
    }

    pub(crate) fn count_request(&self) {
        self.requests.set(self.requests.get() + 1);
    }

    /// How many requests there have been, including those under way.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.get()
    }
}
