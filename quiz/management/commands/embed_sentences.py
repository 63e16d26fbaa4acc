"""Embed the sentences of every finding for VoxTell, so that its workers need no text encoder."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from cases.management.migrated import need_tables
from cases.models import Finding
from quiz import jobs
from quiz.grounding import registry
from quiz.grounding.base import EngineError
from quiz.models import Grounding

AT_ONCE = 256


class Command(BaseCommand):
    help = (
        "Embed every finding's sentence into VoxTell's bank (VOXTELL_BANK). Needs the text encoder (VOXTELL_TEXT_MODEL); "
        "safe to stop and repeat. Sentences that could not be asked before are queued again."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        need_tables()
        opened = settings.HINT_OPTIONS["voxtell"]
        if not opened["text_model"]:
            raise CommandError(
                "VOXTELL_TEXT_MODEL has to name the text encoder: Qwen/Qwen3-Embedding-4B or its folder."
            )
        try:
            engine: Any = registry.make("voxtell", **opened)
            new = self._embed(engine)
        except EngineError as error:
            raise CommandError(str(error)) from error
        unasked = Grounding.objects.filter(model__engine=engine.name, asked=False)
        self.stdout.write(f"{new} sentences embedded into {opened['bank']}, {jobs.ask_again(unasked)} asked again")

    def _embed(self, engine: Any) -> int:
        sentences = list(Finding.objects.usable().order_by("sentence").values_list("sentence", flat=True).distinct())
        new = 0
        with tqdm(total=len(sentences), unit="sentence", disable=not sys.stderr.isatty(), file=sys.stderr) as bar:
            for first in range(0, len(sentences), AT_ONCE):
                some = sentences[first : first + AT_ONCE]
                new += engine.embed(some)
                bar.update(len(some))
        return new
