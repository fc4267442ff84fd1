import time

import pytest

from shim_checkpointer.domain.triggers import RiskyCalls, due

RISKY = [
    "rm -rf build",
    "rm -r build",
    "rm -f a b",
    "rm build -rf",
    "sudo rm -fR /srv/www",
    "cd /srv && rm -rf www",
    "rm --recursive --force build",
    "git reset --hard",
    "git -C /srv/www reset --hard HEAD~1",
    "git clean -fdx",
    "git clean -d --force",
    "git checkout -- src/cart.py",
    "git checkout HEAD~2 -- src/cart.py",
    "git checkout .",
    "git checkout -f main",
    "git restore src/cart.py",
    "git push -f",
    "git push origin main --force-with-lease",
    "git rebase main",
    "git branch -D feature",
    "git stash drop",
    "find . -name '*.pyc' -delete",
    "find . \\\n  -type f \\\n  -delete",
    "sed -i 's/a/b/' f",
    "perl -pi -e 's/a/b/' f",
    "psql -c 'DROP TABLE carts'",
    "sqlite3 x 'truncate table carts'",
    "dd if=/dev/zero of=/dev/sda",
    "mkfs.ext4 /dev/sda1",
    "shred secrets.txt",
    "truncate -s 0 log",
    "chmod -R 777 .",
    "chown -R ana .",
    "mv build /srv",
    "echo x > /etc/hosts",
]
HARMLESS = [
    "ls -la",
    "rmdir empty",
    "cat form.py",
    "npm run build",
    "git status",
    "git add . && git commit -m 'reset the cart'",
    "git checkout main",
    "git push origin main",
    "git stash",
    "find . -name '*.py'",
    "sed -n 1,5p f",
    "echo hi 2>/dev/null",
    "make > /dev/null",
    "make > /tmp/log",
    "chmod 600 key",
    "mv a b",
    "pytest -k 'not drop'",
    "",
]


@pytest.mark.parametrize("command", RISKY)
def test_commands_that_can_destroy_work_are_risky(command: str) -> None:
    assert RiskyCalls().is_risky("Bash", {"command": command})


@pytest.mark.parametrize("command", HARMLESS)
def test_other_commands_are_not(command: str) -> None:
    assert not RiskyCalls().is_risky("Bash", {"command": command})


def test_only_shell_commands_are_looked_at() -> None:
    assert not RiskyCalls().is_risky("Write", {"command": "rm -rf /"})
    assert not RiskyCalls().is_risky("Bash", {"command": ["rm", "-rf"]})
    assert not RiskyCalls().is_risky("Bash", {})


def test_patterns_of_ones_own() -> None:
    assert RiskyCalls([r"\bterraform\s+destroy\b"]).is_risky("Bash", {"command": "terraform destroy"})


@pytest.mark.parametrize("word", ["find ", "git ", "rm ", "mv ", "dd ", "git push ", "git clean ", "git checkout "])
def test_a_long_command_is_judged_quickly(word: str) -> None:
    command = word * (1_000_000 // len(word))
    began = time.process_time()

    assert not RiskyCalls().is_risky("Bash", {"command": command})
    assert time.process_time() - began < 1


@pytest.mark.parametrize(("calls", "before", "is_due"), [(4, 0, False), (5, 0, True), (9, 5, False), (10, 5, True)])
def test_a_checkpoint_is_due_after_so_many_calls(calls: int, before: int, is_due: bool) -> None:
    assert due(calls, before, every=5) is is_due
