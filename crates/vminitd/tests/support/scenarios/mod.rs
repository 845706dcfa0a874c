//! What an agent does, wherever it runs.

pub(crate) mod exec;
pub(crate) mod files;
pub(crate) mod process;
pub(crate) mod set_up;
pub(crate) mod sockets;
pub(crate) mod stdio;
pub(crate) mod terminal;

/// Makes a test of each scenario; `$start` gives the guest, or `None` where there cannot be one.
macro_rules! scenarios {
    ($start:expr) => {
        $crate::support::scenarios::scenarios! {
            $start;
            exec: joins_the_container, ends_with_the_container, finds_programs_and_users;
            files: archives_and_single_files, copies_stay_in_their_root, file_calls, mounts;
            process: exit_statuses, programs_that_cannot_run, signals, life_cycle, orphans_are_reaped, limits;
            set_up: environment_and_directory, users_and_capabilities, paths_and_names, read_only_root, bind_mounts;
            stdio: input_comes_back, large_streams_are_complete, a_stalled_stream_holds_nothing_else_up,
                a_background_process_keeps_only_its_stream, closing_standard_input,
                a_closed_stream_is_a_closed_pipe, no_streams_at_all;
            sockets: there_and_back;
            terminal: a_terminal_is_one, resizing;
        }
    };
    ($start:expr; $($module:ident: $($name:ident),*;)*) => {
        $(mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(guest) = $start.await {
                    $crate::support::scenarios::$module::$name(&guest).await;
                }
            })*
        })*
    };
}
pub(crate) use scenarios;
