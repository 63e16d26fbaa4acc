"""The HTTP API v1 (design section 5). Thin: each call finds the row among the caller's own, and asks a service."""

from typing import cast

from django.db.models import Count, Q
from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.authtoken.models import Token
from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.exceptions import (
    APIException,
    ErrorDetail,
    NotFound,
    ParseError,
    PermissionDenied,
    Throttled,
    ValidationError,
)
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from cases.imaging import compact
from cases.models import Category, FindingQuerySet
from cases.views import AnyAccept
from quiz import access, accounts, attempts, explanations, hints, jobs, progress, questions
from quiz.models import Attempt, User
from quiz.parsers import CompactMaskParser, LimitedJSONParser
from quiz.serializers import (
    AskSerializer,
    AttemptSerializer,
    CategorySerializer,
    ConflictSerializer,
    DetailSerializer,
    DraftSerializer,
    ExplanationSerializer,
    FindingSerializer,
    OpenAttemptSerializer,
    ProgressSerializer,
    QuestionSerializer,
    SavedSerializer,
    ShownHintSerializer,
    SignInSerializer,
    SubmissionSerializer,
    TruthSerializer,
)

MASK_BODY = {compact.CONTENT_TYPE: OpenApiTypes.BINARY}
"""The other form that a mask may come in."""


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"

    def __init__(self, sentence: str, *, code: str = "conflict", revision: int | None = None) -> None:
        """The body holds a code beside the sentence, and the revision of the draft that is in the way."""
        super().__init__(sentence, code)
        self.detail = {"detail": sentence, "code": code} | ({} if revision is None else {"revision": revision})  # type: ignore[assignment]


class TooMany(Throttled):
    """429 with Retry-After, and our own sentence."""

    def __init__(self, wait: int, sentence: str) -> None:
        super().__init__(wait)
        self.detail = ErrorDetail(sentence)


def refusal(error: attempts.AttemptRefused) -> APIException:
    """The HTTP answer to a refusal: 400 for what cannot be read, 403 for what is too early, else 409."""
    if error.code in ("bad_mask", "bad_answer", "not_in_set"):
        return ParseError(error.sentence)
    if error.code == "not_submitted":
        return PermissionDenied(error.sentence)
    return Conflict(error.sentence, code=error.code, revision=error.revision)


def _me(request: Request) -> User:
    return cast(User, request.user)


def _my_attempt(request: Request, pk: int) -> Attempt:
    mine = access.attempts_of(_me(request)).select_related("finding__volume", "finding__category", "assignment")
    return get_object_or_404(mine, pk=pk)


class TokenView(ObtainAuthToken):
    """Exchange a username and password for a token to send as `Authorization: Token ...`."""

    throttle_scope = "token"
    throttle_classes = (ScopedRateThrottle,)  # the parent class switches throttling off
    parser_classes = (LimitedJSONParser,)
    serializer_class = SignInSerializer

    def post(self, request: Request) -> Response:
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            user = accounts.check_password(request._request, **form.validated_data)
        except accounts.TokenRefused as error:
            if error.retry_after:
                raise TooMany(error.retry_after, error.sentence) from error
            raise ValidationError({"non_field_errors": [error.sentence]}) from error
        return Response({"token": Token.objects.get_or_create(user=user)[0].key})


class CategoryList(APIView):
    @extend_schema(operation_id="categories_list", responses=CategorySerializer(many=True))
    def get(self, request: Request) -> Response:
        mine = access.findings_open_to(_me(request)).values("pk")
        rows = Category.objects.filter(annotated=True).annotate(
            open_findings=Count("findings", filter=Q(findings__in=mine), distinct=True)
        )
        return Response(CategorySerializer(rows.order_by("code"), many=True).data)


