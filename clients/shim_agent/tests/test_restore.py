import asyncio
import os
import shutil
import stat
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shim_agent.gateway import Gateway
from shim_agent.restore import Action, RestoreBlocked, RestorePlan, plan_restore, restore
from shim_agent.restore.apply import ContentDamaged
from shim_agent.snapshots.rules import Limits, TreeRefused, left_out
from shim_agent.snapshots.scan import Scanner
from shim_agent.snapshots.upload import Uploader
from shim_common.contracts.sessions import FileRef, Snapshot, SnapshotFiles
from shim_common.kernel.clock import SystemClock
from shim_common.kernel.errors import NotFound

from .fake_api import FakeApi, key_file
from .repositories import fingerprint, make_repository, write
from .transcript import session_id

S = session_id()
CLOCK = SystemClock()
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

State = dict[str, tuple[int, bytes | str]]


def state(folder: Path) -> State:
    """Every file's and link's mode and content, without `.git`."""
    found: State = {}
    for where, folders, names in os.walk(folder):
        if ".git" in folders:
            folders.remove(".git")
        links = [name for name in folders if (Path(where) / name).is_symlink()]
        for name in (*names, *links):
            path = Path(where) / name
            mode = stat.S_IMODE(path.lstat().st_mode)
            content: bytes | str = str(path.readlink()) if path.is_symlink() else path.read_bytes()
            found[path.relative_to(folder).as_posix()] = (mode, content)
    return found


async def taken(api: FakeApi, gateway: Gateway, project: Path) -> SnapshotFiles:
    if S not in api.sessions:
        api.open(S, str(project))
    snapshot = await Uploader(gateway, Scanner(project, Limits()), CLOCK).take(S)
    return await gateway.snapshot_files(snapshot.id)


def manifest_of(*files: FileRef, skipped: dict[str, str] | None = None) -> SnapshotFiles:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    snapshot = Snapshot(id="snp", session_id="s", position=0, taken_at=at, files=len(files), bytes=0)
    return SnapshotFiles(
        snapshot=snapshot, files=list(files), active=[], modified=[], staged=[], diff=None, commit=None,
        skipped=skipped or {},
    )  # fmt: skip


def empty_file(path: str) -> FileRef:
    return FileRef(path=path, sha256=EMPTY, size=0, mode=0o644)


def actions(plan: RestorePlan) -> set[tuple[Action, str]]:
    return {(change.action, change.path) for change in plan.changes}


async def test_into_a_folder_of_ones_choice(
    api: FakeApi, gateway: Gateway, project: Path, home: Path, tmp_path: Path
) -> None:
    write(project, {"a/b.sh": "echo", "empty": ""})
    (project / "a" / "b.sh").chmod(0o755)
    (project / "link").symlink_to("a/b.sh")
    manifest = await taken(api, gateway, project)
    folder = tmp_path / "out" / "deep"
    plan = plan_restore(manifest, folder, in_place=False)
    assert actions(plan) == {(Action.CREATE, path) for path in ("a/b.sh", "empty", "link")}
    assert not folder.exists()
    done = await restore(plan, gateway, home, CLOCK, session=S)
    assert (done.written, done.deleted, done.backup, done.before) == (3, 0, None, None)
    assert state(folder) == state(project)
    again = plan_restore(manifest, folder, in_place=False)
    assert (again.changes, again.unchanged) == ((), 3)


async def test_in_place_with_a_backup_of_everything_that_it_touches(
    api: FakeApi, gateway: Gateway, project: Path, home: Path
) -> None:
    make_repository(project, {"same": "1", "changed": "2", "deleted": "3", ".gitignore": "ignored\n"})
    before = state(project)
    manifest = await taken(api, gateway, project)
    write(project, {"changed": "other", "new/file": "4", "ignored": "mine", ".env": "TOKEN"})
    (project / "changed").chmod(0o600)
    (project / "deleted").unlink()
    (project / "new-link").symlink_to("same")
    left_alone = {path: found for path, found in state(project).items() if path in ("ignored", ".env")}
    git_before = fingerprint(project / ".git")
    plan = plan_restore(manifest, project, in_place=True)
    assert actions(plan) == {
        (Action.CHANGE, "changed"),
        (Action.CREATE, "deleted"),
        (Action.DELETE, "new/file"),
        (Action.DELETE, "new-link"),
    }
    done = await restore(plan, gateway, home, CLOCK, session=S)
    assert state(project) == before | left_alone
    assert not (project / "new").exists()
    assert fingerprint(project / ".git") == git_before
    assert done.backup is not None
    assert done.backup.is_relative_to(home / "backups")
    assert {path: content for path, (_, content) in state(done.backup).items()} == {
        "changed": b"other",
        "new/file": b"4",
        "new-link": "same",
    }
    assert done.before is not None
    kept = {ref.path for ref in api.snapshots[done.before.id].files}
    assert kept == {"same", "changed", "new/file", "new-link", ".gitignore"}
    assert list((home / "backups").iterdir()) == [done.backup]


