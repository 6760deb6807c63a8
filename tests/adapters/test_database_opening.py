"""Migrations, files for our eyes only, a look beside a running bot, and one bot a folder."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.adapters.database import inline_db
from orchestrator.adapters.database.data_folder import data_lock, home_of
from orchestrator.adapters.database.database import Database
from orchestrator.adapters.database.instance_rows import INSTANCE_COLUMNS
from orchestrator.adapters.database.migrate import Migration, check_version, migrate, shipped, split
from orchestrator.adapters.database.rows import JOB_COLUMNS, SESSION_COLUMNS
from orchestrator.adapters.database.store import create_privately, open_store, open_store_readonly
from orchestrator.domain.errors import StoreError
from orchestrator.domain.ids import SessionId
from tests.contract.samples import HandClock, a_session

FIRST = Migration(version=1, name="0001_a", script="CREATE TABLE a (id INTEGER) STRICT;\n")
SECOND = Migration(version=2, name="0002_b", script="CREATE TABLE b (id INTEGER) STRICT;\nINSERT INTO a VALUES (1);\n")
BROKEN = Migration(version=2, name="0002_b", script="CREATE TABLE b (id INTEGER) STRICT;\nINSERT INTO c VALUES (1);\n")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "books.db"
    create_privately(path)
    return path


@pytest.fixture
def database(path: Path) -> Database:
    return inline_db.open_database(path)


async def tables(database: Database) -> set[str]:
    async with database.reading() as transaction:
        return {row["name"] for row in await transaction.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}


class TestMigrations:
    async def test_each_is_run_once_and_recorded(self, database: Database) -> None:
        await migrate(database, HandClock(), (FIRST,))
        await migrate(database, HandClock(), (FIRST, SECOND))
        await migrate(database, HandClock(), (FIRST, SECOND))

        async with database.reading() as transaction:
            recorded = await transaction.rows("SELECT version, name FROM schema_migration ORDER BY version")
            assert [tuple(row[column] for column in ("version", "name")) for row in recorded] == [
                (1, "0001_a"),
                (2, "0002_b"),
            ]
            assert len(await transaction.rows("SELECT * FROM a")) == 1

    async def test_one_that_fails_leaves_nothing_of_itself(self, database: Database) -> None:
        await migrate(database, HandClock(), (FIRST,))

        with pytest.raises(StoreError, match="no such table: c"):
            await migrate(database, HandClock(), (FIRST, BROKEN))

        assert "b" not in await tables(database)
        await migrate(database, HandClock(), (FIRST, SECOND))
        assert "b" in await tables(database)

    async def test_a_newer_database_is_refused_and_left_alone(self, database: Database) -> None:
        await migrate(database, HandClock(), (FIRST, SECOND))

        with pytest.raises(StoreError, match="newer glowplug"):
            await migrate(database, HandClock(), (FIRST,))
        with pytest.raises(StoreError, match="newer glowplug"):
            await check_version(database, (FIRST,))

    async def test_looking_into_an_older_database_says_how_to_upgrade_it(self, database: Database) -> None:
        await migrate(database, HandClock(), (FIRST,))

        with pytest.raises(StoreError, match="start the bot once"):
            await check_version(database, (FIRST, SECOND))

    def test_the_shipped_ones_are_numbered_without_gaps(self) -> None:
        assert [migration.version for migration in shipped()] == list(range(1, len(shipped()) + 1))

    def test_a_script_is_cut_where_its_statements_end(self) -> None:
        script = "-- one; two\nCREATE TABLE a (\n    id TEXT -- x;\n);\nINSERT INTO a VALUES ('b;\n;c');\n"

        assert [statement.sql.count("\n") for statement in split(script)] == [4, 2]

    @pytest.mark.parametrize(
        ("table", "columns"), [("job", JOB_COLUMNS), ("session", SESSION_COLUMNS), ("instance", INSTANCE_COLUMNS)]
    )
    async def test_rows_fill_every_column_of_their_table(
        self, database: Database, table: str, columns: tuple[str, ...]
    ) -> None:
        await migrate(database, HandClock(), shipped())

        async with database.reading() as transaction:
            found = await transaction.rows("SELECT name FROM pragma_table_info(:t)", t=table)

        assert {row["name"] for row in found} == set(columns)

    async def test_every_table_checks_the_types_of_its_values(self, database: Database) -> None:
        await migrate(database, HandClock(), shipped())

        async with database.reading() as transaction:
            rows = await transaction.rows("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'")

        assert {row["name"] for row in rows if not row["strict"]} == {"sqlite_schema"}


class TestFiles:
    async def test_nobody_else_can_read_them(self, tmp_path: Path) -> None:
        path = tmp_path / "data" / "books.db"

        async with open_store(path, HandClock()) as store:
            async with store.writing() as books:
                await books.set_fact("a", "b")
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}

        assert modes == {"books.db": 0o600, "books.db-wal": 0o600, "books.db-shm": 0o600}
        assert path.parent.stat().st_mode & 0o777 == 0o700

    async def test_a_folder_that_cannot_be_made_is_a_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")

        with pytest.raises(StoreError, match="cannot be made"):
            async with open_store(tmp_path / "file" / "books.db", HandClock()):
                pass

    async def test_what_was_written_is_there_the_next_time(self, tmp_path: Path) -> None:
        path = tmp_path / "books.db"
        async with open_store(path, HandClock()) as store, store.writing() as books:
            await books.sessions.add(a_session(), reason="test")

        async with open_store(path, HandClock()) as store, store.reading() as books:
            assert await books.sessions.get(SessionId("s1")) == a_session()


class TestReadOnly:
    async def test_it_sees_what_the_running_bot_has_committed(self, tmp_path: Path) -> None:
        path = tmp_path / "books.db"

        async with open_store(path, HandClock()) as bot, open_store_readonly(path, HandClock()) as look:
            async with bot.writing() as books:
                await books.set_fact("epoch", "7")
                async with look.reading() as seen:
                    assert await seen.fact("epoch") is None
            async with look.reading() as seen:
                assert await seen.fact("epoch") == "7"

    async def test_it_sees_what_a_killed_bot_had_committed(self, tmp_path: Path) -> None:
        """The killed bot leaves its write-ahead log behind, which is read too."""
        path, copy = tmp_path / "books.db", tmp_path / "copy" / "books.db"
        async with open_store(path, HandClock()) as store:
            async with store.writing() as books:
                await books.set_fact("epoch", "7")
            copy.parent.mkdir()
            for suffix in ("", "-wal"):
                copy.with_name(f"books.db{suffix}").write_bytes(path.with_name(f"books.db{suffix}").read_bytes())

        async with open_store_readonly(copy, HandClock()) as look, look.reading() as books:
            assert await books.fact("epoch") == "7"

    async def test_it_cannot_write(self, tmp_path: Path) -> None:
        path = tmp_path / "books.db"
        async with open_store(path, HandClock()):
            pass

        async with open_store_readonly(path, HandClock()) as look:
            with pytest.raises(StoreError, match="reading only"):
                async with look.writing():
                    pass

    async def test_without_a_database_it_says_that_nothing_has_run(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="nothing has been run"):
            async with open_store_readonly(tmp_path / "books.db", HandClock()):
                pass

        assert list(tmp_path.iterdir()) == []

    async def test_a_file_that_is_no_store_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "books.db"
        sqlite3.connect(path).close()

        with pytest.raises(StoreError):
            async with open_store_readonly(path, HandClock()):
                pass


class TestDataLock:
    def test_a_second_one_is_told_who_has_it(self, tmp_path: Path) -> None:
        with data_lock(tmp_path), pytest.raises(StoreError, match=f"pid {os.getpid()}"), data_lock(tmp_path):
            pass

    def test_it_can_be_taken_again_after_its_end(self, tmp_path: Path) -> None:
        with data_lock(tmp_path / "new"):
            pass
        with data_lock(tmp_path / "new"):
            assert (tmp_path / "new" / "lock").read_text() == f"{os.getpid()}\n"
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700

    def test_a_killed_process_lets_go_of_it(self, tmp_path: Path) -> None:
        """A real process, killed: about 0.3 s for its imports."""
        script = (
            "import sys, pathlib, time\n"
            "from orchestrator.adapters.database.data_folder import data_lock, home_of\n"
            "with data_lock(pathlib.Path(sys.argv[1])):\n"
            "    print('held', flush=True)\n"
            "    time.sleep(60)\n"
        )
        with subprocess.Popen([sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(StoreError, match=f"pid {holder.pid}"), data_lock(tmp_path):
                pass
            holder.send_signal(signal.SIGKILL)

        with data_lock(tmp_path):
            pass


class TestHome:
    def test_a_folder_that_stays_where_it_is_is_known_again(self, tmp_path: Path) -> None:
        home = home_of(tmp_path)
        (tmp_path / "books.db").write_bytes(b"restored from a backup")

        assert home_of(tmp_path) == home

    @pytest.mark.parametrize("copy", [shutil.copytree, shutil.move], ids=["copied", "moved"])
    def test_one_that_was_renamed_is_the_same_and_a_copy_is_not(
        self, tmp_path: Path, copy: Callable[[Path, Path], object]
    ) -> None:
        (tmp_path / "first").mkdir()
        home = home_of(tmp_path / "first")

        copy(tmp_path / "first", tmp_path / "second")

        assert (home_of(tmp_path / "second") == home) == (copy is shutil.move)

    def test_a_folder_that_is_not_ours_is_said_in_a_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="cannot be used"):
            home_of(tmp_path / "missing")
