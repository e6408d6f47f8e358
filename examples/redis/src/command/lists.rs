//! Commands on lists.

use crate::command::call::Call;
use crate::command::failure::Failure;
use crate::command::strings::range;
use crate::data::store::List;

/// An end of a list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Left,
    Right,
}

impl End {
    fn push(self, list: &mut List, element: &[u8]) {
        match self {
            End::Left => list.push_front(element.into()),
            End::Right => list.push_back(element.into()),
        }
    }

    fn pop(self, list: &mut List) -> Option<Box<[u8]>> {
        match self {
            End::Left => list.pop_front(),
            End::Right => list.pop_back(),
        }
    }
}

pub(super) fn lpush(call: &mut Call<'_>) -> Result<(), Failure> {
    push(call, End::Left)
}

pub(super) fn rpush(call: &mut Call<'_>) -> Result<(), Failure> {
    push(call, End::Right)
}

pub(super) fn lpushx(call: &mut Call<'_>) -> Result<(), Failure> {
    push_if_there(call, End::Left)
}

pub(super) fn rpushx(call: &mut Call<'_>) -> Result<(), Failure> {
    push_if_there(call, End::Right)
}

fn push(call: &mut Call<'_>, end: End) -> Result<(), Failure> {
    let list = call.data.store.list_mut(call.key())?;
    call.arguments.from(2).for_each(|element| end.push(list, element));
    let length = list.len();
    call.count(length)
}

fn push_if_there(call: &mut Call<'_>, end: End) -> Result<(), Failure> {
    match call.data.store.list(call.key())? {
        Some(_) => push(call, end),
        None => call.count(0),
    }
}

pub(super) fn lpop(call: &mut Call<'_>) -> Result<(), Failure> {
    pop(call, End::Left)
}

pub(super) fn rpop(call: &mut Call<'_>) -> Result<(), Failure> {
    pop(call, End::Right)
}

fn pop(call: &mut Call<'_>, end: End) -> Result<(), Failure> {
    let key = call.key();
    if call.arguments.len() == 2 {
        let popped = call.store().change_list(key, |list| end.pop(list))?.flatten();
        call.reply.string_or_null(popped);
        return Ok(());
    }
    let most = usize::try_from(call.integer(2)?);
    let most = most.map_err(|_| Failure::fixed("ERR value is out of range, must be positive"))?;
    let popped = call.store().change_list(key, |list| {
        (0..most.min(list.len())).filter_map(|_| end.pop(list)).collect::<Vec<_>>()
    })?;
    match popped {
        None => call.reply.null_array(),
        Some(popped) => {
            call.reply.array(popped.len());
            popped.iter().for_each(|element| call.reply.string(element));
        }
    }
    Ok(())
}

pub(super) fn llen(call: &mut Call<'_>) -> Result<(), Failure> {
    let length = call.data.store.list(call.key())?.map_or(0, List::len);
    call.count(length)
}

pub(super) fn lrange(call: &mut Call<'_>) -> Result<(), Failure> {
    let (first, last) = (call.integer(2)?, call.integer(3)?);
    let Some(list) = call.data.store.list(call.key())? else {
        call.reply.array(0);
        return Ok(());
    };
    let range = range(first, last, list.len());
    call.reply.array(range.len());
    list.range(range).for_each(|element| call.reply.string(element));
    Ok(())
}

/// The index of an element, where negative ones count from the end.
fn index(index: i64, list: &List) -> Option<usize> {
    let index = if index < 0 { index.checked_add_unsigned(list.len() as u64)? } else { index };
    usize::try_from(index).ok().filter(|index| *index < list.len())
}

pub(super) fn lindex(call: &mut Call<'_>) -> Result<(), Failure> {
    let which = call.integer(2)?;
    let list = call.data.store.list(call.key())?;
    call.reply.string_or_null(list.and_then(|list| list.get(index(which, list)?)));
    Ok(())
}

pub(super) fn lset(call: &mut Call<'_>) -> Result<(), Failure> {
    let (key, which, element) = (call.key(), call.integer(2)?, call.argument(3));
    let set = call.store().change_list(key, |list| {
        let index = index(which, list)?;
        list[index] = element.into();
        Some(())
    })?;
    match set {
        None => Err(Failure::NO_SUCH_KEY),
        Some(None) => Err(Failure::fixed("ERR index out of range")),
        Some(Some(())) => call.ok(),
    }
}

pub(super) fn ltrim(call: &mut Call<'_>) -> Result<(), Failure> {
    let (key, first, last) = (call.key(), call.integer(2)?, call.integer(3)?);
    call.store().change_list(key, |list| {
        let range = range(first, last, list.len());
        list.truncate(range.end);
        list.drain(..range.start);
    })?;
    call.ok()
}

pub(super) fn lrem(call: &mut Call<'_>) -> Result<(), Failure> {
    let (key, count, element) = (call.key(), call.integer(2)?, call.argument(3));
    let mut left = if count == 0 { u64::MAX } else { count.unsigned_abs() };
    let removed = call.store().change_list(key, |list| {
        let before = list.len();
        let mut stays = |other: &[u8]| {
            let goes = left > 0 && other == element;
            left -= u64::from(goes);
            !goes
        };
        if count >= 0 {
            list.retain(|other| stays(other));
        } else {
            // From the right: what stays is put together from behind.
            let kept: Vec<_> = list.drain(..).rev().filter(|other| stays(other)).collect();
            list.extend(kept.into_iter().rev());
        }
        before - list.len()
    })?;
    call.count(removed.unwrap_or(0))
}
