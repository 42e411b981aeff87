//! The tasks of a host's connections, which end with it.

use std::sync::{Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// The tasks of a host's connections, on whichever runtimes they are. Dropped, it ends them.
#[derive(Default)]
pub(crate) struct ConnectionTasks(Mutex<Vec<JoinHandle<()>>>);

impl ConnectionTasks {
    /// A runtime that has ended drops the task at once, so nothing may be locked here that it needs.
    pub(super) fn spawn_on(&self, runtime: &Handle, task: impl Future<Output = ()> + Send + 'static) {
        let task = runtime.spawn(task);
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
    }

    pub(super) fn take(&self) -> Self {
        let tasks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Self(Mutex::new(tasks))
    }

    /// Waits until all have ended. On a runtime that nobody drives they do not.
    pub(crate) async fn ended(&mut self) {
        for task in self.0.get_mut().unwrap_or_else(PoisonError::into_inner) {
            let _ = task.await;
        }
    }
}

impl Drop for ConnectionTasks {
    fn drop(&mut self) {
        for task in self.0.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}
