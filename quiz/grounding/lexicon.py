"""The words of chest CT reports, as regular expressions on lower-case text: one short pattern a line."""

import re

KINDS: dict[str, tuple[str, ...]] = {
    # The special comes before the general: where two begin at the same word, the first one here wins.
    "2f": (r"honey ?-?comb\w*",),
    "2g": (
        r"(hydro|haemo|hemo)?pneumothora\w*",
        r"(free )?(pleural air|air in the pleural)",
    ),
    "1e": (
        r"micro ?-?nodul\w*",
        r"tree[- ]in[- ]bud",
        r"(cent(ri|er|re)lobular|miliary|perilymphatic|millimet(ric|er|re)\w*) nod\w*",
        r"budding tree",
        r"bronchiol\w*",
        r"acinar",
    ),
    "1b": (r"(\w*bronchi?ectas\w*|(dilat\w*|ectatic|widen\w*) (\w+ )?(bronch\w+|airway\w*)|bronchial dilat\w*)",),
    "1a": (
        r"(peri)?bronch\w*( \w+){0,2} (thicken\w*|cuff\w*|wall\w*)",
        r"(thicken\w*)( \w+){0,3} (bronch\w*|airway\w*)",
        r"airway\w* thicken\w*",
    ),
    "1c": (
        r"emphysem\w*",
        r"bull(a|ae|ous)\b",
        r"air trapping blebs?",
        r"blebs?\b",
    ),
    "1d": (
        r"(inter|intra)?-?(lobular|septal|interstiti\w*)( \w+){0,2} (thicken\w*|prominen\w*)",
        r"septa[l]? thicken\w*",
        r"thicken\w*( \w+){0,2} (inter\w*sept\w*|septa\w*|interstiti\w*)",
        r"reticul\w*",
        r"interstitial (marking|pattern|change)\w*",
        r"crazy[- ]paving",
        r"kerley",
    ),
    "1f": (
        r"mosaic\w*",
        r"air[- ]trapping",
        r"(heterogeneous|patchy) (density|attenuation|aeration)",
        r"hyperinflat\w*",
    ),
    "2e": (
        r"(pleur\w+)( \w+){0,2} (effusion\w*|fluid|thicken\w*|collection\w*|plaque\w*|empyema)",
        r"(?<!pericardial )(?<!joint )effusion\w*",
        r"haemothorax",
        r"hemothorax",
        r"empyema",
        r"fluid( \w+){0,3} (pleural|hemithorax)",
        r"thicken\w*( \w+){0,2} pleura\w*",
        r"pleural thicken\w*",
    ),
    "2c": (
        r"gr(ou|u)nd[- ]?glass",
        r"\bggos?\b",
        r"\bggns?\b",
        r"frosted glass",
        r"(sub|non|part)[- ]?solid",
        r"hazy (opacit\w*|densit\w*|infiltrat\w*)",
    ),
    "2a": (
        r"(linear|band|streaky)( ?-?like)?( \w+){0,2} (opacit\w*|densit\w*|scar\w*|lesion\w*)",
        r"(linear|band|plate|disc|discoid|subsegmental|streaky)( ?-?like)?( \w+){0,2} atelecta\w*",
        r"\b(fibro\w*|pleuroparenchymal|parenchymal)( \w+){0,1} (bands?|sequela\w*|strands?|changes?|scar\w*|recession\w*)",
        r"\b(scar\w*|bands?|strands?|fibrosis|sequelae?)\b",
        r"linear\b",
    ),
    "2b": (
        r"consolidat\w*",
        r"atelecta\w*",
        r"collapse\w*",
        r"pneumon(ia|ic)\w*",
        r"air ?-?space (opacit\w*|disease)",
        r"infiltrat\w*",
        r"infarct\w*",
    ),
    "2d": (
        r"nodul\w*",
        r"mass(es)?\b",
        r"tumou?r\w*",
        r"granulom\w*",
        r"metasta\w*",
        r"hamartom\w*",
        r"(space[- ]occupying|spiculated|solid|malignan\w*) \w*lesion",
        r"carcinom\w*",
    ),
    "2h": (
        r"cyst\w*",
        r"cavit\w*",
        r"calcif\w*",
        r"pneumatoc\w*",
        r"bronchoc\w*",
        r"mycetom\w*",
        r"abscess\w*",
        r"sequest\w*",
        r"aspergill\w*",
        r"hernia\w*",
        r"foreign body",
    ),
}
"""Category to its nouns."""

LOBES: dict[str, tuple[str, ...]] = {
    "upper": (
        r"\bupper(( and| or|,) (middle|lower))?( lung)? lobes?",
        r"\bupper (right|left)?( lung)? ?lobes?",
        r"\b[rl]ul\b",
        r"\bapico-?posterior",
        r"\bapical segment of the (right|left) upper",
    ),
    "middle": (
        r"\bmiddle lobes?\b",
        r"\brml\b",
    ),
    "lower": (
        r"\blower(( and| or|,) (middle|upper))?( lung)? lobes?",
        r"\blower (right|left)?( lung)? ?lobes?",
        r"\b[rl]ll\b",
        r"\b(postero|latero|antero|medio|posterior |lateral |anterior |medial )-?bas(al|ilar)\b",
    ),
    "lingula": (r"\blingul\w*",),
}

