from datetime import timedelta

import pytest
from django.utils import timezone

from cases import storage
from cases.imaging import masks
from cases.models import Finding
from quiz import assignments, attempts, hints, progress
from quiz.models import Attempt, State

NODULE = (6, 22, 35)  # k, j, i of the left lower nodule of the tiny chest


def submit(attempt, mask, **more):
    return attempts.submit_attempt(attempt, payload=mask, **more)


def test_opening_twice_gives_the_same_attempt(trainee, finding):
    assert attempts.open_attempt(trainee, finding) == attempts.open_attempt(trainee, finding)


def test_painting_the_nodule_is_found(trainee, finding, paint):
    done = submit(attempts.open_attempt(trainee, finding), paint(*NODULE), confidence=4)
    assert done.state == State.SUBMITTED
    assert done.verdict == "found"
    assert done.hit is True
    assert done.result["scorer_version"] == done.scorer_version
    assert done.truth_version == finding.truth_version
    assert "You found it." in done.result["feedback"]


def test_painting_the_other_side_is_missed(trainee, finding, paint):
    done = submit(attempts.open_attempt(trainee, finding), paint(6, 22, 12))
    assert (done.verdict, done.score) == ("missed", 0)


def test_the_same_answer_again_is_the_same_result_and_another_is_refused(trainee, finding, paint):
    attempt = attempts.open_attempt(trainee, finding)
    first = submit(attempt, paint(*NODULE))
    assert submit(Attempt.objects.get(pk=attempt.pk), paint(*NODULE)).result == first.result
    with pytest.raises(attempts.AttemptRefused, match="already submitted another"):
        submit(Attempt.objects.get(pk=attempt.pk), paint(6, 22, 33))


def test_a_lost_race_returns_what_won(trainee, finding, paint):
    attempt = attempts.open_attempt(trainee, finding)
    stale = Attempt.objects.get(pk=attempt.pk)
    first = submit(attempt, paint(*NODULE))
    assert submit(stale, paint(*NODULE)).submitted_at == first.submitted_at


def test_nothing_painted_is_refused_but_absent_is_an_answer(trainee, finding):
    attempt = attempts.open_attempt(trainee, finding)
    empty = {"size": [24, 40, 48], "runs": {}}
    with pytest.raises(attempts.AttemptRefused, match="Nothing is painted"):
        submit(attempt, empty)
    assert submit(attempt, empty, absent=True).verdict == "missed"


def test_after_closing_the_answer_is_refused_and_kept_as_the_draft(trainee, assignment, library, paint):
    attempt = attempts.open_attempt(trainee, library[0], assignment=assignment)
    assignment.closes_at = timezone.now() - timedelta(seconds=1)
    assignment.save()
    attempt.refresh_from_db()
    with pytest.raises(attempts.AttemptRefused, match="closed on"):
        submit(attempt, paint(*NODULE))
    attempt.refresh_from_db()
    assert attempt.is_open
    assert attempt.draft_mask().voxels() == 25  # 5 rows of 5


def test_an_assigned_finding_is_answered_in_its_assignment(trainee, assignment, library):
    assert attempts.open_attempt(trainee, library[0]).assignment == assignment


def test_a_finding_assigned_for_later_is_held_back(trainee, assignment, library):
    from quiz import access

    assignment.opens_at = timezone.now() + timedelta(hours=1)
    assignment.save()
    assert library[0] not in access.findings_open_to(trainee)
    assert library[2] in access.findings_open_to(trainee)


def test_a_second_try_does_not_count(trainee, finding, paint):
    submit(attempts.open_attempt(trainee, finding), paint(6, 22, 12))
    again = attempts.open_attempt(trainee, finding)
    assert again.repeat
    submit(again, paint(*NODULE))
    row = next(row for row in progress.category_progress(trainee) if row.code == "2d")
    assert (row.attempts, row.hits) == (1, 0)


