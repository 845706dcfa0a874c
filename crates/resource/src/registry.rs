//! Registry logins as users see them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A stored login, without its secret (behaviour reference, 5.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryResource {
    /// The host, with its port if it has one.
    pub id: String,
    /// The host again.
    pub name: String,
    /// Who is logged in.
    pub username: String,
    /// When the login was stored first.
    pub creation_date: Timestamp,
    /// When it was stored last.
    pub modification_date: Timestamp,
    /// Always empty.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl RegistryResource {
    /// The login of `username` at `host`.
    pub fn new(
        host: String,
        username: String,
        creation_date: Timestamp,
        modification_date: Timestamp,
    ) -> Self {
        Self {
            id: host.clone(),
            name: host,
            username,
            creation_date,
            modification_date,
            labels: BTreeMap::new(),
        }
    }
}
