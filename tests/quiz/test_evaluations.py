"""A model is asked about every finding, scored by the one scorer, and what came of it is said where it is shown."""

import json
from dataclasses import replace

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from cases import storage
from cases.imaging import masks
from cases.models import Finding
from quiz import evaluations, opinions
from quiz.grounding import registry, shown
from quiz.grounding.base import EngineError, EngineUnavailable, Grounding, Heat
from quiz.models import EngineEvaluation, HintModel
from quiz.verification import against_reference
from tests.fake_engine import NODULE, OPPOSITE, Fake

pytestmark = pytest.mark.django_db


@pytest.fixture
def listed(monkeypatch):
    monkeypatch.setitem(registry._WHERE, "fake", "tests.fake_engine:make")


def run(tmp_path, **options):
    report = tmp_path / "report.json"
    call_command("evaluate_grounder", model="fake", report=report, **options)
    return json.loads(report.read_text())


def answer(box, confidence=0.5):
    dense = np.zeros((24, 40, 48), np.uint8)
    dense[box] = 1
    return Grounding("Nodule", masks.from_dense(dense), None, confidence)


def judged(finding, given, other=None):
    return evaluations.judge(finding, storage.load_truth(finding.truth_key), given, other)


def test_an_answer_on_the_right_side_and_one_on_the_wrong(finding):
    """The nodule lies at the left, in the lower zone; the fake engine's box around it, and its mirror image."""
    right, wrong = judged(finding, answer(NODULE)), judged(finding, answer(OPPOSITE))
    assert right.score.numbers.hit
    assert not wrong.score.numbers.hit
    assert right.rungs["side"]
    assert not wrong.rungs["side"]
    assert right.rungs["slices"]
    assert wrong.rungs["slices"]  # it lies at the same height
    assert (right.rungs["heat"], wrong.rungs["heat"]) == (True, False)
    assert right.recall > 0.5
    assert wrong.recall == 0
    assert right.patient == finding.volume.patient_key


def test_marking_nothing_is_wrong_on_every_rung(finding):
    nothing = judged(finding, Grounding("Nodule", masks.empty((24, 40, 48)), None, 0.0))
    assert nothing.rungs == dict.fromkeys(("side", "zone", "slices", "heat", "outline"), False)
    assert nothing.pointing is False


def test_heat_is_judged_as_it_is_shown_and_pointing_by_the_strongest_cell(finding):
    """One cell at the nodule, a broad weaker block at the other side: blurred, the one keeps 5 of its 255 (the blur is 1.7 x
    1.4 x 1.4 cells wide: 255 / (15.75 * 3.4)) and the block's middle nearly all of its 200."""
    values = np.zeros((12, 20, 24), np.uint8)
    values[3, 11, 17] = 255  # the voxels 6..7, 22..23, 34..35: in the nodule
    values[5:12, 8:17, 2:11] = 200
    pointed = replace(answer(NODULE), heat=Heat(values, (2, 2, 2)))
    got = judged(finding, pointed)
    assert (got.rungs["heat"], got.pointing) == (False, True)
    picture = shown.shown_heat(pointed.mask, pointed.heat, finding.volume.grid)
    assert against_reference(finding, finding.volume, pointed.mask, picture)["checks"]["heat"] is False


def test_agreement_is_between_the_two_engines(finding):
    same = judged(finding, answer(NODULE), answer(NODULE))
    other = judged(finding, answer(NODULE), answer(OPPOSITE))
    assert (same.agreement, other.agreement) == (1.0, 0.0)
    assert judged(finding, answer(NODULE)).agreement is None


def test_the_command_scores_stores_and_reports(library, listed, tmp_path, capsys):
    report = run(tmp_path)
    assert report["n"] == len([one for one in library if one.exhaustive]) == 4
    assert {
        "dice_per_finding",
        "dice_per_case",
        "hit_rate",
        "instance_precision",
        "instance_recall",
        "instance_f1",
    } < set(report)
    # Of the four the nodule alone is hit: the effusion's sentence names the right side, but not the place of the box.
    by_sentence = {row["sentence"]: row for row in report["findings"]}
    assert by_sentence[library[0].sentence]["hit"] is True
    stored = EngineEvaluation.objects.get()
    assert (stored.engine, stored.version, stored.findings) == ("fake", "1", 4)
    assert stored.report["categories"]["2d"]["n"] == report["categories"]["2d"]["n"]
    assert not HintModel.objects.exists()  # to measure an engine is not to let it speak
    out = capsys.readouterr().out
    assert "2d" in out
    assert "s a scan" in out


