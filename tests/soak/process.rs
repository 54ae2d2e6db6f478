//! What the kernel says of a process (proc(5)).

/// Memory and what is open.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// Memory in RAM, in KiB.
    pub rss_kib: u32,
    /// Open files and sockets.
    pub files: u32,
    /// Threads.
    pub threads: u32,
}

impl Process {
    /// Of the process with this id.
    pub fn of(pid: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok()).unwrap_or_default()
        };
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        Self {
            rss_kib: value("VmRSS:"),
            files: u32::try_from(files).unwrap_or(u32::MAX),
            threads: value("Threads:"),
        }
    }
}
