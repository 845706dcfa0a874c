//! The table that is redrawn, like that of `top`.

use std::io::{self, ErrorKind, IsTerminal};

use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{Signal as Caught, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use super::screen::Screen;
use super::{INTERVAL, Sample, Sampler};
use crate::error::{Failure, Outcome};
use crate::flags::values::ListFormat;
use crate::output;
use crate::output::list::Row;

/// Exit statuses of a process that SIGHUP and SIGQUIT ended.
const HUNG_UP: u8 = 129;
const QUIT: u8 = 131;

/// Shows samples until SIGINT or SIGTERM. On a terminal the table is redrawn on the alternate screen; elsewhere one
/// table follows the other. Errors after the first sample are shown, not fatal.
///
/// # Errors
/// The first sample fails, or the terminal is gone.
pub async fn watch(mut sampler: Sampler) -> Outcome {
    let mut ends = Ends::catch().map_err(|error| broken(&error))?;
    // What is wrong from the start is told on the ordinary screen.
    let mut text = tokio::select! {
        samples = sampler.sample() => table(&samples?),
        status = ends.next() => return Ok(status),
    };
    if !io::stdout().is_terminal() {
        return print_on(sampler, ends, text).await;
    }
    let mut window = signal(SignalKind::window_change()).map_err(|error| broken(&error))?;
    let mut stop = signal(SignalKind::from_raw(libc::SIGTSTP)).map_err(|error| broken(&error))?;
    let screen = Screen::enter().map_err(|error| broken(&error))?;
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once, and was the first sample's.
    ticks.tick().await;
    loop {
        screen.draw(&text).map_err(|error| broken(&error))?;
        tokio::select! {
            () = async {
                ticks.tick().await;
                text = next(&mut sampler, &text).await;
            } => {}
            status = ends.next() => return Ok(status),
            _ = window.recv() => {}
            _ = stop.recv() => {
                screen.suspend();
                // Catching SIGTSTP replaced what it does, which is this.
                let _ = kill_process(getpid(), Signal::STOP);
                screen.resume().map_err(|error| broken(&error))?;
            }
        }
    }
}

/// Prints one document per sample until SIGINT or SIGTERM. Errors after the first sample are told, not fatal.
///
/// # Errors
/// The first sample fails.
pub async fn stream(mut sampler: Sampler, format: ListFormat) -> Outcome {
    let mut ends = Ends::catch().map_err(|error| broken(&error))?;
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut first = true;
    loop {
        let samples = async {
            ticks.tick().await;
            sampler.sample().await
        };
        let samples = tokio::select! {
            samples = samples => samples,
            status = ends.next() => return Ok(status),
        };
        match samples {
            Ok(samples) => {
                let counters: Vec<_> = samples.iter().map(|sample| &sample.counters).collect();
                output::print(&output::list::encode(&counters, &samples, None, format));
            }
            Err(failure) if first => return Err(failure),
            Err(failure) => output::print_error(&message(&failure)),
        }
        first = false;
    }
}

/// One table after the other, with an empty line between them.
async fn print_on(mut sampler: Sampler, mut ends: Ends, first: String) -> Outcome {
    output::print(&first);
    loop {
        let samples = async {
            tokio::time::sleep(INTERVAL).await;
            sampler.sample().await
        };
        tokio::select! {
            samples = samples => match samples {
                Ok(samples) => output::print(&format!("\n{}", table(&samples))),
                Err(failure) => output::print_error(&message(&failure)),
            },
            status = ends.next() => return Ok(status),
        }
    }
}

/// The next table, or the one before with the error below it.
async fn next(sampler: &mut Sampler, before: &str) -> String {
    match sampler.sample().await {
        Ok(samples) => table(&samples),
        Err(failure) => {
            let table = before
                .split("\n\n")
                .next()
                .unwrap_or(before)
                .trim_end_matches('\n');
            format!("{table}\n\n{}\n", message(&failure))
        }
    }
}

fn table(samples: &[Sample]) -> String {
    let rows: Vec<Vec<String>> = samples.iter().map(Row::cells).collect();
    output::table::encode(Sample::HEADER, &rows)
}

fn message(failure: &Failure) -> String {
    match failure {
        Failure::Usage(text) | Failure::Error(text) => format!("Error: {text}"),
        Failure::Silent(status) => format!("Error: status {status}"),
    }
}

fn broken(error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe => Failure::Silent(141),
        _ => Failure::error(format!("failed to write to the terminal: {error}")),
    }
}

/// The signals that end the display, which must not leave the terminal as it is.
#[derive(Debug)]
struct Ends {
    interrupt: Caught,
    terminate: Caught,
    hangup: Caught,
    quit: Caught,
}

impl Ends {
    fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Waits until the user has seen enough; gives the exit status.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 0,
            _ = self.terminate.recv() => 0,
            _ = self.hangup.recv() => HUNG_UP,
            _ = self.quit.recv() => QUIT,
        }
    }
}
