//! `--user`, `--uid`, `--gid` (behaviour.md 9.10).

use container_ipc::Error;
use container_resource::User;

use super::invalid;

/// The user of a process and its supplementary groups. `default` applies when no option names a user.
pub fn parse(user: Option<&str>, uid: Option<u32>, gid: Option<u32>, default: User) -> (User, Vec<u32>) {
    let raw = |text: String| User::Raw { user_string: text };
    match (user.filter(|user| !user.is_empty()), uid, gid) {
        (Some(user), _, _) => (raw(user.to_owned()), Vec::new()),
        (None, Some(uid), Some(gid)) => (User::Id { uid, gid }, Vec::new()),
        (None, Some(uid), None) => (raw(uid.to_string()), Vec::new()),
        (None, None, Some(gid)) => (default, vec![gid]),
        (None, None, None) => (default, Vec::new()),
    }
}

/// Further groups, as numbers and as names for the guest.
///
/// # Errors
/// A name that no group can have.
pub fn groups(texts: Vec<String>) -> Result<(Vec<u32>, Vec<String>), Error> {
    let (mut numbers, mut names) = (Vec::new(), Vec::new());
    for text in texts {
        match text.parse() {
            Ok(number) => numbers.push(number),
            Err(_) if text.is_empty() || text.contains([',', ':', '\n']) => {
                return invalid(format!("invalid group '{text}'"));
            }
            Err(_) => names.push(text),
        }
    }
    Ok((numbers, names))
}

/// The user that an image names, else root.
pub fn of_image(text: Option<&str>) -> User {
    match text {
        Some(text) if !text.is_empty() => User::Raw {
            user_string: text.to_owned(),
        },
        _ => User::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> User {
        User::Raw {
            user_string: text.to_owned(),
        }
    }

    #[test]
    fn the_text_wins_over_the_numbers() {
        let default = || raw("image");
        assert_eq!(
            parse(Some("a:b"), Some(1), Some(2), default()),
            (raw("a:b"), vec![])
        );
        assert_eq!(
            parse(Some(""), Some(1), Some(2), default()),
            (User::Id { uid: 1, gid: 2 }, vec![])
        );
        assert_eq!(parse(None, Some(1), None, default()), (raw("1"), vec![]));
        assert_eq!(parse(None, None, Some(2), default()), (raw("image"), vec![2]));
        assert_eq!(parse(None, None, None, default()), (raw("image"), vec![]));
    }

    #[test]
    fn images_without_a_user_run_as_root() {
        assert_eq!(of_image(None), User::Id { uid: 0, gid: 0 });
        assert_eq!(of_image(Some("")), User::Id { uid: 0, gid: 0 });
        assert_eq!(of_image(Some("app")), raw("app"));
    }
}
