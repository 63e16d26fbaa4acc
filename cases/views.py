"""Bytes and geometry of volumes, for anybody signed in. Nothing here knows of findings or masks."""

import logging
from collections.abc import Iterable

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import storage
from cases.imaging import blocks, slices
from cases.manifest import manifest
from cases.models import Volume

logger = logging.getLogger(__name__)

A_YEAR = "private, max-age=31536000, immutable"
VERSION = OpenApiParameter("v", str, description="The version that the manifest's template names; may be left out.")


class _Final(APIException):
    """The code tells it from a server that is down for a moment: asking again is of no use."""

    def __init__(self, sentence: str) -> None:
        super().__init__({"detail": sentence, "code": self.default_code})


class DamagedSlice(_Final):
    status_code = 503
    default_code = "damaged"


class ReplacedSlices(_Final):
    status_code = 404
    default_code = "replaced"


class VolumeManifest(APIView):
    @extend_schema(
        responses=inline_serializer(
            "Manifest",
            {
                "id": serializers.IntegerField(),
                "size": serializers.ListField(child=serializers.IntegerField(), help_text="[K, J, I]"),
                "spacing_mm": serializers.ListField(child=serializers.FloatField(), help_text="[dk, dj, di]"),
                "slices": serializers.CharField(
                    help_text="URL template with {k}; 0 is the most inferior slice. Has a query."
                ),
                "slice_filter": serializers.CharField(help_text="Undo this after Content-Encoding; see ?format=raw."),
                "blocks": serializers.CharField(
                    help_text="URL template with {n}: block n holds several slices. Has a query."
                ),
                "block_slices": serializers.IntegerField(help_text="Block n begins with slice n * block_slices."),
                "window_presets": serializers.ListField(child=serializers.DictField()),
                "credit": serializers.CharField(),
            },
        )
    )
    def get(self, request: Request, pk: int) -> Response:
        """Geometry of a volume and where its slices are. Says nothing of findings or of the file's name."""
        volume = get_object_or_404(Volume, pk=pk)
        return Response(manifest(volume), headers={"Cache-Control": "private, max-age=300"})


class AnyAccept(DefaultContentNegotiation):
    """Bytes are bytes, whatever the client says it accepts; errors stay JSON."""

    def select_renderer(self, request: Request, renderers: Iterable, format_suffix: str | None = None) -> tuple:
        first = next(iter(renderers))
        return first, first.media_type


class VolumeSlice(APIView):
    content_negotiation_class = AnyAccept

    @extend_schema(
        parameters=[
            OpenApiParameter("format", str, description="raw: no filter. preview: means of 4 x 4, filtered."),
            VERSION,
        ],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, pk: int, k: int) -> HttpResponse:
        """One axial slice: J*I little-endian int16 HU, row-major. Immutable."""
        volume = get_object_or_404(Volume, pk=pk)
        if k >= volume.size_k:
            raise Http404
        form = _form(request, volume)
        raw, preview = form == "raw", form == "preview"
        etag = _etag(volume, f"{k}-{form}" if raw or preview else str(k))
        if _has(request, etag):
            return _immutable(HttpResponse(status=304), etag)
        try:
            stored = storage.read_slice(volume.slices_key, k)
            if preview:
                stored = slices.to_preview(stored, rows=volume.size_j, columns=volume.size_i)
            body = slices.to_raw(stored, rows=volume.size_j, columns=volume.size_i) if raw else stored
        except (OSError, slices.SliceError) as error:
            logger.error("slice %d of volume %d cannot be read: %s", k, volume.pk, error)
            raise DamagedSlice("This slice cannot be read; the rest of the scan is not affected.") from error
        response = HttpResponse(body, content_type="application/octet-stream")
        if not raw:
            if "gzip" in request.headers.get("Accept-Encoding", ""):
                response["Content-Encoding"] = "gzip"
            else:
                response.content = slices.gunzip(stored)
        return _immutable(response, etag)


class VolumeBlock(APIView):
    content_negotiation_class = AnyAccept

    @extend_schema(parameters=[VERSION], responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: int, n: int) -> HttpResponse:
        """Neighbouring slices in one answer, which spares a viewer most of its requests. Immutable.

        For each slice its length in bytes (little-endian uint32), then for each the gzip of its filtered form. Length 0:
        it cannot be read, and says why when it is asked for by itself.
        """
        volume = get_object_or_404(Volume, pk=pk)
        ks = blocks.within(n, volume.size_k)
        if not ks:
            raise Http404
        _form(request, volume)  # there is but one, of this version
        etag = _etag(volume, f"block-{n}")
        if _has(request, etag):
            return _immutable(HttpResponse(status=304), etag)
        stored = storage.read_slices(volume.slices_key, ks)
        response = HttpResponse(blocks.pack(stored), content_type="application/octet-stream")
        if not all(stored):
            response["Cache-Control"] = "no-store"  # what is missing may come back
            return response
        return _immutable(response, etag)


def _form(request: Request, volume: Volume) -> str:
    """The form that is asked for: raw, preview or "". What was imported anew meanwhile answers to no older version: its
    pixels would be kept for a year among those of the scan that was.

    A script that puts "?format=raw" behind the template, which has a query already, is understood.
    """
    version, _, form = request.query_params.get("v", "").partition("?format=")
    if version not in ("", volume.slices_version):
        raise ReplacedSlices("This scan was imported anew; reload the page.")
    return request.query_params.get("format", form)


def _etag(volume: Volume, part: str) -> str:
    """The name of the folder ends with a digest of what the slices hold. It begins with the file's name: that is not told."""
    return f'"{volume.slices_key.rsplit("-", 1)[-1]}-{part}"'


def _has(request: Request, etag: str) -> bool:
    return etag in parse_etags(request.headers.get("If-None-Match", ""))


def _immutable(response: HttpResponse, etag: str) -> HttpResponse:
    response["ETag"] = etag
    response["Cache-Control"] = A_YEAR
    patch_vary_headers(response, ["Accept-Encoding", "Cookie", "Authorization"])
    return response