def test_progress_by_hand(trainee, library, paint, django_assert_num_queries):
    hit = submit(attempts.open_attempt(trainee, library[0]), paint(*NODULE))
    submit(attempts.open_attempt(trainee, library[1]), paint(2, 5, 5))
    with django_assert_num_queries(3):  # categories, the aggregate, the points of the trend
        rows = progress.category_progress(trainee)
    row = next(row for row in rows if row.code == "2d")
    assert (row.attempts, row.hits, row.hit_rate) == (2, 1, 0.5)
    assert row.mean_grade == pytest.approx((hit.score + 0) / 2)
    assert row.trend == [hit.score, 0]


def tap(user, finding, **more):
    """Locate a finding by one voxel in its middle slice: found, with a Dice over the whole volume of next to nothing."""
    truth = storage.load_truth(finding.truth_key)
    k, j, i = (int(axis[len(axis) // 2]) for axis in truth.on_slices([finding.largest_k]).dense().nonzero())
    one = {"size": list(truth.size), "runs": {str(k): [j * truth.size[2] + i, 1]}}
    return submit(attempts.open_attempt(user, finding, mode="locate"), one, **more)


def test_what_is_found_on_a_few_slices_counts_as_found(trainee, library, as_user, paint):
    # One voxel of v: Dice 2 / (v + 1), below 0.1 from v = 20 on, so the official hit is "no".
    effusion = library[2]
    assert effusion.voxels >= 20
    done = tap(trainee, effusion)
    assert (done.verdict, done.found, done.hit) == ("found", True, False)
    missed = submit(attempts.open_attempt(trainee, library[0], mode="volume"), paint(2, 5, 5))
    assert (missed.verdict, missed.found) == ("missed", False)
    total = progress.totals(trainee)
    assert (total.found, total.found_rate, total.hits) == (1, 0.5, 0)
    assert (total.whole.answers, total.whole.hit_rate) == (1, 0.0)  # the second one
    assert total.whole.mean_dice == pytest.approx(0, abs=1e-6)
    client = as_user(trainee)
    for address in ("/", "/progress/"):
        page = client.get(address).content.decode()
        assert "<dt>Found</dt><dd>50 %</dd>" in page
        assert "Hit rate" not in page
    page = client.get(f"/attempts/{done.pk}/").content.decode()
    assert "say nothing of whether you found it" in page
    assert "<dt>Whole-volume Dice ≥ 0.1</dt><dd>not reached</dd>" in page
    assert "<dt>Hit" not in page


def test_the_truth_is_refused_before_submission(trainee, finding):
    with pytest.raises(attempts.AttemptRefused):
        attempts.truth_of(attempts.open_attempt(trainee, finding))


def test_hints_come_one_by_one_and_are_recorded(trainee, finding, paint):
    attempt = attempts.open_attempt(trainee, finding)
    attempts.save_draft(attempt, paint(6, 22, 12))
    before = [(rung.bits, rung.text) for rung in hints.ladder(attempt)]
    taken = [hints.take_hint(attempt) for _ in range(3)]
    assert [hint.rung for hint in taken] == [1, 2, 3]
    assert taken[1].text == "Look in the left hemithorax, in the lower zone."
    # The sentence says "left" itself, so only the zone was given away: log2(3) = 1.58 bits.
    assert taken[1].bits == 1.58
    with pytest.raises(hints.HintRefused):
        hints.take_hint(attempt)
    attempt.refresh_from_db()
    assert attempt.hint_bits == pytest.approx(sum(hint.bits for hint in taken))
    assert all(text == "" for _, text in before)


def test_the_slice_range_holds_the_finding(trainee, library):
    for finding in library:
        text = hints._slices(attempts.open_attempt(trainee, finding)).text
        first, last = [int(word) for word in text.split() if word.isdecimal()][:2]
        (k0, k1), _, _ = finding.box
        # Slice numbers count from the head: number = 24 - k.
        assert first <= 24 - (k1 - 1)
        assert last >= 24 - k0


def test_prices_before_taking_say_nothing_of_the_truth(trainee, library):
    ladders = [[rung.bits for rung in hints.ladder(attempts.open_attempt(trainee, one))] for one in library]
    assert all(ladder == ladders[0] for ladder in ladders)


def test_the_next_finding_is_one_not_answered(trainee, library, paint):
    seen = set()
    for _ in library:
        finding = attempts.next_finding(trainee)
        seen.add(finding.pk)
        submit(attempts.open_attempt(trainee, finding), paint(*NODULE))
    assert len(seen) == len(library)


def test_drafts_survive_and_end_with_submission(trainee, finding, paint):
    attempt = attempts.open_attempt(trainee, finding)
    attempts.save_draft(attempt, paint(*NODULE))
    assert masks.to_wire(Attempt.objects.get(pk=attempt.pk).draft_mask()) == paint(*NODULE)
    submit(attempt, paint(*NODULE))
    with pytest.raises(attempts.AttemptRefused, match="has been submitted"):
        attempts.save_draft(attempt, paint(*NODULE))


def test_a_draft_goes_on_from_the_one_before_or_is_a_conflict(trainee, finding, paint):
    attempt = attempts.open_attempt(trainee, finding)
    first = attempts.save_draft(attempt, paint(*NODULE), revision=0, writer="desk")
    assert first.draft_revision == 1
    # The tablet opened the page before that: revision 0 is no longer the latest.
    with pytest.raises(attempts.AttemptRefused, match="Nothing was overwritten") as refused:
        attempts.save_draft(attempt, paint(6, 22, 12), revision=0, writer="tablet")
    assert (refused.value.code, refused.value.revision) == ("stale", 1)
    assert masks.to_wire(Attempt.objects.get().draft_mask()) == paint(*NODULE)
    # The trainee keeps the tablet's paint, knowing that: it goes on from revision 1.
    assert attempts.save_draft(attempt, paint(6, 22, 12), revision=1, writer="tablet").draft_revision == 2
    with pytest.raises(attempts.AttemptRefused):
        attempts.save_draft(attempt, paint(*NODULE), revision=1, writer="desk")


def test_a_tab_whose_answer_got_lost_is_no_conflict_with_itself(trainee, finding, paint):
    attempt = attempts.open_attempt(trainee, finding)
    attempts.save_draft(attempt, paint(*NODULE), revision=0, writer="desk")  # saved, but the answer never arrived
    saved = attempts.save_draft(attempt, paint(6, 22, 34), revision=0, writer="desk")
    assert saved.draft_revision == 2
    assert attempts.save_draft(attempt, paint(6, 22, 34), revision=0, writer="tablet").draft_revision == 2  # the same


def test_an_answer_that_does_not_know_the_latest_draft_is_a_conflict(trainee, finding, paint):
    attempt = attempts.open_attempt(trainee, finding)
    attempts.save_draft(attempt, paint(*NODULE), revision=0, writer="desk")
    with pytest.raises(attempts.AttemptRefused) as refused:
        submit(attempt, paint(6, 22, 12), revision=0, writer="tablet")
    assert refused.value.code == "stale"
    assert Attempt.objects.get().is_open
    done = submit(attempt, paint(6, 22, 12), revision=1, writer="tablet")
    assert submit(done, paint(6, 22, 12), revision=0, writer="tablet").result == done.result  # a retry


def test_the_compact_form_is_the_same_answer(trainee, finding, paint):
    from cases.imaging import compact

    attempt = attempts.open_attempt(trainee, finding)
    sent = compact.encode(masks.from_wire(paint(*NODULE), (24, 40, 48)))
    attempts.save_draft(attempt, sent)
    assert masks.to_wire(attempt.draft_mask()) == paint(*NODULE)
    done = submit(attempt, sent)
    assert submit(done, paint(*NODULE)).result == done.result


# -- what somebody tries who wants the answer first ---------------------------------------------------------------------


def assigned(finding, cohort, faculty, *, opens=-1, exam=False):
    """An assignment of this one finding, ``opens`` hours from now, for a day."""
    now = timezone.now()
    chosen = assignments.create_case_set(faculty, name="One", mode="slice", findings=[finding])
    opens_at, closes_at = now + timedelta(hours=opens), now + timedelta(days=1)
    return assignments.assign(chosen, cohort=cohort, opens_at=opens_at, closes_at=closes_at, by=faculty, exam=exam)


@pytest.mark.parametrize("opens", [-1, 1])
@pytest.mark.parametrize("exam", [True, False])
def test_practice_opened_before_an_assignment_waits_for_it(trainee, finding, cohort, faculty, paint, opens, exam):
    practice = attempts.open_attempt(trainee, finding)
    asked = assigned(finding, cohort, faculty, opens=opens, exam=exam)
    with pytest.raises(attempts.AttemptRefused, match="answer it there") as refused:
        submit(practice, paint(2, 5, 5))
    assert refused.value.code == "assigned"
    practice.refresh_from_db()
    assert (practice.is_open, practice.draft_mask().voxels()) == (True, 25)
    asked.opens_at = timezone.now() - timedelta(hours=2)
    asked.save()
    done = submit(attempts.open_attempt(trainee, finding, assignment=asked), paint(*NODULE))
    assert (done.verdict, done.repeat) == ("found", False)
    assert submit(practice, paint(*NODULE)).repeat  # opened as a first one, answered as a second


def test_paint_that_was_refused_is_no_draft_of_somebody_else(trainee, finding, cohort, faculty, paint):
    practice = attempts.open_attempt(trainee, finding)
    attempts.save_draft(practice, paint(2, 5, 5), revision=0, writer="desk")
    assigned(finding, cohort, faculty)
    with pytest.raises(attempts.AttemptRefused, match="answer it there"):
        attempts.submit_attempt(practice, payload=paint(2, 6, 6), revision=1, writer="desk")
    # The tab has not heard of the new revision, and paints on.
    assert attempts.save_draft(practice, paint(2, 7, 7), revision=1, writer="desk").draft_revision == 3


def test_what_is_assigned_waits_for_an_open_exam_and_an_exam_for_nothing(trainee, finding, cohort, faculty, paint):
    course = attempts.open_attempt(trainee, finding, assignment=assigned(finding, cohort, faculty))
    later = assigned(finding, cohort, faculty, opens=1, exam=True)
    exam = attempts.open_attempt(trainee, finding, assignment=assigned(finding, cohort, faculty, exam=True))
    with pytest.raises(attempts.AttemptRefused, match="answer it there"):
        submit(course, paint(2, 5, 5))
    assert not submit(exam, paint(*NODULE)).repeat
    assert submit(course, paint(*NODULE)).repeat
    assert not later.has_opened(timezone.now())


def test_what_was_assigned_is_painted_again_as_practice(trainee, finding, cohort, faculty, paint, as_user):
    """After an exam once it has closed; not while another assignment still asks for it, or will."""
    client = as_user(trainee)

    def offered(attempt):
        return "Paint it again" in client.get(f"/attempts/{attempt.pk}/").content.decode()

    first = assigned(finding, cohort, faculty)
    done = submit(attempts.open_attempt(trainee, finding, assignment=first), paint(*NODULE))
    assert offered(done)
    page = client.post(f"/findings/{finding.pk}/open/")
    practice = Attempt.objects.get(assignment=None)
    assert page["Location"] == f"/attempts/{practice.pk}/"
    assert submit(practice, paint(2, 5, 5)).repeat
    done.refresh_from_db()
    assert done.verdict == "found"
    later = assigned(finding, cohort, faculty, opens=1)
    assert not offered(done)
    later.delete()
    exam = assigned(finding, cohort, faculty, exam=True)
    examined = attempts.open_attempt(trainee, finding, assignment=exam)
    assert not offered(done)
    submit(examined, paint(*NODULE))
    examined.refresh_from_db()
    assert not offered(examined)
    assert not offered(done)
    exam.closes_at = timezone.now()
    exam.save()
    assert offered(examined)
    assert offered(done)


def test_an_attempt_opened_before_another_showed_the_truth_does_not_count(trainee, finding, cohort, faculty, paint):
    one, two = (
        attempts.open_attempt(trainee, finding, assignment=assigned(finding, cohort, faculty)) for _ in range(2)
    )
    assert not submit(one, paint(2, 5, 5)).repeat
    assert submit(two, paint(*NODULE)).repeat
    assert [row.attempts for row in progress.category_progress(trainee) if row.code == "2d"] == [1]


def test_an_attempt_opened_while_another_is_submitted_does_not_count(trainee, finding, paint, monkeypatch):
    first, really = attempts.open_attempt(trainee, finding), attempts._get_or_create

    def late(*args, **more):
        submit(first, paint(2, 5, 5))
        return really(*args, **more)

    monkeypatch.setattr(attempts, "_get_or_create", late)
    second = attempts.open_attempt(trainee, finding)
    assert second != first
    assert submit(second, paint(*NODULE)).repeat


def test_hints_of_another_attempt_count_as_help(trainee, finding, cohort, faculty, paint):
    practice = attempts.open_attempt(trainee, finding)
    hints.take_hint(practice), hints.take_hint(practice)
    practice.refresh_from_db()
    assert practice.hint_bits > 0
    done = submit(
        attempts.open_attempt(trainee, finding, assignment=assigned(finding, cohort, faculty)), paint(*NODULE)
    )
    assert (done.hints.count(), done.hint_bits) == (0, practice.hint_bits)


def test_the_mode_is_the_one_it_was_graded_in(trainee, finding, paint, monkeypatch):
    attempt = attempts.open_attempt(trainee, finding, mode="locate")
    really = attempts.grading.grade_columns

    def slow(*args, **more):
        attempts.choose_mode(Attempt.objects.get(pk=attempt.pk), "volume")
        return really(*args, **more)

    monkeypatch.setattr(attempts.grading, "grade_columns", slow)
    assert submit(attempt, paint(*NODULE)).mode == "locate"


def test_paint_on_a_finding_still_to_be_answered_is_not_said_to_lie_on_it(trainee, library, paint, as_user):
    nodule, effusion = library[0], library[2]
    on_it = masks.to_wire(storage.load_truth(effusion.truth_key).on_slices([effusion.largest_k]))
    before = submit(attempts.open_attempt(trainee, nodule), on_it)
    assert effusion.sentence not in " ".join(before.result["feedback"])
    submit(attempts.open_attempt(trainee, effusion), on_it)
    after = submit(attempts.open_attempt(trainee, nodule), on_it)
    assert effusion.sentence in " ".join(after.result["feedback"])


def test_in_a_partly_annotated_scan_nothing_tells_where_the_others_lie(trainee, library, as_user):
    """Paint on another finding and paint on nothing look the same, in the grade and in everything shown of it."""
    partial = Finding.objects.filter(volume__split="train").order_by("channel")
    nodule, effusion = partial[0], partial[2]
    truth = storage.load_truth(effusion.truth_key)
    client, seen = as_user(trainee), []
    on_it = truth.on_slices([effusion.largest_k])
    above = masks.from_flat(on_it.flat() + 9 * 40 * 48, on_it.at(on_it.flat()), on_it.size)
    for there in (on_it, above):
        done = submit(attempts.open_attempt(trainee, nodule), masks.to_wire(there))
        explained = client.get(f"/api/v1/attempts/{done.pk}/explanation/").json()
        kinds = {kind for kind, mask in explained["areas"].items() if mask["runs"]}
        seen.append((done.verdict, done.score, done.score_low, kinds, [e["outcome"] for e in done.reveal["extras"]]))
    assert seen[0] == seen[1]
