use std::fmt;

use crate::Error;

/// The domain of the framework's own errors.
const DOMAIN: &str = "VZErrorDomain";
/// `VZErrorInvalidVirtualMachineConfiguration`.
const INVALID_CONFIGURATION: isize = 2;

/// What an `NSError` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) domain: String,
    pub(super) code: isize,
    /// The localized description.
    pub(super) description: String,
    /// The localized reason, which the description may quote.
    pub(super) reason: Option<String>,
}

impl Refusal {
    /// The crate's error for a step of a machine's life that the framework refused.
    pub(super) fn of(self, action: &'static str) -> Error {
        if self.domain == DOMAIN && self.code == INVALID_CONFIGURATION {
            return Error::Config(self.to_string());
        }
        Error::Control {
            action,
            source: Box::new(self),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)?;
        if let Some(reason) = &self.reason
            && !self.description.contains(reason.as_str())
        {
            write!(f, " {reason}")?;
        }
        write!(f, " ({} {})", self.domain, self.code)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(domain: &str, code: isize, description: &str, reason: Option<&str>) -> Refusal {
        Refusal {
            domain: domain.to_owned(),
            code,
            description: description.to_owned(),
            reason: reason.map(str::to_owned),
        }
    }

    #[test]
    fn an_invalid_configuration_is_the_configurations_error() {
        let error = refusal(
            "VZErrorDomain",
            2,
            "Invalid configuration.",
            Some("An entitlement is missing."),
        )
        .of("start the virtual machine");
        assert_eq!(
            error.to_string(),
            "invalid virtual machine configuration: Invalid configuration. An entitlement is missing. (VZErrorDomain 2)"
        );
    }

    #[test]
    fn everything_else_names_what_was_refused() {
        for (domain, code) in [("VZErrorDomain", 4), ("NSPOSIXErrorDomain", 2)] {
            let error =
                refusal(domain, code, "No. Not now.", Some("Not now.")).of("pause the virtual machine");
            assert_eq!(
                error.to_string(),
                "the hypervisor failed to pause the virtual machine"
            );
            let source = std::error::Error::source(&error).map(ToString::to_string);
            assert_eq!(source, Some(format!("No. Not now. ({domain} {code})")));
        }
    }
}
