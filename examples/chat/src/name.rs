//! What people and rooms may be called.

use std::fmt;

/// The name of somebody in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

impl Name {
    const LONGEST: usize = 32;

    /// Returns `None` if nobody may be called that: it is empty or too long, or has characters that
    /// cannot be seen or that change how what is around them is shown, by which one name could look
    /// like another.
    pub(crate) fn new(text: &str) -> Option<Name> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let name = words.join(" ");
        let is_fine =
            !name.is_empty() && name.chars().count() <= Name::LONGEST && name.chars().all(is_shown);
        is_fine.then_some(Name(name))
    }

    /// What has to differ between the names of two people in a room.
    pub(crate) fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a character is one that can be seen. The exceptions are control characters, and what
/// Unicode calls format characters (of which these are the ones in use) and private ones.
fn is_shown(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{10ffff}')
}

/// Whether a room may have this name, which is part of addresses.
pub(crate) fn is_room(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_can_be_seen() {
        let name = |text| Name::new(text).map(|name| name.to_string());
        assert_eq!(name("  Ann   Lee "), Some("Ann Lee".into()));
        assert_eq!(name("Zoë 🦊 李"), Some("Zoë 🦊 李".into()));
        for bad in ["", "  ", "a\u{202e}b", "a\u{200b}", "\u{7}", "\u{feff}", &"x".repeat(33)] {
            assert_eq!(name(bad), None, "{bad:?}");
        }
        assert_eq!(Name::new("ANN").unwrap().key(), Name::new("ann").unwrap().key());
    }

    #[test]
    fn rooms_have_names_for_addresses() {
        for good in ["lobby", "a-1", "0"] {
            assert!(is_room(good), "{good}");
        }
        for bad in ["", "Lobby", "a b", "../x", "ä", &"x".repeat(33)] {
            assert!(!is_room(bad), "{bad}");
        }
    }
}
