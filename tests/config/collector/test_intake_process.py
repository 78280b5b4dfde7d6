"""The process of the intake is started again, whatever keeps it from starting, and ends with its collector."""

import asyncio

import pytest

from config.collector import intake


class Ended:
    """A process that ends before a signal reaches it."""

    async def wait(self):
        await asyncio.Event().wait()

    def terminate(self):
        raise ProcessLookupError


@pytest.mark.parametrize("error", [BlockingIOError(11, "again"), OSError(12, "no memory")])
def test_a_process_that_cannot_be_started_is_tried_again(monkeypatch, error):
    monkeypatch.setattr(intake, "RESTART_SECONDS", 0)

    async def run():
        starts, started = [], asyncio.Event()

        async def start(*command, **options):
            starts.append(command)
            if len(starts) < 3:
                raise error
            started.set()
            return Ended()

        monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
        task = asyncio.create_task(intake.keep_processing())
        await asyncio.wait_for(started.wait(), 10)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return starts

    assert len(asyncio.run(run())) == 3
