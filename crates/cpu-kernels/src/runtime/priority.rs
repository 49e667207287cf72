//! How urgent a thread's work is to the system.
//!
//! A server's other threads answer people in a fraction of a millisecond, now and then; those that compute want every core, always. At
//! equal priority an answer would wait for a time slice or several, so those that compute go behind. Where nobody else wants a core they
//! lose nothing. The invariant: a thread goes down only, for to go up again wants privileges.
//!
//! On Linux a thread's niceness rises, which those that it starts inherit. On macOS its quality of service becomes that of work which
//! somebody waits for with a progress bar. On other systems nothing changes.

/// By how much niceness rises: Linux gives such a thread a tenth of the time that it gives to another one that wants the same core, and
/// lets that one go first whenever it wakes up.
#[cfg(target_os = "linux")]
const NICENESS: libc::c_int = 10;

/// How urgent a thread's work is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// As urgent as any other thread's.
    #[default]
    Usual,
    /// Less urgent than other threads'.
    Low,
}

impl Priority {
    /// Gives this priority to the calling thread. [`Self::Usual`] changes nothing; nor does a system that has no such thing.
    pub fn take(self) {
        match self {
            Self::Usual => {}
            Self::Low => lower(),
        }
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
fn lower() {
    // SAFETY: it takes no pointers. The kernel keeps niceness by thread, and that of the caller is what changes.
    let _lowest_already = unsafe { libc::nice(NICENESS) };
}

#[cfg(all(target_os = "macos", not(miri)))]
fn lower() {
    // SAFETY: it takes no pointers, and changes the calling thread alone.
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
        // The name in brackets may hold spaces; niceness is the nineteenth field, the seventeenth behind it.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_ascii_whitespace().nth(16).unwrap().parse().unwrap()
    }

    #[test]
    fn a_thread_that_goes_down_takes_its_own_with_it_and_no_other() {
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
    fn all_workers_of_a_pool_go_down() {
        let before = niceness();
        let pool = Pool::with_priority(4, Priority::Low);
        let seen = Mutex::new(BTreeSet::new());
        // Long enough tasks that every thread takes some.
        pool.run(40, |_| {
            std::thread::sleep(Duration::from_millis(5));
            let is_ours = std::thread::current().name().is_some_and(|name| name.starts_with("kernel-"));
            seen.lock().unwrap().insert((is_ours, niceness()));
        });
        // The caller is as it was.
        assert_eq!(seen.into_inner().unwrap(), BTreeSet::from([(false, before), (true, (before + NICENESS).min(19))]));
    }
}
