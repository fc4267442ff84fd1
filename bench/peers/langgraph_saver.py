"""LangGraph's Postgres saver on recorded messages: `langgraph_saver.py DSN MODE BATCHES.json` prints one JSON object.

MODE is `default` (the whole channel at every step) or `delta` (DeltaChannel, as installed). One step, and so one
checkpoint, per batch; only the time inside the saver is counted.
"""

import asyncio
import json
import operator
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import psycopg
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
CONFIG = {"configurable": {"thread_id": "bench"}, "recursion_limit": 100_000}


class TimedSaver(AsyncPostgresSaver):
    """Counts the seconds spent saving."""

    spent = 0.0

    async def aput(self, *args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return await super().aput(*args, **kwargs)
        finally:
            self.spent += time.perf_counter() - start

    async def aput_writes(self, *args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return await super().aput_writes(*args, **kwargs)
        finally:
            self.spent += time.perf_counter() - start


def extend(state: list[Any], writes: list[list[Any]]) -> list[Any]:
    """Join what was there with every write."""
    joined = list(state)
    for write in writes:
        joined.extend(write)
    return joined


async def run(dsn: str, mode: str, batches: list[list[Any]]) -> dict[str, Any]:
    """Save all batches; return bytes and times."""
    channel = Annotated[list, operator.add] if mode == "default" else Annotated[list, DeltaChannel(extend)]
    state_type = TypedDict("State", {"messages": channel})  # type: ignore[misc]  # noqa: UP013 - the channel varies
    puts: list[float] = []
    done = 0
    async with TimedSaver.from_conn_string(dsn) as saver:
        await saver.setup()

        def step(_: Any) -> dict[str, Any]:
            nonlocal done
            if done:
                puts.append(saver.spent)
            saver.spent = 0.0
            done += 1
            return {"messages": batches[done - 1]}

        graph = StateGraph(state_type)
        graph.add_node("step", step)
        graph.add_edge(START, "step")
        graph.add_conditional_edges("step", lambda _: END if done >= len(batches) else "step")
        compiled = graph.compile(checkpointer=saver)
        await compiled.ainvoke({"messages": []}, CONFIG, durability="sync")
        puts.append(saver.spent)
        state = await compiled.aget_state(CONFIG)
        if state.values["messages"] != [message for batch in batches for message in batch]:
            raise SystemExit("the saver did not give back what it was given")
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute("VACUUM " + ", ".join(TABLES))
        sizes = [
            (await (await connection.execute("SELECT pg_total_relation_size(%s)", (table,))).fetchone())[0]
            for table in TABLES
        ]
    return {"bytes": sum(sizes), "puts": puts}


if __name__ == "__main__":
    recorded = json.loads(Path(sys.argv[3]).read_bytes())
    print(json.dumps(asyncio.run(run(sys.argv[1], sys.argv[2], recorded))))
