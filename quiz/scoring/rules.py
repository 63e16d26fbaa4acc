"""Every threshold, weight and tolerance of the grade, each once, with where it comes from.

The page "How you are scored" and docs/how-you-are-scored.md are made from this file: the text below a constant is what
people read. Change a number here, raise SCORER_VERSION, and run ``manage.py rescore``.
"""

SCORER_VERSION = "3"
"""Which rules graded an attempt. An attempt of another version is graded again by rescore; its history is kept."""

SHARP = frozenset({"2d", "2e", "2f", "2g"})
"""Categories with a border that can be seen to the voxel: nodules, effusion, cysts, pneumothorax. Our judgement."""

DIFFUSE = frozenset({"1a", "1b", "1c", "1d", "1e", "1f"})
"""Categories judged by blocks of lung, because their instances mean little: parent 1 of the data set's ontology."""

SHARP_TOLERANCE_MM = 2.0
"""Tolerance where borders are sharp. Four radiologists differed by 0.5 to 1.25 mm (standard deviation) on nodules."""

SHARP_TOLERANCE_SPACINGS = 1.5
"""... but at least this many times the largest voxel spacing: nobody draws finer than the voxels."""

SOFT_TOLERANCE_MM = 4.0
"""Tolerance where borders are soft: consolidation, ground glass, lines. Twice that of sharp ones; our judgement."""

SOFT_TOLERANCE_SPACINGS = 2.0
"""... but at least this many times the largest voxel spacing: the challenge's own distance rule."""

INSIDE_NONE = 0.10
"""A mark of which no more than this share lies within tolerance of the finding earns nothing: it says everything."""

INSIDE_FULL = 0.25
"""From this share on a mark earns full credit for finding; between the two, credit grows evenly, so there is no cliff."""

TOUCH_MM = 2.0
"""A mark must come this close to an instance (or within the tolerance, if smaller) to be credited with it."""

NEAR_MM = 15.0
"""A stray mark within this distance of an instance that was not found is a near miss. Our judgement."""

NEAR_CREDIT = 0.25
"""What a near miss earns at most, of the credit of a find; less with distance."""

NEAR_MAX_TIMES = 8.0
"""A stray mark of more than so many times the instance's volume is no near miss but a sweep."""

MOST_ASKED = 3
"""No more instances are asked than this. Train truth marks about three; fully annotated scans hold up to 36."""

AREA_FLOOR = 0.8
"""Slice mode: an outline counts fully on the slice where the finding is largest, and this much on a very small one."""

FALSE_MARK_WEIGHT = 0.5
"""Weight of a mark known to be wrong against a found instance: one of each gives a restraint of two thirds."""

SPECK_VOXELS = 10
"""Truth instances smaller than this are not asked when a larger one is there: crumbs of annotation (the official
evaluator drops painted components below the same size)."""

PAINT_SPECK_VOXELS = 4
"""A painted component smaller than this costs nothing beside a larger one: a slip of the pen."""

MOST_MARKS = 100
"""Only so many painted components are judged, the largest: nobody marks more, and dust must not be dear to grade."""

MOST_UNJUDGED = MOST_ASKED + 2
"""So many marks beside an incomplete reference stay unjudged; where something was found, the smaller ones beyond that
count as wrong, because dots all over the lungs are no answer. Source: the grading proposal, section 3.6 (k + 2), with the
most that is ever asked for as k, so that the number says nothing of the scan."""

MOST_PAINT_ML = 8000.0
"""More paint than this is a sweep, not an answer: both lungs hold about six litres. It scores 0."""

SAMPLED_VOXELS = 10_000
"""Of a larger mark or instance so many voxels are measured, drawn with a fixed seed: a share of them is known to half a
per cent, and painting a whole lung must not take seconds to grade."""

SIDE_MARGIN_MM = 20.0
"""Paint this far beyond the midline is on the wrong side when the sentence names the other one."""

OUTSIDE_MARGIN_MM = 20.0
"""Paint this far in front of, behind or beside the air-filled lungs is in the chest wall or outside the body."""

PLEURAL = frozenset({"2e", "2g"})
"""Findings that themselves lie outside the air-filled lungs: for them the rule above does not hold."""

FOUND_AT = 0.75
"""Share of what is asked from which the verdict reads "found"."""

BLOCK_MM = 10.0
"""Edge of a block for diffuse findings: about a secondary lobule, the unit in which diffuse disease is described."""

BLOCK_FILLED = 0.10
"""A block counts as marked when at least this share of its judged voxels is."""

PRIOR_DISCOUNT_OF_TWO = 0.85
"""Two annotated instances are a little less often all there are than the counts say: .83 true where .94 was estimated,
on simulated annotators."""

PRIOR_SHRINK = 20.0
"""A category's own completeness counts fully only with many findings: this many findings' worth of the overall value
is mixed in."""

PRIOR_LEAST = 30
"""With fewer fully annotated findings than this the completeness of partial ones is not estimated, and taken as 0."""
