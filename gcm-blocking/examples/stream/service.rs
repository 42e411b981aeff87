//! Service to send to where none is named: the emulator in another process.

use crate::print;
use gcm_async::emulator::EmulatorServer;
use gcm_proto::emulator::{Emulator, Script};
use std::env;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// The argument by which this program is the emulator.
pub(crate) const SERVE: &str = "--serve";

/// The emulator in another process, so that its memory is not counted here. It ends with this one.
pub(crate) struct Service(Child);

impl Service {
    pub(crate) fn start() -> Result<(Self, String), String> {
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.arg(SERVE).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out)
                .read_line(&mut line)
                .map_err(|error| error.to_string())?;
        }
        match line.trim() {
            "" => Err("the emulator did not start".to_owned()),
            url => Ok((Self(child), url.to_owned())),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The other process: serves until its input ends.
pub(crate) fn serve() -> Result<(), String> {
    // A terminal sends Ctrl-C to this process too: what is on its way is still answered.
    ctrlc::set_handler(|| {}).map_err(|error| format!("Ctrl-C cannot be caught: {error}"))?;
    let emulator = Emulator::new(Script::new()).log_at_most(0);
    let server = EmulatorServer::start_blocking(emulator, "127.0.0.1:0").map_err(|error| error.to_string())?;
    print(&server.endpoint().to_string())?;
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    Ok(())
}
