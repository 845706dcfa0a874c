use objc2_foundation::NSError;

use super::refusal::Refusal;

/// What the framework's error says, as plain text that may leave the machine's queue.
pub(super) fn refusal(error: &NSError) -> Refusal {
    Refusal {
        domain: error.domain().to_string(),
        code: error.code(),
        description: error.localizedDescription().to_string(),
        reason: error.localizedFailureReason().map(|reason| reason.to_string()),
    }
}
