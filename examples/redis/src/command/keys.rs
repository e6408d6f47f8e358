//! Commands on keys, whatever their values are.

use crate::command::call::Call;
use crate::command::deadline::{self, Unit};
use crate::command::failure::Failure;
use crate::data::matches;
use crate::data::store::Value;

pub(super) fn del(call: &mut Call<'_>) -> Result<(), Failure> {
    let keys = call.arguments_from(1);
    let removed = keys.filter(|key| call.data.store.remove(key).is_some()).count();
    call.count(removed)
}

pub(super) fn exists(call: &mut Call<'_>) -> Result<(), Failure> {
    let keys = call.arguments_from(1);
    let found = keys.filter(|key| call.data.store.get(key).is_some()).count();
    call.count(found)
}

pub(super) fn kind(call: &mut Call<'_>) -> Result<(), Failure> {
    call.reply.simple(match call.data.store.get(call.key()) {
        None => "none",
        Some(Value::String(_)) => "string",
        Some(Value::List(_)) => "list",
    });
    Ok(())
}

pub(super) fn rename(call: &mut Call<'_>) -> Result<(), Failure> {
    let (key, new) = (call.key(), call.argument(2));
    call.store().rename(key, new).ok_or(Failure::NO_SUCH_KEY)?;
    call.ok()
}

pub(super) fn keys(call: &mut Call<'_>) -> Result<(), Failure> {
    let pattern = call.argument(1);
    let keys = call.data.store.iter().map(|(key, ..)| key);
    let found: Vec<_> = keys.filter(|key| matches(pattern, key)).collect();
    call.reply.array(found.len());
    found.iter().for_each(|key| call.reply.string(key));
    Ok(())
}

pub(super) fn expire(call: &mut Call<'_>) -> Result<(), Failure> {
    deadline::expire(call, Unit::SECONDS, "expire")
}

pub(super) fn pexpire(call: &mut Call<'_>) -> Result<(), Failure> {
    deadline::expire(call, Unit::MILLIS, "pexpire")
}

pub(super) fn expireat(call: &mut Call<'_>) -> Result<(), Failure> {
    deadline::expire(call, Unit::AT_SECONDS, "expireat")
}

pub(super) fn pexpireat(call: &mut Call<'_>) -> Result<(), Failure> {
    deadline::expire(call, Unit::AT_MILLIS, "pexpireat")
}

pub(super) fn ttl(call: &mut Call<'_>) -> Result<(), Failure> {
    deadline::tell(call, Unit::SECONDS)
}

pub(super) fn pttl(call: &mut Call<'_>) -> Result<(), Failure> {
    deadline::tell(call, Unit::MILLIS)
}

pub(super) fn expiretime(call: &mut Call<'_>) -> Result<(), Failure> {
    deadline::tell(call, Unit::AT_SECONDS)
}

pub(super) fn pexpiretime(call: &mut Call<'_>) -> Result<(), Failure> {
    deadline::tell(call, Unit::AT_MILLIS)
}

pub(super) fn persist(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key();
    let had_one = call.data.store.deadline(key).flatten().is_some();
    call.store().set_deadline(key, None);
    call.count(usize::from(had_one))
}
