//! A request as a person types it: a line of words, some of them quoted as in a shell.

use std::ops::Range;

use crate::resp::request::{Malformed, range};

/// Splits a line into words. They go into `words`, and where they are into `ranges`.
///
/// In double quotes, `\n`, `\r`, `\t`, `\b`, `\a` and `\xHH` have their usual meaning; in single
/// quotes only `\'` does.
pub(super) fn split(
    line: &[u8],
    words: &mut Vec<u8>,
    ranges: &mut Vec<Range<u32>>,
) -> Result<(), Malformed> {
    let mut rest = line.trim_ascii();
    while !rest.is_empty() {
        let begin = words.len();
        rest = word(rest, words)?.trim_ascii_start();
        ranges.push(range(begin..words.len()));
    }
    Ok(())
}

/// Takes one word, and returns what comes after it.
fn word<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Result<&'a [u8], Malformed> {
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'"' | b'\'' => {
                let after = quoted(byte, after, words)?;
                // As in Redis: nothing may touch the closing quote.
                if after.first().is_some_and(|byte| !byte.is_ascii_whitespace()) {
                    return Err(Malformed::Quotes);
                }
                return Ok(after);
            }
            _ if byte.is_ascii_whitespace() => return Ok(after),
            _ => {
                words.push(byte);
                after
            }
        };
    }
    Ok(rest)
}

/// Takes what comes before the closing quote, and returns what comes after it.
fn quoted<'a>(quote: u8, mut rest: &'a [u8], words: &mut Vec<u8>) -> Result<&'a [u8], Malformed> {
    loop {
        let (byte, after) = match (quote, rest) {
            (_, []) => return Err(Malformed::Quotes),
            (_, [byte, after @ ..]) if *byte == quote => return Ok(after),
            (b'\'', [b'\\', b'\'', after @ ..]) => (b'\'', after),
            (b'"', [b'\\', b'x', high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (digit(*high) << 4 | digit(*low), after)
            }
            (b'"', [b'\\', byte, after @ ..]) => (unescaped(*byte), after),
            (_, [byte, after @ ..]) => (*byte, after),
        };
        words.push(byte);
        rest = after;
    }
}

fn digit(hex: u8) -> u8 {
    match hex {
        b'0'..=b'9' => hex - b'0',
        _ => (hex | 0x20) - b'a' + 10,
    }
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => other,
    }
}
