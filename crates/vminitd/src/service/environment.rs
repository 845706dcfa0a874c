//! Setenv, Getenv.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use container_sandbox::proto::{GetenvRequest, GetenvResponse, SetenvRequest, SetenvResponse};

use crate::error::{Error, Result};

/// The agent's environment, as the host sees it. It is a copy: the process's own cannot be changed safely
/// while other threads run, and nothing in the agent reads it.
#[derive(Debug)]
pub(super) struct Environment(Mutex<HashMap<String, String>>);

impl Environment {
    /// What the agent was started with.
    pub(super) fn inherited() -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        Self(Mutex::new(
            std::env::vars_os()
                .map(|(key, value)| (text(key), text(value)))
                .collect(),
        ))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, request: SetenvRequest) -> Result<SetenvResponse> {
        if request.key.is_empty() || request.key.contains(['=', '\0']) {
            return Err(Error::Invalid(format!("invalid variable name {:?}", request.key)));
        }
        match request.value {
            Some(value) => self.lock().insert(request.key, value),
            None => self.lock().remove(&request.key),
        };
        Ok(SetenvResponse {})
    }

    pub(super) fn get(&self, request: &GetenvRequest) -> GetenvResponse {
        GetenvResponse {
            value: self.lock().get(&request.key).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_set_read_and_removed() {
        let environment = Environment::inherited();
        let get = |key: &str| environment.get(&GetenvRequest { key: key.into() }).value;
        let set = |key: &str, value: Option<&str>| {
            environment.set(SetenvRequest {
                key: key.into(),
                value: value.map(str::to_owned),
            })
        };
        set("A_TEST", Some("1")).unwrap();
        assert_eq!(get("A_TEST").as_deref(), Some("1"));
        set("A_TEST", None).unwrap();
        assert_eq!(get("A_TEST"), None);
        assert!(set("A=B", Some("1")).is_err());
    }
}