async def test_in_place_of_what_is_the_same_nothing_is_done(
    api: FakeApi, gateway: Gateway, project: Path, home: Path
) -> None:
    write(project, {"a": "1"})
    manifest = await taken(api, gateway, project)
    plan = plan_restore(manifest, project, in_place=True)
    done = await restore(plan, gateway, home, CLOCK, session=S)
    assert (plan.unchanged, done.written, done.deleted, done.backup) == (1, 0, 0, None)


async def test_what_the_snapshot_left_out_is_not_taken_for_new(api: FakeApi, gateway: Gateway, project: Path) -> None:
    write(project, {"a": "1", "large": "x" * 50})
    api.open(S, str(project))
    snapshot = await Uploader(gateway, Scanner(project, Limits(file_bytes=10)), CLOCK).take(S)
    manifest = await gateway.snapshot_files(snapshot.id)
    write(project, {"large": "small", "new": "2"})
    assert actions(plan_restore(manifest, project, in_place=True)) == {(Action.DELETE, "new")}


def test_where_not_every_reason_was_kept_nothing_is_deleted(project: Path) -> None:
    write(project, {"new": "1"})
    manifest = manifest_of(skipped={"(more)": "5 further paths were left out"})
    assert plan_restore(manifest, project, in_place=True).changes == ()


async def test_files_folders_and_links_take_each_others_place(
    api: FakeApi, gateway: Gateway, project: Path, home: Path, tmp_path: Path
) -> None:
    write(project, {"was-file": "1", "was-folder/x": "2", "was-link-target": "3"})
    (project / "was-link").symlink_to("was-link-target")
    before = state(project)
    manifest = await taken(api, gateway, project)
    outside = tmp_path / "outside"
    write(outside, {"x": "untouched"})
    (project / "was-file").unlink()
    write(project, {"was-file/deep/y": "now a folder"})
    shutil.rmtree(project / "was-folder")
    (project / "was-folder").symlink_to(outside)
    (project / "was-link").unlink()
    write(project, {"was-link": "now a file"})
    plan = plan_restore(manifest, project, in_place=True)
    await restore(plan, gateway, home, CLOCK, session=S)
    assert state(project) == before
    assert (outside / "x").read_text() == "untouched"


@pytest.mark.parametrize(
    "path", ["../escape", "/etc/x", "a/../../escape", ".git/hooks/post-checkout", "sub/.Git/config"]
)
def test_paths_that_lead_elsewhere_are_refused(project: Path, path: str) -> None:
    for in_place in (True, False):
        with pytest.raises(RestoreBlocked, match="nothing was restored"):
            plan_restore(manifest_of(empty_file("fine"), empty_file(path)), project, in_place=in_place)


def test_a_manifest_that_writes_through_its_own_link_is_refused(project: Path) -> None:
    link = FileRef(path="link", sha256=sha256(b"/tmp").hexdigest(), size=4, mode=0o777, link="/tmp")
    with pytest.raises(RestoreBlocked, match="below another file"):
        plan_restore(manifest_of(link, empty_file("link/x")), project, in_place=False)


def test_a_link_that_is_not_what_its_hash_says_is_refused(project: Path) -> None:
    link = FileRef(path="link", sha256=EMPTY, size=4, mode=0o777, link="/tmp")
    with pytest.raises(RestoreBlocked, match="hash"):
        plan_restore(manifest_of(link), project, in_place=False)


