"""A slow line: a TCP proxy on loopback that lets through so many bits a second, all connections together, with a delay.

Beside the browser's own emulation it also slows down what workers fetch, alike for everybody.
"""

import asyncio
import contextlib
import multiprocessing
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

CHUNK = 8 * 1024
DELAY_S = 0.02  # each way


@contextmanager
def slow_line(port: int, bits_per_second: float) -> Iterator[int]:
    """Gives the port to speak to instead."""
    listening = socket.create_server(("127.0.0.1", 0))
    process = multiprocessing.get_context("fork").Process(
        target=lambda: asyncio.run(_serve(listening, port, bits_per_second / 8)), daemon=True
    )
    process.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        process.terminate()
        process.join()
        listening.close()


async def _serve(listening: socket.socket, port: int, bytes_per_second: float) -> None:
    free_at = [time.monotonic()]  # when the line has sent what it was given

    async def down(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            free_at[0] = max(free_at[0], time.monotonic()) + len(data) / bytes_per_second
            await asyncio.sleep(free_at[0] - time.monotonic() + DELAY_S)
            writer.write(data)
            await writer.drain()
        writer.close()

    async def up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            await asyncio.sleep(DELAY_S)
            writer.write(data)
            await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(up(reader, there[1]), down(there[0], writer))

    server = await asyncio.start_server(connected, sock=listening, limit=CHUNK)
    await server.serve_forever()
