//! What the two ends say to each other, independent of the transport.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::Error;
use crate::progress::ProgressEvent;

/// The longest message, in bytes of JSON: 16 MiB.
pub const MAX_MESSAGE_BYTES: usize = 16 << 20;

/// The most descriptors that one message may carry. Standard input and output plus 64 published ports fit.
pub const MAX_DESCRIPTORS: usize = 128;

/// The most calls in flight on one connection. A client lets further calls wait; a service disconnects a
/// peer that has more.
pub const MAX_IN_FLIGHT: usize = 1024;

/// One message. Identifiers are chosen by the client and unique within their connection.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Frame {
    /// Client to service: a call.
    Request {
        id: u64,
        route: String,
        #[serde(default)]
        progress: bool,
        payload: Box<RawValue>,
    },
    /// Client to service: the caller no longer waits.
    Cancel { id: u64 },
    /// Service to client: how far a call is.
    Progress { id: u64, event: Box<ProgressEvent> },
    /// Service to client: a call succeeded.
    Reply { id: u64, payload: Box<RawValue> },
    /// Service to client: a call failed. The error is decoded by its caller, so that a malformed one does not
    /// disturb the others.
    Failure { id: u64, error: Box<RawValue> },
    /// Service to client: this connection is not served; it is closed after this message.
    Refused { error: Error },
}

impl Frame {
    pub(crate) fn failure(id: u64, error: &Error) -> Self {
        let error = serde_json::value::to_raw_value(error)
            .or_else(|_| {
                serde_json::value::to_raw_value(&Error::internal(
                    "the daemon failed to encode the original error",
                ))
            })
            .unwrap_or_default();
        Self::Failure { id, error }
    }

    /// The message's bytes.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Error> {
        let bytes = serde_json::to_vec(self)
            .map_err(|error| Error::internal(format!("failed to encode a message: {error}")))?;
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(Error::internal(format!(
                "message of {} bytes exceeds the limit of {MAX_MESSAGE_BYTES} bytes",
                bytes.len()
            )));
        }
        Ok(bytes)
    }

    /// Reads a message; the error names what is wrong with it.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_as_documented() {
        let frame = Frame::Request {
            id: 7,
            route: "ping".into(),
            progress: false,
            payload: RawValue::from_string(r#"{"a":1}"#.into()).unwrap(),
        };
        let bytes = frame.encode().unwrap();
        assert_eq!(
            bytes,
            br#"{"request":{"id":7,"route":"ping","progress":false,"payload":{"a":1}}}"#
        );
        match Frame::decode(&bytes).unwrap() {
            Frame::Request {
                id: 7,
                route,
                payload,
                ..
            } => {
                assert_eq!((route.as_str(), payload.get()), ("ping", r#"{"a":1}"#));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn garbage_is_refused() {
        for bytes in [
            &b""[..],
            b"{}",
            b"null",
            b"{\"request\":{}}",
            b"{\"surprise\":{}}",
            b"\xff\xfe",
            b"[[[[",
        ] {
            assert!(Frame::decode(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_message_over_the_limit_is_not_sent() {
        let payload = RawValue::from_string(format!("\"{}\"", "x".repeat(MAX_MESSAGE_BYTES))).unwrap();
        let error = Frame::Reply { id: 1, payload }.encode().unwrap_err();
        assert!(
            error.message.contains("exceeds the limit of 16777216 bytes"),
            "{error}"
        );
    }
}