def test_a_link_on_the_way_is_not_followed(project: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (project / "folder").symlink_to(tmp_path / "outside")
    with pytest.raises(RestoreBlocked, match="folder"):
        plan_restore(manifest_of(empty_file("folder/x")), project, in_place=False)


async def test_a_link_that_appears_after_the_plan_is_not_followed(
    api: FakeApi, gateway: Gateway, project: Path, home: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    write(project, {"folder/x": "1"})
    manifest = await taken(api, gateway, project)
    target = tmp_path / "out"
    plan = plan_restore(manifest, target, in_place=False)
    target.mkdir()
    (target / "folder").symlink_to(outside)
    with pytest.raises(RestoreBlocked):
        await restore(plan, gateway, home, CLOCK, session=S)
    assert list(outside.iterdir()) == []


def test_ignored_files_in_the_way_are_not_lost(project: Path) -> None:
    write(project, {".gitignore": "*.o\n", "name/made.o": "1"})
    manifest = manifest_of(empty_file("name"), empty_file(".gitignore"))
    with pytest.raises(RestoreBlocked, match="other files"):
        plan_restore(manifest, project, in_place=True)


def test_the_home_folder_is_never_restored_in_place() -> None:
    with pytest.raises(TreeRefused):
        plan_restore(manifest_of(empty_file("a")), Path.home(), in_place=True)


@pytest.mark.parametrize("damage", ["missing", "changed"])
async def test_a_damaged_store_is_noticed_before_anything_is_touched(
    api: FakeApi, gateway: Gateway, project: Path, home: Path, damage: str
) -> None:
    write(project, {"a": "1", "b": "2"})
    manifest = await taken(api, gateway, project)
    write(project, {"a": "one", "b": "two"})
    digest = next(ref.sha256 for ref in manifest.files if ref.path == "b")
    if damage == "missing":
        del api.blobs[digest]
    else:
        api.blobs[digest] = b"3"
    plan = plan_restore(manifest, project, in_place=True)
    with pytest.raises(NotFound if damage == "missing" else ContentDamaged):
        await restore(plan, gateway, home, CLOCK, session=S)
    assert {path: content for path, (_, content) in state(project).items()} == {"a": b"one", "b": b"two"}
    assert list((home / "backups").iterdir()) == []


NAMES = st.one_of(
    st.sampled_from(["a", "b", "c d", "-rf", "ü", "e\u0301", "new\nline", "*", "'q\"", "%2e%2e", "~"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\\\0"), min_size=1, max_size=12),
).filter(lambda name: name not in (".", "..", ".gitignore") and name.casefold() != ".git")
CONTENTS = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=300), st.sampled_from([0o644, 0o755, 0o600, 0o444, 0o777, 0o400])),
    st.tuples(st.just("link"), st.sampled_from(["a", "../outside", "/nowhere", "b/../b", "ü"]), st.just(0o777)),
)
TREES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map("/".join), CONTENTS, max_size=12)
ROUND_TRIP = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


def plant(folder: Path, tree: dict[str, tuple[str, bytes | str, int]]) -> None:
    """Make the tree's files; a path that lies below an earlier file is passed over."""
    for name, (kind, content, mode) in tree.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() or path.is_symlink() or not path.parent.resolve().is_relative_to(folder.resolve()):
                continue
            if kind == "link":
                path.symlink_to(str(content))
            else:
                path.write_bytes(bytes(content))  # type: ignore[arg-type]
                path.chmod(mode)
        except (OSError, RuntimeError):  # a file or a link lies in the way
            continue


def kept(found: State, *, committed: bool) -> State:
    return {path: one for path, one in found.items() if left_out(path, committed=committed) is None}


async def _round_trip(folder: Path, tree: object, later: object, *, repository: bool) -> None:
    project, home, out = folder / "project", folder / "home", folder / "out"
    if repository:
        make_repository(project, {})
    else:
        project.mkdir()
    plant(project, tree)  # type: ignore[arg-type]
    before = state(project)
    api = FakeApi()
    async with api.serve() as url, Gateway(url, key_file(home)) as gateway:
        manifest = await taken(api, gateway, project)
        await restore(plan_restore(manifest, out, in_place=False), gateway, home, CLOCK, session=S)
        assert state(out) == kept(before, committed=False)
        for path in list(project.iterdir())[::2]:
            if path.name != ".git":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        plant(project, later)  # type: ignore[arg-type]
        secret = {path: one for path, one in state(project).items() if left_out(path)}
        plan = plan_restore(manifest, project, in_place=True)
        await restore(plan, gateway, home, CLOCK, session=S)
        assert state(project) == kept(before, committed=False) | secret


@ROUND_TRIP
@given(TREES, TREES, st.booleans())
def test_any_tree_comes_back_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, tree: object, later: object, repository: bool
) -> None:
    asyncio.run(_round_trip(tmp_path_factory.mktemp("tree"), tree, later, repository=repository))
