//! `--ulimit` (behaviour.md 9.11).

use container_ipc::Error;
use container_resource::Rlimit;

use super::invalid;

const TYPES: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// Every `--ulimit`.
///
/// # Errors
/// An option breaks the grammar, or two have the same type.
pub fn parse_all(texts: &[String]) -> Result<Vec<Rlimit>, Error> {
    let mut limits: Vec<Rlimit> = Vec::new();
    for text in texts {
        let (name, limit) = parse(text)?;
        if limits.iter().any(|known| known.limit == limit.limit) {
            return invalid(format!("duplicate ulimit type: {name}"));
        }
        limits.push(limit);
    }
    Ok(limits)
}

/// `<type>=<soft>[:<hard>]`.
fn parse(text: &str) -> Result<(String, Rlimit), Error> {
    let wrong = || {
        invalid(format!(
            "invalid ulimit format '{text}': expected <type>=<soft>[:<hard>]"
        ))
    };
    let Some((name, values)) = text.split_once('=') else {
        return wrong();
    };
    let name = name.to_ascii_lowercase();
    if name.is_empty() || values.is_empty() {
        return wrong();
    }
    if !TYPES.contains(&name.as_str()) {
        return invalid(format!(
            "unsupported ulimit type '{name}': valid types are {}",
            TYPES.join(", ")
        ));
    }
    let (soft, hard) = match values.split(':').collect::<Vec<_>>()[..] {
        [both] => (value(both, &name)?, value(both, &name)?),
        [soft, hard] => (value(soft, &name)?, value(hard, &name)?),
        _ => return wrong(),
    };
    if soft > hard {
        return invalid(format!(
            "ulimit '{name}' soft limit ({soft}) cannot exceed hard limit ({hard})"
        ));
    }
    let limit = format!("RLIMIT_{}", name.to_ascii_uppercase());
    Ok((name, Rlimit { limit, soft, hard }))
}

fn value(text: &str, name: &str) -> Result<u64, Error> {
    match text {
        "unlimited" | "-1" => Ok(u64::MAX),
        _ => match text.parse() {
            Ok(value) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(value),
            _ => invalid(format!(
                "invalid ulimit value '{text}' for '{name}': must be a non-negative integer or 'unlimited'"
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[&str]) -> Result<Vec<(String, u64, u64)>, String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let limits = parse_all(&texts).map_err(|error| error.to_string())?;
        Ok(limits
            .into_iter()
            .map(|limit| (limit.limit, limit.soft, limit.hard))
            .collect())
    }

    #[test]
    fn soft_and_hard() {
        assert_eq!(
            parsed(&["NOFILE=1024:unlimited", "core=0", "stack=-1"]),
            Ok(vec![
                ("RLIMIT_NOFILE".to_owned(), 1024, u64::MAX),
                ("RLIMIT_CORE".to_owned(), 0, 0),
                ("RLIMIT_STACK".to_owned(), u64::MAX, u64::MAX),
            ])
        );
    }

    #[test]
    fn texts() {
        let format = |text: &str| format!("invalid ulimit format '{text}': expected <type>=<soft>[:<hard>]");
        let value = |value: &str| {
            format!(
                "invalid ulimit value '{value}' for 'nofile': must be a non-negative integer or 'unlimited'"
            )
        };
        let cases = [
            ("nofile", format("nofile")),
            ("nofile=", format("nofile=")),
            ("=1", format("=1")),
            ("nofile=1:2:3", format("nofile=1:2:3")),
            ("nofile=x", value("x")),
            ("nofile=+1", value("+1")),
            ("nofile=1:", value("")),
            (
                "nofile=2:1",
                "ulimit 'nofile' soft limit (2) cannot exceed hard limit (1)".to_owned(),
            ),
            (
                "as=1",
                format!(
                    "unsupported ulimit type 'as': valid types are {}",
                    TYPES.join(", ")
                ),
            ),
        ];
        for (text, want) in cases {
            assert_eq!(parsed(&[text]), Err(want));
        }
        assert_eq!(
            parsed(&["core=1", "Core=2"]),
            Err("duplicate ulimit type: core".to_owned())
        );
    }
}
