use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A command, as it is written to the monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "execute", content = "arguments")]
pub(in crate::qemu) enum Command {
    /// Ends the negotiation.
    #[serde(rename = "qmp_capabilities")]
    Capabilities,
    /// Stops the processors.
    #[serde(rename = "stop")]
    Stop,
    /// Lets the processors run.
    #[serde(rename = "cont")]
    Continue,
    /// Ends QEMU.
    #[serde(rename = "quit")]
    Quit,
}

#[derive(Debug, Serialize)]
pub(super) struct Request {
    #[serde(flatten)]
    pub(super) command: Command,
    pub(super) id: u64,
}

/// What the monitor says.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Message {
    Greeting {
        #[serde(rename = "QMP")]
        _greeting: Value,
    },
    Event {
        event: String,
        #[serde(default)]
        data: Value,
    },
    Return {
        #[serde(rename = "return")]
        _value: Value,
        id: u64,
    },
    Error {
        error: Refusal,
        id: Option<u64>,
    },
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Refusal {
    pub(super) desc: String,
}

/// Parses one line.
pub(super) fn parse(line: &[u8]) -> serde_json::Result<Message> {
    serde_json::from_slice(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let text = serde_json::to_string(&Request {
            command: Command::Capabilities,
            id: 4,
        })
        .unwrap();
        assert_eq!(text, r#"{"execute":"qmp_capabilities","id":4}"#);
    }

    #[test]
    fn messages() {
        let greeting = br#"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}"#;
        assert!(matches!(parse(greeting), Ok(Message::Greeting { .. })));
        let event = br#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}}"#;
        let Ok(Message::Event { event, data }) = parse(event) else {
            panic!("no event")
        };
        assert_eq!(
            (event.as_str(), data["reason"].as_str()),
            ("SHUTDOWN", Some("guest-reset"))
        );
        let event = br#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}"#;
        assert!(matches!(parse(event), Ok(Message::Event { .. })));
        assert!(matches!(
            parse(br#"{"return": {}, "id": 7}"#),
            Ok(Message::Return { id: 7, .. })
        ));
        let error = br#"{"id": 8, "error": {"class": "GenericError", "desc": "no"}}"#;
        assert_eq!(
            parse(error).unwrap(),
            Message::Error {
                error: Refusal {
                    desc: "no".to_owned()
                },
                id: Some(8)
            }
        );
        for garbage in [
            &b""[..],
            b"{",
            b"[]",
            b"7",
            br#"{"return": {}}"#,
            br#"{"id": "x", "return": 1}"#,
        ] {
            assert!(parse(garbage).is_err(), "{garbage:?}");
        }
    }
}
