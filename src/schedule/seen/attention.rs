//! Whether somebody [looks on](crate::schedule::seen::onlookers), where units become ready and
//! where nurseries begin to poll.

/// By whom a run is looked on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::schedule) enum By {
    Nobody,
    Somebody,
}

/// What there is to do beyond the usual when a unit becomes ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Attention(u8);

impl Attention {
    pub(in crate::schedule) const NOTHING: Attention = Attention(0);
    /// It is listed, because it may go [ahead](crate::schedule::ahead).
    pub(in crate::schedule) const LIST: Attention = Attention(1 << 0);
    /// Somebody looks on.
    pub(in crate::schedule) const TELL: Attention = Attention(1 << 1);

    #[inline(always)]
    pub(in crate::schedule) fn is_needed(self) -> bool {
        self.0 != 0
    }

    pub(in crate::schedule) fn has(self, bit: Attention) -> bool {
        self.0 & bit.0 != 0
    }

    pub(in crate::schedule) fn with(self, bit: Attention) -> Attention {
        Attention(self.0 | bit.0)
    }

    pub(in crate::schedule) fn without(self, bit: Attention) -> Attention {
        Attention(self.0 & !bit.0)
    }
}
