//! How much more memory this program may have: of the machine, of its container, of its limits.

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes; none where nothing says so.
pub fn available() -> Option<usize> {
    let root = Path::new("/");
    let machine = machine(root).or_else(without_proc);
    [machine, container(root), limits(root)]
        .into_iter()
        .flatten()
        .min()
}

/// What Linux could hand out without swapping.
fn machine(root: &Path) -> Option<usize> {
    let report = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let mut lines = report.lines();
    let line = lines.find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kilobytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// The limits of the control groups that this program is in: version 2, where each folder above has
/// one too, and version 1. A container sees its own group as the root.
fn container(root: &Path) -> Option<usize> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let rooms = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let path = path.trim_start_matches('/');
        let (mount, names): (_, [&str; 2]) = match controllers {
            "" => ("sys/fs/cgroup", ["memory.max", "memory.current"]),
            other if other.split(',').any(|c| c == "memory") => (
                "sys/fs/cgroup/memory",
                ["memory.limit_in_bytes", "memory.usage_in_bytes"],
            ),
            _ => return None,
        };
        above(&root.join(mount), path)
            .filter_map(|dir| group(&dir, names))
            .min()
    });
    rooms.min()
}

/// The folder `path` in `mount`, and those above it up to `mount`.
fn above(mount: &Path, path: &str) -> impl Iterator<Item = PathBuf> {
    let dirs: Vec<_> = Path::new(path)
        .ancestors()
        .map(|dir| mount.join(dir))
        .collect();
    dirs.into_iter()
}

/// The room of one group: its limit, less what it uses and could not give up (files in the cache it
/// could).
fn group(dir: &Path, [limit, usage]: [&str; 2]) -> Option<usize> {
    let number = |name: &str| -> Option<usize> {
        fs::read_to_string(dir.join(name)).ok()?.trim().parse().ok()
    };
    let (limit, usage) = (number(limit)?, number(usage)?);
    let stat = fs::read_to_string(dir.join("memory.stat")).unwrap_or_default();
    let cache = ["total_inactive_file ", "inactive_file "]
        .into_iter()
        .find_map(|name| {
            let line = stat.lines().find_map(|line| line.strip_prefix(name))?;
            line.parse::<usize>().ok()
        });
    let used = usage.saturating_sub(cache.unwrap_or_default());
    Some(limit.saturating_sub(used))
}

/// What `ulimit -v` and `ulimit -d` leave.
#[cfg(unix)]
fn limits(root: &Path) -> Option<usize> {
    // Pages: of all addresses, and of data.
    let pages = fs::read_to_string(root.join("proc/self/statm")).unwrap_or_default();
    let held = |field: usize| {
        let pages = pages
            .split(' ')
            .nth(field)
            .and_then(|n| n.parse::<usize>().ok());
        pages.map_or(UNKNOWN, |pages| pages.saturating_mul(page()))
    };
    let room = |resource, field| Some(limit(resource)?.saturating_sub(held(field)));
    let rooms = [room(libc::RLIMIT_AS, 0), room(libc::RLIMIT_DATA, 5)];
    rooms.into_iter().flatten().min()
}

/// What the program holds from its start, where nothing says how much.
#[cfg(unix)]
const UNKNOWN: usize = 30 << 20;

/// A limit that the shell has set.
#[cfg(unix)]
fn limit(resource: Resource) -> Option<usize> {
    let mut limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: a resource that there is, and memory that outlives the call.
    #[allow(unsafe_code)]
    let asked = unsafe { libc::getrlimit(resource, &mut limit) };
    let limited = asked == 0 && limit.rlim_cur != libc::RLIM_INFINITY;
    limited.then(|| usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX))
}

/// As the C library names them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
type Resource = libc::__rlimit_resource_t;
#[cfg(all(unix, not(all(target_os = "linux", target_env = "gnu"))))]
type Resource = libc::c_int;

/// Whether one of them is set. Then the system's own allocator is at work.
#[cfg(unix)]
pub fn addresses_are_limited() -> bool {
    [libc::RLIMIT_AS, libc::RLIMIT_DATA].map(limit) != [None, None]
}

#[cfg(not(unix))]
pub fn addresses_are_limited() -> bool {
    false
}

#[cfg(unix)]
fn page() -> usize {
    // SAFETY: asks and changes nothing.
    #[allow(unsafe_code)]
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

/// What Linux says without its files: of the cache it names only the buffers.
#[cfg(target_os = "linux")]
fn without_proc() -> Option<usize> {
    // SAFETY: plain numbers, for which zero is a value.
    #[allow(unsafe_code)]
    let mut info: libc::sysinfo = unsafe { std::mem::zeroed() };
    // SAFETY: memory that outlives the call.
    #[allow(unsafe_code)]
    let asked = unsafe { libc::sysinfo(&mut info) };
    let free = (info.freeram as usize).saturating_add(info.bufferram as usize);
    (asked == 0).then(|| free.saturating_mul(info.mem_unit as usize))
}

#[cfg(not(target_os = "linux"))]
fn without_proc() -> Option<usize> {
    None
}

#[cfg(not(unix))]
fn limits(_: &Path) -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system of these files.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_machine_says_what_is_available() {
        let root = system(&[("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:      7 kB\n")]);
        assert_eq!(machine(root.path()), Some(7168));
        assert_eq!(machine(system(&[]).path()), None);
    }

    #[test]
    fn the_tightest_group_above_counts() {
        let root = system(&[
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/memory.max", "1000\n"),
            ("sys/fs/cgroup/a/memory.current", "900\n"),
            ("sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 300\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/b/memory.current", "9\n"),
        ]);
        assert_eq!(container(root.path()), Some(400));
    }

    #[test]
    fn a_container_sees_its_group_as_the_root() {
        let root = system(&[
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "500\n"),
            ("sys/fs/cgroup/memory.current", "100\n"),
        ]);
        assert_eq!(container(root.path()), Some(400));
    }

    #[test]
    fn version_1_has_a_folder_for_memory() {
        let root = system(&[
            ("proc/self/cgroup", "7:cpu:/x\n4:memory:/job\n0::/\n"),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "5\n"),
            ("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "800\n"),
            ("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "600\n"),
            (
                "sys/fs/cgroup/memory/job/memory.stat",
                "total_inactive_file 50\n",
            ),
        ]);
        assert_eq!(container(root.path()), Some(250));
    }

    #[test]
    fn without_limits_there_are_none() {
        let root = system(&[("proc/self/cgroup", "0::/\n")]);
        assert_eq!(container(root.path()), None);
        #[cfg(target_os = "linux")]
        assert!(without_proc().is_some_and(|free| free > 1 << 20));
    }
}
