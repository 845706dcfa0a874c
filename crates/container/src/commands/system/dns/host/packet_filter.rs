//! Rules of macOS's packet filter: an address that leads to this host (behaviour.md 16).

use std::net::Ipv4Addr;

/// The anchor that our rules hang on; also the name of its file in `/etc/pf.anchors`.
pub(super) const ANCHOR: &str = "dev.container";

/// The kinds of anchors, in the order that pf wants rules of their kind in.
const KINDS: [&str; 5] = [
    "scrub-anchor",
    "nat-anchor",
    "rdr-anchor",
    "dummynet-anchor",
    "anchor",
];

/// The rules with one more: what is sent to `address` goes to this host.
pub(super) fn with_rule(rules: &str, address: Ipv4Addr, domain: &str) -> String {
    let mut rules = without_rule(rules, domain);
    rules.push_str(&format!(
        "rdr inet from any to {address} -> 127.0.0.1 # {domain}\n"
    ));
    rules
}

/// The rules without those of `domain`.
pub(super) fn without_rule(rules: &str, domain: &str) -> String {
    let others = |line: &&str| line.split_once(" # ").is_none_or(|(_, of)| of.trim() != domain);
    rules
        .lines()
        .filter(others)
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Whether nothing but comments is left.
pub(super) fn is_empty(rules: &str) -> bool {
    rules
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
}

/// `pf.conf` with our anchor. Each line goes before the first one of a later kind, because pf insists on their order.
pub(super) fn with_anchor(configuration: &str, anchor_file: &str) -> String {
    let mut lines: Vec<String> = without_anchor(configuration).lines().map(str::to_owned).collect();
    for (rank, kind) in (1..).zip(KINDS) {
        let place = lines.iter().position(|line| self::rank(line) > rank);
        lines.insert(place.unwrap_or(lines.len()), format!("{kind} \"{ANCHOR}\""));
    }
    lines.push(format!("load anchor \"{ANCHOR}\" from \"{anchor_file}\""));
    lines.into_iter().map(|line| line + "\n").collect()
}

/// `pf.conf` without our anchor.
pub(super) fn without_anchor(configuration: &str) -> String {
    let name = format!("\"{ANCHOR}\"");
    let is_ours = |line: &str| {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("load"), Some("anchor")) => words.next() == Some(&name),
            (Some(kind), of) => KINDS.contains(&kind) && of == Some(&name),
            _ => false,
        }
    };
    let others = configuration.lines().filter(|line| !is_ours(line));
    others.map(|line| format!("{line}\n")).collect()
}

/// Where a line's kind comes in the order: after it in `KINDS`, 0 for what may be first, and after all for the rest.
fn rank(line: &str) -> usize {
    let mut words = line.split_whitespace();
    match words.next() {
        None => 0,
        Some(word) if word.starts_with('#') || word.contains('=') => 0,
        Some("set" | "table" | "include") => 0,
        Some("scrub" | "scrub-anchor") => 1,
        Some("nat" | "nat-anchor" | "binat" | "binat-anchor") => 2,
        Some("rdr" | "rdr-anchor") => 3,
        Some("no") => match words.next() {
            Some("scrub") => 1,
            Some("rdr") => 3,
            _ => 2,
        },
        Some("dummynet" | "dummynet-anchor") => 4,
        Some("load") => 6,
        // Macros are set as `name = value` too.
        Some(_) if words.next() == Some("=") => 0,
        Some(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What macOS comes with.
    const DEFAULT: &str = "\
#
# Default PF configuration file.
#
scrub-anchor \"com.apple/*\"
nat-anchor \"com.apple/*\"
rdr-anchor \"com.apple/*\"
dummynet-anchor \"com.apple/*\"
anchor \"com.apple/*\"
load anchor \"com.apple\" from \"/etc/pf.anchors/com.apple\"
";

    #[test]
    fn the_anchor_keeps_the_order_and_goes_again() {
        let with = with_anchor(DEFAULT, "/etc/pf.anchors/dev.container");
        assert_eq!(
            with,
            "\
#
# Default PF configuration file.
#
scrub-anchor \"com.apple/*\"
scrub-anchor \"dev.container\"
nat-anchor \"com.apple/*\"
nat-anchor \"dev.container\"
rdr-anchor \"com.apple/*\"
rdr-anchor \"dev.container\"
dummynet-anchor \"com.apple/*\"
dummynet-anchor \"dev.container\"
anchor \"com.apple/*\"
anchor \"dev.container\"
load anchor \"com.apple\" from \"/etc/pf.anchors/com.apple\"
load anchor \"dev.container\" from \"/etc/pf.anchors/dev.container\"
"
        );
        assert_eq!(with_anchor(&with, "/etc/pf.anchors/dev.container"), with);
        assert_eq!(without_anchor(&with), DEFAULT);
    }

    #[test]
    fn rules_of_others_keep_their_places() {
        let own = "ext_if = \"en0\"\nset skip on lo0\nrdr pass on lo0 inet proto tcp to port 80 -> 127.0.0.1 port 8080\n\
                   block in quick from 10.0.0.1\npass out all\n";
        let with = with_anchor(own, "/f");
        let lines: Vec<&str> = with.lines().collect();
        let at = |line: &str| lines.iter().position(|other| *other == line).unwrap();
        assert!(at("set skip on lo0") < at("scrub-anchor \"dev.container\""));
        assert!(at("scrub-anchor \"dev.container\"") < at("nat-anchor \"dev.container\""));
        assert!(at("rdr-anchor \"dev.container\"") < at("block in quick from 10.0.0.1"));
        assert!(at("pass out all") < at("anchor \"dev.container\""));
        assert_eq!(without_anchor(&with), own);
    }

    #[test]
    fn an_empty_configuration_gets_the_anchor_alone() {
        assert_eq!(with_anchor("", "/f").lines().count(), 6);
        assert_eq!(without_anchor(&with_anchor("", "/f")), "");
    }

    #[test]
    fn rules_come_and_go_by_domain() {
        let address = Ipv4Addr::new(203, 0, 113, 9);
        let one = with_rule("", address, "a.test");
        assert_eq!(one, "rdr inet from any to 203.0.113.9 -> 127.0.0.1 # a.test\n");
        let two = with_rule(&one, address, "test");
        assert_eq!(two.lines().count(), 2);
        assert_eq!(with_rule(&two, address, "test"), two);
        assert_eq!(without_rule(&two, "test"), one);
        assert!(is_empty(&without_rule(&one, "a.test")));
        assert!(is_empty("# nothing\n\n") && !is_empty(&one));
    }
}
