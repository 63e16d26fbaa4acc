"""The work of the grounding models, in one process: wanted once, claimed once, never lost, never in anybody's way."""

import os
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from cases import storage
from cases.imaging import masks
from cases.models import Finding
from quiz import hint_worker, jobs
from quiz.grounding import shown
from quiz.grounding.base import EngineUnavailable
from quiz.hint_worker import Worker
from quiz.models import Grounding, Work
from tests.fake_engine import NODULE, Fake, versions


def ask(model, volume, sentence):
    return jobs.want_sentence(model, volume, sentence)


def state(row):
    row.refresh_from_db()
    return row.state


def expire(row):
    Grounding.objects.filter(pk=row.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_scan_is_read_once_for_all_its_sentences(model, fake, library):
    assert jobs.want(model, library) == 4
    assert jobs.want(model, library) == 0  # wanted once, however often it is said
    claimed = jobs.claim("one", versions())
    assert jobs.perform(claimed, fake) == 4
    assert fake.calls == [[finding.sentence for finding in library]]
    assert jobs.claim("one", versions()) is None
    assert jobs.want(model, library) == 0


def test_what_is_kept_of_an_answer(model, fake, finding):
    jobs.want(model, [finding])
    jobs.perform(jobs.claim("one", versions()), fake)
    row = Grounding.objects.get()
    mask = masks.unpack(storage.load_hint(row.mask_key))
    expected = np.zeros((24, 40, 48), np.uint8)
    expected[NODULE] = 1
    assert (mask.dense() == expected).all()
    assert row.mask_ml == pytest.approx(125 * 6 * 6 * 5 / 1000)  # 5 x 5 x 5 voxels of 5 x 6 x 6 mm
    assert row.confidence == 0.75
    truth = storage.load_truth(finding.truth_key).dense() > 0
    dice = 2 * (truth & (expected > 0)).sum() / (truth.sum() + 125)
    assert row.dice == pytest.approx(dice, abs=1e-6)
    assert row.hit == (dice >= 0.1)
    assert row.checks["heat"] is True
    assert row.checks["slices"] is True
    assert row.checks["side"] is True
    heat = shown.unpack_heat(storage.load_hint(row.heat_key))
    k, j, i = shown.peak(heat)
    assert (abs(k - 6), abs(j - 22), abs(i - 35)) <= (2, 2, 2)


def test_two_workers_never_own_one_row(model, library):
    jobs.want(model, library)
    first, second = (
        jobs.claim("one", versions()),
        jobs.claim("two", versions()),
    )
    assert len(first.rows) == 4
    assert second is None


def test_a_worker_only_takes_what_it_can_run(model, finding):
    jobs.want(model, [finding])
    assert jobs.claim("one", versions("other")) is None


def test_a_dead_workers_rows_come_back_and_its_late_answer_is_dropped(model, fake, finding):
    jobs.want(model, [finding])
    dead = jobs.claim("dead", versions())
    assert jobs.reap() == 0  # its lease runs
    expire(dead.rows[0])
    assert jobs.reap() == 1
    alive = jobs.claim("alive", versions())
    assert jobs.perform(dead, fake) == 0
    assert state(alive.rows[0]) == Work.RUNNING
    assert jobs.perform(alive, fake) == 1


def test_after_three_deaths_it_has_failed_with_the_reason(model, finding):
    jobs.want(model, [finding])
    for _ in range(3):
        claimed = jobs.claim("dead", versions())
        expire(claimed.rows[0])
        jobs.reap()
    assert jobs.claim("dead", versions()) is None
    row = Grounding.objects.get()
    assert (row.state, row.tries) == (Work.FAILED, 3)
    assert "died" in row.reason


def test_the_last_try_is_made_alone(model, volume):
    rows = [ask(model, volume, sentence) for sentence in ("one left", "two left", "three left")]
    for _ in range(2):
        claimed = jobs.claim("dead", versions())
        assert len(claimed.rows) == 3
        for row in claimed.rows:
            expire(row)
        jobs.reap()
    sizes = [len(jobs.claim("last", versions()).rows) for _ in rows]
    assert sizes == [1, 1, 1]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("breaks", "stopped with an error"),
        ("memory", "out of memory"),
        ("refuses", "lungs cannot be found"),
        ("misfit", "does not fit this scan"),
        ("number", "not a number"),
    ],
)
def test_a_bad_sentence_fails_with_a_reason_and_the_others_are_answered(model, fake, volume, word, reason, caplog):
    bad, good = ask(model, volume, f"this {word} on the left"), ask(model, volume, "nodule on the left")
    for _ in range(10):
        claimed = jobs.claim("one", versions())
        if claimed is None:
            break
        jobs.perform(claimed, fake)
    assert state(bad) == Work.FAILED
    assert reason in bad.reason
    assert bad.tries == 3
    assert state(good) == Work.DONE


