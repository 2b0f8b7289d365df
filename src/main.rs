//! The `tapeline` program. All of it is in the library's `cli`.

fn main() -> std::process::ExitCode {
    tapeline::cli::run()
}
