//! Completion of command lines in a real shell: names that there are.

use std::process::Command;

use container_tests::System;

/// What bash offers for the last of `words`.
fn offered(system: &System, words: &str) -> Vec<String> {
    let script = "source <(container --generate-completion-script bash)
        COMP_WORDS=($1) COMP_TYPE=9
        [ \"${1% }\" = \"$1\" ] || COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        $(complete -p container | sed 's/.*-F \\([^ ]*\\).*/\\1/') container \"${COMP_WORDS[COMP_CWORD]}\"
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let template = system.command(["--version"]);
    let mut bash = Command::new("bash");
    bash.args(["-c", script, "bash", words]).env_clear();
    for (name, value) in template.get_envs() {
        bash.env(name, value.unwrap_or_default());
    }
    let program = container_tests::program("container");
    let directories = [program.parent().unwrap(), "/usr/bin".as_ref(), "/bin".as_ref()];
    bash.env("PATH", std::env::join_paths(directories).unwrap());
    let output = bash.output().expect("bash");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let offered = String::from_utf8_lossy(&output.stdout);
    offered.lines().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn containers_and_images_are_offered() {
    let system = System::start();
    system.ok(["create", "--name", "web-one", "busybox"]);
    system.ok(["create", "--name", "web-two", "busybox"]);
    assert_eq!(offered(&system, "container start web"), ["web-one", "web-two"]);
    assert_eq!(offered(&system, "container delete web-t"), ["web-two"]);
    assert_eq!(offered(&system, "container stop web"), [""], "none runs");
    assert_eq!(offered(&system, "container image delete bus"), ["busybox:latest"]);
    assert_eq!(offered(&system, "container run --rm bus"), ["busybox:latest"]);
    assert_eq!(offered(&system, "container image pul"), ["pull"]);
    system.ok(["volume", "create", "data"]);
    assert_eq!(offered(&system, "container volume inspect da"), ["data"]);
}

#[test]
fn nothing_is_offered_and_nothing_hangs_without_services() {
    let system = System::unstarted();
    assert_eq!(offered(&system, "container start web"), [""]);
    assert_eq!(offered(&system, "container image pul"), ["pull"]);
}
