//! Messages of rtnetlink, as bytes.

/// Everything in a message starts at a multiple of this.
const ALIGNMENT: usize = 4;

/// Size of a message's header.
pub(crate) const HEADER: usize = 16;

/// A request under construction.
#[derive(Debug)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// Starts a request whose answer says whether it was done. `body` is the fixed part behind the header.
    pub(crate) fn new(kind: u16, flags: i32, body: &[u8]) -> Self {
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK | flags) as u16;
        let mut bytes = Vec::with_capacity(128);
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        // Sequence number and sender: one request at a time needs neither.
        bytes.extend([0; 8]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        Self(bytes)
    }

    /// Adds an attribute.
    pub(crate) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        put(&mut self.0, kind, value);
        self
    }

    /// Adds an attribute that consists of attributes.
    pub(crate) fn nested(self, kind: u16, value: &Attributes) -> Self {
        self.attribute(kind, value.bytes())
    }

    /// The finished request.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }
}

/// Attributes within an attribute.
#[derive(Debug, Default)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    /// Attributes behind something fixed, whose size is a multiple of four bytes.
    pub(crate) fn fixed(body: &[u8]) -> Self {
        Self(body.to_vec())
    }

    /// These and one more.
    pub(crate) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        put(&mut self.0, kind, value);
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Appends an attribute and what aligns the next one.
fn put(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = (value.len() + 4) as u16;
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
}

/// What an answer says: `Ok` for done, an error number for refused. `None` for anything else.
pub(crate) fn verdict(answer: &[u8]) -> Option<Result<(), i32>> {
    let field = |at: usize| -> Option<[u8; 4]> { answer.get(at..at + 4)?.try_into().ok() };
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    if i32::from(kind) != libc::NLMSG_ERROR {
        return None;
    }
    let error = i32::from_ne_bytes(field(HEADER)?);
    Some(if error == 0 {
        Ok(())
    } else {
        Err(error.wrapping_neg())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_aligned_and_lengths_are_not() {
        let message = Message::new(16, 0, &[1, 2, 3, 4])
            .attribute(3, b"lo\0")
            .attribute(4, &[9; 4])
            .finish();
        assert_eq!(message.len(), 16 + 4 + 8 + 8);
        assert_eq!(
            u32::from_ne_bytes(message[..4].try_into().unwrap()) as usize,
            message.len()
        );
        assert_eq!(u16::from_ne_bytes(message[20..22].try_into().unwrap()), 7);
        assert_eq!(&message[24..28], b"lo\0\0");
    }

    #[test]
    fn answers_are_told_apart() {
        let answer = |kind: u16, error: i32| {
            let mut bytes = vec![0; 16];
            bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            bytes.extend(error.to_ne_bytes());
            bytes
        };
        assert_eq!(verdict(&answer(2, 0)), Some(Ok(())));
        assert_eq!(verdict(&answer(2, -17)), Some(Err(17)));
        assert_eq!(verdict(&answer(2, i32::MIN)), Some(Err(i32::MIN)));
        assert_eq!(verdict(&answer(16, 0)), None);
        assert_eq!(verdict(&answer(2, 0)[..18]), None);
        assert_eq!(verdict(&[]), None);
    }
}
