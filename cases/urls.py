from django.urls import path

from cases.views import VolumeManifest, VolumeSlice

urlpatterns = [
    path("volumes/<int:pk>/", VolumeManifest.as_view(), name="volume-manifest"),
    path("volumes/<int:pk>/slices/<int:k>/", VolumeSlice.as_view(), name="volume-slice"),
]
