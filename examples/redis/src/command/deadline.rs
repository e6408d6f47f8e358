//! Arguments that say when a key expires.

use crate::command::call::{Call, integer, is_word};
use crate::command::failure::Failure;
use crate::data::store::Millis;

/// How an argument tells time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    millis: i64,
    is_from_now: bool,
}

impl Unit {
    pub(super) const SECONDS: Unit = Unit { millis: 1000, is_from_now: true };
    pub(super) const MILLIS: Unit = Unit { millis: 1, is_from_now: true };
    pub(super) const AT_SECONDS: Unit = Unit { millis: 1000, is_from_now: false };
    pub(super) const AT_MILLIS: Unit = Unit { millis: 1, is_from_now: false };

    /// The unit that an option stands for.
    pub(super) fn of_option(option: &[u8]) -> Option<Unit> {
        let options = [
            ("EX", Unit::SECONDS),
            ("PX", Unit::MILLIS),
            ("EXAT", Unit::AT_SECONDS),
            ("PXAT", Unit::AT_MILLIS),
        ];
        options.into_iter().find(|(name, _)| is_word(option, name)).map(|(_, unit)| unit)
    }

    /// The time that an argument says, which may be in the past. It is kept within bounds that are
    /// far away, so that it can be reckoned with.
    pub(super) fn deadline(
        self,
        now: Millis,
        argument: &[u8],
        command: &str,
    ) -> Result<i64, Failure> {
        let begin = if self.is_from_now { now as i64 } else { 0 };
        integer(argument)?
            .checked_mul(self.millis)
            .and_then(|time| begin.checked_add(time))
            .ok_or_else(|| invalid(command))
    }

    /// The same, for what is set at once: it has to be after now, or after 1970.
    pub(super) fn of_new_key(
        self,
        now: Millis,
        argument: &[u8],
        command: &str,
    ) -> Result<Millis, Failure> {
        if integer(argument)? <= 0 {
            return Err(invalid(command));
        }
        Ok(self.deadline(now, argument, command)?.max(0) as Millis)
    }
}

fn invalid(command: &str) -> Failure {
    Failure::new(format!("ERR invalid expire time in '{command}' command"))
}

/// `EXPIRE` and the like.
pub(super) fn expire(call: &mut Call<'_>, unit: Unit, command: &str) -> Result<(), Failure> {
    let key = call.key();
    let now = call.data.store.now();
    let deadline = unit.deadline(now, call.argument(2), command)?.max(0) as Millis;
    let Some(before) = call.data.store.deadline(key) else { return call.count(0) };
    for option in call.arguments_from(3) {
        // A key without a deadline has one that is infinitely far.
        let applies = match before {
            _ if is_word(option, "NX") => before.is_none(),
            _ if is_word(option, "XX") => before.is_some(),
            _ if is_word(option, "GT") => before.is_some_and(|before| deadline > before),
            _ if is_word(option, "LT") => before.is_none_or(|before| deadline < before),
            _ => return Err(Failure::new("ERR Unsupported option")),
        };
        if !applies {
            return call.count(0);
        }
    }
    if deadline <= now {
        call.store().remove(key);
    } else {
        call.store().set_deadline(key, Some(deadline));
    }
    call.count(1)
}

/// `TTL` and the like.
pub(super) fn tell(call: &mut Call<'_>, unit: Unit) -> Result<(), Failure> {
    let now = call.data.store.now();
    let time = match call.data.store.deadline(call.key()) {
        None => -2,
        Some(None) => -1,
        Some(Some(deadline)) if unit.is_from_now => {
            // To the nearest second.
            ((deadline - now) as i64 + unit.millis / 2) / unit.millis
        }
        Some(Some(deadline)) => deadline as i64 / unit.millis,
    };
    call.reply.integer(time);
    Ok(())
}