@extend_schema(
    parameters=[
        OpenApiParameter("category", str, description="Code such as 2d."),
        OpenApiParameter("exhaustive", bool, description="Only findings of which every instance is annotated."),
        OpenApiParameter("case_set", int, description="Only the findings of this case set."),
    ]
)
class FindingList(ListAPIView):
    serializer_class = FindingSerializer

    def get_queryset(self) -> FindingQuerySet:
        user = _me(self.request)
        asked = self.request.query_params
        findings = access.findings_open_to(user).order_by("pk")
        if category := asked.get("category"):
            # PostgreSQL takes no NUL, which is in no code either.
            findings = findings.filter(category_id=category.replace("\0", "?"))
        if exhaustive := asked.get("exhaustive"):
            if exhaustive.lower() not in ("true", "false", "1", "0"):
                raise ValidationError({"exhaustive": "Use true or false."})
            findings = findings.filter(exhaustive=exhaustive.lower() in ("true", "1"))
        if case_set := asked.get("case_set"):
            if not case_set.isdecimal():
                raise ValidationError({"case_set": "Use the number of a case set."})
            findings = findings.filter(
                pk__in=access.case_sets_open_to(user).filter(pk=int(case_set)).values("findings")
            )
        return findings


class AttemptOpen(APIView):
    throttle_scope = "attempts"

    @extend_schema(request=OpenAttemptSerializer, responses={200: AttemptSerializer, 409: DetailSerializer})
    def post(self, request: Request) -> Response:
        """Open an attempt, or get mine that is open."""
        form = OpenAttemptSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        user = _me(request)
        finding = get_object_or_404(access.findings_open_to(user), pk=asked["finding"])
        assignment = None
        if asked.get("assignment"):
            assignment = get_object_or_404(access.assignments_of(user, timezone.now()), pk=asked["assignment"])
        try:
            attempt = attempts.open_attempt(user, finding, mode=asked.get("mode"), assignment=assignment)
        except attempts.AttemptRefused as error:
            raise refusal(error) from error
        return Response(AttemptSerializer(attempt).data)


class AttemptDetail(APIView):
    @extend_schema(responses=AttemptSerializer)
    def get(self, request: Request, pk: int) -> Response:
        return Response(AttemptSerializer(_my_attempt(request, pk)).data)


class AttemptDraft(APIView):
    throttle_scope = "draft"
    parser_classes = (LimitedJSONParser, CompactMaskParser)

    @extend_schema(
        request=MASK_BODY | {"application/json": DraftSerializer},
        responses={200: SavedSerializer, 400: DetailSerializer, 409: ConflictSerializer},
    )
    def put(self, request: Request, pk: int) -> Response:
        """Keep what is painted so far. The mask in JSON, or in the compact form with the other fields in the query."""
        attempt = _my_attempt(request, pk)
        form = DraftSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        try:
            draft = form.validated_data
            attempt = attempts.save_draft(
                attempt, draft["mask"], revision=draft.get("revision"), writer=draft.get("writer", "")
            )
        except attempts.AttemptRefused as error:
            raise refusal(error) from error
        return Response({"saved_at": attempt.draft_saved_at, "revision": attempt.draft_revision})


