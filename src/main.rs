//! The doorbell: everything happens in the library.
fn main() -> std::process::ExitCode {
    reeltop::cli::main()
}
