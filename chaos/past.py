"""Asks what was known of runs at times that have passed: the answers are right, and the same at any later time."""

from __future__ import annotations

import copy
import json
from datetime import datetime
from random import Random
from typing import NamedTuple
from urllib.parse import quote
from uuid import UUID

from chaos.caller import BASE
from chaos.client import Answer, Client, Request
from chaos.journal import now
from chaos.model import Ledger, Run
from chaos.waiting import Violation

_ANSWERED = frozenset({200, 404})
_NEW_QUESTIONS, _REPEATED = 12, 20
_EARLIER = 4
"""Of the new questions, how many ask for a time long before: there, some runs are not known."""


class Question(NamedTuple):
    """Asks what was known of a run at a time."""

    run: UUID
    at: datetime


class Past:
    """Questions, and the answer that each got first."""

    def __init__(self, client: Client, ledger: Ledger, random: Random) -> None:
        """`client` asks; `ledger` has the runs as they are."""
        self._client = client
        self._ledger = ledger
        self._random = random
        self._times: list[datetime] = []
        self.answers: dict[Question, Answer] = {}

    async def examine(self) -> None:
        """Ask old questions again, and then new ones. Raises Violation for an answer that is wrong or has changed."""
        known = list(self.answers)
        for question in self._random.sample(known, min(_REPEATED, len(known))):
            self.compare(question, await self._ask(question))
        await self._ask_new()

    def compare(self, question: Question, answer: Answer) -> None:
        """Raise Violation if a question is not answered as it was answered first."""
        first = self.answers.setdefault(question, answer)
        if answer != first:
            raise Violation(f"{question} was answered {first}, and later {answer}")

    async def _ask_new(self) -> None:
        """Ask for the time of the last event, where the answer is the run as it is, and for earlier times."""
        at = self._ledger.recorded
        if at is None or at >= now():
            return  # a time that has not passed means now
        position = self._ledger.position
        runs = list(self._ledger.runs.values())
        chosen = [copy.copy(run) for run in self._random.sample(runs, min(_NEW_QUESTIONS, len(runs)))]
        for run in chosen[_EARLIER:]:
            question = Question(run.id, at)
            answer = await self._ask(question)
            check_known(question, answer, run, position)
            self.compare(question, answer)
        if self._times:
            for run in chosen[:_EARLIER]:
                question = Question(run.id, self._random.choice(self._times))
                self.compare(question, await self._ask(question))
        self._times.append(at)

    async def _ask(self, question: Question) -> Answer:
        path = f"{BASE}/jobs/runs/{question.run}?knownAt={quote(question.at.isoformat(), safe='')}"
        return await self._client.send(Request("GET", path, _ANSWERED))


def check_known(question: Question, answer: Answer, run: Run, position: int) -> None:
    """Raise Violation unless an answer is the run as it was, up to the ledger's position at that time."""
    view = json.loads(answer.body)
    if answer.status != 200:
        raise Violation(f"{question} is answered {answer.status}: {view}")
    if view["asOf"]["position"] != position:
        raise Violation(f"{question} is answered as of position {view['asOf']['position']}; it is {position}")
    found = run.differs(view)
    if found is not None:
        raise Violation(f"{question}: {found}")
