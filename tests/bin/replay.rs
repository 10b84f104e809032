//! `bg-replay`, where the test suite can find it.

fn main() -> std::process::ExitCode {
    bg_replay::run()
}