def test_partly_annotated_findings_are_told_apart(library, listed, tmp_path):
    report = run(tmp_path)
    assert report["partial"]["n"] == Finding.objects.usable().filter(exhaustive=False).count() > 0
    only = run(tmp_path, split=["val"])
    assert only["partial"]["n"] == 0
    assert EngineEvaluation.objects.first().split == "val"


def test_an_evaluation_of_part_of_the_findings_is_printed_and_not_kept(library, listed, tmp_path, capsys):
    row = {"n": 40, "hit_rate": 0.5, "dice_per_finding": 0.25}
    EngineEvaluation.objects.create(engine="fake", version="1", findings=40, report={"categories": {"2d": row}})
    for part in ({"category": "2e"}, {"limit": 1}):
        run(tmp_path, **part)
        assert "it is not kept" in capsys.readouterr().out
    assert evaluations.measured("fake", "1", "2d") == (40, 0.5, 0.25)


def test_partly_annotated_findings_alone_measure_nothing(library, listed, tmp_path):
    run(tmp_path)
    before = evaluations.measured("fake", "1", "2d")
    assert before
    assert run(tmp_path, split=["train"])["n"] == 0
    assert evaluations.measured("fake", "1", "2d") == before


def test_limits_and_refusals(library, listed, tmp_path):
    assert len({row["name"] for row in run(tmp_path, limit=1)["findings"]}) == 1
    assert {row["category"] for row in run(tmp_path, category="2e")["findings"]} == {"2e"}
    with pytest.raises(CommandError, match="no such finding"):
        run(tmp_path, category="2g")
    with pytest.raises(CommandError, match="no engine 'other'"):
        call_command("evaluate_grounder", model="other")


def asked_of(engine, other=None):
    """What is known after every scan: four findings of the partial one, then four of the exhaustive one."""
    findings = Finding.objects.usable().select_related("volume").order_by("volume__name", "channel")
    *_, (_, running) = evaluations.evaluate(engine, findings, other=other)
    return running


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (EngineError("The lungs cannot be found."), "The lungs cannot be found."),
        (OSError("connection reset"), "The engine stopped with an error. (OSError)"),  # no scan that cannot be read
    ],
)
def test_where_the_engine_fails_it_has_missed(library, error, reason):
    class Half(Fake):
        def ground(self, voxels, grid, sentences, *, progress=None):
            if self.calls:  # the second scan, the exhaustive one
                raise error
            return super().ground(voxels, grid, sentences, progress=progress)

    running = asked_of(Half())
    assert running.left_out == []
    assert [one["reason"] for one in running.failed_on] == [reason] * 4
    assert {one["sentence"] for one in running.failed_on} == {finding.sentence for finding in library}
    got = evaluations.described(running)
    assert (got["n"], got["hit_rate"], got["dice_per_finding"]) == (4, 0.0, pytest.approx(0.0, abs=1e-6))
    assert got["rungs"]["slices"] == {"n": 4, "rate": 0.0}
    assert len(running.seconds) == 1  # of the scan that was answered


def test_what_it_failed_on_is_said(library, listed, tmp_path, as_user, faculty, monkeypatch, capsys):
    class Half(Fake):
        def ground(self, voxels, grid, sentences, *, progress=None):
            if self.calls:
                raise EngineError("The lungs cannot be found.")
            return super().ground(voxels, grid, sentences, progress=progress)

    monkeypatch.setattr("tests.fake_engine.make", Half)
    assert len(run(tmp_path)["failed_on"]) == 4
    assert f"failed on: {library[0].volume.name}: {library[0].sentence}: The lungs" in capsys.readouterr().out
    page = as_user(faculty).get(f"/faculty/models/{EngineEvaluation.objects.get().pk}/").content.decode()
    assert "<h2>Failed on</h2>" in page
    assert "4 findings to which the model gave no answer; each counts as a miss." in page


