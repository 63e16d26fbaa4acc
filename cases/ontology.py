"""The ReXGroundingCT ontology: twelve parents, 61 sub-categories; the fourteen of lung and pleura carry masks.

Codes and order are those of the authors' categorisation (data set note, section 7); "12" has no sub-categories.
"""

from typing import Any

PARENTS = {
    "1": "Lung, airways and pleura: typically non-focal",
    "2": "Lung, airways and pleura: typically focal",
    "3": "Non-pulmonary lesions",
    "4": "Bones",
    "5": "Stones and calcifications",
    "6": "Hollow viscera",
    "7": "Skin and subcutaneous tissue",
    "8": "Cardiovascular",
    "9": "Body composition",
    "10": "Diffuse or whole-organ findings",
    "11": "Devices",
    "12": "Other",
}

ANNOTATED = {
    "1a": (
        "Bronchial wall thickening",
        "Airways whose walls are thicker than usual for their size: tram lines along the axis, rings across it, most "
        "easily seen next to the artery that runs with them.",
    ),
    "1b": (
        "Bronchiectasis",
        "Airways wider than the artery beside them, or that do not taper, or can be followed to within a centimetre of "
        "the pleura; cut across they look like a signet ring.",
    ),
    "1c": (
        "Emphysema",
        "Areas darker than normal lung with hardly any wall: small holes around the centre of the lobule "
        "(centrilobular), along the pleura and fissures (paraseptal), or bullae.",
    ),
    "1d": (
        "Septal thickening",
        "Fine lines that outline the secondary lobules, at right angles to the pleura, or a net of them (reticulation); "
        "follow them in the outer two centimetres of the lung.",
    ),
    "1e": (
        "Micronodules",
        "Many nodules of a few millimetres. Their pattern matters: centrilobular (spared rim under the pleura), "
        "tree-in-bud (branching), or along lymphatics (fissures, pleura, bronchi).",
    ),
    "1f": (
        "Other diffuse findings",
        "Changes of density or structure over a wide area that fit none of the other patterns, such as mosaic "
        "attenuation.",
    ),
    "2a": (
        "Linear opacity",
        "A line or band a few millimetres thick: subsegmental atelectasis, scar or fibrosis. It often reaches the "
        "pleura and may pull on it.",
    ),
    "2b": (
        "Consolidation or atelectasis",
        "Lung dense enough to hide its vessels, with or without air in the bronchi; with loss of volume if the lung has "
        "collapsed.",
    ),
    "2c": (
        "Ground-glass opacity",
        "Hazy increase of density in which vessels and airway walls can still be seen.",
    ),
    "2d": (
        "Nodule or mass",
        "A rounded opacity, a mass if over three centimetres. Scroll: a vessel goes on through the slices, a nodule "
        "comes and goes.",
    ),
    "2e": (
        "Pleural effusion or thickening",
        "Fluid or thickened pleura outside the lung: a crescent in the lowest part of the chest, at the back when lying.",
    ),
    "2f": (
        "Honeycombing",
        "Stacked cysts with shared, well-defined walls under the pleura, most often at the bases.",
    ),
    "2g": (
        "Pneumothorax",
        "Air between chest wall and lung: black, without vessels, bounded by the thin line of the visceral pleura; look "
        "at the front and at the apex when lying.",
    ),
    "2h": (
        "Other focal findings",
        "A circumscribed finding of lung or pleura that fits none of the other categories.",
    ),
}


UNANNOTATED = {
    "3": (
        "Lymph nodes", "Liver", "Gallbladder", "Kidneys, collecting system and ureters", "Spleen", "Adrenal glands",
        "Pancreas", "Thyroid", "Skin and subcutaneous lesions", "Bone lesions", "Other lesions",
    ),
    "4": ("Fractures", "Degenerative joint and disc disease", "Curvature of the spine", "Other changes of bone"),
    "5": ("Stones of kidney and gallbladder", "Granulomas", "Other calcifications"),
    "6": ("Hiatus hernia", "Wall thickening", "Dilatation", "Diverticula", "Other changes of hollow viscera"),
    "7": ("Skin thickening", "Stranding", "Hernia of the abdominal wall", "Gynaecomastia", "Other changes of the skin"),
    "8": (
        "Atherosclerosis", "Aneurysm, ectasia or enlargement of a vessel", "Occlusion or stenosis of a vessel",
        "Enlargement of a cardiac chamber", "Valvular calcification", "Pericardial effusion",
        "Other cardiovascular findings",
    ),
    "9": (
        "Visceral fat", "Subcutaneous fat", "Skeletal muscle", "Osteoporosis", "Hepatic steatosis",
        "Other findings of body composition",
    ),
    "10": ("Organ enlargement", "Atrophy", "Other diffuse findings of an organ"),
    "11": ("Elongated devices", "Surgical clips", "Other devices"),
}  # fmt: skip
"""Sub-categories without masks, in the order of their letters: they are there for later."""


def put_categories(model: Any) -> None:
    """Write every category to its table; safe to repeat. ``model``: Category, or its state in a migration."""
    for code, name in PARENTS.items():
        model.objects.update_or_create(code=code, defaults={"name": name, "focal": code != "1"})
    for code, (name, definition) in ANNOTATED.items():
        known = {
            "name": name,
            "definition": definition,
            "parent_id": code[0],
            "focal": code[0] == "2",
            "annotated": True,
        }
        model.objects.update_or_create(code=code, defaults=known)
    for parent, names in UNANNOTATED.items():
        for letter, name in zip("abcdefghijk", names, strict=False):
            known = {"name": name, "parent_id": parent, "annotated": False}
            model.objects.update_or_create(code=f"{parent}{letter}", defaults=known)
