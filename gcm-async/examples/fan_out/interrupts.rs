//! `Interrupts` decides what Ctrl-C does: the first two are heard where the send is, the third ends the process.

use super::INTERRUPTED;
use tokio::signal::ctrl_c;
use tokio::sync::mpsc;

/// Those that are heard.
const HEARD: usize = 2;

pub(crate) struct Interrupts(mpsc::Receiver<()>);

impl Interrupts {
    /// From here on the process does not end by the first.
    pub(crate) fn listen() -> Self {
        let (press, pressed) = mpsc::channel(HEARD);
        tokio::spawn(async move {
            let mut count = 0;
            while ctrl_c().await.is_ok() {
                count += 1;
                // Whoever should hear it may be waiting for a pipe that nobody reads.
                if count > HEARD {
                    eprintln!("stopped at once: outcomes that were not written yet are lost");
                    std::process::exit(INTERRUPTED.into());
                }
                let _ = press.try_send(());
            }
        });
        Self(pressed)
    }

    pub(crate) async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
