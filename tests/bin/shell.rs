//! `bg-shell`, where the test suite can find it.

fn main() -> std::process::ExitCode {
    bg_broker::run(std::env::args_os())
}
