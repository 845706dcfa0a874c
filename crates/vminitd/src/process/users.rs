//! Users and groups of a container, from its own `/etc/passwd` and `/etc/group` (behaviour.md 29.4).

use crate::error::{Error, Result};

/// Who a process runs as.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Home directory; absent for a user that the container does not know.
    pub(super) home: Option<String>,
    /// Groups that the user is listed in.
    pub(super) groups: Vec<u32>,
}

/// One line of `/etc/passwd`.
#[derive(Debug, PartialEq, Eq)]
struct User<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

/// One line of `/etc/group`.
#[derive(Debug, PartialEq, Eq)]
struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

fn users(passwd: &str) -> impl Iterator<Item = User<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields
            .next()
            .filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(User {
            name,
            uid,
            gid,
            home: fields.nth(1).unwrap_or_default(),
        })
    })
}

fn groups(group: &str) -> impl Iterator<Item = Group<'_>> {
    group.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields
            .next()
            .filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        let gid = fields.nth(1)?.parse().ok()?;
        Some(Group {
            name,
            gid,
            members: fields.next().unwrap_or_default(),
        })
    })
}

/// Finds a user given as `name`, `name:group`, `uid` or `uid:gid`; names and numbers may be mixed.
///
/// # Errors
/// A name that the files do not have. Numbers need not be in them.
pub(super) fn by_text(text: &str, passwd: &str, group: &str) -> Result<Identity> {
    let (user_text, group_text) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (text, None),
    };
    let number: Option<u32> = user_text.parse().ok();
    let user = users(passwd).find(|user| user.name == user_text || Some(user.uid) == number);
    let uid = match (&user, number) {
        (Some(user), _) => user.uid,
        (None, Some(uid)) => uid,
        (None, None) => return Err(Error::Invalid(format!("no passwd entries for user {user_text}"))),
    };
    let gid = match group_text {
        None => user.as_ref().map_or(0, |user| user.gid),
        Some(text) => match (groups(group).find(|group| group.name == text), text.parse()) {
            (Some(group), _) => group.gid,
            (None, Ok(gid)) => gid,
            (None, Err(_)) => group_by_name(text, group)?,
        },
    };
    Ok(identity(uid, gid, user, group))
}

/// The number of a group.
///
/// # Errors
/// The file does not have it.
pub(super) fn group_by_name(name: &str, group: &str) -> Result<u32> {
    let found = groups(group).find(|group| group.name == name);
    let found = found.map(|group| group.gid);
    found.ok_or_else(|| Error::Invalid(format!("no group entries for group {name}")))
}

/// Finds what the files know of a user and group given by number.
pub(super) fn by_number(uid: u32, gid: u32, passwd: &str, group: &str) -> Identity {
    identity(uid, gid, users(passwd).find(|user| user.uid == uid), group)
}

fn identity(uid: u32, gid: u32, user: Option<User<'_>>, group: &str) -> Identity {
    let member = |group: &Group<'_>| {
        user.as_ref()
            .is_some_and(|user| group.members.split(',').any(|member| member.trim() == user.name))
    };
    Identity {
        uid,
        gid,
        groups: groups(group).filter(member).map(|group| group.gid).collect(),
        home: user
            .map(|user| user.home.to_owned())
            .filter(|home| !home.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "\
# comment
root:x:0:0:root:/root:/bin/sh
web:x:33:34:Web server:/var/www:/bin/false
broken:x:notanumber:1::/:
short:x:50
1234:x:77:78::/numeric:/bin/sh
homeless:x:60:61:::
";
    const GROUP: &str = "\
root:x:0:
www:x:34:
video:x:44:web, root
disk:x:6:root,webb
bad:x::web
";

    #[test]
    fn names_and_numbers_are_found() {
        let web = Identity {
            uid: 33,
            gid: 34,
            home: Some("/var/www".into()),
            groups: vec![44],
        };
        assert_eq!(by_text("web", PASSWD, GROUP).unwrap(), web);
        assert_eq!(by_text("33", PASSWD, GROUP).unwrap(), web);
        assert_eq!(by_text("web:", PASSWD, GROUP).unwrap(), web);
        assert_eq!(by_text("web:video", PASSWD, GROUP).unwrap().gid, 44);
        assert_eq!(by_text("0:7", PASSWD, GROUP).unwrap().gid, 7);
        assert_eq!(by_text("0:7", PASSWD, GROUP).unwrap().groups, [44, 6]);
        // A name made of digits is found as a name.
        assert_eq!(by_text("1234", PASSWD, GROUP).unwrap().uid, 77);
    }

    #[test]
    fn unknown_numbers_are_fine_and_unknown_names_are_not() {
        let nobody = Identity {
            uid: 4000,
            gid: 0,
            home: None,
            groups: vec![],
        };
        assert_eq!(by_text("4000", PASSWD, GROUP).unwrap(), nobody);
        assert_eq!(by_text("4000", "", "").unwrap(), nobody);
        assert_eq!(by_text("4000:9", "", "").unwrap().gid, 9);
        assert_eq!(
            by_text("ghost", PASSWD, GROUP).unwrap_err().to_string(),
            "no passwd entries for user ghost"
        );
        assert_eq!(
            by_text("web:ghost", PASSWD, GROUP).unwrap_err().to_string(),
            "no group entries for group ghost"
        );
        assert!(by_text("short", PASSWD, GROUP).is_err());
        assert!(by_text("broken", PASSWD, GROUP).is_err());
        assert!(by_text("", PASSWD, GROUP).is_err());
        assert!(by_text("-1", PASSWD, GROUP).is_err());
    }

    #[test]
    fn a_number_brings_home_and_groups_along() {
        assert_eq!(by_number(0, 0, PASSWD, GROUP).home.as_deref(), Some("/root"));
        assert_eq!(by_number(0, 0, PASSWD, GROUP).groups, [44, 6]);
        assert_eq!(by_number(60, 1, PASSWD, GROUP).home, None);
    }
}
