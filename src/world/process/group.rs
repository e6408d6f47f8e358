//! Who is left in a process group.

use rustix::process::Pid;

use crate::error::Result;

/// Whether others than its leader are left in a group, or may be. Only Linux can tell; elsewhere
/// there are none.
#[cfg(target_os = "linux")]
pub(super) async fn has_others(leader: Pid) -> Result<bool> {
    // There may be thousands of processes to look at.
    crate::threads::to_thread(move || is_there_another(leader.as_raw_pid())).await
}

#[cfg(not(target_os = "linux"))]
pub(super) async fn has_others(_: Pid) -> Result<bool> {
    Ok(false)
}

#[cfg(target_os = "linux")]
fn is_there_another(leader: i32) -> bool {
    let processes = match std::fs::read_dir("/proc") {
        Ok(processes) => processes,
        // There is no `/proc`. Otherwise, as without descriptors, there may be others.
        Err(error) => return error.kind() != std::io::ErrorKind::NotFound,
    };
    processes.flatten().any(|process| {
        let id = process.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        id.is_some_and(|id| id != leader)
            && std::fs::read_to_string(process.path().join("stat"))
                .is_ok_and(|stat| is_alive_in(&stat, leader))
    })
}

/// Whether a line of `/proc/…/stat` is that of a process in this group that has not ended.
#[cfg(target_os = "linux")]
fn is_alive_in(stat: &str, group: i32) -> bool {
    // The second field is the program's name in brackets, which may contain anything.
    let Some((_, fields)) = stat.rsplit_once(')') else { return false };
    let mut fields = fields.split_ascii_whitespace();
    let (state, group_field) = (fields.next(), fields.nth(1));
    !matches!(state, None | Some("Z" | "X"))
        && group_field.and_then(|field| field.parse().ok()) == Some(group)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::is_alive_in;

    #[test]
    fn w03_a_line_of_proc_says_whose_group_a_process_is_in() {
        assert!(is_alive_in("12 (sh) S 1 10 10 0", 10));
        assert!(is_alive_in("12 (odd) Z 1 2 (name) R 1 10 10 0", 10));
        assert!(!is_alive_in("12 (sh) Z 1 10 10 0", 10), "it has ended");
        assert!(!is_alive_in("12 (sh) S 1 11 10 0", 10), "it is in another group");
        assert!(!is_alive_in("", 10));
    }
}
