//! Which containers a list shows (behaviour reference, 27.3).

use container_client::api::ContainerFilter;
use container_ipc::Error;
use container_resource::ContainerSnapshot;
use regex::Regex;

/// A filter ready to be used.
#[derive(Debug)]
pub(super) struct Filter {
    filter: ContainerFilter,
    labels: Vec<(String, Regex)>,
}

impl Filter {
    /// Prepares `filter`, whose label values are regular expressions that have to match a label as a whole.
    ///
    /// # Errors
    /// `failed to compile regex '<pattern>' for <label>`.
    pub(super) fn new(filter: ContainerFilter) -> Result<Self, Error> {
        let compile = |(label, pattern): (&String, &String)| {
            let regex = Regex::new(&format!("^(?:{pattern})$")).map_err(|_| {
                Error::invalid_argument(format!("failed to compile regex '{pattern}' for {label}"))
            })?;
            Ok((label.clone(), regex))
        };
        let labels = filter.labels.iter().map(compile).collect::<Result<_, Error>>()?;
        Ok(Self { filter, labels })
    }

    /// Whether `container` passes.
    pub(super) fn passes(&self, container: &ContainerSnapshot) -> bool {
        let Self { filter, labels } = self;
        (filter.ids.is_empty() || filter.ids.contains(&container.id))
            && filter.status.is_none_or(|state| container.status.state == state)
            && labels.iter().all(|(label, regex)| {
                container
                    .configuration
                    .labels
                    .get(label)
                    .is_some_and(|value| regex.is_match(value))
            })
    }
}
