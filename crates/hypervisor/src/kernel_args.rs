//! The kernel's command line (`behaviour.md` 28.2).

/// The command line that begins with `machine`, what this kind of machine needs, and goes on with the user's words.
pub(crate) fn command_line(mut machine: Vec<String>, user: &[String]) -> String {
    machine.extend_from_slice(user);
    for (key, value) in [
        ("oops", "panic"),
        ("lsm", "lockdown,capability,landlock,yama,apparmor"),
    ] {
        if !sets(user, key) {
            machine.push(format!("{key}={value}"));
        }
    }
    machine.extend(["init=/sbin/vminitd", "ro", "rootfstype=erofs", "root=/dev/vda"].map(str::to_owned));
    machine.join(" ")
}

fn sets(user: &[String], key: &str) -> bool {
    user.iter()
        .flat_map(|words| words.split_whitespace())
        .any(|word| word.split_once('=').is_some_and(|(found, _)| found == key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(user: &[&str]) -> String {
        let user: Vec<_> = user.iter().map(|word| (*word).to_owned()).collect();
        command_line(vec!["console=hvc0".to_owned(), "panic=0".to_owned()], &user)
    }

    #[test]
    fn the_order_is_fixed() {
        assert_eq!(
            line(&["quiet", "loglevel=3"]),
            "console=hvc0 panic=0 quiet loglevel=3 oops=panic \
             lsm=lockdown,capability,landlock,yama,apparmor init=/sbin/vminitd ro rootfstype=erofs root=/dev/vda"
        );
    }

    #[test]
    fn the_user_may_choose_what_happens_on_an_oops_and_the_security_modules() {
        let line = line(&["oops=x lsm=landlock", "panic=1"]);
        assert!(
            line.contains("panic=0 oops=x lsm=landlock panic=1 init="),
            "{line}"
        );
        assert_eq!(
            (line.matches("oops=").count(), line.matches("lsm=").count()),
            (1, 1)
        );
    }
}
