//! Memory that instances may take: a bound for each, and one budget for all of them together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::ResourceLimiter;

use crate::component::MAX_INSTANCE_MEMORY;

/// Memory that every instance may have without drawing on the budget.
const FREE_BYTES: usize = 2 << 20;

/// The process-wide budget, in bytes.
pub(crate) struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    /// A budget of so many bytes.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0) })
    }

    /// Half of what the cgroup or the machine allows; 512 MiB where neither can be read.
    pub(crate) fn automatic() -> usize {
        let cgroup = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
            .iter()
            .filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<usize>().ok())
            .next();
        let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
            line.split_whitespace().nth(1)?.parse::<usize>().ok()?.checked_mul(1024)
        });
        match (cgroup, machine) {
            (Some(cgroup), Some(machine)) => cgroup.min(machine) / 2,
            (Some(one), None) | (None, Some(one)) => one / 2,
            (None, None) => 512 << 20,
        }
    }

    /// How many instances the budget lets run at once: each may come to its own bound.
    pub(crate) fn permits(limit: usize) -> usize {
        (limit / MAX_INSTANCE_MEMORY).clamp(4, 256)
    }

    /// Bytes drawn now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes that may be drawn in all.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    fn draw(&self, bytes: usize) -> bool {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= self.limit)
            })
            .is_ok()
    }
}

/// The instance wanted more than one instance may have.
#[derive(Debug, thiserror::Error)]
#[error("the instance is over its own memory bound")]
pub(crate) struct OverLimit;

/// All instances together want more than the process may give.
#[derive(Debug, thiserror::Error)]
#[error("the memory budget of all instances is used up")]
pub(crate) struct BudgetExhausted;

/// The bounds of one store. What it drew goes back when it is dropped.
pub(crate) struct Limiter {
    budget: Arc<Budget>,
    memory: usize,
    drawn: usize,
}

impl Limiter {
    /// For one store.
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self { budget: budget.clone(), memory: 0, drawn: 0 }
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.drawn, Ordering::Relaxed);
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _max: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total > MAX_INSTANCE_MEMORY {
            return Err(OverLimit.into());
        }
        let wanted = total.saturating_sub(FREE_BYTES);
        let more = wanted.saturating_sub(self.drawn);
        if more > 0 {
            if !self.budget.draw(more) {
                return Err(BudgetExhausted.into());
            }
            self.drawn = wanted;
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _max: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= 10_000)
    }

    fn instances(&self) -> usize {
        32
    }

    fn tables(&self) -> usize {
        32
    }

    fn memories(&self) -> usize {
        4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_draws_on_the_budget_and_gives_back() {
        let budget = Budget::new(8 << 20);
        let mut one = Limiter::new(&budget);
        assert!(one.memory_growing(0, 2 << 20, None).unwrap());
        assert_eq!(budget.used(), 0, "the first two mebibytes are free");
        assert!(one.memory_growing(2 << 20, 10 << 20, None).unwrap());
        assert_eq!(budget.used(), 8 << 20);
        let mut two = Limiter::new(&budget);
        let error = two.memory_growing(0, 3 << 20, None).unwrap_err();
        assert!(error.is::<BudgetExhausted>());
        drop(one);
        assert_eq!(budget.used(), 0);
        assert!(two.memory_growing(0, 3 << 20, None).unwrap());
    }

    #[test]
    fn one_instance_has_a_bound_of_its_own() {
        let budget = Budget::new(1 << 30);
        let mut one = Limiter::new(&budget);
        assert!(one.memory_growing(0, MAX_INSTANCE_MEMORY + 1, None).unwrap_err().is::<OverLimit>());
    }
}
