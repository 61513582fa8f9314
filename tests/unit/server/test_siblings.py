"""The parent process adds up what its workers report, each of them once."""

import asyncio
import socket

from waiting import wait_until

from service.errors import Unavailable
from service.http.metric_reports import Family, Sample, decode, encode
from service.server.siblings import ReportExchange, WorkerSiblings


async def test_a_worker_that_ends_while_it_is_asked_is_counted_once():
    exchange = ReportExchange(2)
    (ours, theirs), (other_ours, other_theirs) = socket.socketpair(), socket.socketpair()
    with theirs, other_theirs:
        kept = await exchange.attach(ours)
        link = await exchange.attach(other_ours)
        asking, ending = WorkerSiblings(theirs), WorkerSiblings(other_theirs)
        asking.start(lambda: report(0))
        ending.start(lambda: report(14))
        await wait_until(lambda: has_answered(asking), "both have begun")
        link.writer.transport.pause_reading()  # its next answer is not read
        question = asyncio.create_task(asking.gather(report(0)))
        await wait_until(lambda: is_asked(link), "the worker is asked")
        await ending.close()
        link.writer.transport.resume_reading()
        await exchange.detach(link, replaced=True)
        assert counted(await question) == 14
        assert counted(await asking.gather(report(0))) == 14
        await asking.close()
        await exchange.detach(kept, replaced=False)


async def has_answered(asking):
    try:
        return counted(await asking.gather(report(0))) == 14
    except Unavailable:
        return False


async def is_asked(link):
    return not link.answer.done()


def report(count):
    return encode([Family("answered", "counter", "", [Sample("answered_total", (), float(count))])])


def counted(gathered):
    return sum(sample.value for text in gathered.reports for family in decode(text) for sample in family.samples)
