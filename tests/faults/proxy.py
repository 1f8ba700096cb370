"""A proxy in front of a server of this machine, which can fail each request or accept and never answer."""

from __future__ import annotations

import asyncio
import threading
from asyncio import StreamReader, StreamWriter
from typing import Literal

Mode = Literal["pass", "fail", "hang"]
ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """Passes connections on to a port, in a thread of its own, from its creation to `close`."""

    def __init__(self, port: int) -> None:
        self._to, self._mode = port, "pass"
        self._writers: set[StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def set(self, mode: Mode) -> None:
        """What happens to connections from now on; those that are open are cut."""
        self._loop.call_soon_threadsafe(self._set, mode)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _end(self) -> None:
        self._server.close()
        self._set("fail")
        while self._writers:
            await asyncio.sleep(0.01)

    def _set(self, mode: Mode) -> None:
        self._mode = mode
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._mode == "pass":
                await self._pass(reader, writer)
            elif self._mode == "fail":
                await reader.readuntil(b"\r\n\r\n")
                writer.write(ERROR)
                await writer.drain()
            else:
                while await reader.read(2**16):
                    pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # as in a network, one of both is gone
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _pass(self, reader: StreamReader, writer: StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._to)
        await asyncio.gather(_pump(reader, to_writer), _pump(to_reader, writer))


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    """Moves bytes until one side ends, and closes the other."""
    try:
        while block := await reader.read(2**16):
            writer.write(block)
            await writer.drain()
    except OSError:
        pass  # one of both is gone
    finally:
        writer.close()
