//! Patterns with `*`, `?` and `[…]`, as in `KEYS` and `PSUBSCRIBE`.

/// Whether the text matches the pattern: `*` stands for any bytes, `?` for one, `[a-z]` and `[^a]`
/// for one of some; after `\` a byte stands for itself.
///
/// It takes no more steps than the product of both lengths, however many `*` there are.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // After the last `*`, and where the text goes on if that stands for as little as it can.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            retry = Some((p, t));
            continue;
        }
        if t == text.len() {
            return p == pattern.len();
        }
        match one(&pattern[p..], text[t]) {
            Some(length) => (p, t) = (p + length, t + 1),
            None => match &mut retry {
                None => return false,
                Some((star, from)) => {
                    *from += 1;
                    (p, t) = (*star, *from);
                }
            },
        }
    }
}

/// How much of the pattern stands for this byte, if its beginning does.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => one_of(class, byte).map(|length| length + 1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

/// The same for what comes after a `[`, which ends with `]` or with the pattern.
fn one_of(class: &[u8], byte: u8) -> Option<usize> {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        let length = match &class[at..] {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', escaped, ..] => {
                found |= *escaped == byte;
                2
            }
            [from, b'-', to, ..] if *to != b']' => {
                found |= (*from.min(to)..=*from.max(to)).contains(&byte);
                3
            }
            [literal, ..] => {
                found |= *literal == byte;
                1
            }
        };
        at += length;
    }
    (found != negated).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_in_redis() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "heeeello", true),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("[\\]]", "]", true),
            ("[abc", "b", true),
            ("[", "a", false),
            ("\\", "\\", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*ab", "aab", true),
            ("news.*", "news.", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = [b"*a".repeat(1000), b"*b".to_vec()].concat();
        assert!(!matches(&pattern, &[b'a'; 10_000]));
    }
}
