//! Logins in the user's keychain, as internet passwords of the security domain that Apple's tool uses as well
//! (behaviour reference, 20.3).

use std::path::Path;
use std::ptr::{self, NonNull};

use container_resource::time::Timestamp;
use container_resource::{RegistryResource, Secret};
use objc2_core_foundation::{
    CFArray, CFBoolean, CFData, CFDate, CFDictionary, CFRetained, CFString, CFType, Type,
};
use objc2_security::{
    SecCopyErrorMessageString, SecItemAdd, SecItemCopyMatching, SecItemDelete, SecItemUpdate,
    errSecItemNotFound, errSecSuccess, kSecAttrAccessible, kSecAttrAccessibleAfterFirstUnlock,
    kSecAttrAccount, kSecAttrCreationDate, kSecAttrModificationDate, kSecAttrSecurityDomain, kSecAttrServer,
    kSecClass, kSecClassInternetPassword, kSecMatchLimit, kSecMatchLimitAll, kSecReturnAttributes,
    kSecReturnData, kSecValueData,
};

use super::Secrets;
use crate::error::{Error, Result};
use crate::registry::RegistryError;

/// What all logins have in common.
const DOMAIN: &str = "com.apple.container.registry";

/// Seconds from 1970 to 2001, where Core Foundation's time begins.
const EPOCH: i64 = 978_307_200;

/// The keychain of the user whose process this is.
#[derive(Debug)]
pub struct Keychain(());

impl Keychain {
    /// The keychain, which is not below the application root.
    pub fn new(_app_root: &Path) -> Self {
        Self(())
    }
}

/// What the framework calls what is used of it here.
struct Names {
    accessible: &'static CFString,
    after_first_unlock: &'static CFString,
    account: &'static CFString,
    created: &'static CFString,
    modified: &'static CFString,
    domain: &'static CFString,
    server: &'static CFString,
    class: &'static CFString,
    internet_password: &'static CFString,
    limit: &'static CFString,
    all: &'static CFString,
    return_attributes: &'static CFString,
    return_data: &'static CFString,
    data: &'static CFString,
}

fn names() -> Names {
    // SAFETY: constants of the framework, which is loaded with this program.
    unsafe {
        Names {
            accessible: kSecAttrAccessible,
            after_first_unlock: kSecAttrAccessibleAfterFirstUnlock,
            account: kSecAttrAccount,
            created: kSecAttrCreationDate,
            modified: kSecAttrModificationDate,
            domain: kSecAttrSecurityDomain,
            server: kSecAttrServer,
            class: kSecClass,
            internet_password: kSecClassInternetPassword,
            limit: kSecMatchLimit,
            all: kSecMatchLimitAll,
            return_attributes: kSecReturnAttributes,
            return_data: kSecReturnData,
            data: kSecValueData,
        }
    }
}

impl Secrets for Keychain {
    fn set(&self, host: &str, user: &str, secret: &Secret) -> Result<()> {
        let login = Attributes::default()
            .text(names().account, user)
            .data(names().data, secret.expose().as_bytes());
        let query = of_host(host).dictionary();
        // SAFETY: keys and values are of the types that the framework documents for them.
        let status = unsafe { SecItemUpdate(query.as_opaque(), login.dictionary().as_opaque()) };
        if status != errSecItemNotFound {
            return check(status, host);
        }
        let login = login
            .and(of_host(host))
            .value(names().accessible, names().after_first_unlock);
        // SAFETY: as above; nothing is to be returned.
        let status = unsafe { SecItemAdd(login.dictionary().as_opaque(), ptr::null_mut()) };
        check(status, host)
    }

    fn get(&self, host: &str) -> Result<Option<(String, Secret)>> {
        let query = of_host(host)
            .value(names().return_attributes, CFBoolean::new(true))
            .value(names().return_data, CFBoolean::new(true));
        let Some(found) = query.find(host)? else {
            return Ok(None);
        };
        let found = found.downcast_ref::<CFDictionary>().map(typed);
        let (user, secret) = (names().account, names().data);
        let login = found.and_then(|found| {
            let secret = found.get(secret)?.downcast::<CFData>().ok()?.to_vec();
            Some((text(found, user)?, String::from_utf8(secret).ok()?.into()))
        });
        login
            .map(Some)
            .ok_or_else(|| failure(host, "it has another form than a login"))
    }

    fn remove(&self, host: &str) -> Result<()> {
        // SAFETY: keys and values are of the types that the framework documents for them.
        let status = unsafe { SecItemDelete(of_host(host).dictionary().as_opaque()) };
        if status == errSecItemNotFound {
            return Ok(());
        }
        check(status, host)
    }

