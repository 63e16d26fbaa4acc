"""Sentences for findings, as reports word them: synonyms, size or none, and the words for the place."""

import numpy as np

from quiz.grounding.training.chest import LEFT, LOWER, MIDDLE, UPPER
from quiz.grounding.training.findings import Finding, Target

_ONE = {
    "1a": ("bronchial wall thickening", "peribronchial thickening", "thickened bronchial walls", "peribronchial cuffing"),
    "1b": ("bronchiectasis", "cylindrical bronchiectasis", "bronchiectatic changes", "dilated bronchi",
           "traction bronchiectasis"),
    "1c": ("emphysema", "centrilobular emphysema", "emphysematous changes", "paraseptal emphysema", "emphysematous areas"),
    "1d": ("interlobular septal thickening", "septal thickening", "reticulation", "reticular opacities",
           "interstitial thickening"),
    "1e": ("micronodules", "centrilobular nodules", "tree-in-bud opacities", "tree-in-bud pattern", "millimetric nodules"),
    "1f": ("mosaic attenuation", "mosaic attenuation pattern", "mosaic density", "heterogeneous attenuation"),
    "2a": ("linear opacity", "linear atelectasis", "band atelectasis", "subsegmental atelectasis", "fibrotic band",
           "plate-like atelectasis", "linear scar", "pleuroparenchymal band"),
    "2b": ("consolidation", "area of consolidation", "airspace consolidation", "atelectasis", "pneumonic consolidation",
           "consolidative opacity"),
    "2c": ("ground-glass opacity", "ground glass opacity", "ground-glass density", "area of ground glass",
           "hazy ground-glass opacity", "ground-glass attenuation"),
    "2d": ("nodule", "pulmonary nodule", "solid nodule", "nodular lesion", "parenchymal nodule"),
    "2e": ("pleural effusion", "pleural fluid", "effusion", "fluid collection in the pleural space"),
    "2f": ("honeycombing", "honeycomb cysts", "honeycomb appearance", "subpleural honeycombing"),
    "2g": ("pneumothorax", "free pleural air", "air in the pleural space", "hydropneumothorax"),
    "2h": ("cyst", "thin-walled cyst", "air cyst", "cystic lesion", "cavity", "cavitary lesion", "bulla"),
}  # fmt: skip
_MASS = ("mass", "mass lesion", "tumour", "spiculated mass", "lung mass")
_GLASS_NODULE = ("ground-glass nodule", "subsolid nodule", "non-solid nodule")
_CALCIFIED = ("calcified nodule", "calcific nodule", "granuloma")
_THICK = ("pleural thickening", "thickened pleura")
_MANY = {
    "2a": ("linear opacities", "fibrotic bands", "linear atelectases", "band-like opacities"),
    "2b": ("consolidations", "areas of consolidation", "multifocal consolidation"),
    "2c": ("ground-glass opacities", "patchy ground-glass opacities", "areas of ground-glass density"),
    "2d": ("nodules", "multiple nodules", "several pulmonary nodules", "nodular lesions"),
    "2h": ("cysts", "multiple cysts", "air cysts", "cavities"),
}
_LOBE = {UPPER: "upper lobe", MIDDLE: "middle lobe", LOWER: "lower lobe"}
_PREFIX = ("", "", "", "a ", "there is ", "evidence of ", "small ", "mild ", "a focus of ", "findings of ")


def word(rng: np.random.Generator, finding: Finding) -> str:
    """One sentence. It names the place the finding was put in, never more than that."""
    noun = _noun(rng, finding)
    place = _place(rng, finding.target, finding.category)
    size = _size(rng, finding)
    shape = rng.random()
    if shape < 0.55:
        text = f"{rng.choice(_PREFIX)}{size}{noun} {place}"
    elif shape < 0.75 and place:
        text = f"{place}, {size}{noun}"
    elif shape < 0.9:
        verb = "are" if noun.endswith("s") else "is"
        text = f"{size}{noun} {verb} {rng.choice(['seen', 'present', 'noted', 'observed'])} {place}"
    else:
        text = f"{noun} {place}" + (f" measuring {size.strip()}" if size else "")
    text = " ".join(text.replace(" ,", ",").split())
    return text[:1].upper() + text[1:]


def _noun(rng: np.random.Generator, finding: Finding) -> str:
    code = finding.category
    choices = _ONE[code]
    if finding.count > 1 and code in _MANY:
        choices = _MANY[code]
    elif code == "2d":
        if finding.size_mm > 30:
            choices = _MASS
        elif finding.numbers["hu"] < -300:
            choices = _GLASS_NODULE
        elif finding.numbers["core"] and finding.numbers["inner"] > 200:
            choices = _CALCIFIED
    elif code == "2e" and finding.numbers["thin"]:
        choices = _THICK
    return str(rng.choice(choices))


def _size(rng: np.random.Generator, finding: Finding) -> str:
    if not finding.size_mm or finding.count > 1 or rng.random() < 0.5:
        return ""
    mm = max(2, round(finding.size_mm * rng.uniform(0.9, 1.1)))
    return str(rng.choice([f"{mm} mm ", f"{mm}mm ", f"{mm / 10:.1f} cm ", f"{mm} x {max(2, round(mm * 0.8))} mm "]))


def _place(rng: np.random.Generator, target: Target, code: str) -> str:
    rim = {
        "peripheral": str(rng.choice(["peripheral ", "subpleural ", ""])),
        "central": str(rng.choice(["central ", "perihilar ", ""])),
    }
    near = rim.get(target.rim, "")
    if target.side == 0:
        zone = target.zone
        if zone:
            return str(
                rng.choice([
                    f"in the {near}{zone} lobes of both lungs", f"in both {near}{zone} lung zones",
                    f"in the {zone} zones bilaterally", f"bilateral, {zone} zone predominant",
                ])
            )  # fmt: skip
        return str(rng.choice([f"in both {near}lungs", "bilaterally", "in both lungs", "in the bilateral lungs"]))
    side = "left" if target.side == LEFT else "right"
    if code in ("2e", "2g"):
        return str(rng.choice([f"on the {side}", f"on the {side} side", f"in the {side} hemithorax", f"{side} sided"]))
    if target.lingula:
        return str(
            rng.choice(["in the lingula", "in the lingular segment of the left upper lobe", "in the left lingula"])
        )
    if target.lobe:
        lobe = _LOBE[target.lobe]
        return str(
            rng.choice([
                f"in the {near}{side} {lobe}", f"in the {lobe} of the {side} lung", f"in the {side} {lobe}",
                f"within the {side} {lobe}", f"in the {side} lung {lobe}",
            ])
        )  # fmt: skip
    if target.zone:
        zone = target.zone
        return str(
            rng.choice([
                f"in the {near}{side} {zone} zone", f"in the {zone} zone of the {side} lung",
                f"in the {zone} third of the {side} lung",
            ])
        )  # fmt: skip
    return str(rng.choice([f"in the {side} lung", f"in the {near}{side} lung", f"on the {side} side"]))