def test_a_scan_that_cannot_be_read_is_left_out(library, store):
    kept = asked_of(Fake())
    (store / library[0].truth_key).write_bytes(b"damaged")
    running = asked_of(Fake())
    (left,) = running.left_out
    assert left["name"] == library[0].volume.name
    assert (len(kept.rows), len(running.rows), running.failed_on) == (8, 4, [])


def test_an_engine_that_goes_away_ends_the_run_and_nothing_is_kept(library, listed, tmp_path, monkeypatch):
    class Dying(Fake):
        def ground(self, voxels, grid, sentences, *, progress=None):
            if self.calls:
                raise EngineUnavailable("The GPU has gone away.")
            return super().ground(voxels, grid, sentences, progress=progress)

    monkeypatch.setattr("tests.fake_engine.make", Dying)
    with pytest.raises(CommandError, match=r"The GPU has gone away\. The evaluation ended there"):
        run(tmp_path)
    assert not EngineEvaluation.objects.exists()
    assert not (tmp_path / "report.json").exists()


def test_where_the_second_engine_fails_agreement_is_not_known(library):
    class Silent(Fake):
        def ground(self, voxels, grid, sentences, *, progress=None):
            raise EngineError("Not today.")

    other = Silent("9")
    running = asked_of(Fake(), other)
    assert {row.agreement for row in running.rows} == {None}
    got = evaluations.described(running, other=other)
    assert (got["against"]["engine"], got["against"]["version"]) == ("fake", "9")
    assert [one["reason"] for one in got["against"]["failed_on"]] == ["Not today."] * 8
    assert got["failed_on"] == []
    assert got["peak_memory_mb"] is None  # two engines shared the process


def test_what_was_not_asked_is_no_miss(library, listed, tmp_path, as_user, faculty, monkeypatch, capsys):
    """An engine that knows one sentence of many: numbers of that one, the others by name."""
    known = Finding.objects.usable().filter(exhaustive=True).first().sentence

    class Narrow(Fake):
        def ground(self, voxels, grid, sentences, *, progress=None):
            answers = super().ground(voxels, grid, sentences, progress=progress)
            return [
                one if one.sentence == known else replace(one, note="No embedding.", asked=False) for one in answers
            ]

    monkeypatch.setattr("tests.fake_engine.make", Narrow)
    total = Finding.objects.usable().count()
    same = Finding.objects.usable().filter(sentence=known).count()
    report = run(tmp_path)
    assert report["n"] + report["partial"]["n"] == same
    assert len(report["not_asked"]) == total - same
    assert all(one["reason"] == "No embedding." and one["sentence"] != known for one in report["not_asked"])
    assert "not asked: " in capsys.readouterr().out
    page = as_user(faculty).get(f"/faculty/models/{EngineEvaluation.objects.get().pk}/").content.decode()
    assert "No embedding." in page
    assert "in no number above" in page


def test_an_engine_that_was_asked_nothing_is_not_measured(library, listed, tmp_path, monkeypatch):
    class Deaf(Fake):
        def ground(self, voxels, grid, sentences, *, progress=None):
            return [replace(one, asked=False) for one in super().ground(voxels, grid, sentences, progress=progress)]

    monkeypatch.setattr("tests.fake_engine.make", Deaf)
    with pytest.raises(CommandError, match="Nothing could be evaluated"):
        call_command("evaluate_grounder", model="fake")
    assert not EngineEvaluation.objects.exists()


def test_the_newest_evaluation_is_what_hints_say(finding, model):
    def stored(n, rate):
        row = {"n": n, "hit_rate": rate, "dice_per_finding": rate / 2}
        EngineEvaluation.objects.create(engine="fake", version="1", findings=n, report={"categories": {"2d": row}})

    assert evaluations.measured("fake", "1", "2d") is None
    stored(10, 0.5)
    stored(20, 0.75)
    assert evaluations.measured("fake", "1", "2d") == (20, 0.75, 0.375)
    assert evaluations.measured("fake", "1", "2e") is None
    assert evaluations.measured("fake", "2", "2d") is None
    assert "found 15 of 20 (75%), mean Dice 0.38" in opinions.reliability(model, "2d").sentence


