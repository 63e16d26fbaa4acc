"""Embedding every sentence, and asking again what could not be asked before."""

import pytest
from django.core.management import CommandError, call_command

from quiz import jobs
from quiz.grounding import registry
from quiz.models import Grounding, Work


class Encoder:
    name, version = "voxtell", "wired"

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def embed(self, sentences) -> int:
        self.embedded += sentences
        return len(sentences)


def test_every_sentence_is_embedded_once_and_what_was_not_asked_is_asked_again(library, settings, monkeypatch, capsys):
    encoder = Encoder()
    monkeypatch.setattr(registry, "make", lambda name, **options: encoder)
    settings.HINT_OPTIONS = {"voxtell": {"text_model": "an encoder", "bank": "the bank"}}
    model = jobs.register(encoder)
    jobs.want(model, library[:2])
    rows = Grounding.objects.order_by("pk")
    rows.update(state=Work.DONE)
    rows.filter(pk=rows[0].pk).update(asked=False)
    call_command("embed_sentences")
    assert sorted(encoder.embedded) == sorted({finding.sentence for finding in library})
    assert [row.state for row in Grounding.objects.order_by("pk")] == [Work.QUEUED, Work.DONE]
    assert "1 asked again" in capsys.readouterr().out


def test_without_an_encoder_it_says_what_to_set(db):
    with pytest.raises(CommandError, match="VOXTELL_TEXT_MODEL"):
        call_command("embed_sentences")
