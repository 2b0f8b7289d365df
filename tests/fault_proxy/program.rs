//! The fault proxy as a program, for scripts.
//!
//! ```sh
//! cargo run --example fault_proxy -- --to 127.0.0.1:8333 [--listen 127.0.0.1:0] [--seed N] [RULE]...
//! ```
//!
//! Prints `listening on 127.0.0.1:PORT`. Each line on standard input takes the place of all rules so far; an empty
//! one is no rules. Ends when standard input does, with a line for each request on standard error.

#[path = "mod.rs"]
mod fault_proxy;

use std::io::BufRead as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use fault_proxy::{FaultProxy, Script, Setup};

const USAGE: &str = "usage: fault_proxy --to HOST:PORT [--listen 127.0.0.1:0] [--seed N] [RULE]...";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), String> {
    let (setup, script) = read(std::env::args().skip(1))?;
    let proxy = FaultProxy::start_with(setup).map_err(|error| format!("{}: {error}", setup.listen))?;
    proxy.set_script(script);
    println!("listening on {}", proxy.address());
    for line in std::io::stdin().lock().lines() {
        match line.map_err(|error| format!("standard input: {error}"))?.parse() {
            Ok(script) => proxy.set_script(script),
            Err(error) => eprintln!("{error}; the rules stay"),
        }
    }
    for entry in proxy.log() {
        eprintln!("{entry}");
    }
    eprintln!("{:?}", proxy.totals());
    Ok(())
}

fn read(mut arguments: impl Iterator<Item = String>) -> Result<(Setup, Script), String> {
    let (mut to, mut listen, mut seed) = (None, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), 0);
    let mut rules = Vec::new();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} what? {USAGE}"));
        match argument.as_str() {
            "--to" => to = Some(parse(&argument, &value()?)?),
            "--listen" => listen = parse(&argument, &value()?)?,
            "--seed" => seed = parse(&argument, &value()?)?,
            _ if argument.starts_with("--") => return Err(format!("{argument}? {USAGE}")),
            _ => rules.push(argument),
        }
    }
    let to = to.ok_or(USAGE)?;
    let script = rules.join("\n").parse().map_err(|error| format!("{error} of the rules"))?;
    Ok((Setup { to, listen, seed }, script))
}

fn parse<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} {value}? {USAGE}"))
}
