from django.urls import path

from cases.views import VolumeBlock, VolumeManifest, VolumeSlice

urlpatterns = [
    path("volumes/<int:pk>/", VolumeManifest.as_view(), name="volume-manifest"),
    path("volumes/<int:pk>/slices/<int:k>/", VolumeSlice.as_view(), name="volume-slice"),
    path("volumes/<int:pk>/blocks/<int:n>/", VolumeBlock.as_view(), name="volume-block"),
]
