//! `container volume create`: create a volume.

use std::collections::BTreeMap;

use clap::Args;
use container_client::api::VolumeCreateRequest;

use crate::error::Outcome;
use crate::output;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container volume create`.
#[derive(Args, Debug, Clone)]
pub struct Create {
    /// Label.
    #[arg(long, value_name = "label", help = "Label: key[=value]")]
    pub label: Vec<String>,
    /// Driver option.
    #[arg(
        long,
        value_name = "opt",
        help = "Driver option: size=<size> | journal=<writeback|ordered|journal>[:<size>]"
    )]
    pub opt: Vec<String>,
    /// Size.
    #[arg(short = 's', value_name = "s")]
    pub size: Option<String>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Name.
    #[arg(value_name = "name")]
    pub name: String,
}

impl Create {
    pub(super) async fn run(self) -> Outcome {
        let mut options = pairs(&self.opt);
        options.extend(self.size.map(|size| ("size".to_owned(), size)));
        let request = VolumeCreateRequest {
            volume_name: self.name,
            volume_driver_opts: options,
            volume_labels: pairs(&self.label),
        };
        let api = Services::from_environment()?.api().await?;
        let volume = api.create_volume(request).await?;
        output::print_line(&volume.id);
        Ok(0)
    }
}

/// Keys and values (behaviour reference, 9.8): the first `=` splits, and without one the value is empty.
fn pairs(texts: &[String]) -> BTreeMap<String, String> {
    let pair = |text: &String| {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        (key.to_owned(), value.to_owned())
    };
    texts.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sign_splits() {
        let pairs = pairs(&["a=b=c".to_owned(), "bare".to_owned(), "a=later".to_owned()]);
        let expected = [("a", "later"), ("bare", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(pairs, BTreeMap::from(expected));
    }
}
