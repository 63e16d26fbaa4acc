"""Request bodies: in what form they may come, and how large they may be."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, JSONParser

from cases.imaging import compact


def _check_length(parser_context: Mapping[str, Any] | None) -> ParseError:
    """Raise if the body says itself that it is too large; returns the error for one that turns out to be."""
    limit = settings.MAX_MASK_BYTES
    too_large = ParseError(f"The request is larger than {limit // 2**20} MB; no painted mask is.")
    request = (parser_context or {}).get("request")
    declared = request.META.get("CONTENT_LENGTH") if request is not None else None
    if declared and declared.isdecimal() and int(declared) > limit:
        raise too_large
    return too_large


class LimitedJSONParser(JSONParser):
    """JSON, up to a size: DRF reads the stream itself, so Django's own limit on bodies does not hold here."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        _check_length(parser_context)
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error


class CompactMaskParser(BaseParser):
    """The compact form of a mask as the whole body; the fields beside it, such as revision, travel in the query."""

    media_type = compact.CONTENT_TYPE

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        too_large = _check_length(parser_context)
        body = stream.read(settings.MAX_MASK_BYTES + 1)
        if len(body) > settings.MAX_MASK_BYTES:
            raise too_large
        request = (parser_context or {}).get("request")
        return {**({} if request is None else request.query_params.dict()), "mask": body}


class LimitedUpload(FileUploadHandler):
    """Refuses a form with more than a mask and what travels beside it before any of it is written to disk: Django's own
    limit does not count files, and it reads them before it knows who sends them."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: Mapping[str, Any],
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        if content_length > 2 * settings.MAX_MASK_BYTES:
            raise RequestDataTooBig("The form is larger than any answer.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
