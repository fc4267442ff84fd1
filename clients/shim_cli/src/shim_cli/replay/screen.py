"""A replay as people see it: a bar that grows, what a kill left behind, and the figures at the end."""

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from shim_cli.output import plain
from shim_cli.replay.recording import Recording
from shim_cli.replay.report import ReplayReport
from shim_common.contracts.sessions import PendingCall, Recovery
from shim_transcripts import ReadReport

ESSENTIALS = 2000
"""Characters at the head of a bundle that hold what matters most."""


class Screen:
    """Shows a replay on a console. On one that is no terminal there is no bar."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "Screen":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def started(self, recording: Recording, size: int) -> None:
        """Begin a bar."""
        self._task = self._progress.add_task(recording.path.name, total=size)

    def advanced(self, end: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.update(self._task, completed=end)

    def killed(self, recovery: Recovery) -> None:
        """Show what SHIM knows of a session whose client was killed."""
        show_recovery(self._console, recovery)


def show_recovery(console: Console, recovery: Recovery) -> None:
    """Print what was interrupted, what became of the calls in flight, and the head of the bundle."""
    verdict = f"Interrupted ({recovery.confidence.value})" if recovery.interrupted else "Not interrupted"
    console.print(Text(f"{verdict}: {plain(recovery.why)}", style="bold"))
    for call in recovery.pending:
        console.print(Text(f"In flight: {pending_line(call)}"))
    if recovery.bundle is not None:
        shown = recovery.bundle[:ESSENTIALS]
        more = len(recovery.bundle) - len(shown)
        console.print(Text(f"--- bundle, {len(recovery.bundle)} characters ---", style="dim"))
        console.print(Text(plain(shown)), soft_wrap=True)
        console.print(Text(f"--- and {more} more characters ---" if more else "--- end ---", style="dim"))


def pending_line(call: PendingCall) -> str:
    """Return a call in flight and its outcome as one line."""
    parts = [call.name, call.summary, f"- {call.outcome}"]
    if call.process is not None:
        parts.append(f"as process {call.process.pid}")
    if call.output:
        parts.append(f"with output: {call.output[:200]!r}")
    return plain(" ".join(parts))


def show_report(console: Console, report: ReplayReport) -> None:
    """Print the figures of a replay and what differs, if anything does."""
    verdict = "stored as sent" if report.is_equal else "NOT stored as sent"
    verified = report.verification
    console.print(Text(f"{report.name}: {verdict}", style="bold green" if report.is_equal else "bold red"))
    lines = [
        f"{report.sent} entries ({report.sent_bytes / 1e6:.2f} MB) in {report.requests} requests, "
        f"{report.hooks} hooks, {report.checkpoints} checkpoints",
        f"{report.seconds:.2f} s, {report.rate:.0f} entries/s, slowest append {report.slowest_append * 1000:.1f} ms"
        + (f", {report.retries} repeated requests" if report.retries else ""),
        f"{verified.entries} entries compared, {verified.redacted} secrets redacted",
        damage_line(report.damage),
    ]
    if report.recovery is not None:
        lines.append(f"killed after {report.killed_at} entries; recovered in {report.bundle_seconds * 1000:.1f} ms")
    lines += [f"difference at {difference.position}: {difference.what}" for difference in verified.differences]
    for line in lines:
        console.print(Text(f"  {plain(line)}"))


def damage_line(report: ReadReport) -> str:
    """Return what of a transcript was left out or could not be read, as one line."""
    parts = [f"{report.lines} lines read", f"{sum(report.skipped.values())} left out on purpose"]
    parts += [f"{count} {reason}" for reason, count in sorted(report.damaged.items())]
    named = {"salvaged": report.salvaged, "repaired": report.repaired, "duplicates": report.duplicates}
    parts += [f"{count} {name}" for name, count in named.items() if count]
    return ", ".join(parts)
