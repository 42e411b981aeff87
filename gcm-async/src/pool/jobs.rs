//! `Jobs` decides who reads replies: the task of the connection they come over, whoever waits for them.

use crate::bundle::Bundle;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

/// Something that a connection's task does beside reading and writing.
pub(crate) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is to be run by a connection. A job that its task does not take, or does not finish, is dropped.
#[derive(Default)]
pub(crate) struct Jobs(Mutex<JobQueue>);

#[derive(Default)]
struct JobQueue {
    waiting: Vec<Job>,
    task: Option<Waker>,
    ended: bool,
}

/// The jobs of one connection.
pub(super) struct RunningJobs {
    jobs: Arc<Jobs>,
    running: Bundle<Job>,
    /// Empty; kept for its capacity.
    taken: Vec<Job>,
}

impl Jobs {
    /// Hands a job to the connection's task.
    pub(crate) fn submit(&self, job: Job) {
        let mut quay = self.lock();
        if quay.ended {
            // What it drops may come back here.
            drop(quay);
            drop(job);
            return;
        }
        quay.waiting.push(job);
        let task = quay.task.take();
        drop(quay);
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
                let mut quay = self.jobs.lock();
                if quay.waiting.is_empty() {
                    if !quay.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
                        quay.task = Some(cx.waker().clone());
                    }
                } else {
                    std::mem::swap(&mut quay.waiting, &mut self.taken);
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
            let mut quay = self.jobs.lock();
            quay.ended = true;
            quay.task = None;
            std::mem::take(&mut quay.waiting)
        };
        drop(left);
        let mut cx = Context::from_waker(Waker::noop());
        while self.running.poll_next(&mut cx).is_some() {}
        self.running.clear();
    }
}
