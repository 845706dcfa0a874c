//! The parts of messages that are looked at without decoding them whole.

use hickory_proto::op::ResponseCode;

/// The size of a message's header in bytes.
pub(crate) const HEADER: usize = 12;

/// The largest message over UDP for whoever does not announce another limit, in bytes.
const CLASSIC: usize = 512;

/// The number of the additional record that announces a limit.
const OPT: u16 = 41;

/// Whether a message, which has a header, is an answer.
pub(crate) fn is_response(message: &[u8]) -> bool {
    message[2] & 0x80 != 0
}

/// An answer to `message`, which has a header, that says that it failed. The question comes along if it can be told from
/// the rest.
pub(crate) fn failure(message: &[u8], code: ResponseCode) -> Vec<u8> {
    let mut reply = head(message, question_end(message));
    reply[2] |= 0x80;
    reply[3] = 0x80 | code.low();
    reply
}

/// `response` without its records, marked as cut off, if it is longer than whoever asked `question` takes over UDP.
pub(crate) fn fit(question: &[u8], response: Vec<u8>) -> Vec<u8> {
    if response.len() <= limit(question) {
        return response;
    }
    let mut short = head(&response, question_end(&response));
    short[2] |= 0x02;
    short
}

/// Whether `response` answers `question`.
pub(crate) fn answers(question: &[u8], response: &[u8]) -> bool {
    if response.len() < HEADER || !is_response(response) || response[..2] != question[..2] {
        return false;
    }
    match (question_end(question), question_end(response)) {
        (Some(asked), Some(end)) => response[HEADER..end].eq_ignore_ascii_case(&question[HEADER..asked]),
        // Servers that fail early leave the question out.
        _ => response[4..6] == [0, 0] && response[3] & 15 != 0,
    }
}

/// Whether another server may know better.
pub(crate) fn is_refusal(response: &[u8]) -> bool {
    let code = response[3] & 15;
    [
        ResponseCode::ServFail,
        ResponseCode::NotImp,
        ResponseCode::Refused,
    ]
    .iter()
    .any(|refusal| refusal.low() == code)
}

/// Header and question of a message, without records.
fn head(message: &[u8], question_end: Option<usize>) -> Vec<u8> {
    let mut head = message[..question_end.unwrap_or(HEADER)].to_vec();
    head[4..HEADER].fill(0);
    head[5] = u8::from(question_end.is_some());
    head
}

/// Behind the one question of a message, which has a header.
fn question_end(message: &[u8]) -> Option<usize> {
    if message[4..6] != [0, 1] {
        return None;
    }
    let end = name_end(message, HEADER)? + 4;
    (end <= message.len()).then_some(end)
}

/// Behind the name at `at`.
fn name_end(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match usize::from(*message.get(at)?) {
            0 => return Some(at + 1),
            length @ 1..64 => at += 1 + length,
            // The rest of the name is elsewhere.
            192.. => return Some(at + 2),
            _ => return None,
        }
    }
}

/// How long an answer over UDP may be.
fn limit(question: &[u8]) -> usize {
    announced(question).map_or(CLASSIC, |limit| usize::from(limit).max(CLASSIC))
}

/// The limit that a question with EDNS announces. Its record is the only one behind the question of all but few.
fn announced(question: &[u8]) -> Option<u16> {
    let mut at = question_end(question)?;
    loop {
        at = name_end(question, at)?;
        let number = |offset: usize| -> Option<u16> {
            Some(u16::from_be_bytes(
                question.get(at + offset..at + offset + 2)?.try_into().ok()?,
            ))
        };
        if number(0)? == OPT {
            return number(2);
        }
        at += 10 + usize::from(number(8)?);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(edns: Option<u16>) -> Vec<u8> {
        let mut message = vec![1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'W', 0, 0, 1, 0, 1];
        if let Some(limit) = edns {
            message[11] = 1;
            message.extend([0, 0, 41]);
            message.extend(limit.to_be_bytes());
            message.extend([0; 6]);
        }
        message
    }

    #[test]
    fn long_answers_are_cut_for_those_who_cannot_take_them() {
        let mut response = question(None);
        response[2] |= 0x80;
        response[7] = 1;
        response.resize(1000, 0);
        let short = fit(&question(None), response.clone());
        assert_eq!(short.len(), question(None).len());
        assert_eq!((short[2] & 2, short[7]), (2, 0));
        assert_eq!(fit(&question(Some(1232)), response.clone()).len(), 1000);
        assert_eq!(fit(&question(Some(100)), response).len(), question(None).len());
    }

    #[test]
    fn answers_are_recognized() {
        let mut response = question(None);
        assert!(!answers(&question(None), &response), "a question");
        response[2] |= 0x80;
        response[13] = b'w';
        assert!(answers(&question(None), &response), "in another case");
        response[13] = b'x';
        assert!(!answers(&question(None), &response), "another name");
        response[13] = b'w';
        response[0] = 9;
        assert!(!answers(&question(None), &response), "another number");
        let failed = failure(&question(None), ResponseCode::ServFail);
        assert!(answers(&question(None), &failed) && is_refusal(&failed));
    }

    #[test]
    fn broken_messages_break_nothing() {
        let whole = question(Some(1232));
        for end in HEADER..whole.len() {
            let cut = &whole[..end];
            assert!(failure(cut, ResponseCode::FormErr).len() <= cut.len());
            assert!(limit(cut) >= CLASSIC);
        }
    }
}
