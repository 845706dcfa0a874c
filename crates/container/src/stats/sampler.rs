//! Reading the counters of many containers at once, so that one that hangs costs the others nothing.

use std::collections::HashMap;
use std::time::Duration;

use container_client::ApiClient;
use container_client::api::ContainerFilter;
use container_ipc::{Error, ErrorCode};
use container_resource::ContainerStatistics;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::{Sample, cpu_percent};
use crate::error::Failure;
use crate::services::Services;

/// The time from one sample to the next.
pub const INTERVAL: Duration = Duration::from_secs(2);
/// How long a sample waits for a container. One that answers later appears with its values in the next sample.
const PATIENCE: Duration = Duration::from_millis(1500);

/// What a container answered, and when.
type Answer = (Instant, Result<ContainerStatistics, Error>);

/// Samples the same containers again and again.
#[derive(Debug)]
pub struct Sampler {
    services: Services,
    api: Option<ApiClient>,
    /// The containers asked for; all running ones when there are none.
    ids: Vec<String>,
    /// Questions that are not answered yet. A container is not asked again before it has answered.
    asked: HashMap<String, JoinHandle<Answer>>,
    /// When the processor time of a container was last read, and how much it was.
    last: HashMap<String, (Instant, u64)>,
}

impl Sampler {
    /// Samples the containers `ids`, or all running ones.
    pub fn new(services: Services, ids: &[String]) -> Self {
        let mut unique: Vec<String> = Vec::new();
        for id in ids {
            if !unique.contains(id) {
                unique.push(id.clone());
            }
        }
        Self {
            services,
            api: None,
            ids: unique,
            asked: HashMap::new(),
            last: HashMap::new(),
        }
    }

    /// The running containers among those asked for, in their order. One that does not answer in time has an id only;
    /// one that ends meanwhile is left out.
    ///
    /// # Errors
    /// The server cannot be asked, or a container is not known.
    pub async fn sample(&mut self) -> Result<Vec<Sample>, Failure> {
        let api = self.connect().await?;
        let running = match self.running(&api).await {
            Ok(running) => running,
            Err(failure) => {
                // The next sample finds the server that took this one's place.
                self.api = None;
                return Err(failure);
            }
        };
        self.asked.retain(|id, _| running.contains(id));
        self.last.retain(|id, _| running.contains(id));
        for id in &running {
            let (api, of) = (api.clone(), id.clone());
            self.asked.entry(id.clone()).or_insert_with(|| {
                tokio::spawn(async move {
                    let answer = api.statistics(&of).await;
                    (Instant::now(), answer)
                })
            });
        }
        let deadline = Instant::now() + PATIENCE;
        let mut samples = Vec::new();
        for id in running {
            samples.extend(self.answer(id, deadline).await);
        }
        Ok(samples)
    }

    async fn connect(&mut self) -> Result<ApiClient, Failure> {
        if let Some(api) = &self.api {
            return Ok(api.clone());
        }
        Ok(self.api.insert(self.services.api().await?).clone())
    }

    async fn running(&self, api: &ApiClient) -> Result<Vec<String>, Failure> {
        let filter = ContainerFilter {
            ids: self.ids.clone(),
            ..ContainerFilter::default()
        };
        let containers = api.list(filter).await?;
        let known = |id: &String| containers.iter().any(|container| container.id == *id);
        if let Some(missing) = self.ids.iter().find(|id| !known(id)) {
            return Err(Failure::error(format!("no such container: {missing}")));
        }
        let running = containers
            .into_iter()
            .filter(|container| container.status.state.is_up());
        let mut ids: Vec<String> = running.map(|container| container.id).collect();
        ids.sort_by_key(|id| self.ids.iter().position(|wanted| wanted == id));
        Ok(ids)
    }

    /// What the container `id` answers before `deadline`.
    async fn answer(&mut self, id: String, deadline: Instant) -> Option<Sample> {
        let answered = match self.asked.get_mut(&id) {
            Some(question) => timeout_at(deadline, question).await,
            None => return None,
        };
        if answered.is_ok() {
            self.asked.remove(&id);
        }
        match answered {
            Ok(Ok((at, Ok(counters)))) => Some(self.measure(at, counters)),
            Ok(Ok((_, Err(error)))) if has_ended(&error) => None,
            _ => Some(Sample {
                counters: ContainerStatistics {
                    id,
                    ..ContainerStatistics::default()
                },
                cpu: None,
            }),
        }
    }

    /// Relates the processor time to that of the sample before, by the time that really went by between the two.
    fn measure(&mut self, at: Instant, counters: ContainerStatistics) -> Sample {
        let cpu = counters.cpu_usage_usec.and_then(|now| {
            let (before, then) = self.last.insert(counters.id.clone(), (at, now))?;
            // A counter that went back is that of a container which was started again.
            cpu_percent(now.checked_sub(then)?, at.duration_since(before))
        });
        Sample { counters, cpu }
    }
}

/// Whether `error` tells that the container does not run any more, at any depth: connections wrap what they pass on.
fn has_ended(error: &Error) -> bool {
    matches!(error.code, ErrorCode::InvalidState | ErrorCode::NotFound)
        || error.cause.as_deref().is_some_and(has_ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler() -> Sampler {
        let roots = container_config::Roots {
            app: "/nowhere".into(),
            install: "/nowhere".into(),
            log: None,
        };
        Sampler::new(
            Services { roots },
            &["b".to_owned(), "a".to_owned(), "b".to_owned()],
        )
    }

    fn used(microseconds: u64) -> ContainerStatistics {
        ContainerStatistics {
            id: "a".to_owned(),
            cpu_usage_usec: Some(microseconds),
            ..ContainerStatistics::default()
        }
    }

    #[test]
    fn processor_time_counts_by_the_measured_interval() {
        let (mut sampler, start) = (sampler(), Instant::now());
        assert_eq!(sampler.ids, ["b", "a"]);
        assert_eq!(sampler.measure(start, used(1_000_000)).cpu, None);
        let late = start + Duration::from_secs(4);
        assert_eq!(sampler.measure(late, used(3_000_000)).cpu, Some(50.0));
        let again = sampler.measure(late + INTERVAL, used(10));
        assert_eq!(again.cpu, None, "the container was started again");
    }

    #[tokio::test]
    async fn a_late_answer_is_not_lost_and_not_waited_for() {
        let mut sampler = sampler();
        let (answer, late) = tokio::sync::oneshot::channel();
        let question = tokio::spawn(async move { (Instant::now(), Ok(late.await.unwrap_or_default())) });
        sampler.asked.insert("a".to_owned(), question);
        let hung = sampler.answer("a".to_owned(), Instant::now()).await;
        assert_eq!(hung.map(|sample| sample.counters.cpu_usage_usec), Some(None));
        assert!(answer.send(used(7)).is_ok());
        let deadline = Instant::now() + Duration::from_secs(10);
        let answered = sampler.answer("a".to_owned(), deadline).await;
        assert_eq!(answered.map(|sample| sample.counters), Some(used(7)));
        assert!(sampler.asked.is_empty());
    }

    #[test]
    fn ends_are_told_from_faults() {
        let ended = Error::invalid_state("no runtime client exists: container is stopped");
        assert!(has_ended(&ended.wrap("failed to get statistics for container a")));
        assert!(!has_ended(
            &Error::timeout("the guest agent does not answer").wrap("failed")
        ));
    }
}