    fn list(&self) -> Result<Vec<RegistryResource>> {
        let query = all()
            .value(names().return_attributes, CFBoolean::new(true))
            .value(names().limit, names().all);
        let Some(found) = query.find(DOMAIN)? else {
            return Ok(Vec::new());
        };
        let Some(items) = found.downcast_ref::<CFArray>() else {
            return Err(failure(DOMAIN, "the answer is not a list"));
        };
        // SAFETY: lists of this framework have Core Foundation objects in them.
        let items = unsafe { items.cast_unchecked::<CFType>() };
        let mut logins: Vec<RegistryResource> = items.iter().filter_map(|item| resource(&item)).collect();
        logins.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(logins)
    }
}

/// What users see of a login; none when it has no host or no user.
fn resource(item: &CFType) -> Option<RegistryResource> {
    let item = typed(item.downcast_ref::<CFDictionary>()?);
    let date = |key: &CFString| {
        let seconds = item.get(key)?.downcast::<CFDate>().ok()?.absolute_time();
        // Whole seconds; dates that a keychain has are far within the range.
        Timestamp::from_second(EPOCH + seconds as i64).ok()
    };
    let (server, account) = (names().server, names().account);
    let (created, modified) = (names().created, names().modified);
    let created = date(created).unwrap_or_default();
    Some(RegistryResource::new(
        text(item, server)?,
        text(item, account)?,
        created,
        date(modified).unwrap_or(created),
    ))
}

fn text(item: &CFDictionary<CFString, CFType>, key: &CFString) -> Option<String> {
    let value = item.get(key)?.downcast::<CFString>().ok()?;
    Some(value.to_string())
}

/// A dictionary that the framework made.
fn typed(item: &CFDictionary) -> &CFDictionary<CFString, CFType> {
    // SAFETY: its items are dictionaries of attributes, whose keys are strings and whose values are Core Foundation
    // objects.
    unsafe { item.cast_unchecked() }
}

/// Every login.
fn all() -> Attributes {
    Attributes::default()
        .value(names().class, names().internet_password)
        .text(names().domain, DOMAIN)
}

/// The login at a host.
fn of_host(host: &str) -> Attributes {
    all().text(names().server, host)
}

/// Attributes of an item, or what to find it by.
#[derive(Default)]
struct Attributes(Vec<(&'static CFString, CFRetained<CFType>)>);

impl Attributes {
    fn value(mut self, key: &'static CFString, value: &(impl AsRef<CFType> + ?Sized)) -> Self {
        self.0.push((key, value.as_ref().retain()));
        self
    }

    fn text(self, key: &'static CFString, text: &str) -> Self {
        self.value(key, &*CFString::from_str(text))
    }

    fn data(self, key: &'static CFString, bytes: &[u8]) -> Self {
        self.value(key, &*CFData::from_bytes(bytes))
    }

    fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    fn dictionary(&self) -> CFRetained<CFDictionary<CFString, CFType>> {
        let keys: Vec<&CFString> = self.0.iter().map(|(key, _)| *key).collect();
        let values: Vec<&CFType> = self.0.iter().map(|(_, value)| &**value).collect();
        CFDictionary::from_slices(&keys, &values)
    }

    /// What the keychain has of this; `what` is what it is called in errors.
    fn find(&self, what: &str) -> Result<Option<CFRetained<CFType>>> {
        let mut found: *const CFType = ptr::null();
        // SAFETY: keys and values are of the types that the framework documents for them, and `found` is there to be
        // written to.
        let status = unsafe { SecItemCopyMatching(self.dictionary().as_opaque(), &mut found) };
        if status == errSecItemNotFound {
            return Ok(None);
        }
        check(status, what)?;
        // SAFETY: the framework hands its reference over to whoever asked.
        Ok(NonNull::new(found.cast_mut()).map(|found| unsafe { CFRetained::from_raw(found) }))
    }
}

fn check(status: i32, what: &str) -> Result<()> {
    if status == errSecSuccess {
        return Ok(());
    }
    // SAFETY: the second argument has to be null.
    let message = unsafe { SecCopyErrorMessageString(status, ptr::null_mut()) };
    let message = message.map_or_else(|| format!("status {status}"), |text| text.to_string());
    Err(failure(what, &message))
}

fn failure(what: &str, reason: &str) -> Error {
    RegistryError::Secrets(format!("error querying keychain for {what}: {reason}")).into()
}
