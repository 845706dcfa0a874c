//! `container events`: print what happens to containers, one JSON object per line. Apple's tool has no such command.

use clap::Args;
use container_resource::event::{Action, Event};
use container_resource::time::Timestamp;
use tokio::time::timeout;

use crate::error::{Failure, Outcome};
use crate::output;
use crate::parse::moment;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// The actions, for messages.
const ACTIONS: [Action; 9] = [
    Action::Create,
    Action::Start,
    Action::Die,
    Action::Destroy,
    Action::Pause,
    Action::Unpause,
    Action::Rename,
    Action::Update,
    Action::HealthStatus,
];

/// Arguments of `container events`.
#[derive(Args, Debug, Clone)]
pub struct Events {
    /// Only some events.
    #[arg(
        long,
        value_name = "filter",
        help = "Only some events: container=<id> or event=<action>; several of one kind widen the choice"
    )]
    pub filter: Vec<String>,
    /// Also what has happened since.
    #[arg(
        long,
        value_name = "time",
        help = "Also what has happened since then: a date and time, seconds since 1970, or how long ago (10m, 1h30m)"
    )]
    pub since: Option<String>,
    /// End there instead of waiting for ever.
    #[arg(long, value_name = "time", help = "End then instead of waiting for ever")]
    pub until: Option<String>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl Events {
    pub(super) async fn run(self) -> Outcome {
        let now = Timestamp::now();
        let filter = Filter::parse(&self.filter)?;
        let moment = |option, text: &Option<String>| {
            let parse = |text: &String| moment::parse(option, text, now);
            text.as_ref().map(parse).transpose()
        };
        let since = moment("--since", &self.since)?.unwrap_or(now);
        let until = moment("--until", &self.until)?;
        let api = Services::from_environment()?.api().await?;
        let mut reply = api.events(None).await?;
        loop {
            for event in &reply.events {
                let in_time = event.time >= since && until.is_none_or(|until| event.time < until);
                if in_time && filter.passes(event) {
                    output::print_line(&output::json::compact(event));
                }
            }
            let more = api.events(Some(reply.seen));
            reply = match until {
                None => more.await?,
                Some(until) => {
                    let left = until
                        .duration_since(Timestamp::now())
                        .try_into()
                        .unwrap_or_default();
                    match timeout(left, more).await {
                        Ok(reply) => reply?,
                        Err(_) => return Ok(0),
                    }
                }
            };
        }
    }
}

/// Which events are shown; everything without conditions.
#[derive(Debug, Default)]
struct Filter {
    containers: Vec<String>,
    actions: Vec<Action>,
}

impl Filter {
    fn parse(texts: &[String]) -> Result<Self, Failure> {
        let mut filter = Self::default();
        for text in texts {
            match text.split_once('=') {
                Some(("container", id)) => filter.containers.push(id.to_owned()),
                Some(("event", name)) => {
                    let action = ACTIONS.into_iter().find(|action| action.name() == name);
                    filter.actions.push(action.ok_or_else(|| {
                        let names = ACTIONS.map(Action::name).join(", ");
                        Failure::error(format!("unknown event '{name}': expected one of {names}"))
                    })?);
                }
                _ => {
                    return Err(Failure::error(format!(
                        "invalid filter '{text}': expected container=<id> or event=<action>"
                    )));
                }
            }
        }
        Ok(filter)
    }

    fn passes(&self, event: &Event) -> bool {
        (self.containers.is_empty() || self.containers.contains(&event.id))
            && (self.actions.is_empty() || self.actions.contains(&event.action))
    }
}