def test_the_pages_say_what_was_measured(library, listed, tmp_path, as_user, faculty):
    client = as_user(faculty)
    assert "No worker has started yet" in client.get("/faculty/models/").content.decode()
    report = run(tmp_path)
    page = client.get("/faculty/models/").content.decode()
    assert "evaluated only" in page
    stored = EngineEvaluation.objects.get()
    assert f"/faculty/models/{stored.pk}/" in page
    one = client.get(f"/faculty/models/{stored.pk}/").content.decode()
    assert f"{report['n']} exhaustively annotated findings" in one
    for code in report["categories"]:
        assert f'<th scope="row">{code}</th>' in one
    slices = report["rungs"]["slices"]
    assert f'{slices["rate"] * 100:.0f} % <span class="dim">of {slices["n"]}</span>' in one


def test_a_page_of_nothing_exhaustive_says_so(db, as_user, faculty):
    from quiz.scoring import evaluation

    empty = evaluation.report([], lambda row: True) | {"seconds_per_scan": {}, "peak_memory_mb": 1.0}
    one = EngineEvaluation.objects.create(engine="fake", version="1", findings=0, report=empty)
    page = as_user(faculty).get(f"/faculty/models/{one.pk}/").content.decode()
    assert "nothing can be said of the model" in page


def test_an_answer_that_does_not_fit_is_a_miss_and_the_others_count(library):
    class Misfit(Fake):
        def ground(self, voxels, grid, sentences, *, progress=None):
            answers = super().ground(voxels, grid, sentences, progress=progress)
            return [*answers[:-1], Grounding("Nodule", masks.empty((1, 2, 3)), None, 0.5)]  # on another grid

    *_, (_, running) = evaluations.evaluate(Misfit(), library)
    (failed,) = running.failed_on
    assert (failed["sentence"], failed["reason"]) == (
        library[-1].sentence,
        "The engine's answer does not fit this scan.",
    )
    assert len(running.rows) == 4
    assert not running.rows[-1].score.numbers.hit


def test_too_few_answers_are_none(library):
    class Short(Fake):
        def ground(self, voxels, grid, sentences, *, progress=None):
            return super().ground(voxels, grid, sentences, progress=progress)[:-1]

    *_, (_, running) = evaluations.evaluate(Short(), library)
    assert {one["reason"] for one in running.failed_on} == {"The engine gave 3 answers to 4 sentences."}


def test_an_engine_that_answers_nothing_at_all_is_not_measured(library, listed, tmp_path, monkeypatch):
    class Broken(Fake):
        def ground(self, voxels, grid, sentences, *, progress=None):
            raise ZeroDivisionError

    monkeypatch.setattr("tests.fake_engine.make", Broken)
    with pytest.raises(CommandError, match="Nothing could be evaluated"):
        run(tmp_path)
    assert not EngineEvaluation.objects.exists()


def test_models_are_listed_without_the_rows_of_their_reports(
    library, listed, tmp_path, model, django_assert_num_queries
):
    for _ in range(3):
        run(tmp_path)
    EngineEvaluation.objects.create(
        engine="another", version="2", findings=7, report={"dice_per_finding": 0.25, "hit_rate": 0.5}
    )
    with django_assert_num_queries(2):
        registered, evaluated = evaluations.overview()
    assert (registered.model, registered.newest) == (model, EngineEvaluation.objects.filter(engine="fake").first())
    assert registered.newest.hit_rate == registered.newest.report["hit_rate"]
    assert (evaluated.engine, evaluated.version, evaluated.model) == ("another", "2", None)
    assert (evaluated.newest.dice, evaluated.newest.hit_rate) == (0.25, 0.5)
    assert evaluated.newest.get_deferred_fields() == {"report"}
