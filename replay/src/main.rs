//! `bg-replay`: list, play, verify and export tapes.

fn main() -> std::process::ExitCode {
    bg_replay::run()
}
