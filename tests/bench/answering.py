"""
`python -m tests.bench.answering`: a target that answers each start at once, with 202, and does nothing else. It prints
its port.

A process of its own, so that its CPU is not the generator's.
"""

import asyncio

ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
LENGTH = b"content-length:"


class Answers(asyncio.Protocol):
    """One connection, with one request after the other."""

    def connection_made(self, transport):
        self.transport, self.read = transport, b""

    def data_received(self, data):
        self.read += data
        while (end := self.read.find(b"\r\n\r\n")) >= 0:
            head = self.read[:end].lower()
            at = head.find(LENGTH)
            length = 0 if at < 0 else int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0])
            if len(self.read) < end + 4 + length:
                return
            self.read = self.read[end + 4 + length :]
            self.transport.write(ANSWER)


async def main():
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - its standard output is its answer
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