def test_a_scan_that_cannot_be_read_does_not_stop_the_others(model, fake, library, store, caplog):
    other = Finding.objects.exclude(volume=library[0].volume)
    (store / library[0].volume.slices_key / "0007.gz").unlink()
    jobs.want(model, library)
    jobs.want(model, other)
    for _ in range(20):
        claimed = jobs.claim("one", versions())
        if claimed is None:
            break
        jobs.perform(claimed, fake)
    assert {row.state for row in Grounding.objects.filter(volume=library[0].volume)} == {Work.FAILED}
    assert {row.state for row in Grounding.objects.exclude(volume=library[0].volume)} == {Work.DONE}
    assert "slice of this scan" in Grounding.objects.filter(state=Work.FAILED).first().reason


def test_an_engine_that_goes_away_costs_no_try(model, fake, volume):
    row = ask(model, volume, "the engine leaves")
    with pytest.raises(EngineUnavailable):
        jobs.perform(jobs.claim("one", versions()), fake)
    assert state(row) == Work.QUEUED
    assert row.tries == 0


def test_work_that_is_stopped_goes_back_untried(model, fake, volume):
    row = ask(model, volume, "nodule on the left")
    claimed = jobs.claim("one", versions())
    claimed.stop()
    assert jobs.perform(claimed, fake) == 0
    assert (state(row), row.tries) == (Work.QUEUED, 0)


def test_work_that_takes_too_long_is_given_up(model, fake, volume):
    row = ask(model, volume, "nodule on the left")
    claimed = jobs.claim("one", versions())
    claimed.until = 0.0
    assert jobs.perform(claimed, fake) == 0
    assert state(row) == Work.QUEUED
    assert "took longer" in row.reason


def test_a_lease_is_renewed_while_the_work_goes_on(model, volume):
    row = ask(model, volume, "nodule on the left")
    claimed = jobs.claim("one", versions())
    expire(row)
    claimed.renewed -= jobs.LEASE.total_seconds()
    assert claimed.keep()
    row.refresh_from_db()
    assert row.lease_until > timezone.now()


def test_who_waits_comes_first(model, library):
    jobs.want(model, library[:1])
    other = Finding.objects.exclude(volume=library[0].volume).first()
    jobs.want(model, [other], urgent=True)
    assert jobs.claim("one", versions()).rows[0].finding == other


def test_a_full_queue_says_when_to_come_back(model, volume, settings):
    settings.HINT_QUEUE_LIMIT = 2
    ask(model, volume, "one"), ask(model, volume, "two")
    assert ask(model, volume, "  TWO ").sentence == "two"  # asked already: no new work
    with pytest.raises(jobs.QueueFull) as full:
        ask(model, volume, "three")
    assert full.value.retry_after > 0


def test_a_changed_truth_is_worked_out_again(model, fake, finding):
    jobs.want(model, [finding])
    jobs.perform(jobs.claim("one", versions()), fake)
    finding.truth_sha256 = "1" * 64
    finding.save()
    assert jobs.want(model, [finding]) == 1
    assert Grounding.objects.get().state == Work.QUEUED


def test_an_import_queues_its_findings(model, tiny_dataset, library):
    """The library was imported before the model was known: nothing. Imported again, every finding waits."""
    from tests.conftest import import_here

    assert Grounding.objects.count() == 0
    import_here(tiny_dataset)
    assert Grounding.objects.count() == Finding.objects.usable().count()


