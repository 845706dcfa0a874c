//! `--dns`, `--dns-domain`, `--dns-search`, `--dns-option`, `--no-dns` (behaviour.md 9.17).

use container_resource::DnsConfiguration;

use crate::flags::dns::DnsFlags;

/// What goes into `/etc/resolv.conf`; `None` leaves the file alone. `default_domain` is the configured one.
///
/// # Errors
/// `--no-dns` together with a setting: the text of a usage error.
pub fn parse(
    flags: &DnsFlags,
    no_dns: bool,
    default_domain: Option<&str>,
) -> Result<Option<DnsConfiguration>, String> {
    if !no_dns {
        return Ok(Some(DnsConfiguration {
            nameservers: flags.dns.clone(),
            domain: flags
                .dns_domain
                .clone()
                .or_else(|| default_domain.map(str::to_owned)),
            search_domains: flags.dns_search.clone(),
            options: flags.dns_option.clone(),
        }));
    }
    let given = !flags.dns.is_empty()
        || flags.dns_domain.is_some()
        || !flags.dns_search.is_empty()
        || !flags.dns_option.is_empty();
    if given {
        return Err(
            "--no-dns cannot be combined with --dns, --dns-domain, --dns-search or --dns-option".to_owned(),
        );
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(dns: &[&str], domain: Option<&str>) -> DnsFlags {
        DnsFlags {
            dns: dns.iter().map(|word| (*word).to_owned()).collect(),
            dns_domain: domain.map(str::to_owned),
            dns_option: Vec::new(),
            dns_search: Vec::new(),
        }
    }

    #[test]
    fn the_configured_domain_is_the_default() {
        let domain = |given| {
            parse(&flags(&[], given), false, Some("test"))
                .ok()
                .flatten()
                .and_then(|dns| dns.domain)
        };
        assert_eq!(domain(None).as_deref(), Some("test"));
        assert_eq!(domain(Some("mine")).as_deref(), Some("mine"));
    }

    #[test]
    fn no_dns_excludes_every_setting() {
        assert_eq!(parse(&flags(&[], None), true, Some("test")), Ok(None));
        assert!(parse(&flags(&["1.1.1.1"], None), true, None).is_err());
        assert!(parse(&flags(&[], Some("x")), true, None).is_err());
    }
}
