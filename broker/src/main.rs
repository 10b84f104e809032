//! `bg-shell`: a recorded break-glass shell.

fn main() -> std::process::ExitCode {
    bg_broker::run(std::env::args_os())
}
