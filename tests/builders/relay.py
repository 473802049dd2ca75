"""
A relay before the Docker engine: `python -m tests.builders.relay SOCKET ENGINE` passes on what comes to the unix socket
SOCKET to the unix socket ENGINE. Stopped by SIGSTOP, it is an engine that hangs, and nobody else's engine does.
"""

from __future__ import annotations

import asyncio
import sys


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()


async def _serve(listen: str, engine: str) -> None:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_engine, to_engine = await asyncio.open_unix_connection(engine)
        try:
            await asyncio.gather(_copy(reader, to_engine), _copy(from_engine, writer))
        finally:
            for each in (writer, to_engine):
                each.close()

    server = await asyncio.start_unix_server(relay, listen)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2]))
