//! `container system dns list`: list resolver domains.

use clap::Args;

use super::platform;
use crate::error::Outcome;
use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;
use crate::output;
use crate::output::list::{Row, encode};

/// Arguments of `container system dns list`.
#[derive(Args, Debug, Clone)]
pub struct List {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// Names only.
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

/// A row of the table.
#[derive(Debug)]
struct Domain<'a>(&'a str);

impl List {
    pub(super) fn run(self) -> Outcome {
        let domains = platform::list()?;
        let rows: Vec<Domain<'_>> = domains.iter().map(|domain| Domain(domain)).collect();
        let names = self.quiet.then_some(domains.as_slice());
        output::print(&encode(&domains, &rows, names, self.format));
        Ok(0)
    }
}

impl Row for Domain<'_> {
    const HEADER: &'static [&'static str] = &["DOMAIN"];

    fn cells(&self) -> Vec<String> {
        vec![self.0.to_owned()]
    }
}
