//! Scheduling priority of threads.
//!
//! A server's other threads now and then need a fraction of a millisecond to answer a client; compute threads want every core all the time.
//! At equal priority an answer would wait for one or more time slices, so compute threads get a lower one. If no other thread wants a core,
//! that costs them nothing. Invariant: a thread's priority is only ever lowered, because raising it again requires privileges.
//!
//! On Linux this raises the thread's niceness, which its child threads inherit. On macOS it sets the quality of service to that of work
//! which a user follows with a progress bar. On other systems it does nothing.

/// The increase in niceness: Linux gives such a thread a tenth of the time of a normal thread that wants the same core, and runs the normal
/// thread first whenever it wakes up.
#[cfg(target_os = "linux")]
const NICENESS: libc::c_int = 10;

/// The scheduling priority of a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// The system's default.
    #[default]
    Usual,
    /// Lower than that of other threads.
    Low,
}

impl Priority {
    /// Gives this priority to the calling thread. [`Self::Usual`] changes nothing; nor does [`Self::Low`] on a system without priorities.
    pub fn take(self) {
        match self {
            Self::Usual => {}
            Self::Low => lower(),
        }
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
fn lower() {
    // SAFETY: it takes no pointers. The kernel keeps niceness per thread, so only the caller's changes.
    let _lowest_already = unsafe { libc::nice(NICENESS) };
}

#[cfg(all(target_os = "macos", not(miri)))]
fn lower() {
    // SAFETY: it takes no pointers, and changes only the calling thread.
    let _refused = unsafe { libc::pthread_set_qos_class_self_np(libc::qos_class_t::QOS_CLASS_UTILITY, 0) };
}

#[cfg(any(miri, not(any(target_os = "linux", target_os = "macos"))))]
fn lower() {}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::{collections::BTreeSet, fs, sync::Mutex, time::Duration};

    use super::*;
    use crate::runtime::Pool;

    /// The calling thread's niceness.
    fn niceness() -> i32 {
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
        // The name in brackets may contain spaces; niceness is the nineteenth field, the seventeenth behind the name.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_ascii_whitespace().nth(16).unwrap().parse().unwrap()
    }

    #[test]
    fn only_child_threads_inherit_a_lower_priority() {
        let before = niceness();
        let lower = (before + NICENESS).min(19);
        let seen = std::thread::spawn(|| {
            Priority::Usual.take();
            let usual = niceness();
            Priority::Low.take();
            (usual, niceness(), std::thread::spawn(niceness).join().unwrap())
        });
        assert_eq!(seen.join().unwrap(), (before, lower, lower));
        assert_eq!(niceness(), before);
    }

    #[test]
    fn all_workers_of_a_pool_get_its_priority() {
        let before = niceness();
        let pool = Pool::with_priority(4, Priority::Low);
        let seen = Mutex::new(BTreeSet::new());
        // The tasks take long enough that every thread gets some.
        pool.run(40, |_| {
            std::thread::sleep(Duration::from_millis(5));
            let is_ours = std::thread::current().name().is_some_and(|name| name.starts_with("kernel-"));
            seen.lock().unwrap().insert((is_ours, niceness()));
        });
        // The caller's niceness is unchanged.
        assert_eq!(seen.into_inner().unwrap(), BTreeSet::from([(false, before), (true, (before + NICENESS).min(19))]));
    }
}
