"""What was scanned and what is true. Knows nothing of trainees."""

from django.db import models

from cases.imaging.geometry import Grid


class Category(models.Model):
    """One code of the ReXGroundingCT ontology: a parent such as "1" or a sub-category such as "2d"."""

    code = models.CharField(primary_key=True, max_length=4)
    name = models.CharField(max_length=120)
    definition = models.TextField(blank=True)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    focal = models.BooleanField(default=True)
    annotated = models.BooleanField(default=False, help_text="Findings of this category carry masks.")

    class Meta:
        verbose_name_plural = "categories"
        ordering = ["code"]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class Split(models.TextChoices):
    TRAIN = "train", "train (partly annotated)"
    VAL = "val", "validation (every instance annotated)"
    TEST = "test", "test (every instance annotated)"


class Volume(models.Model):
    """One reconstruction of one scan: an array of HU in house order, stored as compressed slices."""

    name = models.CharField(max_length=120, unique=True, help_text="Name in the data set, without .nii.gz.")
    split = models.CharField(max_length=8, choices=Split)
    patient_key = models.CharField(max_length=80, db_index=True, help_text="Prefix and number: train_39, valid_39.")
    study_key = models.CharField(max_length=80)
    size_k = models.PositiveIntegerField()
    size_j = models.PositiveIntegerField()
    size_i = models.PositiveIntegerField()
    spacing_k = models.FloatField(help_text="mm")
    spacing_j = models.FloatField(help_text="mm")
    spacing_i = models.FloatField(help_text="mm")
    affine = models.JSONField(help_text="4 x 4, maps (i, j, k, 1) to LPS millimetres.")
    file_frame = models.JSONField(
        null=True, blank=True, help_text="How the CT's file lies: shape, axes, header fields."
    )
    lung_box = models.JSONField(null=True, blank=True, help_text="[[k0, k1], [j0, j1], [i0, i1]] of both lungs.")
    midline_i = models.FloatField(null=True, blank=True, help_text="Column between the lungs.")
    slices_key = models.CharField(max_length=160, help_text="Folder of the slices in the store.")
    source = models.JSONField(default=dict, help_text="Fingerprint of the files it was imported from.")
    credit = models.TextField(blank=True)
    licence = models.CharField(max_length=200, blank=True)
    imported_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def size(self) -> tuple[int, int, int]:
        return self.size_k, self.size_j, self.size_i

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        return self.spacing_k, self.spacing_j, self.spacing_i

    @property
    def slices_version(self) -> str:
        """What tells the slices of this import from those of another: made of their content, and of no name."""
        return self.slices_key[-8:]

    @property
    def grid(self) -> Grid:
        return Grid(self.size, self.spacing_mm, tuple(tuple(row) for row in self.affine))


class FindingQuerySet(models.QuerySet["Finding"]):
    def usable(self) -> "FindingQuerySet":
        """Findings that can be asked: their truth mask holds at least one voxel."""
        return self.filter(voxels__gt=0)


class Finding(models.Model):
    """One sentence of a report, its category and its truth mask."""

    volume = models.ForeignKey(Volume, on_delete=models.CASCADE, related_name="findings")
    channel = models.PositiveSmallIntegerField(help_text="First index of the mask file.")
    sentence = models.TextField()
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="findings")
    exhaustive = models.BooleanField(help_text="Every instance is annotated (val, test).")
    truth_key = models.CharField(max_length=200)
    truth_version = models.PositiveIntegerField(default=1)
    truth_sha256 = models.CharField(max_length=64)

    # Computed once at import, so that lists and filters need no arrays.
    voxels = models.PositiveIntegerField()
    volume_ml = models.FloatField()
    diameter_mm = models.FloatField(help_text="Of the sphere of the same volume as the largest instance.")
    box = models.JSONField(help_text="[[k0, k1], [j0, j1], [i0, i1]], stops excluded.")
    centroid = models.JSONField(help_text="[k, j, i]")
    largest_k = models.PositiveIntegerField(help_text="Slice of largest area.")
    side = models.CharField(max_length=8, blank=True, help_text="right, left, both or unknown (empty).")
    zone = models.CharField(max_length=16, blank=True, help_text="upper, middle, lower, several or unknown (empty).")
    mean_hu = models.FloatField(null=True)
    rim_contrast_hu = models.FloatField(null=True, help_text="Mean HU inside minus mean HU of a 5 mm rim.")
    instance_count = models.PositiveIntegerField(default=0, help_text="Instances annotated.")
    cap_reached = models.BooleanField(default=False, help_text="Partial annotation that stopped at three instances.")

    objects = FindingQuerySet.as_manager()

    class Meta:
        ordering = ["volume__name", "channel"]
        constraints = [
            models.UniqueConstraint(fields=["volume", "channel"], name="one_finding_per_channel"),
        ]

    def __str__(self) -> str:
        return f"{self.volume_id}/{self.channel} {self.sentence[:60]}"

    @property
    def z_range(self) -> tuple[int, int]:
        """First slice and the one after the last, k."""
        return self.box[0][0], self.box[0][1]


class Instance(models.Model):
    """One entity of a finding's truth mask: a distinct value that is not zero."""

    finding = models.ForeignKey(Finding, on_delete=models.CASCADE, related_name="instances")
    value = models.PositiveSmallIntegerField()
    voxels = models.PositiveIntegerField()
    volume_ml = models.FloatField()
    diameter_mm = models.FloatField()
    box = models.JSONField()
    centroid = models.JSONField()
    largest_k = models.PositiveIntegerField()
    side = models.CharField(max_length=8, blank=True)
    zone = models.CharField(max_length=16, blank=True)
    mean_hu = models.FloatField(null=True)
    rim_contrast_hu = models.FloatField(null=True)

    class Meta:
        ordering = ["finding", "value"]
        constraints = [models.UniqueConstraint(fields=["finding", "value"], name="one_instance_per_value")]

    def __str__(self) -> str:
        return f"{self.finding_id}#{self.value}"

    @property
    def z_range(self) -> tuple[int, int]:
        """First slice and the one after the last, k."""
        return self.box[0][0], self.box[0][1]
