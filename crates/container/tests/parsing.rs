//! How words become options and positionals (behaviour.md 1).

use clap::Parser;
use container::cli::{Cli, Command};
use container::commands::container::{ContainerCommand, exec::Exec, run::Run};
use container::commands::machine::MachineCommand;

fn parse(line: &[&str]) -> Command {
    let words = std::iter::once("container").chain(line.iter().copied());
    Cli::try_parse_from(words)
        .expect("a valid command line")
        .command
        .expect("a command")
}

fn run(line: &[&str]) -> Run {
    match parse(&[&["run"], line].concat()) {
        Command::Container(ContainerCommand::Run(run)) => *run,
        other => panic!("not run: {other:?}"),
    }
}

fn exec(line: &[&str]) -> Exec {
    match parse(&[&["exec"], line].concat()) {
        Command::Container(ContainerCommand::Exec(exec)) => *exec,
        other => panic!("not exec: {other:?}"),
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn everything_after_the_image_belongs_to_the_process() {
    let parsed = run(&[
        "-it", "--name", "n", "img", "-d", "--rm", "--debug", "--", "--name", "x",
    ]);
    assert!(parsed.process.interactive && parsed.process.tty);
    assert!(!parsed.management.detach && !parsed.management.rm && !parsed.logging.debug);
    assert_eq!(parsed.management.name.as_deref(), Some("n"));
    assert_eq!(
        parsed.target.split(),
        (
            "img".to_owned(),
            words(&["-d", "--rm", "--debug", "--", "--name", "x"])
        )
    );
}

#[test]
fn a_terminator_before_the_image_is_consumed() {
    assert_eq!(
        run(&["--", "img", "--", "-x"]).target.split(),
        ("img".to_owned(), words(&["--", "-x"]))
    );
    match parse(&["machine", "run", "-n", "x", "--", "cat", "f"]) {
        Command::Machine(machine) => match machine.command {
            Some(MachineCommand::Run(run)) => assert_eq!(run.command.words, words(&["cat", "f"])),
            other => panic!("not run: {other:?}"),
        },
        other => panic!("not machine: {other:?}"),
    }
}

#[test]
fn options_of_exec_come_before_the_container() {
    let parsed = exec(&["-i", "id", "-it", "sh"]);
    assert!(parsed.process.interactive && !parsed.process.tty);
    assert_eq!(parsed.target.split(), ("id".to_owned(), words(&["-it", "sh"])));
}

#[test]
fn values_may_be_attached_in_every_way() {
    for line in [
        &["-c", "3"][..],
        &["-c3"],
        &["-c=3"],
        &["--cpus", "3"],
        &["--cpus=3"],
    ] {
        assert_eq!(
            run(&[line, &["img"]].concat()).resource.cpus,
            Some(3.0),
            "{line:?}"
        );
    }
}

#[test]
fn lists_collect_and_single_values_keep_the_last_one() {
    let parsed = run(&[
        "-e", "A=1", "--env", "B", "--name", "x", "--name=y", "-d", "-d", "img",
    ]);
    assert_eq!(parsed.process.env, ["A=1", "B"]);
    assert_eq!(parsed.management.name.as_deref(), Some("y"));
    assert!(parsed.management.detach);
}

#[test]
fn a_list_takes_one_word_per_occurrence() {
    let parsed = run(&["-e", "A=1", "img", "B=2"]);
    assert_eq!(parsed.process.env, ["A=1"]);
    assert_eq!(parsed.target.split(), ("img".to_owned(), words(&["B=2"])));
}

#[test]
fn the_later_kernel_flag_wins() {
    let start = |line: &[&str]| match parse(&[&["system", "start"], line].concat()) {
        Command::System(system) => match system.command {
            Some(container::commands::system::SystemCommand::Start(start)) => {
                (start.enable_kernel_install, start.disable_kernel_install)
            }
            other => panic!("not start: {other:?}"),
        },
        other => panic!("not system: {other:?}"),
    };
    assert_eq!(
        start(&["--disable-kernel-install", "--enable-kernel-install"]),
        (true, false)
    );
    assert_eq!(
        start(&["--enable-kernel-install", "--disable-kernel-install"]),
        (false, true)
    );
}
