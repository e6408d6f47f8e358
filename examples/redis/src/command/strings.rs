//! Commands on strings.

use crate::command::call::{Call, integer, is_word};
use crate::command::deadline::Unit;
use crate::command::failure::Failure;
use crate::data::store::Value;

/// No string grows longer than this.
const LONGEST: usize = 64 << 20;

pub(super) fn get(call: &mut Call<'_>) -> Result<(), Failure> {
    let value = call.data.store.string(call.key())?;
    call.reply.string_or_null(value);
    Ok(())
}

pub(super) fn set(call: &mut Call<'_>) -> Result<(), Failure> {
    let (key, value) = (call.key(), call.argument(2));
    let (mut deadline, mut keeps, mut gets) = (None, false, false);
    // Whether the key has to be there, or must not.
    let mut condition = None;
    let mut options = call.arguments_from(3);
    while let Some(option) = options.next() {
        if is_word(option, "NX") && condition != Some(true) {
            condition = Some(false);
        } else if is_word(option, "XX") && condition != Some(false) {
            condition = Some(true);
        } else if is_word(option, "GET") {
            gets = true;
        } else if is_word(option, "KEEPTTL") && deadline.is_none() {
            keeps = true;
        } else if let Some(unit) = Unit::of_option(option)
            && let Some(time) = options.next()
            && deadline.is_none()
            && !keeps
        {
            deadline = Some(unit.of_new_key(call.data.store.now(), time, "set")?);
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    if gets {
        let before = call.data.store.string(key)?;
        call.reply.string_or_null(before);
    }
    if condition.is_some_and(|has_to_be| has_to_be != call.data.store.get(key).is_some()) {
        if !gets {
            call.reply.null();
        }
        return Ok(());
    }
    if keeps {
        deadline = call.data.store.deadline(key).flatten();
    }
    call.store().insert_string(key, value, deadline);
    if gets { Ok(()) } else { call.ok() }
}

pub(super) fn setnx(call: &mut Call<'_>) -> Result<(), Failure> {
    let (key, value) = (call.key(), call.argument(2));
    if call.data.store.get(key).is_some() {
        return call.count(0);
    }
    call.store().insert_string(key, value, None);
    call.count(1)
}

pub(super) fn setex(call: &mut Call<'_>) -> Result<(), Failure> {
    set_until(call, Unit::SECONDS, "setex")
}

pub(super) fn psetex(call: &mut Call<'_>) -> Result<(), Failure> {
    set_until(call, Unit::MILLIS, "psetex")
}

fn set_until(call: &mut Call<'_>, unit: Unit, command: &str) -> Result<(), Failure> {
    let (key, value) = (call.key(), call.argument(3));
    let deadline = unit.of_new_key(call.data.store.now(), call.argument(2), command)?;
    call.store().insert_string(key, value, Some(deadline));
    call.ok()
}

pub(super) fn getset(call: &mut Call<'_>) -> Result<(), Failure> {
    let (key, value) = (call.key(), call.argument(2));
    get(call)?;
    call.store().insert_string(key, value, None);
    Ok(())
}

pub(super) fn getdel(call: &mut Call<'_>) -> Result<(), Failure> {
    get(call)?;
    let key = call.key();
    call.store().remove(key);
    Ok(())
}

pub(super) fn getrange(call: &mut Call<'_>) -> Result<(), Failure> {
    let (first, last) = (call.integer(2)?, call.integer(3)?);
    let string = call.data.store.string(call.key())?.map_or(&[][..], |string| string);
    call.reply.string(&string[range(first, last, string.len())]);
    Ok(())
}

/// The indices from `first` to `last`, where negative ones count from the end.
pub(super) fn range(first: i64, last: i64, length: usize) -> std::ops::Range<usize> {
    let length = length as i64;
    let from_end = |index: i64| if index < 0 { length.saturating_add(index) } else { index };
    let begin = from_end(first).clamp(0, length);
    let end = from_end(last).saturating_add(1).clamp(begin, length);
    begin as usize..end as usize
}

pub(super) fn strlen(call: &mut Call<'_>) -> Result<(), Failure> {
    let length = call.data.store.string(call.key())?.map_or(0, Vec::len);
    call.count(length)
}

pub(super) fn append(call: &mut Call<'_>) -> Result<(), Failure> {
    let (key, more) = (call.key(), call.argument(2));
    if call.data.store.string(key)?.map_or(0, Vec::len) + more.len() > LONGEST {
        return Err(Failure::TOO_LONG);
    }
    let string = call.store().string_mut(key)?;
    string.extend_from_slice(more);
    let length = string.len();
    call.count(length)
}

pub(super) fn incr(call: &mut Call<'_>) -> Result<(), Failure> {
    add(call, 1)
}

pub(super) fn decr(call: &mut Call<'_>) -> Result<(), Failure> {
    add(call, -1)
}

pub(super) fn incrby(call: &mut Call<'_>) -> Result<(), Failure> {
    let more = call.integer(2)?;
    add(call, more)
}

pub(super) fn decrby(call: &mut Call<'_>) -> Result<(), Failure> {
    let less = call.integer(2)?;
    let more = less.checked_neg().ok_or(Failure::fixed("ERR decrement would overflow"))?;
    add(call, more)
}

fn add(call: &mut Call<'_>, more: i64) -> Result<(), Failure> {
    let key = call.key();
    let before = call.data.store.string(key)?.map_or(Ok(0), |string| integer(string))?;
    let sum = before.checked_add(more);
    let sum = sum.ok_or(Failure::fixed("ERR increment or decrement would overflow"))?;
    let string = call.store().string_mut(key)?;
    string.clear();
    string.extend_from_slice(sum.to_string().as_bytes());
    call.reply.integer(sum);
    Ok(())
}

pub(super) fn mget(call: &mut Call<'_>) -> Result<(), Failure> {
    call.reply.array(call.arguments.len() - 1);
    for key in call.arguments_from(1) {
        match call.data.store.get(key) {
            Some(Value::String(string)) => call.reply.string(string),
            _ => call.reply.null(),
        }
    }
    Ok(())
}

pub(super) fn mset(call: &mut Call<'_>) -> Result<(), Failure> {
    set_pairs(call)?;
    call.ok()
}

pub(super) fn msetnx(call: &mut Call<'_>) -> Result<(), Failure> {
    if call.arguments_from(1).step_by(2).any(|key| call.data.store.get(key).is_some()) {
        return call.count(0);
    }
    set_pairs(call)?;
    call.count(1)
}

fn set_pairs(call: &mut Call<'_>) -> Result<(), Failure> {
    if call.arguments.len().is_multiple_of(2) {
        return Err(Failure::arity("mset"));
    }
    let mut arguments = call.arguments_from(1);
    while let (Some(key), Some(value)) = (arguments.next(), arguments.next()) {
        call.store().insert_string(key, value, None);
    }
    Ok(())
}
