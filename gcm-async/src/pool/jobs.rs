//! The jobs of a connection's task: it reads the responses that come over the connection, whoever waits for them.

use crate::bundle::Bundle;
use hyper::rt::Executor;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

/// Something that a connection's task does beside reading and writing.
pub(crate) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// To a connection's task. A job that it does not take, or does not finish, is dropped.
#[derive(Default)]
pub(crate) struct Jobs(Mutex<JobQueue>);

#[derive(Default)]
struct JobQueue {
    waiting: Vec<Job>,
    task: Option<Waker>,
    ended: bool,
}

/// The jobs that a connection's task has taken.
pub(super) struct RunningJobs {
    jobs: Arc<Jobs>,
    running: Bundle<Job>,
    /// Empty; kept for its capacity.
    taken: Vec<Job>,
}

/// Takes what hyper would have spawned, so that it runs in the connection's own task.
#[derive(Clone, Default)]
pub(super) struct LocalExecutor(Arc<Mutex<Vec<Job>>>);

impl Jobs {
    /// Hands a job to the connection's task.
    pub(crate) fn submit(&self, job: Job) {
        let mut queue = self.lock();
        if queue.ended {
            // What it drops may come back here.
            drop(queue);
            drop(job);
            return;
        }
        queue.waiting.push(job);
        let task = queue.task.take();
        drop(queue);
        if let Some(task) = task {
            task.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, JobQueue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunningJobs {
    pub(super) fn new(jobs: Arc<Jobs>) -> Self {
        Self {
            jobs,
            running: Bundle::new(),
            taken: Vec::new(),
        }
    }

    /// Takes what waits, and goes on with what is there. The task is woken for the next.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        loop {
            {
                let mut queue = self.jobs.lock();
                if queue.waiting.is_empty() {
                    if !queue.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
                        queue.task = Some(cx.waker().clone());
                    }
                } else {
                    std::mem::swap(&mut queue.waiting, &mut self.taken);
                }
            }
            let is_new = !self.taken.is_empty();
            self.taken.drain(..).for_each(|job| self.running.push(job));
            while self.running.poll_next(cx).is_some() {}
            if !is_new {
                return;
            }
        }
    }

    /// Takes nothing any more. What runs goes on as far as it gets without the connection.
    pub(super) fn end(&mut self) {
        let left = {
            let mut queue = self.jobs.lock();
            queue.ended = true;
            queue.task = None;
            std::mem::take(&mut queue.waiting)
        };
        drop(left);
        let mut cx = Context::from_waker(Waker::noop());
        while self.running.poll_next(&mut cx).is_some() {}
        self.running.clear();
    }
}

impl LocalExecutor {
    pub(super) fn swap(&self, other: &mut Vec<Job>) {
        std::mem::swap(&mut *self.lock(), other);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for LocalExecutor {
    fn execute(&self, job: F) {
        self.lock().push(Box::pin(job));
    }
}
