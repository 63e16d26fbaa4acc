"""Slices are kept for a year: their addresses say which import they are of, and the plain ones go on working."""

import numpy as np
import pytest

from cases.imaging import rexlike
from cases.imaging.phantom.cases import tiny
from cases.models import Volume
from tests.conftest import import_here


@pytest.fixture
def get(as_user, trainee):
    client = as_user(trainee)
    return lambda address, **more: client.get(address, **more)


def templates(get, volume):
    manifest = get(f"/api/v1/volumes/{volume.pk}/").json()
    return manifest["slices"], manifest["blocks"]


def pixels(response):
    assert response.status_code == 200
    return np.frombuffer(response.content, "<i2").reshape(40, 48)


@pytest.fixture
def imported_anew(volume, tmp_path):
    """A function that imports the same scan again with every voxel 7 HU brighter."""

    def again():
        case = tiny("valid_9201_a_1", "val", 0)
        case.voxels[:] = np.minimum(case.voxels + 7, 3000)
        rexlike.write_index(tmp_path, [rexlike.write_case(tmp_path, case)])
        import_here(tmp_path)

    return again


def test_a_scan_that_was_imported_anew_has_other_addresses(get, volume, imported_anew):
    before = templates(get, volume)
    old = pixels(get(before[0].replace("{k}", "6") + "&format=raw"))
    imported_anew()
    assert Volume.objects.get(name=volume.name).pk == volume.pk
    after = templates(get, volume)
    assert after[0] != before[0]
    assert after[1] != before[1]
    new = pixels(get(after[0].replace("{k}", "6") + "&format=raw"))
    assert (new == old + 7).all()
    # A page that was open meanwhile is told so, and no new pixels are kept under an old address.
    for address in (before[0].replace("{k}", "6"), before[1].replace("{n}", "0")):
        response = get(address)
        assert response.status_code == 404
        assert response.json() == {"detail": "This scan was imported anew; reload the page.", "code": "replaced"}
        assert "immutable" not in response.get("Cache-Control", "")


def test_the_same_scan_imported_again_keeps_its_addresses(get, volume, tiny_dataset):
    before = templates(get, volume)
    import_here(tiny_dataset)
    assert templates(get, volume) == before


def test_addresses_without_a_version_go_on_working(get, volume, imported_anew):
    address = f"/api/v1/volumes/{volume.pk}/slices/6/"
    assert templates(get, volume)[0].partition("?")[0].replace("{k}", "6") == address
    old = pixels(get(f"{address}?format=raw"))
    imported_anew()
    assert (pixels(get(f"{address}?format=raw")) == old + 7).all()
    assert get(f"/api/v1/volumes/{volume.pk}/blocks/0/").status_code == 200


def test_scripts_that_ask_for_raw_behind_the_template_get_it(get, volume):
    """By a question mark of their own, or by a parameter."""
    address = templates(get, volume)[0].replace("{k}", "6")
    raw = get(f"/api/v1/volumes/{volume.pk}/slices/6/?format=raw").content
    assert get(f"{address}?format=raw").content == raw
    assert get(f"{address}&format=raw").content == raw
    assert get(address).content != raw


def test_neither_address_nor_etag_names_the_file(get, volume):
    slices, blocks = templates(get, volume)
    for address in (slices.replace("{k}", "3"), blocks.replace("{n}", "0")):
        response = get(address)
        assert volume.name not in address
        assert volume.name not in str(response.headers)
