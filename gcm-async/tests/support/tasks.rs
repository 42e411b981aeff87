//! Tasks that end when their owner is dropped.

use hyper::rt::Executor;
use std::future::Future;
use std::sync::{Arc, Mutex};
use tokio::task::JoinSet;

/// Tasks of one owner.
pub struct Tasks(Spawner);

/// Starts tasks for it.
#[derive(Clone)]
pub struct Spawner(Arc<Mutex<Option<JoinSet<()>>>>);

impl Tasks {
    pub fn new() -> Self {
        Self(Spawner(Arc::new(Mutex::new(Some(JoinSet::new())))))
    }

    pub fn spawner(&self) -> Spawner {
        self.0.clone()
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        let tasks = self.0.0.lock().unwrap().take();
        drop(tasks);
    }
}

impl Spawner {
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = &mut *self.0.lock().unwrap() {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }
}

impl<F> Executor<F> for Spawner
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.spawn(async move {
            task.await;
        });
    }
}