class AttemptHint(APIView):
    throttle_scope = "hints"

    @extend_schema(operation_id="attempts_hints_list", responses={200: ShownHintSerializer(many=True)})
    def get(self, request: Request, pk: int) -> Response:
        """The rungs I have taken, with what they draw on the scan."""
        taken = ShownHintSerializer(_my_attempt(request, pk).hints.all(), many=True).data
        return Response(taken, headers={"Cache-Control": "private, no-store"})

    @extend_schema(request=None, responses={200: ShownHintSerializer, 409: DetailSerializer, 429: DetailSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Take the next rung of the ladder."""
        try:
            hint = hints.take_hint(_my_attempt(request, pk))
        except hints.HintRefused as error:
            raise Conflict(error.sentence) from error
        except jobs.QueueFull as error:
            raise TooMany(error.retry_after, error.sentence) from error
        return Response(ShownHintSerializer(hint).data, headers={"Cache-Control": "private, no-store"})


class AttemptQuestions(APIView):
    throttle_scope = "hints"

    @extend_schema(operation_id="attempts_questions_list", responses={200: QuestionSerializer(many=True)})
    def get(self, request: Request, pk: int) -> Response:
        """The twenty questions I asked the model last about this scan, and its answers."""
        attempt = _my_attempt(request, pk)
        told = QuestionSerializer(questions.latest(attempt), many=True, context=questions.for_all(attempt)).data
        return Response(told, headers={"Cache-Control": "private, no-store"})

    @extend_schema(
        request=AskSerializer, responses={201: QuestionSerializer, 409: DetailSerializer, 429: DetailSerializer}
    )
    def post(self, request: Request, pk: int) -> Response:
        """Ask the model a sentence of my own, after submission. The answer comes later: look again."""
        form = AskSerializer(data=request.data)
        attempt = _my_attempt(request, pk)
        form.is_valid(raise_exception=True)
        try:
            question = questions.ask(attempt, form.validated_data["sentence"])
        except questions.QuestionRefused as error:
            raise _not_now(error) from error
        told = QuestionSerializer(question, context=questions.for_all(attempt)).data
        return Response(told, status=status.HTTP_201_CREATED)


class AttemptQuestion(APIView):
    @extend_schema(responses={200: QuestionSerializer})
    def get(self, request: Request, pk: int, question: int) -> Response:
        """One of my questions: its state, and the model's mask once it is done."""
        attempt = _my_attempt(request, pk)
        one = get_object_or_404(attempt.questions.select_related("grounding__model"), pk=question)
        told = QuestionSerializer(one, context=questions.for_all(attempt)).data
        return Response(told, headers={"Cache-Control": "private, no-store"})


def _not_now(error: questions.QuestionRefused) -> APIException:
    return TooMany(error.retry_after, error.sentence) if error.retry_after else Conflict(error.sentence)


class AttemptSubmit(APIView):
    throttle_scope = "submit"
    parser_classes = (LimitedJSONParser, CompactMaskParser)

    @extend_schema(
        request=MASK_BODY | {"application/json": SubmissionSerializer},
        responses={200: AttemptSerializer, 400: DetailSerializer, 409: ConflictSerializer},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Submit my answer; it is graded once. The mask as for the draft; telemetry only in JSON."""
        attempt = _my_attempt(request, pk)
        form = SubmissionSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        answer = form.validated_data
        try:
            attempt = attempts.submit_attempt(
                attempt,
                payload=answer["mask"],
                confidence=answer.get("confidence"),
                absent=answer["absent"],
                looks=answer.get("telemetry"),
                revision=answer.get("revision"),
                writer=answer.get("writer", ""),
            )
        except attempts.AttemptRefused as error:
            raise refusal(error) from error
        return Response(AttemptSerializer(attempt).data)


class AttemptTruth(APIView):
    @extend_schema(responses={200: TruthSerializer, 403: DetailSerializer})
    def get(self, request: Request, pk: int) -> Response:
        """The reference mask, after submission only."""
        try:
            truth = attempts.truth_of(_my_attempt(request, pk))
        except attempts.AttemptRefused as error:
            raise refusal(error) from error
        return Response(truth, headers={"Cache-Control": "private, no-store"})


class AttemptExplanation(APIView):
    @extend_schema(responses={200: ExplanationSerializer, 403: DetailSerializer})
    def get(self, request: Request, pk: int) -> Response:
        """How it was scored: parts, areas, numbers. 403 before submission, for anyone."""
        attempt = _my_attempt(request, pk)
        if not attempt.is_submitted:
            raise PermissionDenied("How it was scored is shown after you have submitted your answer.")
        response = Response(explanations.explanation_of(attempt))
        response["Cache-Control"] = "no-store"
        return response


class AttemptMask(APIView):
    content_negotiation_class = AnyAccept

    @extend_schema(
        parameters=[OpenApiParameter("which", str, OpenApiParameter.PATH, enum=["painted", "truth"])],
        responses={(200, "application/gzip"): OpenApiTypes.BINARY, 403: DetailSerializer},
    )
    def get(self, request: Request, pk: int, which: str) -> StreamingHttpResponse:
        """What I painted, or the reference, as NIfTI on the grid of the CT's own file; after submission only."""
        try:
            name, content = attempts.mask_file(_my_attempt(request, pk), which)
        except attempts.AttemptRefused as error:
            raise refusal(error) from error
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
        return StreamingHttpResponse(content, content_type="application/gzip", headers=headers)


class ProgressView(APIView):
    @extend_schema(operation_id="progress_list", responses=ProgressSerializer(many=True))
    def get(self, request: Request) -> Response:
        return Response(ProgressSerializer(progress.category_progress(_me(request)), many=True).data)


class NothingHere(APIView):
    """Every unknown address below /api/: JSON, not a page."""

    permission_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        raise NotFound("There is nothing at this address; see /api/v1/docs/.")

    post = put = patch = delete = get