ZONES: dict[str, tuple[str, ...]] = {
    "upper": (
        r"\bupper (lung )?(zone|third|half|field|part|right lung|left lung|lung|portion|level)s?\b",
        r"\bap(ex|ices|ical)\b(?! segment of the (right|left) lower)",
        r"\bsuperior (zone|part)",
    ),
    "middle": (r"\b(mid|middle) ?-?(lung )?(zone|third|field|part|level|right lung|left lung|lung)s?\b",),
    "lower": (
        r"\blower (lung )?(zone|third|half|field|part|right lung|left lung|lung|portion|level)s?\b",
        r"\bbas(e|es|al|ilar)\b",
        r"\b(postero|latero|antero|medio)-?bas(al|ilar)\b",
        r"\bcostophrenic",
        r"\bdiaphragm\w*",
    ),
}

_OTHER_ORGANS = (
    r"(atri|ventric|heart|coronary|main coronary|kidney|renal|adrenal|hepatic|liver|breast|thyroid|axill|subclav|jugular"
    r"|carotid|brachioceph|clavic|scapul|humer|vertebr)"
)
"""A side that is said of one of these says nothing of the finding."""

WORDS: dict[str, tuple[str, ...]] = {
    "both": (
        r"\bbilateral\w*",
        r"\bboth (\w+ ){0,4}(lungs?|lobes?|sides?|hemithora\w+|zones?|apic\w+|apex\w*|bases?)",
        r"\bboth\b(?= \w+ lobes)",
    ),
    "right": (
        rf"\bright\b(?!-? of| {_OTHER_ORGANS})",
        r"\br(u|m|l)l\b",
    ),
    "left": (
        rf"\bleft\b(?! {_OTHER_ORGANS})",
        r"\bl(u|l)l\b",
        r"\blingul\w*",
    ),
    "anterior": (r"\banter\w*",),
    "posterior": (
        r"\bposter\w*",
        r"\bdorsal\w*",
        r"\bdependent\b",
        r"\bapico-?posterior",
    ),
    "rim": (
        r"\bperipher\w*",
        r"\bsub-?pleural\w*",
        r"\bpleural[- ]based",
        r"\bjuxta-?pleural",
        r"\blateral\w*",
        r"\blatero",
        r"\bcostal\b",
    ),
    "core": (
        r"\bcentral(?!obular)\w*\b",
        r"\bperihilar",
        r"\bhil(ar|um|a)\b",
        r"\bparahilar",
        r"\bmedial\w*",
        r"\bmedio",
        r"\bparamediastin\w*",
        r"\bparacardiac",
        r"\bperibronchovascular",
    ),
    # What follows in the same clause is not there ...
    "denied": (
        r"\bno\b(?! (significant |interval |obvious |major )*change)",
        r"\b(without|absence of|negative for|free (of|from)|neither|nor|never|rul(ed|es) out|resolution of)\b",
        r"\bnot (have|show|contain|any)\b",
    ),
    # ... and neither is what came before.
    "gone": (
        r"\b((is|are|was|were|be|been|has|have|could|can) )?not( be)?( \w+)? ?"
        r"(seen|observed|detected|found|identified|noted|present|evident|visuali[sz]ed)\b"
        r"(?! (previously|before|on (the )?pr))(?<!previously seen)",
        r"\b(is|are|was|were) (absent|excluded|ruled out)\b",
        r"\b(has|have)( \w+)? (resolved|disappeared)\b",
    ),
    "clause": (r"[.;:](?!\d)", r"\b(but|however|except|although|though|whereas|while|yet)\b"),
    "besides": (
        r"\b(extend\w*|more|mostly|mainly|especially|predominant\w*|particularly|prominent\w*|adjacent|near|next to)\b",
        r"\b(secondary|due to|associated|accompan\w+|caused)\b",
    ),
    "many": (
        r"\b(multiple|several|multifocal|numerous|scattered|diffuse|few|two|three|four|five|many|bilateral|widespread)\b",
        r"\b(nodules|masses|opacities|densities|consolidations|cysts|lesions|bands|bullae|blebs|areas|foci|cavities|metastases)\b",
    ),
    "foreign": (
        # Small words of German, French, Spanish, Italian, Portuguese, Dutch and Turkish that English lacks.
        r"\b(der|die|das|und|mit|ohne|im|rechts|links|rechten|linken|nicht|kein\w*|eine[rnms]?|beidseits)\b",
        r"\b(le|les|du|des|dans|avec|sans|droite?|gauche|une|et|est|aux|el|los|las|del|con|sin|en|y|es)\b",
        r"\b(derech[oa]|izquierd[oa]|gli|della|nel|senza|destr[oa]|sinistr[oa]|di|os|da|do|direito|esquerdo|em|com|sem)\b",
        r"\b(de|het|een|met|zonder|rechter|linker|van|akciğer\w*|lob\w*da|ve|her|izlen\w+|mevcuttur)\b",
    ),
    "english": (r"\b(the|of|in|and|with|both|right|left|lung|lobe|upper|lower|there|is|are|at|on|normal)\b",),
}
"""Sides, front and back, rim (peripheral, lateral) and core (central, medial), absence, what stands beside the finding,
number, and which language it is."""


def compiled(words: dict[str, tuple[str, ...]]) -> dict[str, re.Pattern[str]]:
    return {name: re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) for name, patterns in words.items()}
