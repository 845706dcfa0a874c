use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

/// The pause after the first attempt, which every further one doubles.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// Time that one attempt has: the framework says nothing of a guest that does not answer.
const ATTEMPT: Duration = Duration::from_secs(1);

/// Attempts until one succeeds. The framework does not tell when the guest begins to listen on a port, and refuses
/// until then; so this asks again, at short intervals. The last refusal is the error.
pub(super) async fn dial<T, E, F>(mut attempt: impl FnMut() -> F, deadline: Instant) -> Result<T, Option<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut pause = SHORTEST_PAUSE;
    let mut refusal = None;
    loop {
        let limit = deadline.min(Instant::now() + ATTEMPT);
        match timeout_at(limit, attempt()).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => refusal = Some(error),
            Err(_) => {}
        }
        let next = Instant::now() + pause;
        if next >= deadline {
            return Err(refusal);
        }
        sleep_until(next).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_guest_that_boots_is_reached_soon_after_it_listens() {
        let begun = Instant::now();
        let listens = begun + Duration::from_millis(700);
        let mut attempts = 0;
        let attempt = || {
            attempts += 1;
            let listening = Instant::now() >= listens;
            std::future::ready(if listening { Ok(attempts) } else { Err("refused") })
        };
        let attempts = dial(attempt, begun + Duration::from_secs(40)).await.unwrap();
        assert!(
            begun.elapsed() <= Duration::from_millis(725),
            "{:?}",
            begun.elapsed()
        );
        assert!(attempts < 50, "{attempts}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_ends_it() {
        let begun = Instant::now();
        let result = dial(
            || std::future::ready(Err::<(), _>("refused")),
            begun + Duration::from_secs(10),
        )
        .await;
        assert_eq!(result, Err(Some("refused")));
        assert!(begun.elapsed() <= Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_without_an_answer_is_given_up() {
        let begun = Instant::now();
        let mut attempts = 0;
        let attempt = || {
            attempts += 1;
            let attempts = attempts;
            async move {
                if attempts < 3 {
                    std::future::pending::<()>().await;
                }
                Ok::<_, &str>(attempts)
            }
        };
        assert_eq!(dial(attempt, begun + Duration::from_secs(10)).await, Ok(3));
        let silent = dial(
            std::future::pending::<Result<(), &str>>,
            Instant::now() + ATTEMPT * 2,
        )
        .await;
        assert_eq!(silent, Err(None));
    }
}
