//! The names of events. It decides nothing about when one is written.

/// What a line is about: three events that the guest causes, and those of the log itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A tool call: its intent (`status` is `pending`) or its outcome, joined by `ticket`.
    ToolInvocation,
    /// A refusal.
    AccessDenied,
    /// Anything else that a security person wants to know.
    SecurityEvent,
    /// The log was opened by a process; at `seq` 1 it is the beginning of the log.
    LogOpen,
    /// The process stopped in good order.
    LogClose,
    /// Un-acknowledged bytes were cut off, or writing works again after an error other than a full disk.
    Recovery,
    /// Last line of a segment that was closed in good order.
    SegmentClose,
    /// First line of every segment but the first.
    SegmentOpen,
    /// More of the open tickets that `segment_open` begins to name; follows it at once.
    OpenTickets,
    /// The wall clock went backwards since the line before.
    ClockStep,
    /// The volume is full, or was until now.
    AuditDiskFull,
    /// Too little, or enough again, is free on the volume for changes.
    AuditSpace,
    /// Entries that nobody waited for could not be kept.
    LinesLost,
    /// A tool call whose outcome was never recorded, found when the log was opened.
    OutcomeUnknown,
    /// Another key signs the checkpoints from here on.
    KeyHandover,
}

impl Event {
    /// Every event, in the order of the documentation.
    pub const ALL: [Self; 15] = [
        Self::ToolInvocation,
        Self::AccessDenied,
        Self::SecurityEvent,
        Self::LogOpen,
        Self::LogClose,
        Self::Recovery,
        Self::SegmentClose,
        Self::SegmentOpen,
        Self::OpenTickets,
        Self::ClockStep,
        Self::AuditDiskFull,
        Self::AuditSpace,
        Self::LinesLost,
        Self::OutcomeUnknown,
        Self::KeyHandover,
    ];

    /// The name in the `event` member.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ToolInvocation => "tool_invocation",
            Self::AccessDenied => "access_denied",
            Self::SecurityEvent => "security_event",
            Self::LogOpen => "log_open",
            Self::LogClose => "log_close",
            Self::Recovery => "recovery",
            Self::SegmentClose => "segment_close",
            Self::SegmentOpen => "segment_open",
            Self::OpenTickets => "open_tickets",
            Self::ClockStep => "clock_step",
            Self::AuditDiskFull => "audit_disk_full",
            Self::AuditSpace => "audit_space",
            Self::LinesLost => "lines_lost",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::KeyHandover => "key_handover",
        }
    }

    /// The event of that name; none for a name of a later version, which a verifier accepts.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }
}
