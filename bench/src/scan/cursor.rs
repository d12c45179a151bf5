//! A walk over JSON bytes: each value is read once, in order, or walked over.
//!
//! It checks what it must to keep its place; it is not a validator. No allocation, no copy.

use std::borrow::Cow;

/// JSON that broke off or was something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the JSON it should be at byte {at}: expected {expected}")]
pub struct ScanError {
    /// Where, from the beginning of the message.
    pub at: usize,
    /// What should have stood there.
    pub expected: &'static str,
}

/// A place in a JSON text.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Calls `each` with every key of the object here; what `each` does not read is walked over.
    pub fn object(
        &mut self,
        mut each: impl FnMut(&'a [u8], &mut Self) -> Result<(), ScanError>,
    ) -> Result<(), ScanError> {
        self.expect(b'{', "{")?;
        if self.token()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.token()?;
            let key = self.string()?;
            self.expect(b':', ":")?;
            self.token()?;
            let before = self.at;
            each(key, self)?;
            if self.at == before {
                self.raw()?;
            }
            match self.token()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.fail(", or }")),
            }
        }
    }

    /// Calls `each` at every element of the array here; what `each` does not read is walked over.
    pub fn array(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), ScanError>,
    ) -> Result<(), ScanError> {
        self.expect(b'[', "[")?;
        if self.token()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.token()?;
            let before = self.at;
            each(self)?;
            if self.at == before {
                self.raw()?;
            }
            match self.token()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.fail(", or ]")),
            }
        }
    }

    /// The string here, between its quotes, escapes as they stand.
    pub fn string(&mut self) -> Result<&'a [u8], ScanError> {
        self.expect(b'"', "a string")?;
        let begin = self.at;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return Err(self.fail("the end of a string")),
            }
        }
        self.at += 1;
        Ok(&self.bytes[begin..self.at - 1])
    }

    /// The string here as text for people.
    pub fn text(&mut self) -> Result<Cow<'a, str>, ScanError> {
        Ok(String::from_utf8_lossy(self.string()?))
    }

    /// The bytes of whatever value is here.
    pub fn raw(&mut self) -> Result<&'a [u8], ScanError> {
        let first = self.token()?;
        let begin = self.at;
        match first {
            b'"' => {
                self.string()?;
            }
            b'{' | b'[' => self.walk_over()?,
            _ => self.walk_scalar()?,
        }
        Ok(&self.bytes[begin..self.at])
    }

    /// A number, or a number in a string: its digits as text.
    pub fn number(&mut self) -> Result<&'a [u8], ScanError> {
        match self.token()? {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.raw(),
            _ => Err(self.fail("a number")),
        }
    }

    /// A whole number, bare or in a string.
    pub fn whole(&mut self) -> Result<u64, ScanError> {
        let text = self.number()?;
        let value = text.iter().try_fold(0u64, |value, byte| {
            let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
            value.checked_mul(10)?.checked_add(digit)
        });
        value.filter(|_| !text.is_empty()).ok_or_else(|| self.fail("a whole number"))
    }

    /// `true` or `false`.
    pub fn truth(&mut self) -> Result<bool, ScanError> {
        match self.raw()? {
            b"true" => Ok(true),
            b"false" => Ok(false),
            _ => Err(self.fail("true or false")),
        }
    }

    /// The next byte that is not white space; the cursor stands on it.
    pub fn token(&mut self) -> Result<u8, ScanError> {
        while let Some(byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Ok(*byte);
            }
            self.at += 1;
        }
        Err(self.fail("more"))
    }

    /// Refuses anything but white space from here on.
    pub fn end(&mut self) -> Result<(), ScanError> {
        if self.token().is_ok() { Err(self.fail("the end")) } else { Ok(()) }
    }

    fn expect(&mut self, wanted: u8, name: &'static str) -> Result<(), ScanError> {
        if self.token()? == wanted {
            self.at += 1;
            Ok(())
        } else {
            Err(self.fail(name))
        }
    }

    fn walk_over(&mut self) -> Result<(), ScanError> {
        let mut depth = 0usize;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
                None => return Err(self.fail("the end of an object or array")),
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn walk_scalar(&mut self) -> Result<(), ScanError> {
        let begin = self.at;
        while let Some(b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E') =
            self.bytes.get(self.at)
        {
            self.at += 1;
        }
        if self.at == begin { Err(self.fail("a value")) } else { Ok(()) }
    }

    fn fail(&self, expected: &'static str) -> ScanError {
        ScanError { at: self.at, expected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_is_walked_over() {
        let text = br#" { "a" : {"deep":["]}\"",{}]}, "b":[1, 2 ,3],"c":"x\"y" , "d":-1.50e3 } "#;
        let (mut sum, mut c, mut d) = (0, &b""[..], &b""[..]);
        let mut cursor = Cursor::new(text);
        cursor
            .object(|key, value| {
                match key {
                    b"b" => value.array(|one| one.whole().map(|n| sum += n))?,
                    b"c" => c = value.string()?,
                    b"d" => d = value.number()?,
                    _ => {}
                }
                Ok(())
            })
            .unwrap();
        cursor.end().unwrap();
        assert_eq!((sum, c, d), (6, &br#"x\"y"#[..], &b"-1.50e3"[..]));
    }

    fn walk(bytes: &[u8]) -> Result<(), ScanError> {
        Cursor::new(bytes).object(|_, _| Ok(()))
    }

    #[test]
    fn any_beginning_of_a_message_fails_and_never_panics() {
        let text =
            br#"{"channel":"book","data":[{"bids":[{"price":1.0,"qty":2}],"n":null}],"x":1}"#;
        assert_eq!(walk(text), Ok(()));
        for end in 0..text.len() {
            assert!(walk(&text[..end]).is_err(), "cut at {end}");
        }
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..20_000 {
            let mut bent = text.to_vec();
            for _ in 0..3 {
                let at = random.usize(..bent.len());
                bent[at] = random.u8(..);
            }
            let _ = walk(&bent);
        }
    }
}
