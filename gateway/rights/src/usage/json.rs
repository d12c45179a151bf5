//! JSON in one line of printable ASCII, whatever the values hold.
//!
//! JSON itself escapes line feeds; it leaves C1 controls, line separators and letters that turn the
//! direction of writing, any of which can forge a line in some terminal or editor. So everything
//! else is escaped as well.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut units = [0; 2];
        for part in fragment.split_inclusive(|c: char| !is_plain(c)) {
            let odd = part.chars().next_back().filter(|c| !is_plain(*c));
            let plain = &part[..part.len() - odd.map_or(0, char::len_utf8)];
            writer.write_all(plain.as_bytes())?;
            for unit in odd.map(|c| c.encode_utf16(&mut units)).into_iter().flatten() {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~')
}

/// Appends a value and a line feed.
pub(super) fn write_line(value: &impl Serialize, out: &mut Vec<u8>) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *out, Ascii))?;
    out.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_can_forge_a_line() {
        let mut line = Vec::new();
        let text = "a\r\n\u{1b}[31m\u{9b}\u{2028}\u{202e}\u{7f}ä\u{1f600}\"\\";
        write_line(&text, &mut line).expect("memory can be written");
        let expected =
            concat!(r#""a\r\n\u001b[31m\u009b\u2028\u202e\u007f\u00e4\ud83d\ude00\"\\""#, "\n");
        assert_eq!(String::from_utf8_lossy(&line), expected);
    }

    proptest! {
        #[test]
        fn any_text_survives_as_one_line_of_ascii(text in any::<String>()) {
            let mut line = Vec::new();
            write_line(&text, &mut line).expect("memory can be written");
            prop_assert!(line.iter().all(|b| (b' '..=b'~').contains(b) || *b == b'\n'));
            prop_assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
            prop_assert_eq!(serde_json::from_slice::<String>(&line).ok(), Some(text));
        }
    }
}