def test_a_listener_that_fails_does_not_undo_an_import(model, tiny_dataset, library, monkeypatch, caplog):
    from tests.conftest import import_here

    def broken(volume):
        raise ZeroDivisionError

    monkeypatch.setattr(jobs, "want_volume", broken)
    import_here(tiny_dataset)
    assert "after the import" in caplog.text


def test_the_newest_version_of_the_preferred_engine_is_asked(model, fake, settings):
    settings.HINT_MODELS = ["better", "fake"]
    newer = jobs.register(Fake("2"))
    better = Fake("1")
    better.name = "better"
    best = jobs.register(better)
    assert jobs.models_in_use() == [best, newer]
    assert jobs.preferred_model() == best
    jobs.say_alive("here", versions(), {})
    assert jobs.preferred_model() == newer  # the better one has no worker now


def test_one_version_never_answers_for_another(model, fake, finding):
    newer = jobs.register(Fake("2"))
    jobs.want(model, [finding])
    assert jobs.claim("one", [newer]) is None
    jobs.say_alive("one", [newer], {})
    assert jobs.alive_models() == {newer.pk}
    assert jobs.claim("one", [model]).rows[0].model == model


def test_what_was_not_asked_is_no_miss(model, fake, finding):
    jobs.want(model, [finding])
    jobs.perform(jobs.claim("one", [model]), fake)
    jobs.ask_again(Grounding.objects.all())  # it was asked once, and is not this time
    claimed = jobs.claim("one", [model])
    unasked = replace(fake.answer("", finding.volume.grid), note="No embedding.", asked=False)
    fake.answer = lambda sentence, grid: unasked
    jobs.perform(claimed, fake)
    row = Grounding.objects.get()
    assert (row.state, row.asked, row.note) == (Work.DONE, False, "No embedding.")
    assert (row.dice, row.hit, row.official, row.checks) == (None, None, None, {})


def test_a_full_queue_of_one_model_keeps_nobody_from_another(model, volume, settings):
    settings.HINT_QUEUE_LIMIT = 1
    ask(model, volume, "one")
    ask(jobs.register(Fake("2")), volume, "two")
    with pytest.raises(jobs.QueueFull):
        ask(model, volume, "three")


def test_nobody_waits_any_more_for_what_is_worked_out_anew(model, fake, finding):
    jobs.want(model, [finding], urgent=True)
    jobs.perform(jobs.claim("one", [model]), fake)
    finding.truth_sha256 = "1" * 64
    finding.save()
    jobs.want(model, [finding])
    assert Grounding.objects.get().priority == 0


def test_a_file_that_the_engine_cannot_open_is_not_a_damaged_scan(model, fake, finding, caplog):
    def locked(voxels, grid, sentences, *, progress=None):
        raise PermissionError("lock")

    fake.ground = locked
    jobs.want(model, [finding])
    jobs.perform(jobs.claim("one", [model]), fake)
    assert "engine stopped with an error" in Grounding.objects.get().reason


def test_a_worker_without_engines_ends_and_says_so(model, volume):
    worker = Worker()
    worker.engines["fake"], worker.models["fake"] = Fake(), model
    ask(model, volume, "the engine leaves")
    worker.work(poll=0)
    assert worker.exit_code == os.EX_TEMPFAIL
    assert "GPU has gone away" in worker.refused["fake"]
    assert Grounding.objects.get().state == Work.QUEUED


def test_a_database_that_is_away_for_a_moment_ends_no_worker(model, volume, monkeypatch, caplog):
    worker = Worker()
    worker.engines["fake"], worker.models["fake"] = Fake(), model
    row = ask(model, volume, "nodule on the left")
    real, away = jobs.claim, [OperationalError("restarting")] * 2

    def claim(*args, **options):
        if away:
            raise away.pop()
        return real(*args, **options)

    monkeypatch.setattr(jobs, "claim", claim)
    monkeypatch.setattr(connection, "close_if_unusable_or_obsolete", lambda: None)  # the test's own transaction
    monkeypatch.setattr(hint_worker, "_answering", worker)
    monkeypatch.setattr(worker.stopping, "wait", lambda seconds: None)
    assert worker.step_if_possible() is None
    hint_worker.answer(model.pk, volume.pk)  # a ring waits for the database, and is not lost
    assert state(row) == Work.DONE
